"""Who wants to write waits for others, and gets a turn however many they are."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hotbay import waiting
from hotbay.guard import plugin_engine
from hotbay.migrate import Migrator
from hotbay.store import Store
from hotbay.waiting import begin_writing
from sqlite_host import GRANT, make_host


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database that is read and written at once."""
    with closing(sqlite3.connect(tmp_path / "host.db")) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE notes (text)")
    return tmp_path / "host.db"


@pytest.fixture
def writer(database: Path) -> Iterator[sqlite3.Connection]:
    """A connection to it."""
    with closing(opened(database)) as connection:
        yield connection


def opened(database: Path, **options: Any) -> sqlite3.Connection:
    return sqlite3.connect(database, isolation_level=None, check_same_thread=False, **options)


def begin(connection: sqlite3.Connection, seconds: float) -> None:
    begin_writing(connection, lambda: connection.execute("BEGIN IMMEDIATE"), seconds)


def timeout_of(connection: sqlite3.Connection) -> int:
    found: int = connection.execute("PRAGMA busy_timeout").fetchone()[0]
    return found


def test_it_holds_the_right_to_write(database: Path, writer: sqlite3.Connection) -> None:
    begin(writer, 5)
    assert writer.in_transaction
    assert timeout_of(writer) == 5000
    with closing(opened(database, timeout=0)) as other, pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")


def test_it_waits_until_the_other_one_has_ended(database: Path, writer: sqlite3.Connection) -> None:
    with closing(opened(database)) as other:
        other.execute("BEGIN IMMEDIATE")
        ends = threading.Timer(0.3, other.execute, ["COMMIT"])
        ends.start()
        begin(writer, 20)
        ends.join()
    assert writer.in_transaction


def test_when_the_time_is_over_the_caller_s_own_way_says_so(database: Path, writer: sqlite3.Connection) -> None:
    class Told(Exception):
        pass

    def refused() -> None:
        raise Told

    with closing(opened(database)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        with pytest.raises(Told):
            begin_writing(writer, refused, 0.2)
        assert time.monotonic() - began >= 0.2
        other.execute("ROLLBACK")
    assert timeout_of(writer) == 200
    begin(writer, 5)


def test_another_refusal_is_told_at_once(writer: sqlite3.Connection) -> None:
    writer.execute("BEGIN")
    with pytest.raises(sqlite3.OperationalError, match="within a transaction"):
        begin(writer, 3600)
    assert timeout_of(writer) == 3_600_000


def test_one_that_waits_looks_again_and_again(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's own wait looks 12 times in the first quarter of a second, and ten times a second later on."""
    looks: list[int] = []
    real = waiting._refusal
    monkeypatch.setattr(
        waiting, "_refusal", lambda connection: looks.append(timeout_of(connection)) or real(connection)
    )
    with closing(opened(database)) as other, closing(opened(database)) as connection:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            begin(connection, 0.5)
        other.execute("ROLLBACK")
    assert set(looks) == {waiting._SHORT_MS}
    assert len(looks) > 3


def _as_plugin(path: Path) -> None:
    engine = plugin_engine(path, GRANT)
    with engine.begin():
        pass
    engine.dispose()


def _as_migration(path: Path) -> None:
    with Migrator(path, GRANT).transaction():
        pass


def _as_registry(path: Path) -> None:
    Store(path).close()


@pytest.mark.parametrize("write", [_as_plugin, _as_migration, _as_registry])
def test_plugins_migrations_and_registry_wait_like_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], None]
) -> None:
    path = make_host(tmp_path / "host.db")
    seconds: list[float] = []
    real = waiting._refusal

    def look(connection: sqlite3.Connection) -> int:
        seconds.append(time.monotonic())
        return real(connection)

    monkeypatch.setattr(waiting, "_refusal", look)
    with closing(opened(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        ends = threading.Timer(0.4, other.execute, ["COMMIT"])
        ends.start()
        write(path)
        ends.join()
    assert len(seconds) > 2
