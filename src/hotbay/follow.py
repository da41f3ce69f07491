"""A worker follows the registry: it prepares what operations ask for, switches its table, and leaves old generations.

It decides nothing and writes no rows: it reads the live rows and the candidates, acts, and says in its status file what
it has seen, prepared and serves. Acting is by level, not by edge: every pass closes the gap between the rows and what
is here, whatever woke it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from contextvars import ContextVar
from dataclasses import asdict
from functools import partial
from itertools import count
from typing import Any

from hotbay.activate import Generation, Image, Proof, Runtime
from hotbay.activate.bus import Bus
from hotbay.activate.threads import in_thread
from hotbay.beacon import Beacon, is_odd
from hotbay.errors import ActivationFailed, Conflict, HotbayError, LeftOut, NotFound, SafeMode
from hotbay.heal import restore_image
from hotbay.hub import Hub, marks_of
from hotbay.images import Images
from hotbay.meter import Loads, Meters
from hotbay.model import Live
from hotbay.passages import Passages
from hotbay.presence import MARK, TELL, Fifo, Status, Workers, resident
from hotbay.resolve import overlap, route_conflicts
from hotbay.serve import Dispatcher, Serving
from hotbay.settings import Settings
from hotbay.stalls import Stalls
from hotbay.store import Changes, Store, version_of
from hotbay.suspects import Suspects, killer
from hotbay.table import Claim, Table
from hotbay.timing import timed
from hotbay.turns import Turns, one_first
from hotbay_sdk.manifest import Manifest, parse

log = logging.getLogger("hotbay.follow")
_BACKSTOP_SECONDS = 1.0
_SLOT_SECONDS = 5.0
_ODD_SECONDS = 1.0
_UNLOAD_SECONDS = 2.0
_passes = count(1)
# The pass over the rows in which the running code is; 0 outside of all.
_inside: ContextVar[int] = ContextVar("hotbay_pass", default=0)


class Prepared:
    """A generation that an operation asked for: being loaded, ready, or failed with an error."""

    def __init__(self, operation: int, image: str) -> None:
        self.operation = operation
        self.image = image
        self.generation: Generation | None = None
        self.error: dict[str, Any] | None = None
        self.task: asyncio.Task[None] | None = None

    @property
    def state(self) -> str:
        """`loading`, `ready` or `failed`."""
        if self.error is not None:
            return "failed"
        return "ready" if self.generation is not None else "loading"


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
        self.turns = Turns()
        self.beacon = Beacon(settings.run)
        self.bus = Bus()
        self.dispatcher = Dispatcher(self.beacon, self.sync, settings.hold_seconds)
        self.claims: Callable[[Mapping[str, Live]], tuple[Claim, ...]] = lambda rows: ()
        self.struck: Callable[[], None] = lambda: None
        self.on_change: list[Callable[[], None]] = []
        self.runtime: Runtime | None = None
        self.leads_jobs = False
        self.meters = Meters()
        self.passages = Passages()
        self.stalls: Stalls | None = None
        self.loads: dict[str, Loads] = {}
        self.proofs: dict[str, Proof] = {}
        self.healths: dict[str, dict[str, Any]] = {}
        self._host_routes = host_routes
        self._read_settings = read_settings
        self._rows: dict[str, Live] = {}
        self._prepared: dict[str, Prepared] = {}
        self._drained: dict[str, int] = {}
        self._holds: dict[str, int] = {}
        self._leaving: dict[str, int] = {}
        self._retired: set[Serving] = set()
        self._lock = asyncio.Lock()
        self._wake = asyncio.Event()
        self._news = asyncio.Event()
        self._told = asyncio.Event()
        self._asked: asyncio.Queue[str] = asyncio.Queue()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._fifo: Fifo | None = None
        self._changes: Changes
        self._booted = time.time()
        self._stopping = self._vanished = False
        self._passing = 0
        self._publishing = threading.Lock()

    # ── life ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def start(self) -> None:
        """Become present, read the registry once, and follow it from now on. Loads no plugin's code."""
        self._changes = Changes(self.store.path)
        self._fifo = Fifo(self.workers.fifo(self.worker))
        asyncio.get_running_loop().add_reader(self._fifo.fd, self._pinged)
        await self.sync()
        # An actor that finds the pipe finds the status as well.
        await asyncio.to_thread(self._publish, self.status())
        self.keep(self._report(), "hotbay report")
        self.keep(self._report_meters(), "hotbay meters")
        self.keep(self._follow(), "hotbay follow")
        self.keep(self._load_eager(), "hotbay eager plugins")

    async def stop(self, *, unload: bool = False) -> None:
        """Stop serving and leave every generation; the registry is not changed.

        `unload`: the process goes on without this worker, so the code leaves it as well, while two
        seconds have not passed.
        """
        self._stopping = True
        if self._fifo is not None:
            asyncio.get_running_loop().remove_reader(self._fifo.fd)
            self._fifo.close()
        self._retired.update(self.dispatcher.table.servings.values())
        self.dispatcher.table = Table({})
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        until = time.monotonic() + _UNLOAD_SECONDS if unload else 0.0
        for serving in list(self._retired):  # What a task was leaving, or had not begun to when it was cancelled.
            if serving.generation is not None:
                await serving.drain(1.0)
                await self._end(serving.generation, until)
                serving.generation = None
        for ready in self._prepared.values():
            if ready.generation is not None:
                await self._end(ready.generation, until)
                ready.generation = None
        self._changes.close()
        await asyncio.to_thread(self._vanish)

    async def _end(self, generation: Generation, until: float) -> None:
        """Stop a generation, and unload it while there is time: nobody should have to wait long for an end."""
        if time.monotonic() < until:
            await self._discard(generation)
        else:
            await generation.stop()

    def keep(self, work: Any, name: str) -> asyncio.Task[Any]:
        """Run a task that ends with the worker at the latest."""
        task: asyncio.Task[Any] = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _pinged(self) -> None:
        words = self._fifo.drain() if self._fifo is not None else set()
        if MARK in words:
            self.meters.roll()
        asked = {word for word in words if word.startswith(TELL)}
        for word in asked:
            self._asked.put_nowait(word.removeprefix(TELL))
        if words - {MARK, *asked}:
            self._wake.set()

    async def _follow(self) -> None:
        rolled = time.monotonic()
        while not self._stopping:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _BACKSTOP_SECONDS)
            if time.monotonic() - rolled > _SLOT_SECONDS:
                self.meters.roll()
                rolled = time.monotonic()
            if not self._wake.is_set() and not self._changes.any():
                continue
            self._wake.clear()
            try:
                await self._pass()
            except Exception:
                log.exception("a pass over the registry failed; the next one tries again")

    async def _pass(self) -> None:
        await self.sync()
        await self._attend(await asyncio.to_thread(self.store.all_candidates))
        self._tell()

    # ── the pointer ───────────────────────────────────────────────────────────────────────────────────────────

    async def sync(self) -> None:
        """Make the table what the rows say. Returns when this worker serves nothing older than the beacon.

        What a pass itself calls (a plugin's `on_settings`) does not wait for the pass, but sees the table as it is.
        """
        if self._inside_pass():
            return
        async with self._lock:
            if self.dispatcher.seen == self.beacon.raw:
                return
            await self._level()
        self._tell()
        self._wake.set()

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
        self._apply_holds(rows, servings)
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
        ready = self._prepared.get(row.plugin)
        if ready is not None and ready.generation is not None and ready.image == row.image:
            serving.generation = ready.generation
            del self._prepared[row.plugin]
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
            generation = await self._make(serving.live)
        except ActivationFailed as error:
            if error.detail.get("hung"):
                self.struck()
            raise
        if serving.retired:
            await self._discard(generation)
            raise ActivationFailed(f"{serving.plugin} was changed while it was being loaded")
        serving.generation = generation
        self._register(serving)
        self._wake.set()
        for notify in self.on_change:
            notify()
        return generation

    async def _make(self, row: Live, operation: int = 0) -> Generation:
        """A loaded, started and healthy generation. One whose image struck before is loaded while nothing else is, so
        that it is known who did it; without an operation that asks for it, one that struck out is not loaded at all.
        """
        if self.settings.safe_mode:
            raise SafeMode(f"{row.plugin} is not loaded: this host runs in safe mode", mend="start it without")
        strikes = self.suspects.of(row.image)
        if strikes is not None and strikes.out and not operation:
            raise LeftOut(f"{row.plugin} is left out: {strikes}", mend=f"`hotbay activate {row.plugin}` tries it again")
        async with self.turns.turn(alone=strikes is not None):
            with self.suspects.loading(row.plugin, row.version, row.image, operation):
                return await self._make_now(row)

    async def _make_now(self, row: Live) -> Generation:
        if self.runtime is None:
            raise ActivationFailed("this worker has no runtime")
        if not self.images.has(row.image):
            await asyncio.to_thread(restore_image, self.settings, row)
        try:
            image = Image(version_of(row), self.images.path(row.image), parse(row.manifest))
        except NotFound as error:
            raise ActivationFailed(str(error), mend=error.mend) from error
        generation = self.runtime.create(image)
        before = resident(os.getpid()) or 0
        try:
            await in_thread(generation.load, self.settings.start_seconds, f"load {row.plugin}")
            self._check(generation, image.manifest)
            await generation.start()
            await generation.health()
        except BaseException:
            await self._discard(generation)
            raise
        known = self.loads.get(row.plugin, Loads())
        self.loads[row.plugin] = Loads(known.count + 1, (resident(os.getpid()) or 0) - before)
        if self.settings.server_timing:
            generation.app = timed(generation.app, row.plugin, row.version)
        return generation

    def _check(self, generation: Generation, manifest: Manifest) -> None:
        """What only the loaded code shows: routes outside its claims, or where somebody else answers."""
        found = generation.contributions
        paths = [route.path for route in found.routes] + [f"{mount}/*" for mount in found.mounts]
        claims = manifest.backend.routes
        outside = [path for path in paths if claims and not any(overlap(path, claim) for claim in claims)]
        if outside:
            raise Conflict(
                f"{generation.plugin} answers {', '.join(outside)}, which its manifest does not claim",
                mend="list the paths in backend.routes",
                step="start",
            )
        problems = route_conflicts(generation.plugin, paths, self._rows, self._host_routes())
        if problems:
            raise Conflict(f"{generation.plugin} answers what is taken", problems=tuple(problems), step="start")

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
                await asyncio.wait_for(self._told.wait(), _BACKSTOP_SECONDS)
            left = await serving.drain(self.settings.drain_seconds)
            if left:
                log.warning("%s: %d request(s) were closed at the drain deadline", plugin, left)
            proof = await self._discard(serving.generation) if serving.generation is not None else None
            self.passages.left(serving, proof)
            serving.generation = None
            self._retired.discard(serving)
        finally:
            self._leaving[plugin] -= 1
            self._tell()

    async def _discard(self, generation: Generation) -> Proof:
        await generation.stop()
        proof = self.proofs[generation.plugin] = await generation.unload()
        _log_proof(f"{generation.plugin} {generation.version}", proof)
        return proof

    # ── candidates: what an operation asks for ────────────────────────────────────────────────────────────────

    async def _attend(self, wanted: dict[str, dict[str, Any]]) -> None:
        for plugin, data in wanted.items():
            if data["verb"] == "start":
                self._begin(plugin, data)
        for plugin, ready in list(self._prepared.items()):
            data = wanted.get(plugin, {})
            if data.get("operation") != ready.operation and ready.state != "loading":
                await self._forget(plugin, ready)

    def _begin(self, plugin: str, data: dict[str, Any]) -> None:
        ready = self._prepared.get(plugin)
        if ready is not None and ready.operation == data["operation"]:
            return
        fresh = Prepared(data["operation"], data["row"]["image"])
        self._prepared[plugin] = fresh
        fresh.task = self.keep(self._prepare(fresh, data, ready), f"prepare {plugin}")

    async def _prepare(self, ready: Prepared, data: dict[str, Any], older: Prepared | None) -> None:
        if older is not None and older.generation is not None:
            await self._discard(older.generation)
        row = Live.from_json(data["row"])
        try:
            generation = await self._candidate(row, data["operation"])
        except HotbayError as error:
            ready.error = error.to_json()
        except Exception as error:
            log.exception("%s could not be prepared", row.plugin)
            ready.error = ActivationFailed(f"{row.plugin}: {type(error).__name__}: {error}").to_json()
        else:
            ready.generation = generation
        self._wake.set()
        self._tell()

    async def _candidate(self, row: Live, operation: int) -> Generation:
        """What an operation asks for; what killed one worker is not loaded in the next one. Raises ActivationFailed."""
        first = one_first(self.settings.loading, operation, self.settings.ack_seconds)
        async with first if self.settings.load_one_first else nullcontext():
            await asyncio.to_thread(self._refuse_killer, operation)
            return await self._make(row, operation)

    def _refuse_killer(self, operation: int) -> None:
        strikes = self.suspects.killed_in(operation)
        if strikes is not None:
            raise killer(strikes)

    async def _forget(self, plugin: str, ready: Prepared) -> None:
        """An operation no longer asks for what was prepared: it was adopted meanwhile, or is not wanted."""
        if self.dispatcher.seen != self.beacon.raw:
            return  # A switch was committed a moment ago: the next pass knows whether the table wants it.
        # Taken out first, so that no table adopts it; reported until its `stop` has run, for who cleans up after it.
        generation, ready.generation = ready.generation, None
        if generation is not None:
            await self._discard(generation)
        if self._prepared.get(plugin) is ready:
            del self._prepared[plugin]
        self._tell()

    def _apply_holds(self, rows: Mapping[str, Live], servings: Mapping[str, Serving]) -> None:
        for plugin, serving in servings.items():
            wanted = rows[plugin].candidate or {}
            if wanted.get("verb") == "hold" or wanted.get("held"):
                operation = int(wanted["operation"])
                if self._holds.get(plugin) != operation:
                    self._holds[plugin] = operation
                    serving.hold()
                    self.keep(self._drain_held(serving, operation), f"drain {plugin}")
            else:
                self._holds.pop(plugin, None)
                serving.release()

    async def _drain_held(self, serving: Serving, operation: int) -> None:
        await serving.drain(self.settings.drain_seconds)
        self._drained[serving.plugin] = operation
        self._tell()

    # ── what this worker says ─────────────────────────────────────────────────────────────────────────────────

    def tell_health(self, plugin: str, told: dict[str, Any]) -> None:
        """Say in the status how a plugin's generation answered when it was asked for its health."""
        self.healths[plugin] = told
        self._tell()

    def _tell(self) -> None:
        self._told.clear()
        self._news.set()

    async def _report(self) -> None:
        """Write the status and wake the actors, in a thread: files and pipes would make the loop wait."""
        while True:
            await self._news.wait()
            self._news.clear()
            await asyncio.to_thread(self._publish, self.status())
            if not self._news.is_set():
                self._told.set()

    async def _report_meters(self) -> None:
        """Tell what the meters counted, when somebody asks; all who asked meanwhile get one answer."""
        while True:
            plugins = [await self._asked.get()]
            while not self._asked.empty():
                plugins.append(self._asked.get_nowait())
            passages = [item.to_json() for item in self.passages.of(*plugins)]
            await asyncio.to_thread(self._publish_meters, self.meters.snapshot(*plugins), passages)

    def _publish_meters(self, told: Callable[[], dict[str, Any]], passages: list[dict[str, Any]]) -> None:
        held = {} if self.stalls is None else {name: asdict(item) for name, item in self.stalls.held.copy().items()}
        loads = {name: asdict(item) for name, item in self.loads.copy().items()}
        self.workers.write_meters(self.worker, told() | {"passages": passages, "held": held, "loads": loads})
        self.workers.tell_actors()

    def _publish(self, status: Status) -> None:
        with self._publishing:
            if not self._vanished:
                self.workers.write(status)
                self.workers.tell_actors()

    def _vanish(self) -> None:
        """Leave no trace: a thread may still be writing the last status."""
        with self._publishing:
            self._vanished = True
            self.workers.forget(self.worker)

    def status(self) -> Status:
        """What this worker has seen, prepared and serves."""
        servings = self.dispatcher.table.servings
        names = {*servings, *self._prepared, *(name for name, count in self._leaving.items() if count)}
        names |= self.proofs.keys()
        plugins = {name: self._describe(name, servings.get(name)) for name in sorted(names)}
        seen = int.from_bytes(self.dispatcher.seen or b"\0", "little")
        return Status(
            worker=self.worker,
            pid=os.getpid(),
            beacon=seen,
            plugins=plugins,
            booted=self._booted,
            generations=sum(1 for serving in servings.values() if serving.generation is not None),
            jobs=self.leads_jobs,
            safe_mode=self.settings.safe_mode,
        )

    def _describe(self, plugin: str, serving: Serving | None) -> dict[str, Any]:
        said: dict[str, Any] = {
            "leaving": self._leaving.get(plugin, 0),
            "alive": list(self.proofs[plugin].alive) if plugin in self.proofs else [],
        }
        if plugin in self.proofs:
            said["unload"] = self.proofs[plugin].to_json()
        if plugin in self.healths:
            said["health"] = self.healths[plugin]
        if serving is not None:
            said |= _serving_status(serving)
        if plugin in self._drained:
            said["drained"] = self._drained[plugin]
        ready = self._prepared.get(plugin)
        if ready is not None:
            said["prepared"] = {"operation": ready.operation, "state": ready.state, "error": ready.error}
            if ready.generation is not None:
                said["prepared"]["contributions"] = ready.generation.contributions.to_json()
        return said


def _log_proof(what: str, proof: Proof) -> None:
    if proof.undone:
        log.info("%s had left behind, and it was taken back: %s", what, ", ".join(proof.undone))
    if proof.left:
        log.warning("%s may have left behind: %s", what, ", ".join(proof.left))
    if not proof.clean:
        holders = "".join(f"\n  {holder}" for holder in proof.holders[:5])
        log.warning("%s is still in memory after unloading: %s%s", what, ", ".join(proof.alive[:5]), holders)


def _serving_status(serving: Serving) -> dict[str, Any]:
    generation = serving.generation
    return {
        "revision": serving.live.revision,
        "version": serving.live.version,
        "image": serving.live.image,
        "loaded": generation is not None,
        "generation": generation.number if generation is not None else 0,
        "in_flight": len(serving.flights),
        "requests": serving.meter.requests,
        "failures": serving.meter.failed,
        "held": serving.held,
        "problem": str(serving.problem) if serving.problem is not None else "",
    }
