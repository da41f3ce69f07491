"""Whoever holds the loop is named, and nobody else; also not when the process was stopped."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from hotbay.activate import loader
from hotbay.stalls import Held, Stalls, culprit

CODE = """
import time

def hold(seconds):
    time.sleep(seconds)

def compute(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(1000))

async def briefly(times):
    import asyncio
    for _ in range(times):
        time.sleep(0.01)
        await asyncio.sleep(0)
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Any]:
    """A generation's module `routes`."""
    (tmp_path / "__init__.py").write_text("")
    (tmp_path / "routes.py").write_text(CODE)
    private = f"{loader.PREFIX}the_shop_7001"
    loader.open_package(private, tmp_path, "the_shop")
    yield loader.submodule(private, "routes")
    loader.close_package(private)


@pytest.fixture
async def stalls() -> AsyncIterator[Stalls]:
    made = Stalls(0.1)
    made.start()
    await asyncio.sleep(0)
    yield made
    made.stop()
    made.stop()


async def settled(stalls: Stalls) -> dict[str, Held]:
    """What is held against whom when the watcher has seen the end."""
    for _ in range(4):
        await asyncio.sleep(stalls.limit)
    return stalls.held


@pytest.mark.parametrize(("name", "line"), [("hold", 5), ("compute", 10)])
async def test_a_plugin_that_holds_the_loop_is_named_with_the_place(
    stalls: Stalls, plugin: Any, caplog: pytest.LogCaptureFixture, name: str, line: int
) -> None:
    with caplog.at_level(logging.WARNING):
        getattr(plugin, name)(0.5)
        held = (await settled(stalls))["the_shop"]
    assert held.count == 1
    assert 0.1 <= held.seconds == held.worst
    assert held.where.partition(":")[0] == "routes.py"
    assert abs(int(held.where.partition(":")[2]) - line) <= 1
    assert "plugin the_shop held the loop" in caplog.text and "ms in routes.py:" in caplog.text
    assert "hotbay.plugin.the_shop" in [record.name for record in caplog.records]


async def test_the_host_is_not_a_plugin(stalls: Stalls, caplog: pytest.LogCaptureFixture) -> None:
    time.sleep(0.5)
    held = await settled(stalls)
    assert held[""].count == 1 and "test_stalls.py" in held[""].where
    assert "the host held the loop" in caplog.text


async def test_many_short_turns_are_no_stall(stalls: Stalls, plugin: Any) -> None:
    await plugin.briefly(60)
    assert "the_shop" not in await settled(stalls)


async def test_an_idle_loop_is_not_even_asked(stalls: Stalls, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    answer = stalls._answer

    def counted() -> None:
        asked.append(1)
        answer()

    monkeypatch.setattr(stalls, "_answer", counted)
    await asyncio.sleep(1.0)
    assert len(asked) <= 2  # Whatever the test itself did.


async def test_a_line_that_holds_it_again_and_again_is_counted_but_not_told_each_time(
    stalls: Stalls, plugin: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            plugin.hold(0.3)
            await asyncio.sleep(0.12)
        held = (await settled(stalls))["the_shop"]
    assert held.count == 2
    assert caplog.text.count("held the loop") == 1


def test_counts_add_up() -> None:
    held = Held().and_again(1.0, "a.py:1").and_again(3.0, "b.py:2").and_again(2.0, "c.py:3")
    assert held == Held(3, 6.0, 3.0, "b.py:2")


async def test_the_innermost_place_of_the_plugin_counts(plugin: Any) -> None:
    frames: list[Any] = []

    def inside(number: int) -> None:
        frames.append(sys._getframe())

    plugin.sum = inside  # The host's code, called by the plugin's.
    plugin.compute(0.0001)
    assert culprit(frames[0]) == ("the_shop", "routes.py:9")


STOPPED = """
import asyncio, sys, time
from hotbay.stalls import Stalls

async def main():
    stalls = Stalls(0.6)
    stalls.start()
    print("ready", flush=True)
    end = time.monotonic() + 5.0
    while time.monotonic() < end:
        turn = time.monotonic() + 0.25
        while time.monotonic() < turn:
            sum(range(1000))
        await asyncio.sleep(0)
    stalls.stop()
    print(sum(held.seconds for held in stalls.held.values()), flush=True)

{run}
"""


@pytest.mark.parametrize("loop", ["asyncio.run(main())", "import uvloop; uvloop.run(main())"])
def test_a_process_that_is_stopped_blames_nobody(loop: str) -> None:
    """It is busy all the time, so the watcher is waiting for an answer whenever it is stopped."""
    if "uvloop" in loop:
        pytest.importorskip("uvloop")
    code = textwrap.dedent(STOPPED).replace("{run}", loop)
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "ready"
    for _ in range(3):
        time.sleep(0.4)
        os.kill(child.pid, signal.SIGSTOP)
        time.sleep(1.0)
        os.kill(child.pid, signal.SIGCONT)
    said = float(child.stdout.readline())
    assert child.wait(20) == 0
    child.stdout.close()
    assert said == 0, "to have been stopped was somebody's fault"
