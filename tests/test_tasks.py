"""Kept tasks: what they raise is said, and they end with their owner."""

from __future__ import annotations

import asyncio

import pytest

from hotbay.tasks import Tasks


async def test_what_a_task_raises_is_logged_under_its_name(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise OSError("the disk is full")

    await asyncio.wait([Tasks().keep(fail(), "report")])
    [record] = caplog.records
    assert record.getMessage() == "report failed"
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "the disk is full"


async def test_all_end_with_their_owner_and_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    ends: list[str] = []

    async def work(name: str) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            ends.append(name)

    tasks = Tasks()
    kept = [tasks.keep(work(name), name) for name in ("one", "two")]
    await asyncio.sleep(0)
    await tasks.end()
    await tasks.end()
    assert sorted(ends) == ["one", "two"]
    assert all(task.cancelled() for task in kept)
    assert caplog.records == []


async def test_a_task_that_has_ended_is_not_kept() -> None:
    tasks = Tasks()
    task = tasks.keep(asyncio.sleep(0), "short")
    await task
    await asyncio.sleep(0)
    assert tasks._kept == set()
