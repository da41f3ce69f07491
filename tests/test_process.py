"""Who is there still, by a name that says more than a number."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from hotbay.process import lives, me
from hotbay.recover import sweep_staging


def test_who_lives() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    found = {pid: lives(pid) for pid in (str(os.getpid()), "1", str(child.pid), "x", "", "9" * 30)}
    assert [pid for pid, there in found.items() if there] == [str(os.getpid()), "1"]


def test_a_number_that_was_given_again_is_another_process() -> None:
    assert re.fullmatch(rf"{os.getpid()}t\d+", me())
    assert lives(me())
    assert not lives(f"{me()}1")
    assert not lives(f"1t{me().partition('t')[2]}")


def test_a_process_names_itself_as_others_see_it() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", "from hotbay.process import me; print(me(), flush=True); input()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    name = child.stdout.readline().strip()
    assert name.startswith(f"{child.pid}t") and lives(name)
    child.communicate("\n", timeout=20)
    assert not lives(name)


def test_what_is_left_of_a_process_goes_although_its_number_was_given_again(tmp_path: Path) -> None:
    """In a container that is started anew the workers have the numbers of those before."""
    mine, former = tmp_path / f"{me()}-0a1b", tmp_path / f"{os.getpid()}t1-0a1b"
    for folder in (mine, former):
        (folder / "tree").mkdir(parents=True)
    sweep_staging(tmp_path)
    assert list(tmp_path.iterdir()) == [mine]
