"""Which plugins' requests wait in a worker, and when it says that nothing is in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest

from hotbay.holds import Holds
from hotbay.model import Live
from hotbay.serve import Serving
from plugs import until
from rows import live


class Desk:
    """A worker's holds over one plugin, which serves."""

    def __init__(self) -> None:
        self.serving = Serving(live("shop"), self._never)
        self.tasks: list[asyncio.Task[None]] = []
        self.told = 0
        self.holds = Holds(20.0, self._keep, self._tell)

    async def _never(self, _: Serving) -> Any:
        raise AssertionError("nothing is to be loaded here")

    def _keep(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self.tasks.append(asyncio.create_task(work, name=name))

    def _tell(self) -> None:
        self.told += 1

    def wish(self, candidate: dict[str, Any] | None) -> None:
        row: Live = replace(self.serving.live, candidate=candidate)
        self.holds.apply({"shop": row}, {"shop": self.serving})


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_a_hold_is_told_when_nothing_is_in_flight_any_more(desk: Desk) -> None:
    with desk.serving.flight("http"):
        desk.wish({"verb": "hold", "operation": 7})
        assert desk.serving.held
        await asyncio.sleep(0.01)
        assert desk.holds.drained == {} and desk.told == 0
    await until(lambda: desk.told)
    assert desk.holds.drained == {"shop": 7}


@pytest.mark.parametrize("again", [{"verb": "hold", "operation": 7}, {"verb": "start", "held": True, "operation": 7}])
async def test_a_hold_that_is_there_is_not_begun_anew(desk: Desk, again: dict[str, Any]) -> None:
    desk.wish({"verb": "hold", "operation": 7})
    desk.wish(again)
    assert desk.serving.held
    assert [task.get_name() for task in desk.tasks] == ["drain shop"]
    await asyncio.gather(*desk.tasks)


async def test_the_next_operation_s_hold_is_its_own(desk: Desk) -> None:
    for operation in (7, 8):
        desk.wish({"verb": "hold", "operation": operation})
    await asyncio.gather(*desk.tasks)
    assert desk.holds.drained == {"shop": 8}
    assert desk.told == 2


@pytest.mark.parametrize("candidate", [None, {"verb": "start", "operation": 8}])
async def test_what_is_no_longer_wanted_is_released(desk: Desk, candidate: dict[str, Any] | None) -> None:
    desk.wish({"verb": "hold", "operation": 7})
    waiting = asyncio.create_task(desk.serving.released(20.0))
    await asyncio.sleep(0)
    assert not waiting.done()
    desk.wish(candidate)
    await waiting
    assert not desk.serving.held
    desk.wish({"verb": "hold", "operation": 7})
    assert desk.serving.held, "the same operation may hold again"
    await asyncio.gather(*desk.tasks)
