"""What a worker says: once for many changes, until it is gone; and what its meters counted, when asked."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hotbay import bulletin
from hotbay.bulletin import Bulletin, describe
from hotbay.presence import Fifo, Status, Workers
from hotbay.serve import Serving
from plugs import until
from rows import live

NAME = "w-1-abcdef"


class Desk:
    """A bulletin, and what it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.workers = Workers(folder)
        self.beacon = 0
        self.made = 0
        self.asked: list[tuple[str, ...]] = []
        self.bulletin = Bulletin(self.workers, NAME, self.status, self.counts)

    def status(self) -> Status:
        self.made += 1
        return Status(NAME, 1, self.beacon, {})

    def counts(self, *plugins: str) -> Callable[[], dict[str, Any]]:
        self.asked.append(plugins)
        return lambda: {"of": sorted(plugins)}


async def test_many_changes_are_one_report_and_the_last_is_said(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    task = asyncio.create_task(desk.bulletin.report())
    for desk.beacon in range(1, 6):
        desk.bulletin.tell()
    await desk.bulletin.told.wait()
    found = desk.workers.read(NAME)
    assert (desk.made, found.beacon if found else 0) == (1, 5)
    desk.bulletin.tell()
    assert not desk.bulletin.told.is_set()
    await desk.bulletin.told.wait()
    assert desk.made == 2
    task.cancel()


async def test_what_the_disk_refuses_is_said_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker that fell silent for good would be waited for in every operation."""
    monkeypatch.setattr(bulletin, "_AGAIN_SECONDS", 0.0)
    desk = Desk(tmp_path)
    refused = iter([OSError(errno.ENOSPC, "no space left"), None, OSError(errno.ENOSPC, "no space left"), None])
    real, counted = desk.workers.write, desk.workers.write_meters

    def write(what: Callable[..., None], *data: Any) -> None:
        if (error := next(refused)) is not None:
            raise error
        what(*data)

    monkeypatch.setattr(desk.workers, "write", partial(write, real))
    monkeypatch.setattr(desk.workers, "write_meters", partial(write, counted))
    tasks = [asyncio.create_task(desk.bulletin.report()), asyncio.create_task(desk.bulletin.report_meters())]
    desk.beacon = 7
    desk.bulletin.tell()
    await desk.bulletin.told.wait()
    found = desk.workers.read(NAME)
    assert found is not None
    assert found.beacon == 7
    desk.bulletin.ask("shop")
    await until(lambda: len(caplog.records) == 2)
    desk.bulletin.ask("cart")
    await until(lambda: desk.workers.read_meters(NAME) == {"of": ["cart"]})
    assert ["no space left" in record.getMessage() for record in caplog.records] == [True, True]
    for task in tasks:
        task.cancel()


async def test_actors_are_woken_by_a_status(tmp_path: Path) -> None:
    desk, fifo = Desk(tmp_path), Fifo(tmp_path / "a-1-abcdef.fifo")
    await asyncio.to_thread(desk.bulletin.publish, desk.status())
    assert fifo.drain() != set()
    fifo.close()


async def test_all_who_ask_meanwhile_get_one_answer(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for plugin in ("shop", "", "news"):
        desk.bulletin.ask(plugin)
    task = asyncio.create_task(desk.bulletin.report_meters())
    await until(lambda: desk.workers.read_meters(NAME), "meters")
    assert desk.asked == [("shop", "", "news")]
    assert desk.workers.read_meters(NAME) == {"of": ["", "news", "shop"]}
    task.cancel()


def test_who_has_vanished_leaves_no_trace_even_of_a_late_thread(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.bulletin.publish(desk.status())
    desk.bulletin.vanish()
    desk.bulletin.publish(desk.status())
    assert list(tmp_path.iterdir()) == []


async def test_what_is_said_of_a_plugin() -> None:
    async def never(_: Serving) -> Any:
        raise AssertionError

    assert describe(None, 2, None, None) == {"leaving": 2, "alive": []}
    serving = Serving(live("shop"), never)
    serving.problem = RuntimeError("it hangs")  # type: ignore[assignment]
    said = describe(serving, 0, None, None)
    assert (said["version"], said["loaded"], said["generation"], said["in_flight"]) == ("1.0.0", False, 0, 0)
    assert (said["problem"], said["held"], "prepared" in said) == ("it hangs", False, False)
