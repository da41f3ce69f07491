"""A guest's message and what follows: a person is called, or the bot answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi.concurrency import run_in_threadpool

from . import bot, services
from .runtime import ctx
from .schemas import Message

END = None
Piece = str | bot.Restart | Message


async def call_person(session_id: str) -> Message | None:
    """Hand the chat over and tell the host (`chat.waiting`); None when somebody was called already."""
    message = await run_in_threadpool(services.hand_over, session_id)
    if message is not None:
        view = await run_in_threadpool(services.staff_view, session_id)
        await ctx.emit("chat.waiting", session=view.model_dump(mode="json"))
    return message


async def pieces(session_id: str, text: str) -> AsyncGenerator[Piece, None]:
    """What to show the guest while the answer comes, and the stored message at the end."""
    if bot.wants_person(text):
        if called := await call_person(session_id):
            yield called
        return
    async with aclosing(bot.think(session_id, text)) as thoughts:
        async for piece in thoughts:
            if not isinstance(piece, bot.Answer):
                yield piece
            elif stored := await run_in_threadpool(_store, session_id, piece):
                yield stored


def _store(session_id: str, given: bot.Answer) -> Message | None:
    return services.answered(session_id, given.text, **given.details())


async def answer(session_id: str, text: str) -> Message | None:
    """The whole answer, stored; None when a person took over meanwhile."""
    stored = None
    async with aclosing(pieces(session_id, text)) as parts:
        async for piece in parts:
            stored = piece if isinstance(piece, Message) else stored
    return stored


async def live_pieces(session_id: str, text: str) -> AsyncGenerator[Piece, None]:
    """`pieces`, made by a task of its own: a guest who closes the page finds the answer when coming back."""
    queue: asyncio.Queue[Piece | None] = asyncio.Queue()

    async def work() -> None:
        try:
            async with aclosing(pieces(session_id, text)) as parts:
                async for piece in parts:
                    queue.put_nowait(piece)
        finally:
            queue.put_nowait(END)

    task = ctx.spawn(work(), "chat answer")
    while (piece := await queue.get()) is not END:
        yield piece
    await asyncio.wait([task])
