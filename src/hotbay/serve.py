"""The table, the pointer, hold and drain: which generation answers a request, and how a generation is left.

All of this runs on one worker's event loop. Between looking a path up and counting the request in there is no `await`,
so a request sees exactly one generation from its first byte to its last.
"""

from __future__ import annotations

import asyncio
import html
import json
import logging
import random
import re
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar, Token
from dataclasses import dataclass
from itertools import count
from time import perf_counter_ns
from typing import Any

from hotbay.activate import App, Generation, Message, Receive, Scope, Send
from hotbay.beacon import Beacon
from hotbay.errors import ActivationFailed, BeingChanged, HotbayError
from hotbay.meter import Meter
from hotbay.model import Live

log = logging.getLogger("hotbay.serve")
_PARAMETER = re.compile(r"{[^}:]+(?::([^}]+))?}")
_CONVERTORS = {"path": ".*", "int": "[0-9]+", "float": r"[0-9]+(?:\.[0-9]+)?", "uuid": "[0-9a-fA-F-]{32,36}"}
_RETRY_SECONDS = 5.0
_EVENT_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")
_numbers = count(1)
# The flights in which the running code is, the outermost first. Numbers, because a task or a timer keeps the context
# in which it was made, and would keep the generation as well.
_aboard: ContextVar[tuple[int, ...]] = ContextVar("hotbay_aboard", default=())


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


class Serving:
    """One revision of one plugin in this worker: loaded, or loaded at its first use. `meter` is the plugin's."""

    def __init__(
        self, live: Live, load: Callable[[Serving], Awaitable[Generation]], meter: Meter | None = None
    ) -> None:
        self.live = live
        self.meter = meter or Meter()
        self.generation: Generation | None = None
        self.retired = False
        self.problem: HotbayError | None = None
        self.flights: set[Flight] = set()
        self.waited: Counter[str] = Counter()
        self.closed: Counter[str] = Counter()
        self._load = load
        self._loading: asyncio.Task[Generation] | None = None
        self._gate: asyncio.Event | None = None
        self._idle: asyncio.Event | None = None
        self._retry_at = 0.0

    @property
    def plugin(self) -> str:
        """The plugin's id."""
        return self.live.plugin

    # ── loading at first use ──────────────────────────────────────────────────────────────────────────────────

    async def ready(self) -> Generation:
        """The loaded generation; loads it once, however many ask. Raises ActivationFailed, and tries again later."""
        if self.generation is not None:
            return self.generation
        if self.problem is not None and time.monotonic() < self._retry_at:
            raise self.problem
        if self._loading is None:
            self._loading = asyncio.create_task(self._load_once(), name=f"load {self.plugin}")
        return await asyncio.shield(self._loading)

    async def _load_once(self) -> Generation:
        try:
            self.generation = await self._load(self)
            self.problem = None
            return self.generation
        except HotbayError as error:
            self.problem, self._retry_at = error, time.monotonic() + _RETRY_SECONDS
            log.error("%s could not be loaded: %s", self.plugin, error)
            raise
        finally:
            self._loading = None

    # ── hold and drain ────────────────────────────────────────────────────────────────────────────────────────

    @property
    def held(self) -> bool:
        """True while new requests wait."""
        return self._gate is not None

    @property
    def shut(self) -> bool:
        """True while the running code must wait before it asks something of this generation.

        Not for what this generation itself is working on, however deep: the drain waits for that, so it would wait for
        itself. As long as there is such a flight, the drain has not ended, and nothing is changed yet.
        """
        if self._gate is None:
            return False
        inside = _aboard.get()
        return not any(flight.number in inside and not flight.ended for flight in self.flights)

    def hold(self) -> None:
        """Let new requests wait from now on; safe to repeat."""
        self._gate = self._gate or asyncio.Event()

    def release(self) -> None:
        """Let the waiting requests go on; safe to repeat. A generation that stays was asked to end its streams."""
        if self._gate is not None:
            if self.generation is not None and not self.retired:
                self.generation.reopen()
            self._gate.set()
            self._gate = None

    async def released(self, seconds: float) -> None:
        """Wait until requests need not wait any more; raises TimeoutError."""
        if self._gate is not None:
            await asyncio.wait_for(self._gate.wait(), seconds)

    async def drain(self, seconds: float) -> int:
        """Wait until nothing is in flight; at the deadline close what is left, politely. Answers how many were.

        `waited` and `closed` count by kind (`http`, `websocket`, `event`, `job`) what it found and what it closed.
        """
        self.waited.update(flight.kind for flight in self.flights)
        if self.generation is not None:
            self.generation.close()
        if await self._wait_idle(seconds):
            return 0
        left = list(self.flights)
        self.closed.update(flight.kind for flight in left)
        await asyncio.gather(*(flight.end() for flight in left))
        await self._wait_idle(2.0)
        return len(left)

    async def _wait_idle(self, seconds: float) -> bool:
        if not self.flights:
            return True
        self._idle = asyncio.Event()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), seconds)
        return not self.flights

    # ── work ──────────────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def flight(self, kind: str, send: Send | None = None) -> Iterator[Flight]:
        """Count the block as work of this generation. Raises BeingChanged when it was ended at the drain deadline."""
        flight = Flight(kind, send)
        token = self._take_off(flight)
        try:
            yield flight
        except asyncio.CancelledError:
            if not flight.was_ended():
                raise
            raise BeingChanged(f"{self.plugin} was changed, and its {kind} had not ended in time") from None
        finally:
            self._land(flight, token)

    def _take_off(self, flight: Flight) -> Token[tuple[int, ...]]:
        self.flights.add(flight)
        return _aboard.set((*_aboard.get(), flight.number))

    def _land(self, flight: Flight, token: Token[tuple[int, ...]]) -> None:
        _aboard.reset(token)
        self.flights.discard(flight)
        if not self.flights and self._idle is not None:
            self._idle.set()

    async def run(self, scope: Scope, receive: Receive, send: Send, began: int = 0) -> None:
        """Answer one request or connection with this generation; it came at `began` (`perf_counter_ns`), or now."""
        flight = Flight(scope["type"], send, self.meter, began)
        token = self._take_off(flight)
        try:
            generation = self.generation or await self.ready()
            if generation.app is None:
                await respond_json(flight.send, 404, {"status": 404, "code": "not-found", "detail": "Not Found"})
            else:
                # A copy: routers note their route in it, and a server keeps it as long as the connection is idle.
                await generation.app({**scope}, receive, flight.send)
        except asyncio.CancelledError:
            if not flight.was_ended():
                raise
            if flight.cut:
                raise ConnectionAbortedError(f"{self.plugin} was changed in the middle of a long answer") from None
        except ActivationFailed as error:
            await self._unavailable(flight, error)
        except Exception as error:  # noqa: BLE001 - a plugin's exception is the plugin's 500
            await self._broken(flight, error)
        finally:
            self._land(flight, token)

    async def _unavailable(self, flight: Flight, error: HotbayError) -> None:
        flight.fail("unavailable")
        body = {
            "status": 503,
            "code": error.code,
            "plugin": self.plugin,
            "detail": f"{self.plugin} can't be loaded",
        }
        await self._answer(flight, 503, body)

    async def _broken(self, flight: Flight, error: Exception) -> None:
        flight.fail("aborted" if flight.started and not flight.finished else "exception")
        number = uuid.uuid4().hex[:12]
        logging.getLogger(f"hotbay.plugin.{self.plugin}").error("error %s", number, exc_info=error)
        detail = f"{self.plugin} failed on this request; the administrator finds it in its log as {number}"
        await self._answer(flight, 500, {"status": 500, "code": "plugin-error", "error_id": number, "detail": detail})

    async def _answer(self, flight: Flight, status: int, body: dict[str, Any]) -> None:
        if flight.kind == "websocket":
            await flight.send({"type": "websocket.close", "code": 1011 if status == 500 else 1013})
        elif not flight.started:
            body.setdefault("plugin", self.plugin)
            await respond_json(flight.send, status, body, retry_after=int(_RETRY_SECONDS) if status == 503 else 0)
        elif not flight.finished:
            # The head is out: only a broken end tells the client that this is not the whole answer.
            raise ConnectionAbortedError(f"{self.plugin} failed in the middle of its answer")


@dataclass(frozen=True)
class Claim:
    """A path that a known plugin would answer if it were active."""

    pattern: str
    plugin: str
    name: str
    how: str
    page: bool = False


class Table:
    """The immutable map from paths to servings."""

    def __init__(self, servings: Mapping[str, Serving], claims: tuple[Claim, ...] = ()) -> None:
        self.servings = dict(servings)
        self._exact: dict[str, Serving] = {}
        self._below: dict[str, list[tuple[re.Pattern[str], Serving]]] = {}
        self._claims = [(_claim_regex(claim.pattern), claim) for claim in claims]
        for serving in self.servings.values():
            self._add(serving)

    def _add(self, serving: Serving) -> None:
        found = serving.live.contributions
        for route in found.routes:
            if "{" in route.path:
                self._add_pattern(route.path, path_regex(route.path), serving)
            else:
                self._exact[route.path] = serving
        for mount in found.mounts:
            base = mount.rstrip("/")
            self._add_pattern(base + "/", re.compile(re.escape(base) + "(/.*)?$"), serving)

    def _add_pattern(self, path: str, regex: re.Pattern[str], serving: Serving) -> None:
        fixed = path.partition("{")[0]
        self._below.setdefault(fixed[: fixed.rfind("/")], []).append((regex, serving))

    def find(self, path: str) -> Serving | None:
        """Who answers a path."""
        found = self._exact.get(path)
        if found is not None:
            return found
        base = path
        while True:
            for regex, serving in self._below.get(base, ()):
                if regex.match(path):
                    return serving
            if not base:
                return None
            base = base[: base.rfind("/")]

    def claimed(self, path: str) -> Claim | None:
        """The known plugin that would answer a path that nobody answers."""
        return next((claim for regex, claim in self._claims if regex.match(path)), None)


def path_regex(template: str) -> re.Pattern[str]:
    """The paths of a Starlette path template."""
    parts, position = [], 0
    for match in _PARAMETER.finditer(template):
        parts += [re.escape(template[position : match.start()]), _CONVERTORS.get(match[1] or "", "[^/]+")]
        position = match.end()
    return re.compile("".join(parts) + re.escape(template[position:]) + "$")


def _claim_regex(pattern: str) -> re.Pattern[str]:
    if pattern.endswith("/*"):
        return re.compile(re.escape(pattern[:-2]) + "(/.*)?$")
    return path_regex(pattern)


def route_path(scope: Scope) -> str:
    """The path below the application's root (ASGI's `root_path`)."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    below = path[len(root) :]
    return below if root and path.startswith(root) and below[:1] in ("", "/") else path


class Dispatcher:
    """The one thing that is mounted in the host. `table` is the pointer: switching is one assignment."""

    def __init__(self, beacon: Beacon, sync: Callable[[], Awaitable[None]], hold_seconds: float) -> None:
        self.table = Table({})
        self.seen = b""
        self.beacon = beacon
        self.sync = sync
        self.hold_seconds = hold_seconds
        # Whether somebody has a page of his own that says that a plugin is not there.
        self.shows: Callable[[Scope], bool] = lambda scope: False

    def current(self, path: str) -> Serving | None:
        """Who answers a path at once; None when nobody does, or when `serve` has to look anew or to wait first."""
        if self.beacon.raw != self.seen:
            return None
        serving = self.table.find(path)
        return None if serving is None or serving.held else serving

    def wants(self, path: str) -> bool:
        """True when a plugin answers the path, did, or may since the table was made."""
        if self.beacon.raw != self.seen:
            return True
        return self.table.find(path) is not None or self.table.claimed(path) is not None

    async def serve(self, scope: Scope, receive: Receive, send: Send, otherwise: App) -> None:
        """Answer with the generation that is current when the request is let through; else with `otherwise`."""
        path, began = route_path(scope), perf_counter_ns()
        deadline = time.monotonic() + self.hold_seconds
        while True:
            if self.beacon.raw != self.seen:
                await self.sync()
            serving = self.table.find(path)
            if serving is None or not serving.shut:
                break
            with suppress(TimeoutError):
                await serving.released(max(0.0, deadline - time.monotonic()))
            if time.monotonic() >= deadline:
                serving.meter.fail("held")
                await _give_up(scope, send)
                return
        if serving is not None:
            await serving.run(scope, receive, send, began)
        else:
            await self._absent(path, scope, receive, send, otherwise)

    async def _absent(self, path: str, scope: Scope, receive: Receive, send: Send, otherwise: App) -> None:
        claim = self.table.claimed(path) if scope["type"] == "http" else None
        if claim is None or (claim.page and self.shows(scope)):
            await otherwise(scope, receive, send)
        elif claim.page and _accepts_html(scope):
            await respond(send, 404, _page(claim), "text/html; charset=utf-8")
        else:
            await respond_json(send, 404, _absence(claim))


async def _give_up(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1013})
    else:
        detail = "the plugin is being changed and that takes longer than requests may wait"
        await respond_json(send, 503, {"status": 503, "code": "held", "detail": detail}, retry_after=5)


def _absence(claim: Claim) -> dict[str, Any]:
    return {
        "type": "urn:hotbay:error:plugin-not-active",
        "title": "Plugin not active",
        "status": 404,
        "code": "plugin-not-active",
        "plugin": claim.plugin,
        "detail": f"This is part of the plugin {claim.name} ({claim.plugin}), which is not active here.",
        "mend": claim.how,
    }


def _page(claim: Claim) -> bytes:
    name, how = html.escape(claim.name), html.escape(claim.how)
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{name} is not installed</title>"
        f"<main><h1>{name} Addon Not Installed</h1><p>This page belongs to the plugin {name}, which is not active "
        f"here.</p><p>{how}</p><p><a href='/marketplace'>Go to Marketplace</a></p></main></html>"
    ).encode()


def _accepts_html(scope: Scope) -> bool:
    return any(name == b"accept" and b"text/html" in value for name, value in scope.get("headers", ()))


async def respond(send: Send, status: int, body: bytes, kind: str, retry_after: int = 0) -> None:
    """Answer an HTTP request."""
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    if retry_after:
        headers.append((b"retry-after", str(retry_after).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def respond_json(send: Send, status: int, body: dict[str, Any], retry_after: int = 0) -> None:
    """Answer with a problem document (RFC 9457)."""
    await respond(send, status, json.dumps(body).encode(), "application/problem+json", retry_after)
