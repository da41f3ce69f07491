"""A power cut at the switch, or when an operation is closed, takes nothing that is relied on: it was flushed before."""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lab import Lab
from order import Order
from processes import Child

from engine_host import elsewhere
from hosts import CASES, opened
from hotbay.model import Kind

Moments = dict[str, list[tuple[str, list[str]]]]
# What a plugin writes when it starts is its own affair; staged trees and caches are made again.
_OTHERS = ("started.txt", "name of staging", "name of cache", "name of data", "name of data/shop")
_EMPTY = re.compile(r"content of assets/\w+/\w+\.left")  # It is its name that says something.


def record(root: Path, out: Path) -> None:
    """In a process of its own: every operation, and what was unsafe at its moments."""
    gc.freeze()
    lab = Lab(root)
    found = {}
    for name, case in CASES.items():
        home = lab.home(case)
        child = Child(listen(home, lab.packages, name), home.with_suffix(".log"))
        found[name] = child.hear()
        assert child.end() == 0, home.with_suffix(".log").read_text()
    out.write_text(json.dumps(found))


def listen(home: Path, packages: Path, name: str) -> Callable[[Child], Any]:
    def work(child: Child) -> None:
        order = Order(home).install()
        with opened(home, packages) as host:
            CASES[name].run(host)
        child.say(order.moments)

    return work


@pytest.fixture(scope="module")
def moments(tmp_path_factory: pytest.TempPathFactory) -> Moments:
    folder = tmp_path_factory.mktemp("order")
    elsewhere(record, folder, folder / "found.json")
    found: Moments = json.loads((folder / "found.json").read_text())
    return found


@pytest.mark.parametrize("name", CASES)
def test_all_that_is_relied_on_is_flushed_before(moments: Moments, name: str) -> None:
    switches = [] if CASES[name].kind is Kind.BACKUP else ["switch"]  # A backup has nothing to switch.
    assert [what for what, _ in moments[name]] == [*switches, "close"]
    for what, unsafe in moments[name]:
        lost = [one for one in unsafe if not one.endswith(_OTHERS) and not _EMPTY.fullmatch(one)]
        assert lost == [], f"a power cut at the {what} takes these"


# ── the listener hears ──


def write(path: Path) -> None:
    path.write_text("x")


def hear(home: Path, work: str) -> None:
    order = Order(home).install()
    ACTS[work](home)
    order.moment("end")
    (home.parent / "heard.json").write_text(json.dumps(order.moments))


def flushed(path: Path) -> None:
    from hotbay.folder import fsync_dir

    path.write_text("x")
    with path.open("rb") as stream:
        import os

        os.fsync(stream.fileno())
    fsync_dir(path.parent)


def replaced(home: Path, *, flush: bool) -> None:
    temporary = home / "temporary"
    (flushed if flush else write)(temporary)
    temporary.replace(home / "final")


def renamed_folder(home: Path) -> None:
    (home / "folder").mkdir()
    write(home / "folder" / "file")
    (home / "folder").rename(home / "other")


def copied_over(home: Path) -> None:
    import shutil

    (home / "tree").mkdir()
    flushed(home / "tree" / "file")
    shutil.copytree(home / "tree", home / "copy")


ACTS: dict[str, Callable[[Path], None]] = {
    "write": lambda home: write(home / "file"),
    "flush": lambda home: flushed(home / "file"),
    "rename after flush": lambda home: replaced(home, flush=True),
    "rename without flush": lambda home: replaced(home, flush=False),
    "rename a folder": renamed_folder,
    "copy": copied_over,
}
HEARD = {
    "write": [("end", ["content of file", "name of file"])],
    "flush": [("end", [])],
    "rename after flush": [("end", ["name of final"])],
    "rename without flush": [
        ("rename", ["final is replaced by temporary, which was not flushed"]),
        ("end", ["content of final", "name of final"]),
    ],
    "rename a folder": [("end", ["content of other/file", "name of other", "name of other/file"])],
    "copy": [("end", ["content of copy/file", "name of copy", "name of copy/file", "name of tree"])],
}


@pytest.mark.parametrize("work", ACTS)
def test_the_listener_hears_what_is_unsafe(tmp_path: Path, work: str) -> None:
    (tmp_path / "home").mkdir()
    elsewhere(hear, tmp_path / "home", work)
    heard = [(what, unsafe) for what, unsafe in json.loads((tmp_path / "heard.json").read_text())]
    assert heard == HEARD[work]
