"""The plugin's tables. Moments are seconds since 1970, in UTC."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The plugin's own base: nothing is shared with the host's models."""


class ChatSession(Base):
    """A guest's chat: bot → waiting → human → closed. `guest_read`, `staff_read`: last message that was read."""

    __tablename__ = "chat_sessions"
    id: Mapped[str] = mapped_column(primary_key=True)
    token_hash: Mapped[str]
    name: Mapped[str]
    email: Mapped[str]
    phone: Mapped[str] = mapped_column(default="")
    status: Mapped[str] = mapped_column(default="bot")
    assigned_to: Mapped[str] = mapped_column(default="")
    customer_id: Mapped[int | None]
    guest_read: Mapped[int] = mapped_column(default=0)
    staff_read: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[float]
    updated_at: Mapped[float]
    closed_at: Mapped[float | None]


class ChatMessage(Base):
    """One message, of sender guest, bot, human or system. Ids grow in the order of the commits."""

    __tablename__ = "chat_messages"
    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("chat_sessions.id"))
    sender: Mapped[str]
    author: Mapped[str] = mapped_column(default="")
    text: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[float]


class ChatArticle(Base):
    """An entry of the knowledge base. Its words are in `chat_articles_fts` too, while it is enabled."""

    __tablename__ = "chat_articles"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    body: Mapped[str]
    keywords: Mapped[str] = mapped_column(default="")
    enabled: Mapped[bool] = mapped_column(default=True)
    updated_at: Mapped[float]
