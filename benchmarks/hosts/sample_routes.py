"""The routes that overhead.py measures: the plain host includes this file, the other host serves it as a plugin."""

from __future__ import annotations

import sqlite3
import threading
from typing import Annotated

from fastapi import APIRouter, Depends, Header, HTTPException
from pydantic import BaseModel, Field, StringConstraints

router = APIRouter(prefix="/sample")

ARTICLES = (
    ("How to pay an invoice", "Open the invoice and choose card or bank transfer."),
    ("Overdue invoices", "An invoice is overdue when it was not paid 14 days after its date."),
    ("Forgotten password", "Choose forgotten password on the login page. We send a link to your address."),
    ("Cancel a service", "Open your orders, choose the service and then cancel."),
    ("Opening hours of support", "People answer from Monday to Friday, 9 to 18 o'clock."),
)
_here = threading.local()


class Question(BaseModel):
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
    name: str = ""


class Reply(BaseModel):
    session_id: str
    title: str
    text: str
    score: Annotated[float, Field(ge=0)]
    asked: Question


def _database() -> sqlite3.Connection:
    found: sqlite3.Connection | None = getattr(_here, "database", None)
    if found is None:
        found = _here.database = sqlite3.connect(":memory:")
        found.execute("CREATE VIRTUAL TABLE articles USING fts5 (title, body, tokenize = 'porter unicode61')")
        found.executemany("INSERT INTO articles VALUES (?, ?)", ARTICLES)
    return found


def _guest(session_id: str, x_chat_token: Annotated[str, Header()] = "") -> str:
    if x_chat_token != "token":
        raise HTTPException(401, "send the chat's token as X-Chat-Token")
    return session_id


@router.get("/tiny")
async def tiny() -> dict[str, bool]:
    """As little as a route can do: the worst case for whatever stands before it."""
    return {"ok": True}


@router.post("/sessions/{session_id}/messages")
def chat(session_id: Annotated[str, Depends(_guest)], data: Question) -> Reply:
    """What a chat does: a path parameter, a header, a body, a search in a database, a checked answer, a thread."""
    words = " OR ".join(f'"{word}"' for word in data.text.split())
    query = "SELECT title, body, -rank FROM articles WHERE articles MATCH ? ORDER BY rank LIMIT 1"
    title, text, score = _database().execute(query, (words,)).fetchone() or ("", "", 0.0)
    return Reply(session_id=session_id, title=title, text=text, score=score, asked=data)
