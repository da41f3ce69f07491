"""The JSON of the chat's API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_lower=True, max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$"),
]
Status = Literal["bot", "waiting", "human", "closed"]


class Row(BaseModel):
    """What is read from a table."""

    model_config = ConfigDict(from_attributes=True)


class GuestIn(BaseModel):
    name: Name
    email: Email
    phone: Line = ""


class TextIn(BaseModel):
    text: Words


class ReadIn(BaseModel):
    up_to: Annotated[int, Field(ge=0, description="id of the last message that was read")]


class AssignIn(BaseModel):
    """To whom; nobody named means whoever asks."""

    to: Line = ""


class Message(Row):
    id: int
    session_id: str
    sender: Literal["guest", "bot", "human", "system"]
    author: str
    text: str
    details: dict[str, Any]
    created_at: datetime


class GuestSession(Row):
    """A chat as its guest sees it."""

    id: str
    name: str
    email: str
    phone: str
    status: Status
    created_at: datetime
    updated_at: datetime
    unread: int = 0


class StaffSession(GuestSession):
    """A chat as admins see it; `unread` counts the guest's messages."""

    assigned_to: str
    customer_id: int | None
    closed_at: datetime | None


class Started(BaseModel):
    """A new chat. The token is shown once: send it as `X-Chat-Token`, or as `token` in the query."""

    session: GuestSession
    token: str
    messages: list[Message]


class Posted(BaseModel):
    """A guest's message and the bot's answer; none while a person has the chat."""

    message: Message
    answer: Message | None
    status: Status


class SessionPage(BaseModel):
    items: list[StaffSession]
    total: int
    page: int
    per_page: int


class Unread(BaseModel):
    """What waits for the staff; `count` is what the menu entry shows, `last` the newest message's id."""

    count: int
    waiting: int
    sessions: int
    messages: int
    last: int


class Bot(BaseModel):
    """What a guest is told before the chat starts."""

    bot_name: str
    greeting: str


class ArticleIn(BaseModel):
    title: Name
    body: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]
    keywords: Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)] = ""
    enabled: bool = True


class Article(Row):
    id: int
    title: str
    body: str
    keywords: str
    enabled: bool
    updated_at: datetime


class Hit(BaseModel):
    """An article that may answer; `score` from 0 to 1 says how much of the question it covers."""

    article: Article
    score: float
