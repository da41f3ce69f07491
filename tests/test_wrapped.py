"""Hosts whose routes can't be asked for: the host answers first, plugins get what it refuses, as it came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from hotbay.wrapped import HostFirst
from plugs import client


async def say(send: Any, status: int, text: str, *more: str) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    for part in (text, *more):
        await send({"type": "http.response.body", "body": part.encode(), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def body_of(receive: Any) -> bytes:
    found = b""
    while True:
        message = await receive()
        found += message.get("body", b"")
        if not message.get("more_body"):
            return found


class Inside:
    """Plugins below `/plug`, and nothing else."""

    def __init__(self) -> None:
        self.started = True
        self.log: list[str] = []

    def shows(self, scope: Any) -> bool:
        return False

    def wants(self, path: str) -> bool:
        return path.startswith("/plug")

    async def dispatch(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "text": "plugin"})
            return
        body = await body_of(receive)
        self.log.append(scope["method"])
        await say(send, 200, f"plugin:{len(body)}:{body[:10].decode()}")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self.log.append("plugins up")
        yield
        self.log.append("plugins down")


async def host(scope: Any, receive: Any, send: Any) -> None:
    """A bare ASGI host: reads every body, knows two paths, refuses all else; supports no lifespan."""
    if scope["type"] == "lifespan":
        raise NotImplementedError("no lifespan here")
    if scope["type"] == "websocket":
        await receive()
        kind = "websocket.accept" if scope["path"] == "/plug/host" else "websocket.close"
        await send({"type": kind})
        if kind == "websocket.accept":
            await send({"type": "websocket.close", "code": 1000})
        return
    body = await body_of(receive)
    scope["path"] = scope["path"].rstrip("/")
    if scope["path"] in ("/home", "/plug/host"):
        await say(send, 200, f"host:{len(body)}")
    else:
        await say(send, 404, "host's 404", "more of it")


@pytest.fixture
def inside() -> Inside:
    return Inside()


@pytest.fixture
async def http(inside: Inside) -> AsyncIterator[httpx.AsyncClient]:
    async with client(HostFirst(host, inside)) as made:
        yield made


async def test_the_hosts_paths_are_the_hosts(http: httpx.AsyncClient, inside: Inside) -> None:
    assert (await http.get("/home")).text == "host:0"
    assert (await http.get("/plug/host")).text == "host:0", "the host wins on a path that a plugin answers too"
    assert inside.log == []


async def test_what_the_host_does_not_know_the_plugin_answers(http: httpx.AsyncClient) -> None:
    answer = await http.get("/plug/x")
    assert (answer.status_code, answer.text) == (200, "plugin:0:")


async def test_what_neither_knows_is_the_hosts_404(http: httpx.AsyncClient) -> None:
    answer = await http.get("/other")
    assert (answer.status_code, answer.text) == (404, "host's 404more of it")


async def test_a_body_that_the_host_has_read_reaches_the_plugin(http: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"0123456789"

    assert (await http.post("/plug/x", content=chunks())).text == "plugin:50:0123456789"


@pytest.mark.parametrize("size", [1 << 20, (1 << 20) + 1, 3 << 20])
async def test_a_large_body_reaches_the_plugin_whole_or_is_refused(http: httpx.AsyncClient, size: int) -> None:
    """Never cut off silently, and never waited for for ever."""

    async def chunks() -> AsyncIterator[bytes]:
        left = size
        while left:
            part = min(left, 1 << 18)
            left -= part
            yield b"x" * part

    async with asyncio.timeout(20):
        answer = await http.post("/plug/x", content=chunks())
    assert (answer.status_code, answer.text) == (200, f"plugin:{size}:xxxxxxxxxx") or answer.status_code == 413


async def test_before_the_start_only_the_host_answers(http: httpx.AsyncClient, inside: Inside) -> None:
    inside.started = False
    assert (await http.get("/plug/x")).status_code == 404


async def test_the_hosts_changes_of_the_scope_do_not_reach_the_plugin(inside: Inside) -> None:
    seen = []

    async def spoiling(scope: Any, receive: Any, send: Any) -> None:
        scope["path"] = "/spoiled"
        await say(send, 404, "")

    async def dispatch(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])
        await say(send, 200, "")

    inside.dispatch = dispatch  # type: ignore[method-assign]
    async with client(HostFirst(spoiling, inside)) as http:
        await http.get("/plug/x")
    assert seen == ["/plug/x"]


class Socket:
    """A connection by hand."""

    def __init__(self, kind: str, path: str = "") -> None:
        self.scope = {"type": kind, "path": path, "headers": [], "state": {}}
        self.inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        self.said = asyncio.Event()

    async def send(self, message: Any) -> None:
        self.sent.append(dict(message))
        self.said.set()

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(20):
            await self.said.wait()
        self.said.clear()
        return self.sent[-1]


async def test_a_websocket_that_the_host_refuses_is_the_plugins(inside: Inside) -> None:
    socket = Socket("websocket", "/plug/ws")
    socket.inbox.put_nowait({"type": "websocket.connect"})
    await HostFirst(host, inside)(socket.scope, socket.inbox.get, socket.send)
    assert socket.sent == [{"type": "websocket.accept"}, {"type": "websocket.send", "text": "plugin"}]


async def test_a_websocket_that_the_host_accepts_is_the_hosts_to_its_end(inside: Inside) -> None:
    socket = Socket("websocket", "/plug/host")
    socket.inbox.put_nowait({"type": "websocket.connect"})
    await HostFirst(host, inside)(socket.scope, socket.inbox.get, socket.send)
    assert socket.sent == [{"type": "websocket.accept"}, {"type": "websocket.close", "code": 1000}]


# ── lifespan ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def live(app: Any) -> list[str]:
    """Drive a lifespan; answers the types of what was said."""
    socket = Socket("lifespan")
    task = asyncio.create_task(app(socket.scope, socket.inbox.get, socket.send))
    socket.inbox.put_nowait({"type": "lifespan.startup"})
    if (await socket.next())["type"].endswith("startup.complete"):
        socket.inbox.put_nowait({"type": "lifespan.shutdown"})
        await socket.next()
    async with asyncio.timeout(20):
        await task
    return [message["type"].removeprefix("lifespan.") for message in socket.sent]


def with_lifespan(log: list[str], failing: str = "") -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for what in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{what}"
            log.append(f"host {what}")
            if what == failing:
                await send({"type": f"lifespan.{what}.failed", "message": "no database"})
                return
            scope["state"]["pool"] = 1
            await send({"type": f"lifespan.{what}.complete"})

    return app


async def test_the_hosts_lifespan_is_around_the_plugins(inside: Inside) -> None:
    said = await live(HostFirst(with_lifespan(inside.log), inside))
    assert said == ["startup.complete", "shutdown.complete"]
    assert inside.log == ["host startup", "plugins up", "plugins down", "host shutdown"]


async def test_a_host_without_lifespan_is_no_mistake(inside: Inside) -> None:
    assert await live(HostFirst(host, inside)) == ["startup.complete", "shutdown.complete"]
    assert inside.log == ["plugins up", "plugins down"]


async def test_a_host_that_returns_at_once_is_no_mistake(inside: Inside) -> None:
    async def deaf(scope: Any, receive: Any, send: Any) -> None: ...

    assert await live(HostFirst(deaf, inside)) == ["startup.complete", "shutdown.complete"]


async def test_a_host_that_fails_to_start_is_said_to_have_failed(inside: Inside) -> None:
    socket = Socket("lifespan")
    socket.inbox.put_nowait({"type": "lifespan.startup"})
    await HostFirst(with_lifespan([], "startup"), inside)(socket.scope, socket.inbox.get, socket.send)
    assert socket.sent == [{"type": "lifespan.startup.failed", "message": "no database"}]
    assert inside.log == []


async def test_when_the_plugins_fail_to_start_the_host_is_shut_down(inside: Inside) -> None:
    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        raise RuntimeError("no home")
        yield

    inside.running = running  # type: ignore[method-assign]
    log = list[str]()
    assert await live(HostFirst(with_lifespan(log), inside)) == ["startup.failed"]
    assert log == ["host startup", "host shutdown"]


async def test_a_host_that_fails_to_stop_is_said_to_have_failed(inside: Inside) -> None:
    said = await live(HostFirst(with_lifespan(inside.log, "shutdown"), inside))
    assert said == ["startup.complete", "shutdown.failed"]
    assert inside.log[-2:] == ["plugins down", "host shutdown"]
