"""One piece of work that a generation is on: how far its answer is, and how it is ended politely."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable
from contextlib import suppress
from contextvars import ContextVar
from itertools import count
from time import perf_counter_ns

from hotbay.activate import Message, Send
from hotbay.answers import respond_json
from hotbay.meter import Meter

_EVENT_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")
_numbers = count(1)
# The flights in which the running code is, the outermost first. Numbers, because a task or a timer keeps the context
# in which it was made, and would keep the generation as well.
aboard: ContextVar[tuple[int, ...]] = ContextVar("hotbayaboard", default=())


async def _nothing() -> None:
    """What a message comes to after the end."""


class Flight:
    """One request, connection, job or call (of a listener, a filter, a service) that a generation is working on."""

    __slots__ = (
        "_began",
        "_head",
        "_last",
        "_meter",
        "_send",
        "cut",
        "ended",
        "failed",
        "finished",
        "kind",
        "number",
        "task",
    )

    def __init__(self, kind: str, send: Send | None = None, meter: Meter | None = None, began: int = 0) -> None:
        self.kind = kind
        self.number = next(_numbers)
        self.task = asyncio.current_task()
        self.finished = self.ended = self.failed = self.cut = False
        self._head: Message | None = None
        self._last: Message | None = None
        self._send = send
        self._meter = meter
        self._began = began or perf_counter_ns()

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message on, and remember how far the answer is. Not `async`: it costs a coroutine a message less."""
        if self.ended or self._send is None:
            return _nothing()
        kind = message["type"]
        if kind == "http.response.body":
            if message.get("more_body"):
                self._last = message
            else:
                self.finished = True
        elif kind == "http.response.start":
            self._head = message
            if self._meter is not None:
                self._meter.answered(self._began)
            if message["status"] >= 500 and not self.failed:
                self.fail("status")
        elif kind == "websocket.accept":
            self._head = message
            if self._meter is not None:
                self._meter.accepted()
        elif kind == "websocket.close":
            self.finished = True
        return self._send(message)

    @property
    def started(self) -> bool:
        """True when the head of the answer is out, or the WebSocket accepted."""
        return self._head is not None

    def fail(self, kind: str) -> None:
        """Count this as a failure, once."""
        if not self.failed and self._meter is not None:
            self._meter.fail(kind)
        self.failed = True

    async def end(self) -> None:
        """Close politely: a WebSocket with 1012 (service restart), an event stream with its end; then cancel the work.

        Another answer that is under way is broken off (`cut`): an end would tell the client that it has all of it.
        """
        if self._send is not None and not self.finished:
            with suppress(Exception):
                async with asyncio.timeout(1.0):
                    await self._farewell()
        self.ended = True
        if self.task is not None:
            self.task.cancel("drain deadline")

    def was_ended(self) -> bool:
        """After a cancellation: True when `end` alone asked for it. The task goes on then as if it had not been."""
        if not self.ended or self.task is None:
            return False
        return not self.task.uncancel()

    async def _farewell(self) -> None:
        if self.kind == "websocket":
            if not self.started:
                self.fail("drained")
            await self.send({"type": "websocket.close", "code": 1012, "reason": "the plugin was changed"})
        elif self._head is not None and is_event_stream(self._head):
            await self.send({"type": "http.response.body", "body": self._hint(), "more_body": False})
        elif self.started:
            self.cut = True
            self.fail("cut")
        else:
            self.fail("drained")
            problem = {"status": 503, "code": "drained", "detail": "the plugin was changed; please ask again"}
            await respond_json(self.send, 503, problem, retry_after=1)

    def _hint(self) -> bytes:
        """When to come back, where it can be said: between two events. Not all clients at once."""
        sent = b"" if self._last is None else bytes(self._last.get("body", b""))
        return b"retry: %d\n\n" % random.randint(250, 1250) if sent.endswith(_EVENT_ENDS) else b""  # noqa: S311


def is_event_stream(head: Message) -> bool:
    """True for the head of server-sent events whose text is not encoded."""
    headers = {bytes(name).lower(): bytes(value) for name, value in head.get("headers", ())}
    return headers.get(b"content-type", b"").startswith(b"text/event-stream") and b"content-encoding" not in headers
