"""Loads run together, but one under suspicion runs alone; and nobody waits for long."""

from __future__ import annotations

import asyncio

from hotbay.turns import Turns


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
