"""What the disk or the database refused is said in words."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from hotbay.errors import Refused, StorageError
from hotbay.mishap import explain, explain_database, explained


def raised(work: Callable[[], object]) -> BaseException:
    with pytest.raises(Exception) as found:
        work()
    return found.value


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EACCES, "there is no permission"),
        (errno.EIO, "the disk fails"),
        (errno.EXDEV, "it is on another file system"),
    ],
)
def test_what_the_system_says(number: int, words: str) -> None:
    found = explain(OSError(number, os.strerror(number), "/a", None, "/b"))
    assert found is not None
    assert (found.message, found.detail["path"], found.code) == (f"/b: {words}", "/b", "storage-error")
    assert found.mend


def test_others_are_not_explained(tmp_path: Path) -> None:
    assert explain(FileNotFoundError(errno.ENOENT, "x", "/a")) is None
    assert explain(ValueError("x")) is None
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        error = raised(lambda: connection.execute("SELECT * FROM nowhere"))
    assert explain(error) is None


def test_a_locked_a_small_and_a_foreign_database(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as one:
        one.execute("BEGIN IMMEDIATE")
        with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as other:
            locked = raised(lambda: other.execute("BEGIN IMMEDIATE"))
        one.execute("ROLLBACK")
        one.execute("PRAGMA max_page_count=1")
        full = raised(lambda: one.execute("CREATE TABLE a (b)"))
    file.write_bytes(b"this is no database" * 100)
    with closing(sqlite3.connect(file)) as third:
        foreign = raised(lambda: third.execute("SELECT * FROM sqlite_master"))
    found = [explain_database(error, file) for error in (locked, full, foreign)]
    said = [error.message if error is not None else "" for error in found]
    assert [text.startswith(f"the database {file} can't be used: ") for text in said] == [True] * 3
    assert ["locked" in said[0], "the disk is full" in said[1], "no database" in said[2]] == [True] * 3


def test_what_it_was_raised_from_counts() -> None:
    inner = OSError(errno.ENOSPC, "x", "/a")
    outer = RuntimeError("y")
    outer.__cause__ = inner
    assert str(explain(outer)).startswith("/a: the disk is full")
    assert explain_database(outer, "a.db") is None
    assert explain(OperationalError("SELECT", {}, inner)) is not None


def test_a_block_raises_what_is_explained_and_all_else_as_it_is() -> None:
    with pytest.raises(StorageError, match="/a: the disk is full"), explained():
        raise OSError(errno.ENOSPC, "x", "/a")
    with pytest.raises(KeyError), explained():
        raise KeyError
    with pytest.raises(Refused), explained():
        raise Refused("no") from OSError(errno.ENOSPC, "x", "/a")
