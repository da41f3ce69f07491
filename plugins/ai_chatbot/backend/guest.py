"""What guests do: start a chat, write, read, ask for a person."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from app.core.security import current_user

from . import bot, conversation, services
from .runtime import settings
from .schemas import Bot, GuestIn, GuestSession, Message, Posted, ReadIn, Started, TextIn
from .sse import event, stream

router = APIRouter()


def _guest(
    session_id: str,
    x_chat_token: Annotated[str, Header()] = "",
    token: Annotated[str, Query(description="for EventSource, which sends no headers")] = "",
) -> str:
    if not services.owns(session_id, x_chat_token or token):
        raise HTTPException(401, "send the chat's token as X-Chat-Token")
    return session_id


Guest = Annotated[str, Depends(_guest)]


@router.get("/bot")
def about() -> Bot:
    """The bot's name and greeting."""
    return Bot(bot_name=settings().bot_name, greeting=settings().greeting)


@router.post("/sessions", status_code=201)
def start(data: GuestIn, user: Annotated[Any, Depends(current_user)]) -> Started:
    """Start a chat. A customer who is logged in is known."""
    return services.start(data, user.customer_id if user else None)


@router.get("/sessions/{session_id}")
def show(session_id: Guest) -> GuestSession:
    """State and unread messages of the chat."""
    return services.guest_view(session_id)


@router.get("/sessions/{session_id}/messages")
def messages(
    session_id: Guest, after: Annotated[int, Query(ge=0)] = 0, limit: Annotated[int, Query(ge=1, le=200)] = 200
) -> list[Message]:
    """Messages with a higher id than `after`, oldest first."""
    return services.messages(session_id, after, limit)


@router.post("/sessions/{session_id}/messages", status_code=201)
async def post(session_id: Guest, data: TextIn) -> Posted:
    """Write; answers when the bot has answered. 409 in a closed chat, 429 when too fast."""
    message, to_answer = await run_in_threadpool(services.say, session_id, data.text)
    answer = await conversation.answer(session_id, data.text) if to_answer else None
    view = await run_in_threadpool(services.guest_view, session_id)
    return Posted(message=message, answer=answer, status=view.status)


@router.post("/sessions/{session_id}/messages/stream")
async def post_and_stream(session_id: Guest, data: TextIn) -> StreamingResponse:
    """Write; the answer comes as events: `accepted`, many `token`, `message`, `done` (`restart`: forget the tokens)."""
    message, to_answer = await run_in_threadpool(services.say, session_id, data.text)
    return stream(_spoken(session_id, message, to_answer=to_answer))


async def _spoken(session_id: str, message: Message, *, to_answer: bool) -> AsyncIterator[str]:
    yield event("accepted", message, message.id)
    if to_answer:
        async for piece in conversation.live_pieces(session_id, message.text):
            yield _as_event(piece)
    view = await run_in_threadpool(services.guest_view, session_id)
    yield event("done", {"status": view.status})


def _as_event(piece: str | bot.Restart | Message) -> str:
    if isinstance(piece, Message):
        return event("message", piece, piece.id)
    return event("token", {"text": piece}) if isinstance(piece, str) else event("restart", {})


@router.post("/sessions/{session_id}/read", status_code=204)
def read(session_id: Guest, data: ReadIn) -> None:
    """Say what was read."""
    services.read(session_id, data.up_to, staff=False)


@router.post("/sessions/{session_id}/hand-over")
async def hand_over(session_id: Guest) -> GuestSession:
    """Ask for a person."""
    await conversation.call_person(session_id)
    return await run_in_threadpool(services.guest_view, session_id)


@router.post("/sessions/{session_id}/close")
def close(session_id: Guest) -> GuestSession:
    """End the chat."""
    services.close(session_id, "guest")
    return services.guest_view(session_id)
