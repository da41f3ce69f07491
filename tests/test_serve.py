"""The pointer, hold and drain: who answers, and that no request fails because a plugin is changed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from hotbay.beacon import Beacon
from hotbay.errors import ActivationFailed, BeingChanged
from hotbay.model import Contributions
from hotbay.serve import Dispatcher, Serving
from hotbay.table import Claim, Table
from plugs import client, until
from rows import live


class Loaded:
    """A generation that is an ASGI application and nothing else."""

    def __init__(self, app: Any, number: int = 1) -> None:
        self.plugin, self.version, self.image, self.number = "shop", "1.0.0", "i", number
        self.app = app
        self.contributions = Contributions()
        self.closing = asyncio.Event()

    def close(self) -> None:
        self.closing.set()

    def reopen(self) -> None:
        self.closing.clear()


def answering(text: str) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": text.encode()})

    return app


def serving(app: Any = None, plugin: str = "shop", *routes: str, mounts: tuple[str, ...] = ()) -> Serving:
    """A serving that is loaded with `app`."""
    made = Serving(live(plugin, routes=routes or (f"/{plugin}",), mounts=mounts), _never)
    made.generation = Loaded(app)  # type: ignore[assignment]
    return made


async def _never(_: Serving) -> Any:
    raise AssertionError("nothing is to be loaded here")


def table(*found: Serving, claims: tuple[Claim, ...] = ()) -> Table:
    return Table({item.plugin: item for item in found}, claims)


# ── the dispatcher ────────────────────────────────────────────────────────────────────────────────────────────────


class Desk:
    """A dispatcher that is the whole application; counts how often it asked for the newest table."""

    def __init__(self, folder: Path, hold_seconds: float = 20.0) -> None:
        self.synced = 0
        self.dispatcher = Dispatcher(Beacon(folder), self._sync, hold_seconds)
        self.next: Table | None = None
        self.dispatcher.seen = self.dispatcher.beacon.raw

    async def _sync(self) -> None:
        self.synced += 1
        if self.next is not None:
            self.dispatcher.table = self.next
        self.dispatcher.seen = self.dispatcher.beacon.raw

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.dispatcher.serve(scope, receive, send, answering("host"))

    async def get(self, path: str, **headers: str) -> httpx.Response:
        async with client(self) as http:
            return await http.get(path, headers=headers)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.dispatcher.beacon.close()


async def test_a_plugin_answers_its_path_and_the_host_the_rest(desk: Desk) -> None:
    desk.dispatcher.table = table(serving(answering("plugin")))
    assert (await desk.get("/shop")).text == "plugin"
    assert (await desk.get("/other")).text == "host"
    assert desk.synced == 0
    assert desk.dispatcher.wants("/shop")
    assert not desk.dispatcher.wants("/other")


async def test_when_the_beacon_moved_the_rows_are_read_before_anybody_answers(desk: Desk) -> None:
    desk.dispatcher.table = table(serving(answering("old")))
    desk.next = table(serving(answering("new")))
    desk.dispatcher.beacon.bump()
    assert desk.dispatcher.wants("/anything"), "nobody knows what the new table answers"
    assert (await desk.get("/shop")).text == "new"
    assert (await desk.get("/shop")).text == "new"
    assert desk.synced == 1


async def test_the_path_of_an_inactive_plugin_says_what_it_is(desk: Desk) -> None:
    claims = (Claim("/api/chat/*", "chat", "Chat", "Install it."), Claim("/chat", "chat", "<Chat>", "Go.", page=True))
    desk.dispatcher.table = table(claims=claims)
    answer = await desk.get("/api/chat/x", accept="text/html")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["code"], body["plugin"], body["mend"]) == ("plugin-not-active", "chat", "Install it.")
    page = await desk.get("/chat", accept="text/html,*/*")
    assert page.status_code == 404
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "&lt;Chat&gt;" in page.text
    assert "<Chat>" not in page.text
    assert (await desk.get("/chat", accept="application/json")).json()["code"] == "plugin-not-active"


async def test_a_plugin_without_routes_answers_404(desk: Desk) -> None:
    desk.dispatcher.table = table(serving(None))
    answer = await desk.get("/shop")
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


# ── loading at first use ──────────────────────────────────────────────────────────────────────────────────────────


def lazily(load: Callable[[Serving], Any]) -> Serving:
    return Serving(live("shop", routes=("/shop",)), load)


async def test_it_is_loaded_once_however_many_ask(desk: Desk) -> None:
    loads, go = list[Serving](), asyncio.Event()

    async def load(item: Serving) -> Any:
        loads.append(item)
        await go.wait()
        return Loaded(answering("loaded"))

    one = lazily(load)
    desk.dispatcher.table = table(one)
    asked = [asyncio.create_task(desk.get("/shop")) for _ in range(5)]
    await until(lambda: len(one.flights) == 5)
    asked[0].cancel()
    go.set()
    answers = await asyncio.gather(*asked[1:])
    assert [answer.text for answer in answers] == ["loaded"] * 4
    assert loads == [one]
    await one.ready()
    assert loads == [one]


async def test_what_can_not_be_loaded_is_503_and_tried_again_later(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    loads = list[int]()

    async def load(_: Serving) -> Any:
        loads.append(1)
        if len(loads) == 1:
            raise ActivationFailed("no such module")
        return Loaded(answering("mended"))

    one = lazily(load)
    desk.dispatcher.table = table(one)
    with caplog.at_level(logging.ERROR):
        answers = [await desk.get("/shop"), await desk.get("/shop")]
    for answer in answers:
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert answer.json()["code"] == "activation-failed"
        assert "no such module" not in answer.text, "visitors are not told of the inside"
    assert loads == [1], "a broken plugin is not imported on every request"
    assert one.meter.read().failures == {"unavailable": 2}
    assert "no such module" in caplog.text
    one._retry_at = 0.0
    assert (await desk.get("/shop")).text == "mended"
    assert one.problem is None


# ── a plugin's exception ──────────────────────────────────────────────────────────────────────────────────────────


async def test_an_exception_is_a_500_with_a_number_that_is_in_the_log(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("secret detail")

    one = serving(app)
    desk.dispatcher.table = table(one)
    with caplog.at_level(logging.ERROR):
        answer = await desk.get("/shop")
    assert answer.status_code == 500
    body = answer.json()
    assert (body["code"], body["plugin"]) == ("plugin-error", "shop")
    assert "secret detail" not in answer.text
    record = caplog.records[0]
    assert record.name == "hotbay.plugin.shop"
    assert body["error_id"] in record.getMessage()
    assert record.exc_info is not None
    assert (one.meter.requests, one.meter.read().failures, one.flights) == (1, {"exception": 1}, set())


async def test_an_exception_in_the_middle_breaks_the_answer_off(desk: Desk) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise LookupError("no")

    desk.dispatcher.table = table(serving(app))
    with pytest.raises(ConnectionAbortedError, match="shop"):
        await desk.get("/shop")


async def test_requests_and_failures_are_counted_by_kind(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        wish = scope["query_string"].decode()
        if wish == "exception":
            raise LookupError
        status = int(wish or "200")
        await send({"type": "http.response.start", "status": status, "headers": []})
        if status == 206:
            raise LookupError
        await send({"type": "http.response.body", "body": b""})
        if status == 202:
            raise LookupError  # In a background task.

    one = serving(app)
    desk.dispatcher.table = table(one)
    for wish in ("", "404", "503", "500", "exception", "202"):
        await desk.get(f"/shop?{wish}")
    with pytest.raises(ConnectionAbortedError):
        await desk.get("/shop?206")
    found = one.meter.read()
    assert (found.requests, found.failures) == (7, {"status": 2, "exception": 2, "aborted": 1})


async def test_latency_is_the_time_to_the_head_of_the_answer_waiting_for_a_switch_included(desk: Desk) -> None:
    go = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.05)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await go.wait()
        await send({"type": "http.response.body", "body": b""})

    one = serving(slow)
    desk.dispatcher.table = table(one)
    one.hold()
    asked = asyncio.create_task(desk.get("/shop"))
    await asyncio.sleep(0.1)
    one.release()
    await until(lambda: one.meter.requests)
    assert (one.meter.read().quantile(1) or 0) > 0.13
    go.set()
    await asked
    assert one.meter.requests == 1


async def test_websockets_are_counted_and_are_no_latency(desk: Desk) -> None:
    async def chat(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await receive()
        raise LookupError("no")

    one = serving(chat)
    desk.dispatcher.table = table(one)
    socket = Socket()
    running = socket.run(desk)
    await until(lambda: socket.sent)
    found = one.meter.read()
    assert (found.sockets, found.requests, found.failures) == (1, 0, {})
    socket.inbox.put_nowait({"type": "websocket.receive", "text": "x"})
    await running
    assert one.meter.read().failures == {"aborted": 1}


async def test_an_exception_after_the_end_is_only_logged(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answering("whole")(scope, receive, send)
        raise LookupError("in a background task")

    desk.dispatcher.table = table(serving(app))
    with caplog.at_level(logging.ERROR):
        assert (await desk.get("/shop")).text == "whole"
    assert "error" in caplog.text


class Socket:
    """One connection by hand: what was sent, and what the client says."""

    def __init__(self, kind: str = "websocket") -> None:
        self.scope = {"type": kind, "path": "/shop", "headers": [], "method": "GET", "query_string": b""}
        self.sent: list[dict[str, Any]] = []
        self.inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def send(self, message: Any) -> None:
        self.sent.append(dict(message))

    def run(self, app: Any) -> asyncio.Task[None]:
        return asyncio.create_task(app(self.scope, self.inbox.get, self.send))


async def test_an_exception_closes_a_websocket_with_1011(desk: Desk) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        raise LookupError("no")

    desk.dispatcher.table = table(serving(app))
    socket = Socket()
    await socket.run(desk)
    assert [message.get("code") for message in socket.sent] == [None, 1011]


# ── hold ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_held_requests_wait_and_then_see_the_newest_table(desk: Desk) -> None:
    old = serving(answering("old"))
    desk.dispatcher.table = table(old)
    old.hold()
    old.hold()
    asked = [asyncio.create_task(desk.get("/shop")) for _ in range(3)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert old.held
    assert not any(task.done() for task in asked)
    desk.next = table(serving(answering("new")))
    desk.dispatcher.beacon.bump()
    old.release()
    old.release()
    assert {answer.text for answer in await asyncio.gather(*asked)} == {"new"}
    assert old.meter.requests == 0


async def test_a_hold_that_takes_too_long_is_503_with_retry_after(tmp_path: Path) -> None:
    desk = Desk(tmp_path, hold_seconds=0.05)
    one = serving(answering("never"))
    desk.dispatcher.table = table(one)
    one.hold()
    answer = await desk.get("/shop")
    assert (answer.status_code, answer.json()["code"]) == (503, "held")
    assert int(answer.headers["retry-after"]) > 0
    socket = Socket()
    await socket.run(desk)
    assert [message["code"] for message in socket.sent] == [1013]
    assert one.meter.read().failures == {"held": 2}
    desk.dispatcher.beacon.close()


# ── drain ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_request_in_flight_is_finished_by_the_generation_that_began_it(desk: Desk) -> None:
    go = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"old", "more_body": True})
        await go.wait()
        await send({"type": "http.response.body", "body": b"old"})

    old = serving(slow)
    desk.dispatcher.table = table(old)
    asked = asyncio.create_task(desk.get("/shop"))
    await until(lambda: old.flights)
    desk.dispatcher.table = table(serving(answering("new")))
    draining = asyncio.create_task(old.drain(20.0))
    assert (await desk.get("/shop")).text == "new"
    assert not draining.done()
    go.set()
    assert (await asked).text == "oldold"
    assert await draining == 0


async def test_a_drain_that_is_cancelled_in_the_moment_of_the_last_answer_is_cancelled() -> None:
    """Before Python 3.12 `asyncio.wait_for` lost it: a worker's end waited for the drain that followed."""
    one = serving(answering("x"))
    with one.flight("http"):
        draining = asyncio.create_task(one.drain(20.0))
        await asyncio.sleep(0.01)
        assert not draining.done()
    draining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await draining


async def test_draining_what_is_idle_ends_at_once_and_tells_the_generation() -> None:
    one = serving(answering("x"))
    assert await one.drain(20.0) == 0
    assert one.generation.closing.is_set()  # type: ignore[union-attr]


async def test_streams_that_end_when_they_are_asked_to_are_not_cut(desk: Desk) -> None:
    one = serving()

    async def stream(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await one.generation.closing.wait()  # type: ignore[union-attr]
        await send({"type": "http.response.body", "body": b"bye"})

    one.generation.app = stream  # type: ignore[union-attr]
    desk.dispatcher.table = table(one)
    asked = asyncio.create_task(desk.get("/shop"))
    await until(lambda: one.flights)
    assert await one.drain(20.0) == 0
    assert (await asked).text == "bye"


async def test_at_the_deadline_a_websocket_is_closed_with_1012(desk: Desk) -> None:
    async def chat(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        while True:
            await receive()

    one = serving(chat)
    desk.dispatcher.table = table(one)
    socket = Socket()
    running = socket.run(desk)
    await until(lambda: socket.sent)
    assert await one.drain(0.01) == 1
    await running
    assert [message["type"] for message in socket.sent] == ["websocket.accept", "websocket.close"]
    assert socket.sent[-1]["code"] == 1012
    assert one.flights == set()


EVENTS = [(b"content-type", b"text/event-stream; charset=utf-8")]


def sending(headers: list[tuple[bytes, bytes]], *pieces: bytes) -> Any:
    """An application that sends these pieces, and then nothing for ever."""

    async def forever(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await asyncio.sleep(3600)

    return forever


async def ended_at_the_deadline(desk: Desk, app: Any) -> tuple[Serving, Any]:
    """What came of a request that was under way at the drain deadline."""
    one = serving(app)
    desk.dispatcher.table = table(one)
    socket = Socket("http")
    running = socket.run(desk)
    await until(lambda: one.flights and next(iter(one.flights)).started)
    await asyncio.sleep(0)
    assert await one.drain(0.01) == 1
    (outcome,) = await asyncio.gather(running, return_exceptions=True)
    assert one.flights == set()
    return one, (outcome, socket.sent)


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
async def test_at_the_deadline_an_event_stream_gets_a_retry_hint_and_its_end(desk: Desk, end: bytes) -> None:
    one, (outcome, sent) = await ended_at_the_deadline(desk, sending(EVENTS, b"data: 1" + end))
    assert outcome is None
    assert sent[-1]["more_body"] is False
    assert re.fullmatch(rb"retry: \d{3,4}\n\n", sent[-1]["body"])
    assert one.meter.read().failures == {}
    assert one.closed == {"http": 1}


@pytest.mark.parametrize("pieces", [(), (b"data: 1\n",), (b"data: 1\n\nda",), (b"data: 1\n", b"\n")])
async def test_a_hint_in_the_middle_of_an_event_would_end_that_event(desk: Desk, pieces: tuple[bytes, ...]) -> None:
    """A browser forgets an event without its end; a line after it would make it believe that it has all of it."""
    _, (outcome, sent) = await ended_at_the_deadline(desk, sending(EVENTS, *pieces))
    assert outcome is None
    assert sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"content-type", b"application/zip")],
        [(b"content-length", b"10")],
        [*EVENTS, (b"content-encoding", b"br")],
    ],
)
async def test_at_the_deadline_another_answer_is_broken_off(desk: Desk, headers: list[tuple[bytes, bytes]]) -> None:
    """Its end would tell the client that it has the whole file."""
    one, (outcome, sent) = await ended_at_the_deadline(desk, sending(headers, b"half"))
    assert isinstance(outcome, ConnectionAbortedError)
    assert [message.get("more_body") for message in sent] == [None, True]
    assert one.meter.read().failures == {"cut": 1}


async def test_at_the_deadline_an_unbegun_answer_is_503_with_retry_after(desk: Desk) -> None:
    async def hanging(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(3600)

    one = serving(hanging)
    desk.dispatcher.table = table(one)
    asked = asyncio.create_task(desk.get("/shop"))
    await until(lambda: one.flights)
    assert await one.drain(0.01) == 1
    answer = await asked
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "drained", "1")
    assert one.meter.read().failures == {"drained": 1}


async def test_what_a_cancelled_request_still_says_is_not_sent(desk: Desk) -> None:
    async def stubborn(scope: Any, receive: Any, send: Any) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await answering("too late")(scope, receive, send)

    one = serving(stubborn)
    socket = Socket("http")
    desk.dispatcher.table = table(one)
    running = socket.run(desk)
    await until(lambda: one.flights)
    await one.drain(0.01)
    await running
    bodies = b"".join(message.get("body", b"") for message in socket.sent)
    assert json.loads(bodies)["code"] == "drained"


async def test_a_client_that_does_not_read_does_not_stop_the_others_end(desk: Desk) -> None:
    one = serving(sending(EVENTS))
    desk.dispatcher.table = table(one)
    deaf, well = Socket("http"), Socket("http")

    async def stuck(message: Any) -> None:
        deaf.sent.append(dict(message))
        if message["type"] == "http.response.body":
            await asyncio.sleep(3600)

    running = [asyncio.create_task(desk(deaf.scope, deaf.inbox.get, stuck)), well.run(desk)]
    await until(lambda: all(flight.started for flight in one.flights) and len(one.flights) == 2)
    assert await one.drain(0.01) == 2
    await asyncio.gather(*running)
    assert well.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    assert one.flights == set()


async def test_a_disconnected_clients_cancel_goes_through(desk: Desk) -> None:
    async def hanging(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(3600)

    one = serving(hanging)
    desk.dispatcher.table = table(one)
    asked = Socket("http").run(desk)
    await until(lambda: one.flights)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert one.flights == set()


async def test_what_a_plugins_router_notes_in_the_scope_is_not_kept_by_the_server() -> None:
    """A server keeps the scope of a connection's last request until the next one; the route keeps its generation."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["route"] = object()
        seen.append(scope["path"])

    async def nothing(message: Any = None) -> Any: ...

    scope = {"type": "http", "path": "/api/v1/shop/x", "headers": []}
    await serving(app).run(scope, nothing, nothing)
    assert seen == ["/api/v1/shop/x"]
    assert "route" not in scope


# ── what is sent, to the letter ───────────────────────────────────────────────────────────────────────────────────


def problem(sent: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """The one problem document that was sent; its head is what a client needs to read it."""
    head, body = sent
    expected = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body["body"])).encode())]
    expected += [(b"retry-after", str(more["retry"]).encode())] if more else []
    assert head["headers"] == expected
    found: dict[str, Any] = json.loads(body["body"])
    assert found["status"] == head["status"]
    return found


async def answered(desk: Desk, *, path: str = "/shop", kind: str = "http") -> list[dict[str, Any]]:
    socket = Socket(kind)
    socket.scope["path"] = path
    await socket.run(desk)
    return socket.sent


async def bare_request(desk: Desk, path: str) -> list[dict[str, Any]]:
    """Without headers, as a client by hand may ask."""
    socket = Socket("http")
    socket.scope["path"] = path
    del socket.scope["headers"]
    await socket.run(desk)
    return socket.sent


async def test_problem_documents_are_whole(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def raises(*args: Any) -> None:
        raise LookupError

    async def can_not(_: Serving) -> Any:
        raise ActivationFailed("no such module")

    claim = Claim("/chat", "chat", "Chat", "Install it.")
    desk.dispatcher.table = table(serving(None), serving(raises, "raises"), claims=(claim,))
    assert problem(await answered(desk)) == {"status": 404, "code": "not-found", "detail": "Not Found"}
    assert problem(await answered(desk, path="/chat")) == {
        "type": "urn:hotbay:error:plugin-not-active",
        "title": "Plugin not active",
        "status": 404,
        "code": "plugin-not-active",
        "plugin": "chat",
        "detail": "This is part of the plugin Chat (chat), which is not active here.",
        "mend": "Install it.",
    }
    broken = problem(await answered(desk, path="/raises"))
    number = broken.pop("error_id")
    assert re.fullmatch("[0-9a-f]{12}", number)
    assert broken == {
        "status": 500,
        "code": "plugin-error",
        "plugin": "raises",
        "detail": f"raises failed on this request; the administrator finds it in its log as {number}",
    }
    desk.dispatcher.table = table(lazily(can_not))
    assert problem(await answered(desk), retry=5) == {
        "status": 503,
        "code": "activation-failed",
        "plugin": "shop",
        "detail": "shop can't be loaded",
    }


async def test_problems_of_held_and_of_drained_requests_are_whole(desk: Desk) -> None:
    async def hanging(*args: Any) -> None:
        await asyncio.sleep(3600)

    one = serving(hanging)
    desk.dispatcher.table = table(one)
    socket = Socket("http")
    running = socket.run(desk)
    await until(lambda: one.flights)
    await one.drain(0.01)
    await running
    assert problem(socket.sent, retry=1) == {
        "status": 503,
        "code": "drained",
        "detail": "the plugin was changed; please ask again",
    }
    one.hold()
    desk.dispatcher.hold_seconds = 0.01
    assert problem(await answered(desk), retry=5) == {
        "status": 503,
        "code": "held",
        "detail": "the plugin is being changed and that takes longer than requests may wait",
    }
    assert await answered(desk, kind="websocket") == [{"type": "websocket.close", "code": 1013}]


async def test_a_page_of_an_inactive_plugin_is_sent_whole(desk: Desk) -> None:
    desk.dispatcher.table = table(claims=(Claim("/chat", "chat", "Chat", "Install it.", page=True),))
    answer = await desk.get("/chat", accept="text/html")
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert "retry-after" not in answer.headers
    sent = await bare_request(desk, "/chat")
    assert json.loads(sent[1]["body"])["code"] == "plugin-not-active", "who says nothing of HTML gets a document"


async def test_a_websocket_of_what_can_not_be_loaded_is_asked_to_come_again(desk: Desk) -> None:
    async def can_not(_: Serving) -> Any:
        raise ActivationFailed("no such module")

    desk.dispatcher.table = table(lazily(can_not))
    assert await answered(desk, kind="websocket") == [{"type": "websocket.close", "code": 1013}]


# ── what becomes of the pieces between ────────────────────────────────────────────────────────────────────────────


async def test_drain_waits_for_the_last_not_for_the_first(desk: Desk) -> None:
    """One that ends must not make the others be cut."""
    go = {"first": asyncio.Event(), "last": asyncio.Event()}

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await go[scope["query_string"].decode()].wait()
        await answering("whole")(scope, receive, send)

    one = serving(slow)
    desk.dispatcher.table = table(one)
    asked = [asyncio.create_task(desk.get(f"/shop?{name}")) for name in go]
    await until(lambda: len(one.flights) == 2)
    draining = asyncio.create_task(one.drain(20.0))
    await asyncio.sleep(0)
    go["first"].set()
    assert (await asked[0]).text == "whole"
    await asyncio.sleep(0.02)
    assert not draining.done()
    go["last"].set()
    assert (await asked[1]).text == "whole"
    assert await draining == 0
    assert (one.waited, one.closed) == ({"http": 2}, {})


async def test_drain_does_not_wait_for_ever_for_who_will_not_end() -> None:
    async def stubborn(*args: Any) -> None:
        while not released:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)

    released: list[int] = []
    one = serving(stubborn)
    socket = Socket("http")
    running = asyncio.create_task(one.run(socket.scope, socket.inbox.get, socket.send))
    await until(lambda: one.flights)
    assert await one.drain(0.01) == 1
    assert len(one.flights) == 1
    released.append(1)
    await running


@pytest.mark.parametrize("accepted", [True, False])
async def test_a_websocket_that_was_never_accepted_is_a_failure(desk: Desk, accepted: bool) -> None:
    async def chat(scope: Any, receive: Any, send: Any) -> None:
        if accepted:
            await send({"type": "websocket.accept"})
        await asyncio.sleep(3600)

    one = serving(chat)
    desk.dispatcher.table = table(one)
    socket = Socket()
    running = socket.run(desk)
    await until(lambda: one.flights and (socket.sent or not accepted))
    await asyncio.sleep(0)
    await one.drain(0.01)
    await running
    assert socket.sent[-1] == {"type": "websocket.close", "code": 1012, "reason": "the plugin was changed"}
    assert one.meter.read().failures == ({} if accepted else {"drained": 1})


@pytest.mark.parametrize(
    ("kind", "messages"),
    [
        ("websocket", [{"type": "websocket.accept"}, {"type": "websocket.close", "code": 1000}]),
        ("http", [{"type": "http.response.start", "status": 200, "headers": []}, {"type": "http.response.body"}]),
    ],
)
async def test_what_has_said_its_end_is_told_no_other(desk: Desk, kind: str, messages: list[Any]) -> None:
    """It goes on in a background task; the client has its whole answer."""

    async def goes_on(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)
        await asyncio.sleep(3600)

    one = serving(goes_on)
    desk.dispatcher.table = table(one)
    socket = Socket(kind)
    running = socket.run(desk)
    await until(lambda: len(socket.sent) == 2)
    assert await one.drain(0.01) == 1
    await running
    assert socket.sent == messages
    assert one.meter.read().failures == {}


async def test_answers_may_leave_out_what_the_protocol_lets_them(desk: Desk) -> None:
    """A head without headers, a piece without a body."""

    async def bare(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        await asyncio.sleep(3600)

    async def pieces(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": EVENTS})
        await send({"type": "http.response.body", "more_body": True})
        await asyncio.sleep(3600)

    _, (outcome, _) = await ended_at_the_deadline(desk, bare)
    assert isinstance(outcome, ConnectionAbortedError)
    assert str(outcome) == "shop was changed in the middle of a long answer"
    _, (outcome, sent) = await ended_at_the_deadline(desk, pieces)
    assert outcome is None
    assert sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


async def test_a_job_is_counted_and_ended_without_words() -> None:
    one = serving()
    began = asyncio.Event()

    async def job() -> None:
        with one.flight("job") as flight:
            flight.fail("exception")
            began.set()
            await asyncio.sleep(3600)

    task = asyncio.create_task(job())
    await began.wait()
    assert await one.drain(0.01) == 1
    with pytest.raises(BeingChanged, match="its job had not ended"):
        await task
    assert (one.waited, one.closed, one.flights) == ({"job": 1}, {"job": 1}, set())


@pytest.mark.parametrize("retired", [True, False])
async def test_a_generation_that_stays_is_opened_again(retired: bool) -> None:
    one = serving()
    closing = one.generation.closing  # type: ignore[union-attr]
    closing.set()
    one.release()
    assert closing.is_set(), "it was not held: nothing changes"
    one.hold()
    one.retired = retired
    one.release()
    assert closing.is_set() is retired


async def test_what_was_never_loaded_can_be_held_and_released() -> None:
    one = Serving(live("shop"), _never)
    assert (one.retired, one.problem) == (False, None)
    one.hold()
    one.release()
    assert not one.held


# ── the dispatcher's doors ────────────────────────────────────────────────────────────────────────────────────────


async def test_who_answers_at_once(desk: Desk) -> None:
    one = serving(answering("x"))
    desk.dispatcher.table = table(one)
    assert desk.dispatcher.current("/shop") is one
    assert desk.dispatcher.current("/other") is None
    one.hold()
    assert desk.dispatcher.current("/shop") is None, "it has to wait"
    one.release()
    assert desk.dispatcher.current("/shop") is one
    desk.dispatcher.beacon.bump()
    assert desk.dispatcher.current("/shop") is None, "nobody knows whose path it is now"


async def test_a_new_dispatcher_has_read_nothing_yet(desk: Desk) -> None:
    fresh = Dispatcher(desk.dispatcher.beacon, desk._sync, 1.0)
    assert fresh.wants("/anything")
    assert fresh.current("/shop") is None
    assert fresh.table.find("/shop") is None


async def test_a_claimed_path_is_wanted(desk: Desk) -> None:
    desk.dispatcher.table = table(claims=(Claim("/chat", "chat", "Chat", "Install it."),))
    assert desk.dispatcher.wants("/chat")
    assert not desk.dispatcher.wants("/chats")


@pytest.mark.parametrize(("kind", "path"), [("http", "/other"), ("websocket", "/chat")])
async def test_the_host_gets_the_request_as_it_came(desk: Desk, kind: str, path: str) -> None:
    """A WebSocket on a claimed path too: a document says nothing to it."""
    got: list[Any] = []

    async def host(*args: Any) -> None:
        got.append(args)

    desk.dispatcher.table = table(claims=(Claim("/chat", "chat", "Chat", "Install it."),))
    scope, receive, send = {"type": kind, "path": path, "headers": []}, object(), object()
    await desk.dispatcher.serve(scope, receive, send, host)  # type: ignore[arg-type]
    assert got == [(scope, receive, send)]
