"""Since 1.1.0: guests rate a chat and say why; admins see the sums."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import Float, Integer, String, column, func, select, table, update

from app.core.security import require_admin

from . import services
from .guest import Guest
from .models import ChatMessage, ChatSession
from .runtime import reading, writing

router = APIRouter()
require = [Depends(require_admin)]

# The columns that 0002 adds; the model of 1.0.0 stays as it is.
rated = table(
    "chat_sessions",
    column("id", String),
    column("name", String),
    column("rating", Integer),
    column("feedback", String),
    column("rated_at", Float),
)


class RatingIn(BaseModel):
    rating: Annotated[int, Field(ge=1, le=5)]
    feedback: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)] = ""


class Rating(RatingIn):
    session_id: str
    name: str
    rated_at: datetime


class Statistics(BaseModel):
    """Sums over all chats. `answered_by_bot`: chats that no person was needed for."""

    sessions: dict[str, int]
    messages: dict[str, int]
    answered_by_bot: int
    ratings: dict[int, int]
    average_rating: float | None


@router.post("/sessions/{session_id}/rating")
def rate(session_id: Guest, data: RatingIn) -> RatingIn:
    """Rate the chat from 1 to 5, with a word why; the last rating counts."""
    change = update(rated).where(rated.c.id == session_id)
    with writing() as session:
        services.get(session, session_id)
        session.execute(change.values(rating=data.rating, feedback=data.feedback, rated_at=time.time()))
    return data


@router.get("/admin/ratings", dependencies=require)
def ratings(limit: int = 50) -> list[Rating]:
    """The newest ratings."""
    query = select(rated).where(rated.c.rating.is_not(None)).order_by(rated.c.rated_at.desc())
    with reading() as session:
        rows = session.execute(query.limit(max(1, min(limit, 200)))).mappings().all()
    return [Rating(session_id=row["id"], **{k: v for k, v in row.items() if k != "id"}) for row in rows]


def _counts(session: Any, key: Any, *where: Any) -> dict[Any, int]:
    rows = session.execute(select(key, func.count()).where(*where).group_by(key)).all()
    return dict(rows)


@router.get("/admin/statistics", dependencies=require)
def statistics() -> Statistics:
    """How the chats went."""
    people = select(ChatMessage.session_id).where(ChatMessage.sender == "human")
    answered = select(func.count(ChatMessage.session_id.distinct())).where(
        ChatMessage.sender == "guest", ChatMessage.session_id.not_in(people)
    )
    with reading() as session:
        return Statistics(
            sessions=_counts(session, ChatSession.status),
            messages=_counts(session, ChatMessage.sender),
            answered_by_bot=session.scalar(answered) or 0,
            ratings=_counts(session, rated.c.rating, rated.c.rating.is_not(None)),
            average_rating=session.scalar(select(func.avg(rated.c.rating))),
        )
