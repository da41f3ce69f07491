"""A worker follows the registry: it prepares what operations ask for, switches its table, and leaves old generations.

It decides nothing and writes no rows: it reads the live rows and the candidates, acts, and says in its status file what
it has seen, prepared and serves. Acting is by level, not by edge: every pass closes the gap between the rows and what
is here, whatever woke it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import asdict
from functools import partial
from itertools import count
from typing import Any

from hotbay.activate import Generation
from hotbay.activate.bus import Bus
from hotbay.activate.collector import CALM_SECONDS, collector
from hotbay.activate.threads import handing_over
from hotbay.beacon import Beacon, is_odd
from hotbay.bulletin import Bulletin, describe
from hotbay.candidates import Candidates
from hotbay.commits import Changes
from hotbay.errors import ActivationFailed, HotbayError, Problem
from hotbay.holds import Holds
from hotbay.hub import Hub, marks_of
from hotbay.images import Images
from hotbay.making import Maker
from hotbay.meter import Meters
from hotbay.model import Live
from hotbay.passages import Passages
from hotbay.presence import MARK, NEVER, TELL, Fifo, Status, Workers, wishes
from hotbay.resolve import route_conflicts
from hotbay.serve import Dispatcher, Serving
from hotbay.settings import Settings
from hotbay.stalls import Stalls
from hotbay.store import Store
from hotbay.suspects import Suspects
from hotbay.table import Claim, Table
from hotbay.tasks import Tasks

log = logging.getLogger("hotbay.follow")
_BACKSTOP_SECONDS = 1.0
_SLOT_SECONDS = 5.0
_SOON_SECONDS, _LASTS_SECONDS = 0.1, 0.5
_ODD_SECONDS = 1.0
_UNLOAD_SECONDS = 2.0
_passes = count(1)
# The pass over the rows in which the running code is; 0 outside of all.
_inside: ContextVar[int] = ContextVar("hotbay_pass", default=0)


class Follower(Hub):
    """One worker's view of the registry. Use it on one event loop; `start` it before it serves."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        images: Images,
        host_routes: Callable[[], tuple[str, ...]],
        read_settings: Callable[[str], dict[str, Any]],
    ) -> None:
        self.settings = settings
        self.store = store
        self.images = images
        self.worker = f"w-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self.workers = Workers(settings.run)
        self.suspects = Suspects(settings.loading)
        self.beacon = Beacon(settings.run)
        self.bus = Bus()
        self.dispatcher = Dispatcher(self.beacon, self.sync, settings.hold_seconds)
        self.claims: Callable[[Mapping[str, Live]], tuple[Claim, ...]] = lambda rows: ()
        self.struck: Callable[[], None] = lambda: None
        self.on_change: list[Callable[[], None]] = []
        self.leads_jobs = False
        self.meters = Meters()
        self.passages = Passages()
        self.stalls: Stalls | None = None
        self.healths: dict[str, dict[str, Any]] = {}
        self._host_routes = host_routes
        self._read_settings = read_settings
        self._rows: dict[str, Live] = {}
        self._leaving: dict[str, int] = {}
        self._retired: set[Serving] = set()
        self._lock = asyncio.Lock()
        self._wake = asyncio.Event()
        self._tasks = Tasks()
        self._fifo: Fifo | None = None
        self._changes: Changes
        self._booted = time.time()
        self._attended = 0
        self._stopping = False
        self._passing = 0

        self.maker = Maker(settings, images, self.suspects, self._taken)
        self.proofs = self.maker.proofs
        self.bulletin = Bulletin(self.workers, self.worker, self.status, self._counts)
        self.candidates = Candidates(self.maker, self._is_level, self.keep, self.bulletin.tell, self._wake.set)
        self.holds = Holds(settings.drain_seconds, self.keep, self.bulletin.tell)

    # ── life ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def start(self) -> None:
        """Become present, read the registry once, and follow it from now on. Loads no plugin's code."""
        self._changes = Changes(self.store.path)
        self._fifo = Fifo(self.workers.fifo(self.worker))
        asyncio.get_running_loop().add_reader(self._fifo.fd, self._pinged)
        await self.sync()
        # An actor that finds the pipe finds the status as well.
        await asyncio.to_thread(self.bulletin.publish, self.status())
        self.keep(self.bulletin.report(), "hotbay report")
        self.keep(self.bulletin.report_meters(), "hotbay meters")
        collector.attend()
        self.keep(self._follow(), "hotbay follow")
        self.keep(self._load_eager(), "hotbay eager plugins")

    async def stop(self, *, unload: bool = False) -> None:
        """Stop serving and leave every generation; the registry is not changed.

        `unload`: the process goes on without this worker, so the code leaves it as well, while two
        seconds have not passed.
        """
        self._stopping = True
        collector.leave()
        if self._fifo is not None:
            asyncio.get_running_loop().remove_reader(self._fifo.fd)
            self._fifo.close()
        self._retired.update(self.dispatcher.table.servings.values())
        self.dispatcher.table = Table({})
        await self._tasks.end()
        until = time.monotonic() + _UNLOAD_SECONDS if unload else 0.0
        for serving in list(self._retired):  # What a task was leaving, or had not begun to when it was cancelled.
            self.bus.unregister(serving.plugin)
            if serving.generation is not None:
                await serving.drain(1.0)
                await self._end(serving.generation, until)
                serving.generation = None
        for ready in self.candidates.prepared.values():
            if ready.generation is not None:
                await self._end(ready.generation, until)
                ready.generation = None
        self._changes.close()
        await asyncio.to_thread(self.bulletin.vanish)

    async def _end(self, generation: Generation, until: float) -> None:
        """Stop a generation, and unload it while there is time: nobody should have to wait long for an end."""
        if time.monotonic() < until:
            await self.maker.discard(generation)
        else:
            await generation.stop()

    def keep(self, work: Any, name: str) -> asyncio.Task[Any]:
        """Run a task that ends with the worker at the latest."""
        return self._tasks.keep(work, name)

    def _pinged(self) -> None:
        words = self._fifo.drain() if self._fifo is not None else set()
        if MARK in words:
            self.meters.roll()
        asked = {word for word in words if word.startswith(TELL)}
        for word in asked:
            self.bulletin.ask(word.removeprefix(TELL))
        if words - {MARK, *asked}:
            self._wake.set()

    async def _follow(self) -> None:
        rolled, due = time.monotonic(), False
        while not self._stopping:
            # Between two operations it is calm for a moment only, and nothing wakes us in it.
            pause = CALM_SECONDS / 2 if collector.is_off else _BACKSTOP_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            collector.relax()
            if time.monotonic() - rolled > _SLOT_SECONDS:
                self.meters.roll()
                rolled = time.monotonic()
            try:
                if due or self._wake.is_set() or self._changes.any():
                    self._wake.clear()
                    due = True  # Until it has succeeded: nothing may wake us for it again.
                    await self._pass()
                    due = False
            except Exception:
                log.exception("a pass over the registry failed; the next one tries again")

    async def _pass(self) -> None:
        with handing_over():
            await self._look()

    async def _look(self) -> None:
        await self._catch_up()
        number = self.beacon.value
        await self.candidates.attend(await asyncio.to_thread(self.store.all_candidates))
        self._attended = number
        # That a load has begun is news only when it lasts: telling it at once would take the interpreter from it.
        lasts = min(_LASTS_SECONDS, self.settings.ack_seconds / 4)
        pause = lasts if self.candidates.loading else _SOON_SECONDS
        asyncio.get_running_loop().call_later(pause, self.bulletin.tell)

    # ── the pointer ───────────────────────────────────────────────────────────────────────────────────────────

    async def sync(self) -> None:
        """Make the table what the rows say. Returns when this worker serves nothing older than the beacon.

        What a pass itself calls (a plugin's `on_settings`) does not wait for the pass, but sees the table as it is.
        """
        if not self._inside_pass() and await self._catch_up():
            self._wake.set()  # What operations ask for may have changed as well.

    async def _catch_up(self) -> bool:
        """Make the table what the rows say; False when it was."""
        async with self._lock:
            if self._is_level():
                return False
            await self._level()
        self.bulletin.tell()
        return True

    def _inside_pass(self) -> bool:
        return bool(self._passing) and _inside.get() == self._passing

    @property
    def patience(self) -> float:
        """A pass waits for nobody who is held: it is what lets go."""
        return 0.0 if self._inside_pass() else super().patience

    async def _level(self) -> None:
        self._passing = next(_passes)
        token = _inside.set(self._passing)
        try:
            raw = await self._settled()
            rows = await asyncio.to_thread(self.store.all_live)
            claims = await asyncio.to_thread(self.claims, rows)
            await self._adopt(rows, claims)
            self.dispatcher.seen = raw
        finally:
            _inside.reset(token)
            self._passing = 0

    async def reclaim(self) -> None:
        """Look anew which paths belong to plugins that are known and not active; what serves is left as it is."""
        async with self._lock:
            claims = await asyncio.to_thread(self.claims, self._rows)
            self.dispatcher.table = Table(self.dispatcher.table.servings, claims)

    def _is_level(self) -> bool:
        return self.dispatcher.seen == self.beacon.raw

    async def _settled(self) -> bytes:
        """The beacon outside a switch; a writer that died inside one does not stop us: the rows are the truth."""
        deadline = time.monotonic() + _ODD_SECONDS
        raw = self.beacon.raw
        while is_odd(raw) and time.monotonic() < deadline:
            await asyncio.sleep(0.001)
            raw = self.beacon.raw
        return raw

    async def _adopt(self, rows: dict[str, Live], claims: tuple[Claim, ...]) -> None:
        before = self.dispatcher.table.servings
        await self._change_settings(rows, before)
        servings = {plugin: self._serving(row, before.get(plugin)) for plugin, row in rows.items() if row.active}
        self.holds.apply(rows, servings)
        table = Table(servings, claims)
        self._rows, self.dispatcher.table = rows, table
        for plugin, serving in servings.items():
            if serving is not before.get(plugin):
                self._register(serving)
        if self.dispatcher.seen:
            self.passages.switched(before, servings)
        for old in [old for plugin, old in before.items() if servings.get(plugin) is not old]:
            if old.plugin not in servings:
                self.bus.unregister(old.plugin)
            old.retired = True
            self._retired.add(old)
            old.release()
            # Now, and not when the task begins: whoever reads that the table was switched reads that this goes on.
            self._leaving[old.plugin] = self._leaving.get(old.plugin, 0) + 1
            self.keep(self._leave(old), f"leave {old.plugin}")
        for notify in self.on_change:
            notify()

    def _serving(self, row: Live, old: Serving | None) -> Serving:
        if old is not None and old.live.revision == row.revision and old.live.image == row.image:
            old.live = row
            return old
        serving = Serving(row, self._load, self.meters.of(row.plugin))
        serving.generation = self.candidates.adopt(row.plugin, row.image)
        return serving

    def _register(self, serving: Serving) -> None:
        generation = serving.generation
        if generation is not None:
            self.bus.register(serving.plugin, marks_of(generation), track=partial(serving.flight, "event"))
        else:
            self.bus.unregister(serving.plugin)

    async def _change_settings(self, rows: Mapping[str, Live], before: Mapping[str, Serving]) -> None:
        for plugin, serving in before.items():
            row = rows.get(plugin)
            if row is None or row.settings_rev == serving.live.settings_rev or serving.generation is None:
                continue
            change = getattr(serving.generation, "change_settings", None)
            if change is not None and row.revision == serving.live.revision:
                values = await asyncio.to_thread(self._read_settings, plugin)
                try:
                    await change(values)
                except Exception:
                    log.exception("%s did not take its new settings", plugin)

    # ── loading ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _load(self, serving: Serving) -> Generation:
        try:
            generation = await self.maker.make(serving.live)
        except ActivationFailed as error:
            if error.detail.get("hung"):
                self.struck()
            raise
        if serving.retired:
            await self.maker.discard(generation)
            raise ActivationFailed(f"{serving.plugin} was changed while it was being loaded")
        serving.generation = generation
        self._register(serving)
        self._wake.set()
        for notify in self.on_change:
            notify()
        return generation

    def _taken(self, plugin: str, paths: list[str]) -> list[Problem]:
        return list(route_conflicts(plugin, paths, self._rows, self._host_routes()))

    async def _load_eager(self) -> None:
        for serving in [] if self.settings.safe_mode else list(self.dispatcher.table.servings.values()):
            if serving.live.contributions.eager:
                with suppress(HotbayError):
                    await serving.ready()

    # ── leaving ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _leave(self, serving: Serving) -> None:
        plugin = serving.plugin
        try:
            # The actor hears of the switch first: unloading keeps the interpreter for itself now and then.
            with suppress(TimeoutError):
                async with asyncio.timeout(_BACKSTOP_SECONDS):
                    await self.bulletin.told.wait()
            left = await serving.drain(self.settings.drain_seconds)
            if left:
                log.warning("%s: %d request(s) were closed at the drain deadline", plugin, left)
            proof = await self.maker.discard(serving.generation) if serving.generation is not None else None
            self.passages.left(serving, proof)
            serving.generation = None
            self._retired.discard(serving)
        finally:
            self._leaving[plugin] -= 1
            self.bulletin.tell()

    # ── what this worker says ─────────────────────────────────────────────────────────────────────────────────

    def tell_health(self, plugin: str, told: dict[str, Any]) -> None:
        """Say in the status how a plugin's generation answered when it was asked for its health."""
        self.healths[plugin] = told
        self.bulletin.tell()

    def _counts(self, *words: str) -> Callable[[], dict[str, Any]]:
        wanted = wishes(words)
        since = {plugin: moment for plugin, moment in wanted.items() if moment < NEVER}
        passages = [item.to_json() for item in self.passages.of(since)]
        told = self.meters.snapshot(*wanted)

        def made() -> dict[str, Any]:
            held = {} if self.stalls is None else {name: asdict(item) for name, item in self.stalls.held.copy().items()}
            loads = {name: asdict(item) for name, item in self.maker.loads.copy().items()}
            return told() | {"since": since, "passages": passages, "held": held, "loads": loads}

        return made

    def status(self) -> Status:
        """What this worker has seen, prepared and serves."""
        servings = self.dispatcher.table.servings
        names = {*servings, *self.candidates.prepared, *(name for name, count in self._leaving.items() if count)}
        names |= self.proofs.keys()
        plugins = {name: self._describe(name, servings.get(name)) for name in sorted(names)}
        seen = int.from_bytes(self.dispatcher.seen or b"\0", "little")
        return Status(
            worker=self.worker,
            pid=os.getpid(),
            beacon=seen,
            plugins=plugins,
            attended=self._attended,
            booted=self._booted,
            generations=sum(1 for serving in servings.values() if serving.generation is not None),
            jobs=self.leads_jobs,
            safe_mode=self.settings.safe_mode,
        )

    def _describe(self, plugin: str, serving: Serving | None) -> dict[str, Any]:
        said = describe(
            serving, self._leaving.get(plugin, 0), self.proofs.get(plugin), self.candidates.prepared.get(plugin)
        )
        kept: dict[str, dict[str, Any]] = {"health": self.healths, "drained": self.holds.drained}
        return said | {name: found[plugin] for name, found in kept.items() if plugin in found}
