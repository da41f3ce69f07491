"""Durations as people write them, and time that goes on when clocks are set and machines start anew."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotbay.errors import BadInput
from hotbay.moments import LONGEST, SHORTEST, Moment, moment, read_seconds, tell_seconds


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[("10m", 600.0), ("90s", 90.0), ("1h30m", 5400.0), ("2d", 172800.0), ("2.5s", 2.5), ("45", 45.0)],
        *[(" 10M ", 600.0), ("1d2h3m4s", 93784.0), (45, 45.0), (1.5, 1.5), ("30d", LONGEST)],
    ],
)
def test_a_time_to_confirm_in(text: str | float, value: float) -> None:
    assert read_seconds(text) == value


@pytest.mark.parametrize("text", ["", "m", "-5", "0", "0s", "0.5", "31d", "nan", "inf", "1m1h", "ten", "10 m", "٣m"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(BadInput, match="no time to confirm"):
        read_seconds(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *[(600.0, "10 min"), (59.6, "1 min"), (61.0, "1 min 1 s"), (3600.0, "1 h"), (90061.0, "1 d 1 h"), (2.0, "2 s")],
        *[(0.2, "0.2 s"), (0.0, "0.0 s"), (-3.0, "0.0 s")],
    ],
)
def test_it_is_told_in_two_words(value: float, text: str) -> None:
    assert tell_seconds(value) == text


@given(st.floats(SHORTEST, LONGEST))
def test_what_is_told_is_about_right(value: float) -> None:
    told = read_seconds(tell_seconds(value).replace("min", "m").replace(" ", ""))
    assert told == pytest.approx(value, rel=0.05, abs=0.5)


def test_the_machines_own_clock_counts_while_it_runs() -> None:
    then = Moment(wall=1000.0, up=50.0, boot="a")
    for wall in (1000.0, 5.0, 10_000_000.0):
        assert Moment(wall, 60.0, "a").since(then) == 10.0


@pytest.mark.parametrize(
    ("now", "passed"),
    [
        (Moment(1300.0, 3.0, "b"), 300.0),  # started anew: the wall clock tells
        (Moment(500.0, 3.0, "b"), 0.0),  # and says nothing when it went back
        (Moment(1300.0, 3.0, "a"), 300.0),  # the same start can't be younger: another machine's
        (Moment(1300.0, 60.0, ""), 300.0),
    ],
)
def test_after_a_start_of_the_machine_the_wall_clock_does(now: Moment, passed: float) -> None:
    assert now.since(Moment(wall=1000.0, up=50.0, boot="a")) == passed
    assert not now.same_run(Moment(1000.0, 50.0, "a"))


def test_a_system_that_does_not_tell_its_start_never_runs_the_same() -> None:
    assert not Moment(2.0, 2.0, "").same_run(Moment(1.0, 1.0, ""))


def test_the_moment_is_now() -> None:
    one, other = moment(), moment()
    assert abs(one.wall - time.time()) < 60
    assert other.up >= one.up
    assert other.boot == one.boot
