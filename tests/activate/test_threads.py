"""Threads for what may take long: results, errors, hanging, and the interpreter's switch interval."""

from __future__ import annotations

import asyncio
import sys
import threading

import pytest

from hotbay.activate.collector import collector
from hotbay.activate.threads import Calm, giving_way, handing_over, in_thread, quietly
from hotbay.errors import ActivationFailed


async def test_a_result_and_an_error_come_back() -> None:
    assert await in_thread(lambda: threading.current_thread().name, 5, "load x") == "load x"
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0, 5, "load x")


async def test_what_hangs_is_left_alone_and_named() -> None:
    release = threading.Event()
    with pytest.raises(ActivationFailed, match=r"load x: not done within 0.05 s"):
        await in_thread(release.wait, 0.05, "load x")
    release.set()
    await asyncio.sleep(0.05)  # Its late result is dropped without a warning.


async def test_the_loop_goes_on_meanwhile() -> None:
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(beat())
    await in_thread(lambda: sum(range(3_000_000)), 10, "compute")
    task.cancel()
    assert beats > 1


def test_the_switch_interval_is_short_while_somebody_computes_and_as_it_was_afterwards() -> None:
    usual = sys.getswitchinterval()
    with giving_way():
        assert sys.getswitchinterval() == pytest.approx(0.0002)
        with giving_way():
            assert sys.getswitchinterval() == pytest.approx(0.0002)
        assert sys.getswitchinterval() == pytest.approx(0.0002)
    assert sys.getswitchinterval() == pytest.approx(usual)


def test_handing_over_puts_no_collection_off() -> None:
    collector.attend()
    before = collector.is_off
    try:
        with handing_over():
            assert sys.getswitchinterval() == pytest.approx(0.0002)
            assert collector.is_off == before
    finally:
        collector.leave()


async def test_quiet_work_gives_way_and_hands_its_result_and_its_errors_over() -> None:
    usual = sys.getswitchinterval()
    interval, thread = await quietly(lambda: (sys.getswitchinterval(), threading.current_thread()))
    assert interval == pytest.approx(0.0002)
    assert thread is not threading.current_thread()
    with pytest.raises(ZeroDivisionError):
        await quietly(lambda number: 1 // number, 0)
    assert sys.getswitchinterval() == pytest.approx(usual)


def test_what_has_time_waits_while_others_compute_but_not_for_long() -> None:
    now = 100.0
    calm = Calm(5.0, lambda: now)
    assert calm()
    with handing_over():
        assert not calm()
        now += 4.9
        assert not calm()
        now += 0.2
        assert calm(), "it has waited long enough"
        assert not calm(), "and waits anew"
    assert calm()


def test_who_was_not_let_in_once_begins_to_wait_anew_after_it_was_calm() -> None:
    now = 100.0
    calm = Calm(5.0, lambda: now)
    with handing_over():
        assert not calm()
    now += 60.0
    assert calm()
    with handing_over():
        assert not calm()
