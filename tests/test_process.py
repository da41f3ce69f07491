"""Who is there still, by a name that says more than a number."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hotbay.process import fields, lives, me


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


def test_a_process_whose_name_is_a_trap(tmp_path: Path) -> None:
    """The fields are counted from the last parenthesis: the name before it is the program's to choose."""
    program = tmp_path / "a) Z 1 ("
    program.symlink_to(sys.executable)
    child = subprocess.Popen(
        [program, "-c", "print('up', flush=True); input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    child.stdout.readline()
    assert fields(child.pid)[1] == str(os.getpid())
    child.communicate("\n", timeout=20)
    with pytest.raises(OSError):
        fields(child.pid)
