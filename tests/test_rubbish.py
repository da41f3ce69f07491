"""What has another kind than its name says is moved aside; what is right, or nobody's business, stays."""

from __future__ import annotations

import os
from pathlib import Path

from hotbay.presence import Fifo
from hotbay.rubbish import clear_rubbish


def test_nothing_is_made_where_nothing_is(tmp_path: Path) -> None:
    assert clear_rubbish(tmp_path / "run") == []
    assert list(tmp_path.iterdir()) == []


def test_what_is_right_stays(tmp_path: Path) -> None:
    fifo = Fifo(tmp_path / "w-1-a.fifo")
    for name in ("beacon", "lease", "w-1-a.json", "note.txt"):
        (tmp_path / name).write_text("x")
    (tmp_path / "loading").mkdir()
    (tmp_path / "somebody's").mkdir()
    before = sorted(tmp_path.iterdir())
    assert clear_rubbish(tmp_path) == []
    assert sorted(tmp_path.iterdir()) == before
    fifo.close()


def test_what_is_wrong_is_moved_once(tmp_path: Path) -> None:
    (tmp_path / "beacon").mkdir()
    (tmp_path / "loading").write_text("x")
    (tmp_path / "w-1-a.fifo").write_text("x")
    os.mkfifo(tmp_path / "w-1-a.json")
    (tmp_path / "lease").symlink_to("/dev/null")
    moved = clear_rubbish(tmp_path)
    assert len(moved) == 5
    assert sorted(tmp_path.iterdir()) == sorted(moved)
    assert clear_rubbish(tmp_path) == []


def test_a_file_in_the_place_of_the_folder_is_moved(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("x")
    (moved,) = clear_rubbish(tmp_path / "run")
    assert moved.read_text() == "x" and not (tmp_path / "run").exists()
