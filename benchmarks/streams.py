"""The load's WebSocket and event stream: kept open, opened anew after a polite end, and checked message by message."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from wire import Broken, Connection

SERVICE_RESTART = 1012
_PAUSE = 0.05
_LAST_SECONDS = 5.0


@dataclass
class Heard:
    """What one of the two got."""

    ids: Counter[int] = field(default_factory=Counter)
    last: int = 0
    polite: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list)

    def take(self, number: int) -> None:
        """A message came."""
        self.ids[number] += 1
        self.last = max(self.last, number)

    def fail(self, what: str, why: str) -> None:
        """Something that must not happen."""
        self.failures.append({"at": time.monotonic(), "request": what, "why": why})

    def summary(self, said: set[int]) -> dict[str, Any]:
        """What is told of it; messages that never came are failures, those that came twice are counted."""
        missing = sorted(said - set(self.ids))
        for number in missing:
            self.fail("a message of the chat", f"message {number} never came")
        return {
            "messages": len(self.ids),
            "twice": sum(1 for count in self.ids.values() if count > 1),
            "missing": len(missing),
            "polite_ends": self.polite,
            "failures": self.failures,
        }


class Streams:
    """One WebSocket and one event stream of one chat."""

    def __init__(self, host: str, port: int, chat: str, token: str) -> None:
        self.host, self.port, self.token = host, port, token
        self.base = f"/api/v1/chat/sessions/{chat}"
        self.socket, self.events = Heard(), Heard()
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    def start(self) -> None:
        """Open both."""
        self._tasks = [asyncio.create_task(self._listen_socket()), asyncio.create_task(self._listen_events())]

    async def finish(self, said: set[int]) -> dict[str, Any]:
        """Wait a moment for the last messages, close both, and say what happened."""
        deadline = time.monotonic() + _LAST_SECONDS
        while time.monotonic() < deadline and not (said <= set(self.socket.ids) and said <= set(self.events.ids)):
            await asyncio.sleep(_PAUSE)
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return {"websocket": self.socket.summary(said), "sse": self.events.summary(said)}

    # ── WebSocket ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _listen_socket(self) -> None:
        while not self._stopping:
            address = f"ws://{self.host}:{self.port}{self.base}/ws?token={self.token}&after={self.socket.last}"
            try:
                async with connect(address, compression=None) as socket:
                    await self._hear_socket(socket)
            except (OSError, TimeoutError, WebSocketException) as error:
                self.socket.fail("WebSocket", f"{type(error).__name__}: {error}")
            await asyncio.sleep(_PAUSE)

    async def _hear_socket(self, socket: Any) -> None:
        try:
            while True:
                told = json.loads(await socket.recv())
                if told["type"] == "message":
                    self.socket.take(told["id"])
                    await socket.send(json.dumps({"type": "read", "up_to": told["id"]}))
                else:
                    self.socket.fail("WebSocket", f"told {told}")
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else 1006
            if code == SERVICE_RESTART:
                self.socket.polite += 1
            else:
                self.socket.fail("WebSocket", f"closed with {code}")

    # ── events ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _listen_events(self) -> None:
        while not self._stopping:
            connection = Connection(self.host, self.port)
            try:
                await self._hear_events(connection)
                self.events.polite += 1
            except (Broken, OSError, ValueError) as error:
                self.events.fail("event stream", f"{type(error).__name__}: {error}")
            finally:
                connection.close()
            await asyncio.sleep(_PAUSE)

    async def _hear_events(self, connection: Connection) -> None:
        headers = {"x-chat-token": self.token, "accept": "text/event-stream", "last-event-id": str(self.events.last)}
        answer = await connection.head("GET", f"{self.base}/events", headers)
        if answer.status != 200:
            body = b"".join([piece async for piece in connection.pieces(answer)])
            raise Broken(f"{answer.status} {body[:300]!r}")
        text = b""
        async for piece in connection.pieces(answer):
            text += piece
            *blocks, text = text.split(b"\n\n")
            for block in blocks:
                self._take_event(block.decode())

    def _take_event(self, block: str) -> None:
        for line in block.splitlines():
            if line.startswith("id: "):
                self.events.take(int(line.removeprefix("id: ")))
