"""Counters and latencies of a plugin: nothing is lost, nothing is counted twice, and quantiles are as right as said."""

from __future__ import annotations

import itertools
import json
import math
import random
from time import perf_counter_ns

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotbay.meter import Meter, Meters, Tally, borders, bucket, total, window

EXACT = 1 + 1e-12  # As floats are.
NANOSECONDS = st.integers(0, 2**60) | st.integers(0, 10**9) | st.integers(0, 20_000)


def tally_of(latencies: list[int], **more: int) -> Tally:
    counts: dict[int, int] = {}
    for item in latencies:
        counts[bucket(item)] = counts.get(bucket(item), 0) + 1
    return Tally(counts, more)


def meter_of(*latencies: int) -> Meter:
    """A meter that counted requests which took so many nanoseconds (and the few that it takes to count them)."""
    made = Meter()
    for item in latencies:
        made.answered(perf_counter_ns() - item)
    return made


# ── buckets ───────────────────────────────────────────────────────────────────────────────────────────────────────


@given(NANOSECONDS)
def test_a_latency_lies_in_its_bucket_whose_width_is_the_promised_error(nanoseconds: int) -> None:
    low, high = borders(bucket(nanoseconds))
    seconds = nanoseconds / 1e9
    assert low <= seconds * EXACT
    assert seconds < high * EXACT
    assert high - low <= seconds / 8 * EXACT + 0.13e-6


@given(NANOSECONDS, NANOSECONDS)
def test_longer_never_comes_before_shorter(one: int, other: int) -> None:
    assert (bucket(one) <= bucket(other)) == (one <= other) or bucket(one) == bucket(other)


def test_buckets_have_no_gaps() -> None:
    found = sorted({bucket(item) for item in range(0, 5_000_000, 64)})
    for index, following in itertools.pairwise(found):
        assert borders(index)[1] == borders(following)[0]
    assert borders(found[0])[0] == 0


def test_a_meter_counts_in_the_same_buckets() -> None:
    for wanted in (0, 3_000, 1_000_000, 7_777_777, 3_000_000_000, 2**61):
        (found,) = meter_of(wanted).read().counts
        assert abs(found - bucket(wanted + 500)) <= 1 or wanted < 10_000
        assert found >= bucket(wanted)


# ── quantiles ─────────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.lists(NANOSECONDS, min_size=1, max_size=200), st.floats(0, 1))
def test_a_quantile_is_as_right_as_promised(latencies: list[int], share: float) -> None:
    found = tally_of(latencies).quantile(share)
    rank = max(1, math.ceil(share * len(latencies) - 1e-9))
    true = sorted(latencies)[rank - 1] / 1e9
    assert found is not None
    assert abs(found - true) <= true / 8 * EXACT + 0.13e-6


def test_quantiles_of_many_requests_are_within_a_few_percent() -> None:
    dice = random.Random(3)
    latencies = sorted(int(dice.lognormvariate(14, 0.7)) for _ in range(20_000))
    found = tally_of(latencies)
    for share in (0.5, 0.9, 0.99):
        assert found.quantile(share) == pytest.approx(latencies[int(share * 20_000) - 1] / 1e9, rel=0.03)


def test_without_requests_there_is_no_quantile() -> None:
    assert Tally().quantile(0.5) is None


# ── adding up ─────────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.lists(st.lists(NANOSECONDS, max_size=20), max_size=5))
def test_adding_up_is_the_same_as_counting_together(parts: list[list[int]]) -> None:
    found = total(tally_of(part, status=1) for part in parts)
    assert found.counts == tally_of([item for part in parts for item in part]).counts
    assert found.requests == sum(map(len, parts))
    assert found.failed == len(parts)


def test_json_and_back() -> None:
    made = meter_of(1_000, 2_000_000, 2_000_000)
    made.fail("exception")
    made.accepted()
    found = made.read()
    assert Tally.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert (found.requests, found.failures, found.sockets) == (3, {"exception": 1}, 1)


# ── slots ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_came_before_during_and_after_is_told_apart() -> None:
    made = Meter()
    began = made.since
    for moment, count in ((10.0, 3), (10.5, 2), (20.0, 4)):
        for _ in range(count):
            made.answered(perf_counter_ns())
        made.fail("status")
        made.roll(began + moment)
    made.answered(perf_counter_ns())
    slots = made.slots(began + 30.0)
    assert [item[2].requests for item in slots] == [3, 2, 4, 1]
    assert window(slots, began, began + 10.0).requests == 3
    assert window(slots, began + 10.0, began + 10.5).requests == 2
    assert window(slots, began + 10.5, began + 31.0).requests == 5
    assert window(slots, began + 10.0, began + 10.5).failures == {"status": 1}
    assert made.read().requests == 10
    assert made.read().failed == 3


def test_each_slot_begins_where_the_one_before_ended_if_something_came() -> None:
    made = Meter()
    began = made.since
    made.roll(began + 5.0)  # Nothing came: no slot, and the time is not part of the next one.
    made.answered(perf_counter_ns())
    made.roll(began + 6.0)
    (slot, present) = made.slots(began + 7.0)
    assert slot[:2] == (began + 5.0, began + 6.0)
    assert present[:2] == (began + 6.0, began + 7.0)


def test_two_pings_at_once_make_one_slot() -> None:
    made = Meter()
    began = made.since
    made.answered(perf_counter_ns())
    made.roll(began + 0.001)
    assert len(made.slots(began + 0.001)) == 1
    made.roll(began + 0.003)
    assert len(made.slots(began + 0.003)) == 2


def test_old_slots_are_added_up_and_not_lost() -> None:
    made = Meter()
    began = made.since
    for number in range(200):
        made.answered(perf_counter_ns())
        made.fail("held")
        made.accepted()
        made.roll(began + number + 1)
    found = made.read()
    assert (found.requests, found.failures, found.sockets) == (200, {"held": 200}, 200)
    slots = made.slots(began + 201)
    assert len(slots) < 100
    assert slots[-2][1] == began + 200


def test_what_only_failed_is_counted_in_its_slot() -> None:
    """A request may begin in one slot and fail in the next: the slot must not be taken for an empty one."""
    made = Meter()
    began = made.since
    made.roll(began + 1)
    made.fail("aborted")
    made.roll(began + 2)
    assert [item[2].failed for item in made.slots(began + 3)] == [1, 0]


def test_what_was_only_accepted_is_counted_in_its_slot() -> None:
    made = Meter()
    began = made.since
    made.accepted()
    made.roll(began + 1)
    assert [item[2].sockets for item in made.slots(began + 2)] == [1, 0]


def test_a_slot_across_a_border_counts_where_its_middle_is() -> None:
    """The mark of a beginning reaches a busy worker a moment after it."""
    one = tally_of([1_000])
    slots = [(0.0, 10.4, one), (10.4, 20.0, one)]
    assert window(slots, 0.0, 10.0).requests == window(slots, 10.0, 20.0).requests == 1
    assert window(slots, 0.0, 5.0).requests == 0


# ── a worker's meters ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_snapshot_is_what_was_counted_when_it_was_taken() -> None:
    made = Meters()
    made.of("shop").answered(perf_counter_ns())
    made.of("idle")
    told = made.snapshot("shop", "idle", "unknown")
    made.of("shop").answered(perf_counter_ns())
    said = json.loads(json.dumps(told()))
    assert said["with"] == ["shop", "idle", "unknown"]
    assert list(said["plugins"]) == ["shop"]
    assert Tally.from_json(said["plugins"]["shop"]["total"]).requests == 1
    assert sum(Tally.from_json(slot[2]).requests for slot in said["plugins"]["shop"]["slots"]) == 1
    assert made.read()["shop"].requests == 2


def test_slots_are_told_of_the_plugins_that_were_asked_for_only() -> None:
    made = Meters()
    for plugin in ("shop", "mail"):
        made.of(plugin).fail("held")
    said = made.snapshot("mail")()
    assert {plugin: "slots" in told for plugin, told in said["plugins"].items()} == {"shop": False, "mail": True}


def test_a_plugins_meter_is_the_same_while_it_comes_and_goes() -> None:
    made = Meters()
    assert made.of("shop") is made.of("shop")
    assert made.of("shop") is not made.of("mail")
