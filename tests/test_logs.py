"""One log file a plugin, whatever writes it, and moved away at any time."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotbay.logs import PREFIX, PluginLogs


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[PluginLogs]:
    """Listening."""
    made = PluginLogs(tmp_path / "logs")
    made.install()
    yield made
    made.close()


def say(plugin: str, text: str, level: int = logging.INFO) -> None:
    logging.getLogger(f"{PREFIX}.{plugin}").log(level, text)


def lines(logs: PluginLogs, plugin: str) -> list[str]:
    return (logs.folder / f"{plugin}.log").read_text(encoding="utf-8").splitlines()


def test_each_plugin_has_its_own_file(logs: PluginLogs) -> None:
    say("shop", "one é")
    say("shop.orders", "two", logging.ERROR)
    say("chat", "three")
    assert [line.partition(" ")[2].split(" ", 2)[1:] for line in lines(logs, "shop")] == [
        [str(multiprocessing.current_process().pid), "INFO one é"],
        [str(multiprocessing.current_process().pid), "ERROR two"],
    ]
    assert lines(logs, "chat")[0].endswith("INFO three")


def test_what_is_no_plugins_is_not_written(logs: PluginLogs) -> None:
    logging.getLogger(PREFIX).info("nobody's")
    logging.getLogger("hotbay.apply").error("Hotbay's")
    say("shop", "quiet", logging.DEBUG)
    assert list(logs.folder.iterdir()) == []


def test_installed_twice_it_writes_once_and_the_last_folder_counts(logs: PluginLogs, tmp_path: Path) -> None:
    logs.install()
    say("shop", "one")
    assert len(lines(logs, "shop")) == 1
    other = PluginLogs(tmp_path / "other")
    other.install()
    say("shop", "two")
    assert (len(lines(logs, "shop")), len(lines(other, "shop"))) == (1, 1)
    other.close()


def test_a_file_that_was_moved_away_is_made_anew(logs: PluginLogs) -> None:
    say("shop", "one")
    (logs.folder / "shop.log").rename(logs.folder / "shop.log.1")
    say("shop", "two")
    assert lines(logs, "shop")[0].endswith("two")
    assert (logs.folder / "shop.log.1").read_text().endswith("one\n")


def test_closed_it_listens_no_longer(logs: PluginLogs) -> None:
    logs.close()
    logs.close()
    say("shop", "one")
    assert list(logs.folder.iterdir()) == []


def write(folder: Path, name: str) -> None:
    made = PluginLogs(folder)
    made.install()
    for number in range(200):
        say("shop", f"{name} {number} {'x' * 300}")
    made.close()


def test_lines_of_several_processes_stay_whole(logs: PluginLogs) -> None:
    context = multiprocessing.get_context("spawn")
    children = [context.Process(target=write, args=(logs.folder, name)) for name in "ab"]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    found = lines(logs, "shop")
    assert len(found) == 400
    assert all(line.endswith("x" * 300) for line in found)
