"""The beacon: one number in a file that every process of a machine sees at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotbay.beacon import Beacon, is_odd

CHILD = """
import sys
from pathlib import Path
from hotbay.beacon import Beacon
beacon = Beacon(Path(sys.argv[1]))
for line in sys.stdin:
    word = line.strip()
    if word != "look":
        getattr(beacon, word)()
    print(beacon.value, flush=True)
"""


@pytest.fixture
def beacon(tmp_path: Path) -> Iterator[Beacon]:
    """A fresh one."""
    made = Beacon(tmp_path / "run")
    yield made
    made.close()


def test_it_starts_even_and_every_change_is_seen(beacon: Beacon) -> None:
    assert (beacon.value, is_odd(beacon.raw)) == (0, False)
    seen = beacon.raw
    beacon.begin()
    assert is_odd(beacon.raw)
    assert beacon.raw != seen
    beacon.end()
    assert not is_odd(beacon.raw)
    assert beacon.raw != seen
    seen = beacon.raw
    beacon.bump()
    assert beacon.raw != seen


@given(st.lists(st.sampled_from(["begin", "end", "bump"]), max_size=20))
def test_it_only_grows_is_odd_inside_a_switch_only_and_heals_a_dead_writer(words: list[str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        beacon = Beacon(Path(folder))
        for word in words:
            before = beacon.value
            getattr(beacon, word)()
            assert beacon.value > before or (word == "begin" and before % 2 == 1)
            assert is_odd(beacon.raw) == (word == "begin")
        beacon.close()


def test_another_process_sees_it_and_is_seen(beacon: Beacon, tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHILD, str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None

        def ask(word: str) -> int:
            child.stdin.write(word + "\n")  # type: ignore[union-attr]
            child.stdin.flush()  # type: ignore[union-attr]
            return int(child.stdout.readline())  # type: ignore[union-attr]

        assert ask("look") == 0
        beacon.begin()
        assert ask("look") == 1
        beacon.end()
        assert ask("look") == 2
        assert ask("begin") == 3
        assert is_odd(beacon.raw)
        child.kill()
    # The writer died inside its switch: the next one ends it.
    assert beacon.value == 3
    beacon.bump()
    assert beacon.value == 4


def test_it_outlives_its_processes(tmp_path: Path) -> None:
    first = Beacon(tmp_path)
    first.bump()
    first.close()
    second = Beacon(tmp_path)
    assert second.value == 2
    second.close()


def test_a_file_that_was_cut_is_filled_again(tmp_path: Path) -> None:
    (tmp_path / "beacon").write_bytes(b"\x04")
    beacon = Beacon(tmp_path)
    assert beacon.value == 4
    beacon.close()


def test_garbage_in_the_file_is_no_number_to_count_on_from(tmp_path: Path) -> None:
    (tmp_path / "beacon").write_bytes(b"\xff" * 8)
    beacon = Beacon(tmp_path)
    before = beacon.raw
    beacon.begin()
    beacon.end()
    assert beacon.value == 4 and beacon.raw != before
    beacon.close()
