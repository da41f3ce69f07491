"""A post is one worker's at a time; looks happen when something was written, and again while something has to wait."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from itertools import pairwise
from pathlib import Path

import pytest

from hotbay import duty, store
from hotbay.duty import Post, keep_looking
from hotbay.store import Store
from plugs import running, until


class Turns:
    """Counts turns; one may be made to wait, or to fail."""

    def __init__(self) -> None:
        self.count = 0
        self.go = asyncio.Event()
        self.go.set()
        self.fails = 0

    async def turn(self) -> None:
        self.count += 1
        await self.go.wait()
        if self.count <= self.fails:
            raise RuntimeError("no")


def post(folder: Path, turns: Turns, seconds: float = 0.01) -> Post:
    return Post(folder / "post", "counting", turns.turn, seconds)


async def test_one_of_two_has_the_post_and_the_other_takes_over(tmp_path: Path) -> None:
    one, other = Turns(), Turns()
    first, second = post(tmp_path, one), post(tmp_path, other)
    first.start()
    await until(lambda: one.count > 2)
    second.start()
    await asyncio.sleep(0.05)
    assert (first.held, second.held, other.count) == (True, False, 0)
    await first.stop()
    await until(lambda: other.count > 2)
    seen = one.count
    await asyncio.sleep(0.05)
    assert (one.count, first.held, second.held) == (seen, False, True)
    await second.stop()
    await second.stop()


async def test_the_post_is_left_after_the_turn_and_the_ending(tmp_path: Path) -> None:
    turns, order = Turns(), list[str]()
    turns.go.clear()
    made = post(tmp_path, turns)

    async def ending() -> None:
        order.append(f"ending, held {made.held}")

    made.start()
    await until(lambda: turns.count == 1)
    stopping = asyncio.create_task(made.stop(ending))
    await asyncio.sleep(0.05)
    assert made.held and not order
    turns.go.set()
    await stopping
    assert (order, made.held, turns.count) == (["ending, held True"], False, 1)


async def test_waking_takes_the_next_turn_at_once(tmp_path: Path) -> None:
    turns = Turns()
    made = post(tmp_path, turns, 3600)
    made.start()
    await until(lambda: turns.count == 1)
    made.wake()
    await until(lambda: turns.count == 2)
    await made.stop()


async def test_a_turn_that_fails_ends_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    turns = Turns()
    turns.fails = 2
    made = post(tmp_path, turns)
    with caplog.at_level(logging.ERROR):
        made.start()
        await until(lambda: turns.count > 3)
        await made.stop()
    assert [record.getMessage() for record in caplog.records] == ["counting failed; the next turn tries again"] * 2


async def test_who_never_started_has_nothing_to_leave(tmp_path: Path) -> None:
    made = post(tmp_path, Turns())
    await made.stop()
    assert (made.started, made.held) == (False, False)


# ── looks ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def looking(path: Path, look: Callable[[], bool], **times: float) -> AbstractAsyncContextManager[None]:
    return running(keep_looking(path, "looking", look, **{"seconds": 0.01} | times))


async def test_it_looks_at_once_and_whenever_something_was_written(tmp_path: Path) -> None:
    registry, seen = Store(tmp_path / "host.db"), list[int]()

    def look() -> bool:
        seen.append(1)
        return False

    async with looking(registry.path, look):
        await until(lambda: seen)
        await asyncio.sleep(0.1)
        assert len(seen) == 1
        with registry.write() as connection:
            store.set_meta(connection, "x", 1)
        await until(lambda: len(seen) == 2)
    registry.close()


async def test_while_something_has_to_wait_it_looks_again_less_and_less_often(tmp_path: Path) -> None:
    registry, moments = Store(tmp_path / "host.db"), list[float]()
    loop = asyncio.get_running_loop()

    def look() -> bool:
        moments.append(loop.time())
        return len(moments) < 8

    async with looking(registry.path, look, longest=0.04):
        await until(lambda: len(moments) == 8)
        await asyncio.sleep(0.1)
    pauses = [later - moment for moment, later in pairwise(moments)]
    assert len(moments) == 8, "it went on without a reason"
    assert pauses[0] >= 0.015 and min(pauses[4:]) >= 0.04, pauses
    registry.close()


async def test_a_look_that_fails_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duty, "_LONGEST_SECONDS", 0.02)
    registry, tries = Store(tmp_path / "host.db"), list[int]()

    def look() -> bool:
        tries.append(1)
        if len(tries) < 3:
            raise OSError("no")
        return False

    with caplog.at_level(logging.ERROR):
        async with looking(registry.path, look):
            await until(lambda: len(tries) == 3)
            await asyncio.sleep(0.1)
    assert len(tries) == 3
    assert [record.getMessage() for record in caplog.records] == ["looking failed; that is tried again"] * 2
    registry.close()
