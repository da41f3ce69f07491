"""Temporary trees: gone with their block, and with their process where it had no time to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hotbay.process import me
from hotbay.staging import abandoned, sweep_staging, temporary_tree


def test_a_tree_is_there_for_the_block_only(tmp_path: Path) -> None:
    staging = tmp_path / "home" / "staging"
    with temporary_tree(staging) as one, temporary_tree(staging) as other:
        assert one != other
        for tree in (one, other):
            assert tree.name.startswith(f"{me()}-") and list(tree.iterdir()) == []
            (tree / "deep").mkdir()
            (tree / "deep" / "file").write_text("x")
        assert abandoned(staging) == []
    assert list(staging.iterdir()) == []


def test_what_breaks_the_block_does_not_keep_the_tree(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), temporary_tree(tmp_path) as tree:
        (tree / "file").write_text("x")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_none_can_be_made_where_there_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "staging").write_text("somebody's")
    with pytest.raises(OSError), temporary_tree(tmp_path / "staging"):
        pass
    assert abandoned(tmp_path / "staging") == []


def test_what_is_left_of_a_process_goes_although_its_number_was_given_again(tmp_path: Path) -> None:
    """In a container that is started anew the workers have the numbers of those before."""
    mine, former = tmp_path / f"{me()}-0a1b", tmp_path / f"{os.getpid()}t1-0a1b"
    for folder in (mine, former):
        (folder / "tree").mkdir(parents=True)
    assert abandoned(tmp_path) == [former]
    sweep_staging(tmp_path)
    sweep_staging(tmp_path)
    assert list(tmp_path.iterdir()) == [mine]
