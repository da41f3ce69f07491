"""News of all workers: one cheap query a moment asks which chats got messages, and wakes whoever listens to them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import SQLAlchemyError

from . import services
from .runtime import ctx

POLL_SECONDS = 0.15
EVERY_CHAT = ""


class Feed:
    """Who listens to which chat. The query runs only while somebody does."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[asyncio.Event]] = {}
        self._watch: Any = None

    @contextmanager
    def listen(self, chat: str) -> Iterator[asyncio.Event]:
        """An event that is set when the chat (or `EVERY_CHAT`) gets a message, and when the generation closes."""
        news = asyncio.Event()
        self._listeners.setdefault(chat, set()).add(news)
        self.keep_watch()
        try:
            yield news
        finally:
            self._listeners[chat].discard(news)
            if not self._listeners[chat]:
                del self._listeners[chat]

    def keep_watch(self) -> None:
        """Start the query unless it runs."""
        if not ctx.closing and (self._watch is None or self._watch.done()):
            self._watch = ctx.spawn(self._run(), "chat feed")

    async def _run(self) -> None:
        newest = await run_in_threadpool(services.newest_id)
        # What came before this moment may have been missed: everybody looks once.
        self._wake(set(self._listeners))
        try:
            while self._listeners and not ctx.closing:
                await asyncio.sleep(POLL_SECONDS)
                newest = await self._look(newest)
        finally:
            self._wake(set(self._listeners))

    async def _look(self, newest: int) -> int:
        try:
            newest, chats = await run_in_threadpool(services.touched, newest)
        except SQLAlchemyError as error:
            ctx.log.warning("news could not be read, trying again: %s", error)
            return newest
        if chats:
            self._wake({*chats, EVERY_CHAT})
        return newest

    def _wake(self, chats: set[str]) -> None:
        for chat in chats:
            for news in self._listeners.get(chat, ()):
                news.set()


feed = Feed()
