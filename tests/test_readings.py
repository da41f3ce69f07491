"""What the meters of all workers say, asked through their pipes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine import Engine
from hotbay.meter import Tally
from hotbay.presence import Fifo, Status, Workers
from hotbay.readings import Reading, by_plugin, readings
from plugs import until


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path)


async def ask(engine: Engine, plugin: str = "", seconds: float = 20.0) -> list[Reading]:
    """As an actor in a thread asks."""
    return await asyncio.to_thread(readings, engine.host.applier.workers, plugin, seconds)


async def test_two_workers_add_up(engine: Engine) -> None:
    await engine.install()
    async with engine.worker() as one, engine.worker() as other:
        for worker in (one, one, other):
            await worker.version()
        found = await ask(engine)
        assert [reading.fresh for reading in found] == [True, True]
        assert sorted(reading.tallies["shop"].requests for reading in found) == [1, 2]
        assert by_plugin(found)["shop"].requests == 3
        assert all(reading.slots == () for reading in found)


async def test_a_meter_goes_on_when_its_plugin_is_upgraded(engine: Engine) -> None:
    await engine.install()
    async with engine.worker() as worker:
        assert await worker.version() == "1.0.0"
        await engine.install(version="2.0.0")
        assert await worker.version() == "2.0.0"
        (found,) = await ask(engine, "shop")
        assert found.tallies["shop"].requests == 2
        assert sum(tally.requests for _, _, tally in found.slots) == 2


async def test_two_who_ask_at_once_both_get_their_plugins_slots(engine: Engine) -> None:
    for plugin in ("shop", "mail"):
        await engine.install(plugin)
    async with engine.worker() as worker:
        for plugin in ("shop", "mail", "mail"):
            await worker.version(plugin)
        answers = await asyncio.gather(*(ask(engine, plugin) for plugin in ("shop", "mail") * 2))
        for (found,), plugin in zip(answers, ("shop", "mail") * 2, strict=True):
            assert found.fresh
            assert sum(tally.requests for _, _, tally in found.slots) == {"shop": 1, "mail": 2}[plugin]


async def test_a_mark_begins_a_slot(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hotbay.follow._SLOT_SECONDS", 3600.0)
    await engine.install()
    async with engine.worker() as worker:
        await worker.version()
        await asyncio.sleep(0.01)
        before = len(worker.follower.meters.of("shop").slots(0.0))
        engine.host.applier.workers.signal("|")
        await until(lambda: len(worker.follower.meters.of("shop").slots(0.0)) == before + 1)


@contextmanager
def silent(workers: Workers, pid: int) -> Iterator[None]:
    """A worker that is there and never answers; it answered once, long ago."""
    pipe = Fifo(workers.fifo("w-silent"))
    workers.write(Status("w-silent", pid, 0, {}))
    told = {"counts": {"100": 7}, "failures": {}, "sockets": 0}
    workers.write_meters("w-silent", {"at": 0.5, "with": [], "plugins": {"shop": {"total": told}}})
    try:
        yield
    finally:
        pipe.close()


def test_who_does_not_answer_in_time_is_told_by_what_he_said_before(tmp_path: Path) -> None:
    workers = Workers(tmp_path)
    with silent(workers, os.getpid()):
        (found,) = readings(workers, seconds=0.05)
    assert (found.fresh, found.tallies["shop"]) == (False, Tally({100: 7}))


def test_an_answer_to_somebody_else_has_not_the_slots_that_were_asked_for(tmp_path: Path) -> None:
    workers = Workers(tmp_path)
    with silent(workers, os.getpid()):
        workers.write_meters("w-silent", {"at": time.monotonic() + 60, "with": ["mail"], "plugins": {}})
        assert not readings(workers, "shop", seconds=0.05)[0].fresh
        assert readings(workers, "mail", seconds=600.0)[0].fresh
        assert readings(workers, seconds=600.0)[0].fresh


def test_an_answer_to_somebody_who_wanted_less_has_not_the_passages_that_were_asked_for(tmp_path: Path) -> None:
    workers = Workers(tmp_path)
    told = {"at": time.monotonic() + 60, "with": ["shop"], "plugins": {}}
    with silent(workers, os.getpid()):
        workers.write_meters("w-silent", told)
        assert readings(workers, "shop", seconds=600.0)[0].fresh
        assert not readings(workers, "shop", seconds=0.05, since=5.0)[0].fresh
        workers.write_meters("w-silent", told | {"since": {"shop": 6.0}})
        assert not readings(workers, "shop", seconds=0.05, since=5.0)[0].fresh
        workers.write_meters("w-silent", told | {"since": {"shop": 5.0}})
        assert readings(workers, "shop", seconds=600.0, since=5.0)[0].fresh


async def test_passages_are_told_to_those_who_want_them(engine: Engine) -> None:
    await engine.install()
    async with engine.worker() as worker:
        await worker.version()
        before = time.time()
        await engine.install(version="2.0.0")
        (without,) = await ask(engine, "shop")
        assert without.passages == ()
        found = await asyncio.to_thread(readings, engine.host.applier.workers, "shop", 20.0, since=before)
        assert [item["version"] for item in found[0].passages] == ["2.0.0"]
        found = await asyncio.to_thread(readings, engine.host.applier.workers, "shop", 20.0, since=time.time() + 60)
        assert found[0].passages == ()


def test_who_is_stopped_is_not_waited_for(tmp_path: Path) -> None:
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        os.kill(sleeper.pid, signal.SIGSTOP)
        workers = Workers(tmp_path)
        with silent(workers, sleeper.pid):
            (found,) = readings(workers, seconds=600.0)
        assert not found.fresh
    finally:
        sleeper.kill()
        sleeper.wait()


def test_without_workers_there_is_nothing(tmp_path: Path) -> None:
    assert readings(Workers(tmp_path)) == []
    assert by_plugin([]) == {}
