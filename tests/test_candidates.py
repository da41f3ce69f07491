"""What operations ask a worker for: prepared beside what serves, handed over once, given up when nobody wants it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from engine import Engine
from hotbay.candidates import Candidates
from hotbay.model import Kind, Live
from hotbay.suspects import Strikes
from plugs import hello, until
from test_making import SICK, fall_ill, fault, maker


class Bench:
    """Candidates of one worker, whose table is as new as the rows unless the test says otherwise."""

    def __init__(self, engine: Engine) -> None:
        self.level, self.heard, self.again = True, 0, asyncio.Event()
        self.candidates = Candidates(maker(engine), lambda: self.level, self.keep, self.hear, self.again.set)
        self.tasks: set[asyncio.Task[Any]] = set()

    def keep(self, work: Any, name: str) -> asyncio.Task[Any]:
        task = asyncio.create_task(work, name=name)
        self.tasks.add(task)
        return task

    def hear(self) -> None:
        self.heard += 1

    async def attend(self, row: Live | None = None, operation: int = 1, verb: str = "start") -> None:
        """One pass over the rows: this candidate, or none."""
        wanted = {} if row is None else {"shop": {"verb": verb, "operation": operation, "row": row.to_json()}}
        await self.candidates.attend(wanted)

    async def settled(self) -> str:
        """The candidate's state when it is not loading any more."""
        await until(lambda: self.candidates.prepared["shop"].state != "loading")
        await asyncio.gather(*self.tasks)
        return self.candidates.prepared["shop"].state


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path)


@pytest.fixture
async def bench(engine: Engine) -> Bench:
    return Bench(engine)


async def row_of(engine: Engine, **files: str) -> Live:
    await engine.run(Kind.INSTALL, file=engine.archive(files={"routes.py": hello(), **files}), inactive=True)
    return engine.host.store.get_live("shop")


async def test_it_is_prepared_and_handed_over_once(engine: Engine, bench: Bench) -> None:
    row = await row_of(engine)
    await bench.attend(row)
    assert bench.candidates.prepared["shop"].state == "loading"
    assert bench.candidates.adopt("shop", row.image) is None, "nobody gets what is not ready"
    assert bench.candidates.loading
    ready = bench.candidates.prepared["shop"]
    assert ready.contributions == {}
    assert (await bench.settled(), bench.heard, bench.again.is_set()) == ("ready", 1, False)
    assert not bench.candidates.loading
    assert ready.generation is not None and ready.contributions == ready.generation.contributions.to_json()
    assert [route["path"] for route in ready.contributions["routes"]] == ["/api/v1/shop/version"]
    assert bench.candidates.adopt("shop", "another") is None
    assert bench.candidates.adopt("mail", row.image) is None
    generation = bench.candidates.adopt("shop", row.image)
    assert generation is not None and generation.version == "1.0.0"
    assert bench.candidates.adopt("shop", row.image) is None
    await bench.attend()
    assert bench.candidates.maker.proofs == {}, "what was adopted is not taken apart"


async def test_the_same_wish_is_begun_once(engine: Engine, bench: Bench) -> None:
    row = await row_of(engine)
    for _ in range(3):
        await bench.attend(row)
    await bench.settled()
    await bench.attend(row)
    assert len(bench.tasks) == 1
    assert bench.candidates.maker.loads["shop"].count == 1


async def test_a_wish_to_hold_prepares_nothing(engine: Engine, bench: Bench) -> None:
    await bench.attend(await row_of(engine), verb="hold")
    assert bench.candidates.prepared == {}


async def test_what_is_not_wanted_any_more_is_taken_apart(engine: Engine, bench: Bench) -> None:
    await bench.attend(await row_of(engine))
    await bench.settled()
    await bench.attend()
    assert bench.candidates.prepared == {}
    assert bench.candidates.maker.proofs["shop"].clean
    assert bench.heard == 2


async def test_while_it_loads_it_is_not_given_up(engine: Engine, bench: Bench) -> None:
    await bench.attend(await row_of(engine))
    await bench.attend()
    assert not bench.again.is_set()
    assert await bench.settled() == "ready"
    assert bench.again.is_set(), "nobody would give it up"
    await bench.attend()
    assert bench.candidates.prepared == {}


async def test_behind_the_rows_nothing_is_given_up(engine: Engine, bench: Bench) -> None:
    """A switch was committed a moment ago: the next table may want it."""
    row = await row_of(engine)
    await bench.attend(row)
    await bench.settled()
    bench.level = False
    await bench.attend()
    assert bench.candidates.adopt("shop", row.image) is not None


async def test_another_operation_gets_one_of_its_own(engine: Engine, bench: Bench) -> None:
    row = await row_of(engine)
    await bench.attend(row)
    await bench.settled()
    first = bench.candidates.prepared["shop"].generation
    await bench.attend(row, operation=2)
    await bench.settled()
    ready = bench.candidates.prepared["shop"]
    assert (ready.operation, ready.generation is first) == (2, False)
    assert bench.candidates.maker.proofs["shop"].clean, "the older one was taken apart"


async def test_a_plugins_failure_is_told(engine: Engine, bench: Bench) -> None:
    row = await row_of(engine, **{"plugin.py": fault(engine, SICK)})
    fall_ill(engine)
    await bench.attend(row)
    assert (await bench.settled(), bench.heard) == ("failed", 1)
    error = bench.candidates.prepared["shop"].error
    assert error is not None and error["code"] == "activation-failed" and "sick" in error["detail"]
    await bench.attend()
    assert bench.candidates.prepared == {}


async def test_a_failure_of_our_own_is_told_as_well(
    engine: Engine, bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    row = await row_of(engine)
    maker = bench.candidates.maker
    maker.settings = maker.settings.model_copy(update={"load_one_first": True})
    engine.host.settings.loading.mkdir(parents=True, exist_ok=True)
    (engine.host.settings.loading / "first").mkdir()  # The lock of who loads first can't be opened.
    await bench.attend(row)
    assert await bench.settled() == "failed"
    error = bench.candidates.prepared["shop"].error
    assert error is not None and "IsADirectoryError" in error["detail"]
    assert "could not be prepared" in caplog.text


async def test_what_killed_another_worker_is_not_loaded_here(engine: Engine, bench: Bench) -> None:
    row, suspects = await row_of(engine), bench.candidates.maker.suspects
    strikes = Strikes("shop", "1.0.0", row.image, 1, "killed the process", "2026-01-01", (1,))
    suspects.folder.mkdir(parents=True, exist_ok=True)
    suspects._file(row.image).write_text(json.dumps(asdict(strikes)))
    await bench.attend(row, operation=1)
    assert await bench.settled() == "failed"
    assert bench.candidates.maker.loads == {}
    await bench.attend(row, operation=2)
    assert await bench.settled() == "ready", "another operation may try it"
