"""Live updates: numbered server-sent events, and a WebSocket. Both end by themselves when the generation closes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Query, WebSocket, WebSocketDisconnect
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import ValidationError

from . import conversation, services
from .feed import EVERY_CHAT, feed
from .guest import Guest
from .runtime import ctx
from .schemas import Message, ReadIn, TextIn
from .sse import event, stream

router = APIRouter()

HEARTBEAT_SECONDS = 15
RETRY_MS = 1000
SERVICE_RESTART = 1012
POLICY_VIOLATION = 1008

LastEventId = Annotated[str, Header(alias="Last-Event-ID")]
After = Annotated[int, Query(ge=0, description="id of the last message that is known")]


def resume_at(last_event_id: str, after: int) -> int:
    """Where a browser that lost its connection goes on: its header wins over the address."""
    return int(last_event_id) if last_event_id.isascii() and last_event_id.isdigit() else after


async def news(session_id: str | None, last: int) -> AsyncIterator[Message | None]:
    """Messages after `last` as they come; None when nothing came for a while. Ends when the generation closes."""
    with feed.listen(session_id or EVERY_CHAT) as came:
        while not ctx.closing:
            came.clear()
            batch = await run_in_threadpool(services.messages, session_id, last)
            for message in batch:
                last = message.id
                yield message
            if len(batch) < services.BATCH and not await _came(came):
                yield None


async def _came(news: asyncio.Event) -> bool:
    if ctx.closing:
        return True
    try:
        async with asyncio.timeout(HEARTBEAT_SECONDS):
            await news.wait()
    except TimeoutError:
        feed.keep_watch()
        return False
    return True


async def numbered(session_id: str | None, last: int) -> AsyncIterator[str]:
    """The events of a stream."""
    yield f"retry: {RETRY_MS}\n\n"
    async for message in news(session_id, last):
        yield ": nothing new\n\n" if message is None else event("message", message, message.id)


@router.get("/sessions/{session_id}/events")
async def events(session_id: Guest, after: After = 0, last_event_id: LastEventId = "") -> StreamingResponse:
    """The chat's messages as server-sent events; `id:` is the message's id, `Last-Event-ID` is honoured."""
    return stream(numbered(session_id, resume_at(last_event_id, after)))


@router.websocket("/sessions/{session_id}/ws")
async def talk(socket: WebSocket, session_id: str, token: str = "", after: int = 0) -> None:
    """The chat in both directions. Closes with 1012 when this version of the plugin is replaced: connect again."""
    token = socket.headers.get("x-chat-token", token)
    if not await run_in_threadpool(services.owns, session_id, token):
        await socket.close(POLICY_VIOLATION)
        return
    await socket.accept()
    tasks = [asyncio.create_task(_send(socket, session_id, after)), asyncio.create_task(_receive(socket, session_id))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if ctx.closing:
        # The guest may have left in the same moment.
        with suppress(RuntimeError, WebSocketDisconnect):
            await socket.close(SERVICE_RESTART, "the chat was updated, connect again")


async def _send(socket: WebSocket, session_id: str, after: int) -> None:
    with suppress(WebSocketDisconnect):
        async for message in news(session_id, after):
            if message is not None:
                await socket.send_json({"type": "message"} | message.model_dump(mode="json"))


async def _receive(socket: WebSocket, session_id: str) -> None:
    with suppress(WebSocketDisconnect):
        while True:
            try:
                await _obey(await socket.receive_text(), session_id)
            except HTTPException as error:
                await socket.send_json({"type": "error", "status": error.status_code, "detail": error.detail})


async def _obey(text: str, session_id: str) -> None:
    try:
        command = json.loads(text)
        kind = command.pop("type")
        if kind == "message":
            message, to_answer = await run_in_threadpool(services.say, session_id, TextIn(**command).text)
            if to_answer:
                # The answer comes back as news; another message may be sent meanwhile.
                ctx.spawn(conversation.answer(session_id, message.text), "chat answer")
        elif kind == "read":
            await run_in_threadpool(services.read, session_id, ReadIn(**command).up_to, staff=False)
        else:
            raise ValueError(kind)
    except (ValueError, TypeError, KeyError, AttributeError, ValidationError) as error:
        raise HTTPException(422, 'send {"type": "message", "text": …} or {"type": "read", "up_to": …}') from error
