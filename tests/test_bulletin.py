"""What a worker says: once for many changes, until it is gone; and what its meters counted, when asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
