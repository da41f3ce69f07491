"""A worker follows the registry: what it prepares, when it switches, and how it leaves what was."""

from __future__ import annotations

import asyncio
import gc
import logging
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import Engine, Worker
from hotbay import follow, steps, store
from hotbay.activate import Proof, loader
from hotbay.activate.collector import NEVER, collector
from hotbay.activate.threads import in_thread
from hotbay.errors import ActivationFailed, HotbayError, NotFound
from hotbay.model import Kind
from plugs import hello, until


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path)
    yield made
    made.host.close()


@pytest.fixture
async def worker(engine: Engine) -> AsyncIterator[Worker]:
    async with engine.worker() as made:
        yield made


before_test: set[str] = set()


def names() -> set[str]:
    """The private packages of the generations that came into this process since the test began."""
    import sys

    found = {name for name in sys.modules if name.startswith(f"{loader.PREFIX}shop_") and "." not in name}
    return found - before_test


@pytest.fixture(autouse=True)
def baseline() -> Iterator[None]:
    """What earlier tests left is theirs."""
    before_test.clear()
    before_test.update(names())
    yield
    before_test.clear()


async def test_a_worker_that_stops_leaves_no_trace_of_a_status_that_is_being_written(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes, goes_on = threading.Event(), threading.Event()
    async with engine.worker() as worker:
        real = worker.follower.workers.write

        def slow(status: Any) -> None:
            writes.set()
            assert goes_on.wait(10)
            real(status)

        monkeypatch.setattr(worker.follower.workers, "write", slow)
        worker.follower.bulletin.tell()
        await asyncio.to_thread(writes.wait, 10)
        asyncio.get_running_loop().call_later(0.2, goes_on.set)
    assert [path.name for path in worker.follower.workers.folder.glob("w-*")] == []


# ── operations ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_install_upgrade_deactivate_activate_uninstall(engine: Engine, worker: Worker) -> None:
    assert await worker.version() == "404"
    done = await engine.install()
    assert await worker.version() == "1.0.0"
    assert {step["verb"] for step in done.steps} >= {"start", "switch"}
    await engine.install(version="2.0.0")
    assert await worker.version() == "2.0.0"
    await engine.run(Kind.DEACTIVATE)
    assert (await worker.get("/api/v1/shop/version")).status_code == 404
    await engine.run(Kind.ACTIVATE)
    assert await worker.version() == "2.0.0"
    await engine.run(Kind.ROLLBACK)
    assert await worker.version() == "1.0.0"
    await engine.run(Kind.UNINSTALL)
    assert await worker.version() == "404"
    assert names() == set()
    assert worker.follower.proofs == {"shop": Proof()}


async def test_every_worker_switches_before_the_operation_says_it_is_done(engine: Engine, worker: Worker) -> None:
    async with engine.worker() as other:
        await engine.install()
        assert [await item.version() for item in (worker, other)] == ["1.0.0", "1.0.0"]
        assert worker.generation().number != other.generation().number
        await engine.install(version="2.0.0")
        for item in (worker, other):
            assert item.serving().live.version == "2.0.0"  # type: ignore[union-attr]
            assert await item.version() == "2.0.0"


async def test_what_was_prepared_is_what_serves(engine: Engine, worker: Worker) -> None:
    text = "starts = []\ndef start(context): starts.append(context.generation)"
    await engine.install(files={"routes.py": hello(), "plugin.py": text})
    before = worker.generation()
    assert before is not None, "the generation of the operation is adopted, not loaded a second time"
    await worker.version()
    assert worker.generation() is before


async def test_a_failed_upgrade_leaves_the_old_one_and_nothing_of_the_new(engine: Engine, worker: Worker) -> None:
    await engine.install()
    before = worker.generation()
    with pytest.raises(ActivationFailed, match="not today"):
        text = "def start(): raise RuntimeError('not today')"
        await engine.install(version="2.0.0", files={"routes.py": hello(version="2.0.0"), "plugin.py": text})
    assert worker.generation() is before
    assert await worker.version() == "1.0.0"
    await until(lambda: not worker.follower.candidates.prepared, "the wish was withdrawn")
    assert names() == {before.private}
    assert worker.follower.proofs["shop"] == Proof()


async def test_one_worker_s_success_is_discarded_when_another_fails(engine: Engine, worker: Worker) -> None:
    """Only the first to start succeeds: the plugin fails where its mark is there already."""
    text = """
        def start(context):
            try:
                (context.data / "mark").touch(exist_ok=False)
            except FileExistsError:
                raise RuntimeError("second") from None
    """
    async with engine.worker() as other:
        with pytest.raises(ActivationFailed, match="second"):
            await engine.install(files={"plugin.py": text})
        await until(lambda: not worker.follower.candidates.prepared and not other.follower.candidates.prepared)
        assert names() == set()
        assert engine.host.store.all_live() == {}


@pytest.mark.parametrize("held", [False, True])
async def test_what_a_start_still_writes_goes_with_the_operation_that_gave_up(
    engine: Engine, worker: Worker, monkeypatch: pytest.MonkeyPatch, held: bool
) -> None:
    """That a worker loads is told only when it lasts: who undoes must not take its silence for having let go."""

    verbs: set[str] = set()

    def give_up(status: Any, bench: Any, failed: list[dict[str, Any]], found: Any) -> str:
        verbs.update(step.verb for step in bench.plan.steps)
        if worker.follower.candidates.prepared:
            failed.append(ActivationFailed("enough").to_json())
        return "done" if failed else "busy"

    text = """
        import time
        def start(context):
            time.sleep(0.5)
            (context.data / "late").touch()
    """
    files = {"plugin.py": text}
    if held:  # It rests, and what it brings is to be done while nobody asks it.
        await engine.run(Kind.INSTALL, file=engine.archive(), inactive=True)
        shutil.rmtree(engine.host.settings.data / "shop", ignore_errors=True)
        await until(lambda: not worker.follower.candidates.prepared)
        files["../migrations/0001_items.up.sql"] = "CREATE TABLE shop_items (id INTEGER PRIMARY KEY);"
    real = worker.follower.candidates._begin

    def begin(plugin: str, data: dict[str, Any]) -> None:
        monkeypatch.setattr(follow, "_SOON_SECONDS", 0.3)
        real(plugin, data)

    # What came before is told at once, that it loads is told late.
    monkeypatch.setattr(follow, "_SOON_SECONDS", 0.0)
    monkeypatch.setattr(worker.follower.candidates, "_begin", begin)
    monkeypatch.setattr(steps, "judge_prepared", give_up)
    with pytest.raises(ActivationFailed, match="enough"):
        await engine.install(version="2.0.0", files=files, migrations="exclusive")
    await until(lambda: not worker.follower.candidates.prepared, "the wish was withdrawn")
    assert not (engine.host.settings.data / "shop").exists()
    assert ("hold" in verbs) is held


async def test_an_upgrade_in_flight_keeps_the_old_answer_whole(engine: Engine, worker: Worker) -> None:
    slow = """
        import asyncio
        from fastapi import APIRouter
        router = APIRouter(prefix="/shop")
        go = asyncio.Event()
        @router.get("/version")
        async def version():
            await go.wait()
            from shop.late import VERSION
            return {"version": VERSION}
    """
    await engine.install(files={"routes.py": slow, "late.py": "VERSION = 'old'"})
    asked = asyncio.create_task(worker.version())
    await until(lambda: worker.serving() and worker.serving().flights)  # type: ignore[union-attr]
    import sys

    gate = sys.modules[f"{worker.generation().private}.routes"].go
    upgrade = asyncio.create_task(engine.install(version="2.0.0"))
    await until(lambda: worker.serving().live.version == "2.0.0")  # type: ignore[union-attr]
    assert await worker.version() == "2.0.0"
    assert not asked.done()
    gate.set()
    assert await asked == "old"
    await upgrade
    # The operation does not wait for what is in flight: the old code goes when its last answer was given.
    await until(lambda: names() == {worker.generation().private}, "the old code has left the process")


async def test_what_operations_left_is_collected_in_the_calm_after_one(
    engine: Engine, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing wakes a worker then: it has to look by itself, and soon, for the next operation may follow."""
    monkeypatch.setattr(follow, "_BACKSTOP_SECONDS", 3600.0)
    monkeypatch.setattr(collector, "_often", 0.0)
    full = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "stop" and info["generation"] == 2:
            full.append(collector.is_off)

    await engine.install()
    gc.callbacks.append(note)
    try:
        assert collector.is_off
        await until(lambda: not collector.is_off)
    finally:
        gc.callbacks.remove(note)
    assert full == [False], "at the end, once"


# ── following ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_worker_that_starts_later_finds_what_is_there_and_loads_at_first_use(engine: Engine) -> None:
    await engine.install()
    async with engine.worker() as late:
        assert late.serving() is not None
        assert late.generation() is None, "boot reads only the registry"
        assert await late.version() == "1.0.0"
        assert late.generation() is not None
    assert names() == set()


async def test_a_pass_that_failed_is_made_again_though_nothing_wakes_it(
    engine: Engine, worker: Worker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(follow, "_BACKSTOP_SECONDS", 0.05)
    await until(lambda: not worker.follower._wake.is_set(), "its first pass has begun")
    store, read = worker.follower.store, list[str]()
    real = store.all_candidates

    def fails_twice() -> Any:
        read.append("again")
        if len(read) < 3:
            raise OSError("the disk is full")
        return real()

    monkeypatch.setattr(store, "all_candidates", fails_twice)
    worker.follower.workers.signal()
    await until(lambda: len(read) >= 3)
    assert [str(item.exc_info[1]) for item in caplog.records if item.exc_info] == ["the disk is full"] * 2
    await asyncio.sleep(0.3)
    settled = len(read)
    await asyncio.sleep(0.3)
    assert len(read) == settled, "it has succeeded"


async def test_a_switch_is_one_pass(engine: Engine, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    await engine.install()
    follower, beacon, read = worker.follower, engine.host.applier.beacon, list[int]()
    monkeypatch.setattr(follower._changes, "any", lambda: False)  # What the installation committed is no news.
    real = follower.store.all_candidates

    def counted() -> Any:
        read.append(beacon.value)
        return real()

    await asyncio.sleep(0.3)
    monkeypatch.setattr(follower.store, "all_candidates", counted)
    beacon.bump()
    follower.workers.signal()
    await until(lambda: read == [beacon.value])
    await asyncio.sleep(0.3)
    assert read == [beacon.value]


async def test_a_worker_that_starts_in_the_middle_takes_part(engine: Engine, worker: Worker) -> None:
    await engine.install()
    hanging = """
        import pathlib, time
        def start(context):
            (context.data / f"waits-{context.generation}").write_text("")
            while not (context.data / "go").exists():
                time.sleep(0.01)
    """
    upgrade = asyncio.create_task(
        engine.install(version="2.0.0", files={"routes.py": hello(version="2.0.0"), "plugin.py": hanging})
    )
    data = engine.host.settings.data / "shop"
    await until(lambda: list(data.glob("waits-*")))
    async with engine.worker() as late:
        assert await late.version() == "1.0.0"
        await until(lambda: len(list(data.glob("waits-*"))) == 2, "the late worker was asked too")
        (data / "go").write_text("")
        await upgrade
        assert [await worker.version(), await late.version()] == ["2.0.0", "2.0.0"]


async def test_eager_plugins_start_with_the_worker(engine: Engine) -> None:
    text = "def start(context): (context.data / 'started').write_text('')"
    await engine.install(files={"plugin.py": text})
    (engine.host.settings.data / "shop" / "started").unlink()
    async with engine.worker() as late:
        await until(lambda: (engine.host.settings.data / "shop" / "started").exists())
        await until(late.generation)


async def test_a_plugin_that_can_not_be_loaded_stops_neither_the_worker_nor_another(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    await engine.install("shop", files={"routes.py": hello(), "plugin.py": "def start(): ..."})
    await engine.install("mail", files={"routes.py": hello("mail")})
    row = engine.host.store.get_live("shop")
    engine.host.images.remove(row.image)
    (engine.host.settings.plugins / "shop" / "metadata.json").unlink()  # From there the image would be restored.
    with caplog.at_level(logging.ERROR):
        async with engine.worker() as late:
            assert await late.version("mail") == "1.0.0"
            assert await late.version("shop") == "503"
            status = late.follower.status().of("shop")
    assert "missing" in status["problem"]
    assert "missing" in caplog.text


async def test_the_beacon_in_the_middle_of_a_switch_makes_requests_wait(engine: Engine, worker: Worker) -> None:
    await engine.install()
    beacon = engine.host.applier.beacon
    beacon.begin()
    asked = asyncio.create_task(worker.version())
    for _ in range(30):
        await asyncio.sleep(0)
    assert not asked.done()
    beacon.end()
    assert await asked == "1.0.0"
    assert worker.follower.dispatcher.seen == beacon.raw


async def test_a_writer_that_died_in_a_switch_does_not_stop_the_worker(engine: Engine, worker: Worker) -> None:
    await engine.install()
    beacon = engine.host.applier.beacon
    beacon.begin()
    assert await worker.version() == "1.0.0"
    beacon.end()
    assert await worker.version() == "1.0.0"


async def test_sync_is_one_look_for_many_requests(
    engine: Engine, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.install()
    looks, real = list[int](), engine.host.store.all_live

    def counted() -> Any:
        looks.append(1)
        return real()

    monkeypatch.setattr(engine.host.store, "all_live", counted)
    engine.host.applier.beacon.bump()
    assert await asyncio.gather(*(worker.version() for _ in range(10))) == ["1.0.0"] * 10
    assert len(looks) == 1


async def test_without_a_change_the_generation_stays(engine: Engine, worker: Worker) -> None:
    await engine.install()
    before = worker.generation()
    engine.host.applier.beacon.bump()
    await worker.follower.sync()
    assert worker.generation() is before


# ── what only the loaded code shows ───────────────────────────────────────────────────────────────────────────────


async def test_routes_outside_the_claims_are_refused(engine: Engine, worker: Worker) -> None:
    with pytest.raises(ActivationFailed, match="/api/v1/shop/version, which its manifest does not claim"):
        await engine.install(backend={"routes": ["/api/v1/store/*"]})
    await engine.install(backend={"routes": ["/api/v1/shop/*"]})
    assert await worker.version() == "1.0.0"


async def test_a_route_of_the_host_is_refused(engine: Engine) -> None:
    async with engine.worker(routes=("/api/v1/{page}/version",)) as late:
        with pytest.raises(HotbayError, match="the host"):
            await engine.install()
        assert late.serving() is None


async def test_a_route_of_another_plugin_is_refused(engine: Engine, worker: Worker) -> None:
    await engine.install()
    with pytest.raises(HotbayError, match="is answered by shop"):
        await engine.install("mail", files={"routes.py": hello("shop")})
    assert await worker.version("shop") == "1.0.0"


# ── settings, events, services ────────────────────────────────────────────────────────────────────────────────────

SETTINGS = """
    from pydantic import BaseModel
    class Settings(BaseModel):
        rate: int = 1
    def start(context): ...
    async def on_settings(context, new):
        (context.data / "told").write_text(str(new.rate))
"""


async def test_settings_change_live_without_a_new_generation(engine: Engine, worker: Worker) -> None:
    await engine.install(files={"plugin.py": SETTINGS})
    before = worker.generation()
    await asyncio.to_thread(engine.host.change_settings, "shop", {"rate": 5})
    await until(lambda: before.context.settings.rate == 5)
    assert (before.context.data / "told").read_text() == "5"
    assert worker.generation() is before
    await asyncio.to_thread(engine.host.change_settings, "shop", {"rate": 6})
    await until(lambda: before.context.settings.rate == 6)


async def test_a_generation_loaded_later_has_the_newest_settings(engine: Engine) -> None:
    await engine.install(files={"plugin.py": SETTINGS})
    await asyncio.to_thread(engine.host.change_settings, "shop", {"rate": 8})
    async with engine.worker() as late:
        generation = await until(late.generation)
        assert generation.context.settings.rate == 8


async def test_a_plugin_that_refuses_its_settings_does_not_stop_the_worker(
    engine: Engine, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    text = SETTINGS.replace("(context.data", "raise ValueError('no'); (context.data")
    await engine.install(files={"plugin.py": text, "routes.py": hello()})
    with caplog.at_level(logging.ERROR):
        await asyncio.to_thread(engine.host.change_settings, "shop", {"rate": 5})
        await until(lambda: "did not take its new settings" in caplog.text)
    assert await worker.version() == "1.0.0"


HOOKS = """
    from hotbay_sdk import filters, on, service
    heard = []
    @on("order.created")
    def created(number): heard.append(number)
    @filters("total")
    def total(value): return value + {add}
    @service("price")
    async def price(item, *, tax=0): return [item, tax, {add}]
"""


async def test_events_filters_and_services_reach_the_generation_that_serves(engine: Engine, worker: Worker) -> None:
    await engine.install(files={"hooks.py": HOOKS.format(add=1)})
    follower = worker.follower
    assert await follower.filter("total", 10, {}) == 11
    assert await follower.serve_call("shop.price", ("disk",), {"tax": 2}) == ["disk", 2, 1]
    await engine.install(version="2.0.0", files={"hooks.py": HOOKS.format(add=2)})
    assert await follower.filter("total", 10, {}) == 12
    assert await follower.serve_call("shop.price", ("disk",), {}) == ["disk", 0, 2]
    await engine.run(Kind.DEACTIVATE)
    assert await follower.filter("total", 10, {}) == 10
    with pytest.raises(NotFound, match=r"shop\.price"):
        await follower.serve_call("shop.price", ("disk",), {})


async def test_a_filter_loads_the_plugin_that_has_it_and_no_other(engine: Engine) -> None:
    await engine.install(files={"hooks.py": HOOKS.format(add=1)})
    await engine.install("mail", files={"routes.py": hello("mail")})
    async with engine.worker() as late:
        await late.follower.emit("order.deleted", {})
        assert late.generation() is None
        assert await late.follower.filter("total", 1, {}) == 2
        assert late.generation() is not None
        assert late.generation("mail") is None


async def test_an_unknown_service_is_named(worker: Worker) -> None:
    with pytest.raises(NotFound, match=r"'mail\.send'"):
        await worker.follower.serve_call("mail.send", (), {})


# ── hold ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_that_a_load_has_begun_is_told_only_when_it_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What lasts is at most a quarter of the time to answer in: here longer than any load takes.
    engine = Engine(tmp_path, ack_seconds=120.0)
    async with engine.worker() as worker:
        await _load_slowly(engine, worker, monkeypatch)
    engine.host.close()


async def _load_slowly(engine: Engine, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    real = worker.follower.workers.write

    def write(status: Any) -> None:
        told.append(status.of("shop").get("prepared", {}).get("state", ""))
        real(status)

    monkeypatch.setattr(worker.follower.workers, "write", write)
    monkeypatch.setattr(follow, "_LASTS_SECONDS", 30.0)
    await engine.install()
    assert "ready" in told and "loading" not in told
    monkeypatch.setattr(follow, "_LASTS_SECONDS", 0.05)
    slow = {"routes.py": hello(), "plugin.py": "import time\ndef start(context): time.sleep(0.5)"}
    await engine.install(version="2.0.0", files=slow)
    assert "loading" in told


async def test_a_load_that_lasts_is_told_before_its_worker_counts_as_late(tmp_path: Path) -> None:
    engine = Engine(tmp_path, ack_seconds=0.4)
    async with engine.worker() as worker:
        slow = {"routes.py": hello(), "plugin.py": "import time\ndef start(context): time.sleep(1.0)"}
        outcome = await engine.install(files=slow)
        (start,) = [step["record"] for step in outcome.steps if step["verb"] == "start"]
        assert (start["done"], start["late"]) == ([worker.follower.worker], [])
    engine.host.close()


async def test_a_worker_looks_after_the_collector(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one is there operations may put full collections off, since it sees to it that they come again."""
    usual = gc.get_threshold()
    monkeypatch.setattr("hotbay.activate.collector.QUIET_SECONDS", 0.0)
    async with engine.worker():
        collector.put_off()
        try:
            assert gc.get_threshold()[2] == NEVER
            await asyncio.sleep(0)
        finally:
            collector.done()
        await until(lambda: gc.get_threshold() == usual)
    collector.put_off()
    collector.done()
    assert gc.get_threshold() == usual


async def test_a_candidate_holds_and_its_withdrawal_releases(engine: Engine, worker: Worker) -> None:
    await engine.install()
    registry, beacon = engine.host.store, engine.host.applier.beacon

    def wish(data: dict[str, Any] | None) -> None:
        with registry.write() as connection:
            store.set_candidate(connection, "shop", data)
        beacon.bump()
        worker.follower.workers.signal()

    wish({"verb": "hold", "operation": 77})
    await until(lambda: worker.follower.status().of("shop").get("drained") == 77)
    asked = asyncio.create_task(worker.version())
    for _ in range(30):
        await asyncio.sleep(0)
    assert not asked.done()
    assert worker.generation().context.closing, "streams were asked to end"
    wish(None)
    assert await asked == "1.0.0"
    assert not worker.generation().context.closing, "what stays is not about to leave"


# ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_end_of_a_worker_stops_its_plugins_and_changes_no_row(engine: Engine) -> None:
    text = "def start(c): ...\ndef stop(context): (context.data / 'stopped').write_text('')"
    async with engine.worker():
        await engine.install(files={"plugin.py": text})
        files = set(engine.host.settings.run.glob("w-*"))
        assert files
    assert (engine.host.settings.data / "shop" / "stopped").exists()
    assert set(engine.host.settings.run.glob("w-*")) == set()
    assert engine.host.store.get_live("shop").active


async def test_the_end_of_a_worker_stops_generations_that_are_still_draining(engine: Engine) -> None:
    hanging = """
        import asyncio
        from fastapi import APIRouter
        router = APIRouter(prefix="/shop")
        @router.get("/version")
        async def version():
            await asyncio.sleep(3600)
    """
    text = "def start(c): ...\ndef stop(context): (context.data / 'stopped').write_text(context.version)"
    async with engine.worker() as late:
        await engine.install(files={"routes.py": hanging, "plugin.py": text})
        asked = asyncio.create_task(late.version())
        await until(lambda: late.serving() and late.serving().flights)  # type: ignore[union-attr]
        upgrade = asyncio.create_task(engine.install(version="2.0.0"))
        await until(lambda: late.serving().live.version == "2.0.0")  # type: ignore[union-attr]
    assert (engine.host.settings.data / "shop" / "stopped").read_text() == "1.0.0"
    assert await asked == "503"
    await upgrade


# ── in_thread ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_in_thread_answers_raises_and_gives_up() -> None:
    assert await in_thread(threading.get_ident, 20.0, "x") != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0, 20.0, "x")
    with pytest.raises(SystemExit):
        await in_thread(lambda: (_ for _ in ()).throw(SystemExit(3)), 20.0, "x")
    go = threading.Event()
    try:
        with pytest.raises(ActivationFailed, match=r"load shop: not done within 0\.01 s"):
            await in_thread(go.wait, 0.01, "load shop")
    finally:
        go.set()


async def test_a_worker_in_a_process_that_goes_on_takes_its_code_with_it(engine: Engine) -> None:
    made = Worker(engine.host)
    await made.follower.start()
    await engine.install(
        files={"hooks.py": "from hotbay_sdk import on\n@on('order.created')\ndef heard(**about): ...\n"}
    )
    private = made.generation().private
    assert loader.modules(private)
    await made.follower.stop(unload=True)
    assert loader.modules(private) == {}
    assert made.follower.proofs == {"shop": Proof()}
