"""Full collections are put off while operations are under way, and only where somebody puts the threshold back."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import pytest

from hotbay.activate.collector import (
    APART_SECONDS,
    CALM_SECONDS,
    CHANCE_SECONDS,
    CHEAP_SECONDS,
    DEAR_SECONDS,
    LONG_SECONDS,
    LONGEST_SECONDS,
    MIDDLE,
    NEVER,
    OFTEN_SECONDS,
    QUIET_SECONDS,
    Collector,
    collector,
)
from hotbay.activate.threads import giving_way, quietly

USUAL = (650, 9, 8)


class Clock:
    """The time, and what a thread has computed: each look at it takes `step`."""

    now = 100.0
    step = 0.0

    def __call__(self) -> float:
        return self.now

    def spent(self) -> float:
        self.now += self.step
        return self.now


@pytest.fixture
def clock() -> Iterator[Clock]:
    before = gc.get_threshold()
    gc.set_threshold(*USUAL)
    yield Clock()
    gc.set_threshold(*before)


def put_off() -> bool:
    return gc.get_threshold() == (USUAL[0], MIDDLE, NEVER)


def dear(clock: Clock) -> Collector:
    """One that has learned that a collection takes long here."""
    mine = Collector(clock, clock.spent)
    mine.attend()
    mine.put_off()
    mine.done()
    clock.now += OFTEN_SECONDS
    clock.step = 2 * CHEAP_SECONDS
    mine.relax()
    clock.step = 0.0
    assert gc.get_threshold() == USUAL
    return mine


def test_they_are_put_off_from_the_beginning_until_it_was_quiet_for_a_while(clock: Clock, full: list[int]) -> None:
    mine = Collector(clock)
    mine.attend()
    mine.put_off()
    assert put_off() and mine.is_off
    mine.put_off()
    mine.done()
    clock.now += QUIET_SECONDS
    mine.relax()
    assert put_off(), "one is still at it"
    mine.done()
    mine.relax()
    assert put_off(), "the next step follows at once"
    clock.now += QUIET_SECONDS
    mine.relax()
    assert gc.get_threshold() == USUAL and not mine.is_off
    assert not full


def operate(mine: Collector, clock: Clock, seconds: float = 1.0) -> None:
    """One operation of a series, and the calm after it."""
    mine.put_off()
    clock.now += seconds - CALM_SECONDS
    mine.done()
    mine.relax()
    clock.now += CALM_SECONDS
    mine.relax()


def test_what_a_series_leaves_is_collected_now_and_then_between_two(clock: Clock, full: list[int]) -> None:
    mine = Collector(clock, clock.spent)
    mine.attend()
    for _ in range(2):
        full.clear()
        for _ in range(int(OFTEN_SECONDS) - 1):
            operate(mine, clock)
        assert put_off() and not full
        operate(mine, clock)
        assert len(full) == 1
        assert gc.get_threshold() == USUAL


def test_workers_do_not_collect_at_the_same_moment(clock: Clock, full: list[int]) -> None:
    mine = Collector(clock, clock.spent, iter((1.5, 0.5, 0.0)).__next__)
    mine.attend()
    for apart in (1.5, 0.5):
        operate(mine, clock, OFTEN_SECONDS + apart - 0.1)
        assert not full
        mine.put_off()
        clock.now += 0.1
        mine.done()
        clock.now += CALM_SECONDS
        mine.relax()
        assert len(full) == 1
        full.clear()
        mine.leave()
        mine.attend()
    ours = [collector._apart() for _ in range(20)]
    assert len(set(ours)) == 20 and all(0 <= apart <= APART_SECONDS for apart in ours)


def test_none_is_collected_in_the_middle_of_one(clock: Clock, full: list[int]) -> None:
    mine = Collector(clock, clock.spent)
    mine.attend()
    mine.put_off()
    clock.now += OFTEN_SECONDS
    mine.relax()
    mine.done()
    mine.relax()
    assert put_off() and not full, "the next step follows at once"


def test_where_a_collection_takes_long_it_is_left_to_the_usual_rule(clock: Clock, full: list[int]) -> None:
    mine = dear(clock)
    full.clear()
    operate(mine, clock, OFTEN_SECONDS)
    assert put_off() and not full
    clock.now += QUIET_SECONDS
    mine.relax()
    assert gc.get_threshold() == USUAL
    clock.now += DEAR_SECONDS
    operate(mine, clock, OFTEN_SECONDS)
    assert len(full) == 1, "it may be otherwise by now"


def test_where_the_host_wants_none_there_is_none(clock: Clock, full: list[int]) -> None:
    mine = Collector(clock)
    mine.attend()
    gc.disable()
    try:
        operate(mine, clock, OFTEN_SECONDS)
        assert put_off()
        clock.now += QUIET_SECONDS
        mine.relax()
    finally:
        gc.enable()
    assert gc.get_threshold() == USUAL
    assert not full


def test_a_finalizer_may_begin_the_next(clock: Clock) -> None:
    """It runs in the collection, in the same thread: under the lock it would wait for itself."""
    mine = Collector(clock, clock.spent)
    mine.attend()

    class Left:
        def __del__(self) -> None:
            mine.put_off()

    left = Left()
    left.itself = left  # type: ignore[attr-defined]
    del left
    operate(mine, clock, OFTEN_SECONDS)
    assert put_off()


@pytest.mark.parametrize(("usual", "meanwhile"), [((650, 2, 8), (650, 2, NEVER)), ((650, 9, 8), (650, MIDDLE, NEVER))])
def test_the_middle_generation_is_collected_more_often_not_less(
    clock: Clock, usual: tuple[int, int, int], meanwhile: tuple[int, int, int]
) -> None:
    gc.set_threshold(*usual)
    mine = Collector(clock)
    mine.attend()
    mine.put_off()
    assert gc.get_threshold() == meanwhile
    mine.done()
    mine.leave()
    assert gc.get_threshold() == usual


def test_what_somebody_sets_for_the_middle_meanwhile_stays(clock: Clock) -> None:
    mine = Collector(clock)
    mine.attend()
    mine.put_off()
    gc.set_threshold(650, 5, NEVER)
    mine.done()
    mine.leave()
    assert gc.get_threshold() == (650, 5, 8)


def test_where_nobody_looks_after_it_nothing_is_put_off(clock: Clock) -> None:
    mine = Collector(clock)
    mine.put_off()
    assert gc.get_threshold() == USUAL
    mine.done()


def test_the_last_to_leave_puts_the_threshold_back(clock: Clock) -> None:
    mine = Collector(clock)
    mine.attend()
    mine.attend()
    mine.put_off()
    mine.leave()
    assert put_off()
    mine.leave()
    assert gc.get_threshold() == USUAL


def test_what_goes_on_for_too_long_gives_the_collector_its_chance(clock: Clock) -> None:
    mine = Collector(clock)
    mine.attend()
    mine.put_off()  # A load that hangs: it is never done.
    clock.now += LONGEST_SECONDS - 1
    mine.relax()
    assert put_off()
    clock.now += 1
    mine.relax()
    assert gc.get_threshold() == USUAL
    mine.put_off()
    assert gc.get_threshold() == USUAL, "it has its chance for a while"
    clock.now += CHANCE_SECONDS
    mine.put_off()
    assert put_off()


def test_between_two_of_many_the_collector_has_its_chance(clock: Clock, full: list[int]) -> None:
    mine = dear(clock)
    full.clear()
    mine.put_off()
    kept = _make_much()
    clock.now += LONG_SECONDS
    mine.relax()
    assert put_off(), "not in the middle of one"
    mine.done()
    mine.relax()
    assert put_off(), "the next step follows at once"
    assert not full
    clock.now += 2 * CALM_SECONDS
    mine.relax()
    assert full and kept
    assert gc.get_threshold() == USUAL
    mine.put_off()
    assert put_off()


def test_a_threshold_that_somebody_else_set_meanwhile_stays(clock: Clock) -> None:
    mine = Collector(clock)
    mine.attend()
    mine.put_off()
    gc.set_threshold(1000, 20, 30)
    mine.leave()
    assert gc.get_threshold() == (1000, 20, 30)


@pytest.fixture
def full() -> Iterator[list[int]]:
    """Notes the real collector's full collections."""
    found: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"] == 2:
            found.append(1)

    gc.collect()
    gc.callbacks.append(note)
    yield found
    gc.callbacks.remove(note)


def test_none_begins_by_itself_in_the_middle_of_what_gives_way(clock: Clock, full: list[int]) -> None:
    """A heap that grows is what makes the real collector collect everything."""
    collector.attend()
    try:
        _make_much()
        assert full, "without it one begins"
        with giving_way():
            full.clear()
            _make_much()
            assert not full
            gc.collect()
            assert full, "who asks for one gets it"
    finally:
        collector.leave()
    assert gc.get_threshold() == USUAL


def _make_much() -> list[list[int]]:
    return [[number] for number in range(len(gc.get_objects()) + 200_000)]


async def test_quiet_work_counts_only_while_it_lasts() -> None:
    usual = gc.get_threshold()
    collector.attend()
    try:
        found = await quietly(gc.get_threshold)
        assert found[2] == NEVER
        await asyncio.sleep(0)
    finally:
        collector.leave()
    assert gc.get_threshold() == usual
