"""Loads run together, but one under suspicion runs alone; and nobody waits for long."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hotbay.turns import Turns, one_first


class Load:
    """A load that holds its turn until it is told to end."""

    def __init__(self, turns: Turns, *, alone: bool) -> None:
        self.inside, self.end = asyncio.Event(), asyncio.Event()
        self.task = asyncio.create_task(self._run(turns, alone))

    async def _run(self, turns: Turns, alone: bool) -> None:
        async with turns.turn(alone=alone):
            self.inside.set()
            await self.end.wait()

    async def finish(self) -> None:
        self.end.set()
        await self.task


async def idle() -> None:
    """Let everybody who can go on do so."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_loads_run_together() -> None:
    turns = Turns()
    first, second = Load(turns, alone=False), Load(turns, alone=False)
    await first.inside.wait()
    await second.inside.wait()
    await first.finish()
    await second.finish()


async def test_a_suspect_waits_until_it_is_alone_and_others_wait_for_it() -> None:
    turns = Turns()
    first, suspect = Load(turns, alone=False), Load(turns, alone=True)
    await first.inside.wait()
    await idle()
    assert not suspect.inside.is_set()
    await first.finish()
    await suspect.inside.wait()
    other, another = Load(turns, alone=False), Load(turns, alone=True)
    await idle()
    assert not other.inside.is_set() and not another.inside.is_set()
    await suspect.finish()
    await asyncio.wait({other.task, another.task}, timeout=0.01)
    other.end.set()
    another.end.set()
    await asyncio.gather(other.task, another.task)


async def test_nobody_waits_longer_than_his_patience() -> None:
    turns = Turns(patience=0.01)
    suspect = Load(turns, alone=True)
    await suspect.inside.wait()
    other = Load(turns, alone=False)
    await other.inside.wait()
    await other.finish()
    await suspect.finish()
    late = Load(turns, alone=True)
    await late.inside.wait()
    await late.finish()


class Worker:
    """A worker that loads for an operation, until it is told to succeed or to fail."""

    def __init__(self, folder: Path, operation: int, patience: float = 60.0) -> None:
        self.inside, self.end = asyncio.Event(), asyncio.Event()
        self.fails = False
        self.task = asyncio.create_task(self._run(folder, operation, patience))

    async def _run(self, folder: Path, operation: int, patience: float) -> None:
        async with one_first(folder, operation, patience):
            self.inside.set()
            await self.end.wait()
            if self.fails:
                raise ValueError("it did not load")

    async def finish(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.end.set()
        await asyncio.wait({self.task})


async def test_the_others_follow_together_when_the_first_has_succeeded(tmp_path: Path) -> None:
    first = Worker(tmp_path, 7)
    await first.inside.wait()
    others = [Worker(tmp_path, 7) for _ in range(2)]
    await asyncio.sleep(0.05)
    assert not any(other.inside.is_set() for other in others)
    await first.finish()
    for other in others:
        await other.inside.wait()
    late = Worker(tmp_path, 7)
    await late.inside.wait()
    for worker in (*others, late):
        await worker.finish()
        worker.task.result()


async def test_after_a_failure_the_next_one_is_first(tmp_path: Path) -> None:
    first = Worker(tmp_path, 7)
    await first.inside.wait()
    others = [Worker(tmp_path, 7) for _ in range(2)]
    await first.finish(fails=True)
    await asyncio.wait({asyncio.create_task(other.inside.wait()) for other in others}, timeout=0.1)
    assert sum(other.inside.is_set() for other in others) == 1
    for other in others:
        other.end.set()
    await asyncio.wait({other.task for other in others})
    assert isinstance(first.task.exception(), ValueError)


async def test_another_operation_has_a_first_of_its_own(tmp_path: Path) -> None:
    for operation in (7, 8):
        first = Worker(tmp_path, operation)
        await first.inside.wait()
        other = Worker(tmp_path, operation)
        await asyncio.sleep(0.05)
        assert not other.inside.is_set()
        await first.finish()
        await other.finish()


async def test_a_first_that_is_stopped_holds_nobody_up_for_ever(tmp_path: Path) -> None:
    first = Worker(tmp_path, 7)
    await first.inside.wait()
    other = Worker(tmp_path, 7, patience=0.05)
    await other.inside.wait()
    await first.finish()
    await other.finish()
