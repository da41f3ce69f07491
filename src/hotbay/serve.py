"""The pointer, hold and drain: which generation answers a request, and how a generation is left.

All of this runs on one worker's event loop. Between looking a path up and counting the request in there is no `await`,
so a request sees exactly one generation from its first byte to its last.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import Token
from time import perf_counter_ns
from typing import Any

from hotbay.activate import App, Generation, Receive, Scope, Send
from hotbay.answers import absent, give_up, respond_json
from hotbay.beacon import Beacon
from hotbay.errors import ActivationFailed, BeingChanged, HotbayError
from hotbay.flight import Flight, aboard
from hotbay.meter import Meter
from hotbay.model import Live
from hotbay.table import Table, route_path

log = logging.getLogger("hotbay.serve")
_RETRY_SECONDS = 5.0


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
        inside = aboard.get()
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
            async with asyncio.timeout(seconds):
                await self._gate.wait()

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
            async with asyncio.timeout(seconds):
                await self._idle.wait()
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
        return aboard.set((*aboard.get(), flight.number))

    def _land(self, flight: Flight, token: Token[tuple[int, ...]]) -> None:
        aboard.reset(token)
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
                await give_up(scope, send)
                return
        if serving is not None:
            await serving.run(scope, receive, send, began)
        else:
            await self._absent(path, scope, receive, send, otherwise)

    async def _absent(self, path: str, scope: Scope, receive: Receive, send: Send, otherwise: App) -> None:
        claim = self.table.claimed(path) if scope["type"] == "http" else None
        if claim is None or (claim.page and self.shows(scope)):
            await otherwise(scope, receive, send)
        else:
            await absent(claim, scope, send)
