"""Chats and messages: what happens to the rows. Everything here is synchronous and one transaction."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import Any

from fastapi import HTTPException
from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session

from .models import ChatMessage, ChatSession
from .runtime import reading, settings, writing
from .schemas import GuestIn, GuestSession, Message, SessionPage, StaffSession, Started, Unread

BATCH = 200
STAFF_UNREAD = (
    select(func.count())
    .where(
        ChatMessage.session_id == ChatSession.id,
        ChatMessage.sender == "guest",
        ChatMessage.id > ChatSession.staff_read,
    )
    .correlate(ChatSession)
    .scalar_subquery()
)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def add(session: Session, chat: ChatSession, sender: str, text: str, author: str = "", **details: Any) -> ChatMessage:
    """Write a message into a chat, in the caller's transaction."""
    chat.updated_at = time.time()
    message = ChatMessage(
        session_id=chat.id, sender=sender, author=author, text=text, details=details, created_at=chat.updated_at
    )
    session.add(message)
    session.flush()
    return message


def get(session: Session, session_id: str) -> ChatSession:
    """The chat. Raises 404."""
    chat = session.get(ChatSession, session_id)
    if chat is None:
        raise HTTPException(404, f"no chat {session_id}")
    return chat


def start(guest: GuestIn, customer_id: int | None = None) -> Started:
    """Open a chat; the bot greets."""
    token, moment = secrets.token_urlsafe(32), time.time()
    with writing() as session:
        chat = ChatSession(
            id=secrets.token_hex(16), token_hash=_hash(token), customer_id=customer_id, created_at=moment,
            updated_at=moment, **guest.model_dump(),
        )  # fmt: skip
        session.add(chat)
        session.flush()
        current = settings()
        greeting = [add(session, chat, "bot", current.greeting, current.bot_name)] if current.greeting else []
        messages = [Message.model_validate(message) for message in greeting]
        return Started(session=as_guest(session, chat), token=token, messages=messages)


def owns(session_id: str, token: str) -> bool:
    """Whether the token opens that chat."""
    with reading() as session:
        chat = session.get(ChatSession, session_id)
        stored = chat.token_hash if chat else _hash("")
        return hmac.compare_digest(stored, _hash(token)) and chat is not None


def as_guest(session: Session, chat: ChatSession) -> GuestSession:
    """The chat as its guest sees it."""
    unread = select(func.count()).where(
        ChatMessage.session_id == chat.id, ChatMessage.sender != "guest", ChatMessage.id > chat.guest_read
    )
    return GuestSession.model_validate(chat).model_copy(update={"unread": session.scalar(unread)})


def guest_view(session_id: str) -> GuestSession:
    """The chat as its guest sees it. Raises 404."""
    with reading() as session:
        return as_guest(session, get(session, session_id))


def staff_view(session_id: str) -> StaffSession:
    """The chat as admins see it. Raises 404."""
    with reading() as session:
        get(session, session_id)
        chat, unread = session.execute(select(ChatSession, STAFF_UNREAD).where(ChatSession.id == session_id)).one()
        return _as_staff(chat, unread)


def _as_staff(chat: ChatSession, unread: int) -> StaffSession:
    return StaffSession.model_validate(chat).model_copy(update={"unread": unread})


def messages(session_id: str | None, after: int = 0, limit: int = BATCH) -> list[Message]:
    """Messages with a higher id than `after`, oldest first; of all chats when `session_id` is None."""
    query = select(ChatMessage).where(ChatMessage.id > after).order_by(ChatMessage.id).limit(limit)
    if session_id is not None:
        query = query.where(ChatMessage.session_id == session_id)
    with reading() as session:
        return [Message.model_validate(row) for row in session.scalars(query)]


def latest(session_id: str, count: int) -> list[Message]:
    """The last messages of a chat, oldest first."""
    query = select(ChatMessage).where(ChatMessage.session_id == session_id)
    with reading() as session:
        rows = session.scalars(query.order_by(ChatMessage.id.desc()).limit(count)).all()
        return [Message.model_validate(row) for row in reversed(rows)]


def newest_id() -> int:
    """The id of the last message of all chats."""
    with reading() as session:
        return session.scalar(select(func.max(ChatMessage.id))) or 0


def touched(after: int) -> tuple[int, set[str]]:
    """The newest id, and the chats that got messages with a higher id than `after`."""
    query = select(ChatMessage.id, ChatMessage.session_id).where(ChatMessage.id > after)
    with reading() as session:
        rows = session.execute(query).all()
    return max((row.id for row in rows), default=after), {row.session_id for row in rows}


def say(session_id: str, text: str) -> tuple[Message, bool]:
    """Write a guest's message; also whether the bot should answer. Raises 409 (closed) or 429 (too many)."""
    with writing() as session:
        chat = get(session, session_id)
        if chat.status == "closed":
            raise HTTPException(409, "this chat is closed: start a new one")
        _not_too_many(session, session_id)
        message = add(session, chat, "guest", text, chat.name)
        return Message.model_validate(message), chat.status == "bot"


def _not_too_many(session: Session, session_id: str) -> None:
    recent = select(func.count(), func.min(ChatMessage.created_at)).where(
        ChatMessage.session_id == session_id,
        ChatMessage.sender == "guest",
        ChatMessage.created_at > time.time() - 60,
    )
    count, oldest = session.execute(recent).one()
    if count >= settings().messages_per_minute:
        wait = max(1, round(oldest + 60 - time.time()))
        raise HTTPException(429, "too many messages: wait a moment", {"Retry-After": str(wait)})


def answered(session_id: str, text: str, **details: Any) -> Message | None:
    """Write the bot's answer, unless a person took over, or the chat was closed, while the bot was thinking."""
    with writing() as session:
        chat = get(session, session_id)
        if chat.status != "bot":
            return None
        return Message.model_validate(add(session, chat, "bot", text, settings().bot_name, **details))


def hand_over(session_id: str) -> Message | None:
    """Let the guest wait for a person; None when that is so already. Raises 409 when closed."""
    with writing() as session:
        chat = get(session, session_id)
        if chat.status == "closed":
            raise HTTPException(409, "this chat is closed: start a new one")
        if chat.status != "bot":
            return None
        chat.status = "waiting"
        text = "A person will be with you as soon as possible."
        return Message.model_validate(add(session, chat, "system", text, event="waiting"))


def read(session_id: str, up_to: int, *, staff: bool) -> None:
    """Remember what was read; never less than before, never more than there is."""
    column = ChatSession.staff_read if staff else ChatSession.guest_read
    newest = select(func.coalesce(func.max(ChatMessage.id), 0)).where(ChatMessage.session_id == session_id)
    with writing() as session:
        get(session, session_id)
        seen = min(up_to, session.scalar(newest) or 0)
        session.execute(update(ChatSession).where(ChatSession.id == session_id, column < seen).values({column: seen}))


def assign(session_id: str, to: str) -> StaffSession:
    """Give the chat to a person. Raises 409 when closed."""
    with writing() as session:
        chat = get(session, session_id)
        if chat.status == "closed":
            raise HTTPException(409, "this chat is closed: reopen it first")
        _take(session, chat, to)
    return staff_view(session_id)


def _take(session: Session, chat: ChatSession, to: str) -> None:
    if (chat.status, chat.assigned_to) == ("human", to):
        return
    chat.status, chat.assigned_to = "human", to
    add(session, chat, "system", "A person has joined the chat.", event="assigned", to=to)


def reply(session_id: str, author: str, text: str) -> Message:
    """A person's message; takes the chat when nobody had it. Raises 409 when closed."""
    with writing() as session:
        chat = get(session, session_id)
        if chat.status == "closed":
            raise HTTPException(409, "this chat is closed: reopen it first")
        if chat.status != "human":
            _take(session, chat, author)
        message = add(session, chat, "human", text, author)
        # Whoever answers has read what came before.
        chat.staff_read = message.id
        return Message.model_validate(message)


def close(session_id: str, by: str) -> None:
    """End the chat; harmless when it has ended."""
    with writing() as session:
        chat = get(session, session_id)
        if chat.status != "closed":
            _end(session, chat, by)


def _end(session: Session, chat: ChatSession, by: str) -> None:
    add(session, chat, "system", "The chat was closed.", event="closed", by=by)
    chat.status, chat.closed_at = "closed", time.time()


def reopen(session_id: str) -> StaffSession:
    """Go on with a closed chat, with the person who had it or with waiting for one."""
    with writing() as session:
        chat = get(session, session_id)
        if chat.status == "closed":
            chat.status, chat.closed_at = ("human" if chat.assigned_to else "waiting"), None
            add(session, chat, "system", "The chat was reopened.", event="reopened")
    return staff_view(session_id)


def close_idle() -> int:
    """Close chats in which nothing was said for `idle_minutes`; returns how many."""
    before = time.time() - settings().idle_minutes * 60
    query = select(ChatSession).where(ChatSession.status != "closed", ChatSession.updated_at < before).limit(BATCH)
    with reading() as session:
        if session.scalar(query) is None:
            return 0
    with writing() as session:
        idle = session.scalars(query).all()
        for chat in idle:
            _end(session, chat, "idle")
        return len(idle)


def link_customer(email: str, customer_id: int) -> int:
    """Note in chats of that e-mail address whose they are; returns how many."""
    known = update(ChatSession).where(ChatSession.email == email.lower(), ChatSession.customer_id.is_(None))
    with writing() as session:
        result: Any = session.execute(known.values(customer_id=customer_id))
        return int(result.rowcount)


def listed(status: str, q: str, assigned_to: str, page: int, per_page: int) -> SessionPage:
    """One page of the chats, those that wait first, then the liveliest."""
    where = _wanted(status, q, assigned_to)
    order = (ChatSession.status != "waiting", ChatSession.updated_at.desc(), ChatSession.id)
    query = select(ChatSession, STAFF_UNREAD).where(*where).order_by(*order)
    with reading() as session:
        total = session.scalar(select(func.count()).select_from(ChatSession).where(*where)) or 0
        rows = session.execute(query.limit(per_page).offset((page - 1) * per_page)).all()
        items = [_as_staff(chat, unread) for chat, unread in rows]
    return SessionPage(items=items, total=total, page=page, per_page=per_page)


def _wanted(status: str, q: str, assigned_to: str) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = []
    if status:
        where.append(ChatSession.status == status)
    if assigned_to:
        where.append(ChatSession.assigned_to == assigned_to)
    if q:
        said = select(ChatMessage.session_id).where(ChatMessage.text.icontains(q, autoescape=True))
        columns = (ChatSession.name, ChatSession.email, ChatSession.phone)
        where.append(or_(*(c.icontains(q, autoescape=True) for c in columns), ChatSession.id.in_(said)))
    return where


def unread() -> Unread:
    """What waits for the staff: chats without a person, and messages that nobody has read."""
    counts = (
        select(ChatSession.status, STAFF_UNREAD.label("unread"))
        .where(ChatSession.status.in_(("waiting", "human")))
        .subquery()
    )
    with reading() as session:
        waiting = session.scalar(select(func.count()).where(ChatSession.status == "waiting")) or 0
        count = select(func.count()).where((counts.c.unread > 0) | (counts.c.status == "waiting"))
        query = select(func.count(), func.coalesce(func.sum(counts.c.unread), 0)).where(counts.c.unread > 0)
        sessions, total = session.execute(query).one()
        in_all = session.scalar(count) or 0
        last = session.scalar(select(func.max(ChatMessage.id))) or 0
    return Unread(count=in_all, waiting=waiting, sessions=sessions, messages=total, last=last)
