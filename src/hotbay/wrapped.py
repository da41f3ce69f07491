"""Serves plugins beside an ASGI application whose routes can't be asked for: the host answers first.

Where the host says 404 (or refuses a WebSocket) on a path that a plugin answers, the plugin gets the request: with the
body as the host read it. So the host's routes always win, whatever framework it is made with.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any, Protocol

from hotbay.activate import App, Message, Receive, Scope, Send
from hotbay.answers import respond_json
from hotbay.table import route_path

_REPLAY_LIMIT = 1 << 20


class Inside(Protocol):
    """What is asked of Hotbay."""

    started: bool

    def wants(self, path: str) -> bool:
        """True when Hotbay answers the path."""

    def shows(self, scope: Scope) -> bool:
        """True when Hotbay has a page for what nobody answers."""

    async def dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer it."""

    def running(self) -> Any:
        """Follow the registry for a block."""


class HostFirst:
    """An ASGI application around a host and Hotbay."""

    def __init__(self, app: App, inside: Inside) -> None:
        self.app = app
        self.inside = inside

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        elif not self.inside.started or not (self.inside.wants(route_path(scope)) or self.inside.shows(scope)):
            await self.app(scope, receive, send)
        else:
            await self._host_first(scope, receive, send)

    async def _host_first(self, scope: Scope, receive: Receive, send: Send) -> None:
        heard = _Replay(receive)
        said = _Held(scope["type"], send)
        await self.app(dict(scope), heard.receive, said.send)
        if said.refused and heard.incomplete:
            detail = f"this host reads requests itself first; what it passes on may have {_REPLAY_LIMIT:,} bytes"
            await respond_json(send, 413, {"status": 413, "code": "too-large", "detail": detail})
        elif said.refused:
            await self.inside.dispatch(scope, heard.replay, send)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the host's lifespan, and ours inside it. A host without one is no mistake."""
        host, stack = _HostLifespan(self.app, scope), AsyncExitStack()
        await receive()
        try:
            async with AsyncExitStack() as begun:
                await host.ask("startup")
                begun.push_async_callback(host.ask, "shutdown")
                await begun.enter_async_context(self.inside.running())
                stack = begun.pop_all()
        except Exception as error:  # noqa: BLE001 - the server wants it as a message
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        try:
            await stack.aclose()
        except Exception as error:  # noqa: BLE001 - the server wants it as a message
            await send({"type": "lifespan.shutdown.failed", "message": str(error)})
        else:
            await send({"type": "lifespan.shutdown.complete"})


class _Replay:
    """Remembers what the host reads of a request, so that a plugin can read it again."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._heard: list[Message] = []
        self._size = 0

    @property
    def incomplete(self) -> bool:
        """True when the host has read more than is kept."""
        return self._size > _REPLAY_LIMIT

    async def receive(self) -> Message:
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._size <= _REPLAY_LIMIT:
            self._heard.append(message)
        else:
            self._heard.clear()
        return message

    async def replay(self) -> Message:
        return self._heard.pop(0) if self._heard else await self._receive()


class _Held:
    """Holds a refusal back; everything else goes out as it is."""

    def __init__(self, kind: str, send: Send) -> None:
        self._kind = kind
        self._send = send
        self.refused = False

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start" and message["status"] == 404:
            self.refused = True
        if self._kind == "websocket" and kind in ("websocket.close", "websocket.http.response.start"):
            self.refused = True
        if kind == "websocket.accept":
            self._kind = "accepted"
        if not self.refused:
            await self._send(message)


class _HostLifespan:
    """The host's own lifespan, driven step by step; a host that does not support it is left alone."""

    def __init__(self, app: App, scope: Scope) -> None:
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._outbox: asyncio.Queue[Message] = asyncio.Queue()
        self._task = asyncio.create_task(self._run(app, scope), name="host lifespan")

    async def _run(self, app: App, scope: Scope) -> None:
        try:
            await app(scope, self._inbox.get, self._outbox.put)
        except Exception:  # noqa: BLE001 - ASGI: raising means that lifespan is not supported
            await self._outbox.put({"type": "lifespan.unsupported"})

    async def ask(self, what: str) -> None:
        """Send `startup` or `shutdown` and wait for the answer; raises RuntimeError when the host says it failed."""
        if self._task.done():
            return
        await self._inbox.put({"type": f"lifespan.{what}"})
        answer = asyncio.create_task(self._outbox.get())
        await asyncio.wait({answer, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
        elif answer.result()["type"].endswith(".failed"):
            raise RuntimeError(answer.result().get("message", f"the host's {what} failed"))
