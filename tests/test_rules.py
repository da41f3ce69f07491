"""The authorizer alone: what it knows of the names that exist, and that it denies what it does not know."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hotbay.rules import Names, Rules, is_fts5
from sqlite_host import GRANT, make_host


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("CREATE VIRTUAL TABLE kb USING fts5 (a)", True),
        ('create  virtual\ttable if not exists "k b" using FTS5(a)', True),
        ('CREATE VIRTUAL TABLE kb USING "fts5" (a)', True),
        ("CREATE VIRTUAL TABLE kb USING fts5vocab (a, row)", False),
        ("CREATE VIRTUAL TABLE kb USING rtree (a)", False),
        ("CREATE TABLE kb (a DEFAULT 'USING fts5')", False),
        ("", False),
    ],
)
def test_fts5_is_known_by_its_sql(sql: str, expected: bool) -> None:
    assert is_fts5(sql) is expected


def test_names_are_read_folded(tmp_path: Path) -> None:
    with closing(sqlite3.connect(make_host(tmp_path / "host.db"))) as connection:
        connection.execute("CREATE INDEX Chat_I ON Chat_Msgs (text)")
        names = Names.read(connection, 7)
    assert names.version == 7
    assert names.virtual == {"kb", "users_fts"}
    assert {"users", "v_users", "chat_msgs", "kb_data"} <= names.tables
    assert names.indexes["chat_i"] == "chat_msgs"


@pytest.mark.parametrize("mode", ["run", "migrate"])
def test_what_is_unknown_is_denied(mode: str) -> None:
    rules = Rules(GRANT, mode, lambda: True)  # type: ignore[arg-type]
    rules.lifted = False
    for action in (0, 24, 25, 28, 3, 4, 5, 6, 99):
        assert rules(action, "chat_x", "chat_x", "main", None) == sqlite3.SQLITE_DENY
    assert rules.denial is not None


def test_nothing_goes_on_after_the_transaction_of_a_migration() -> None:
    alive = [True]
    rules = Rules(GRANT, "migrate", lambda: alive[0])
    rules.lifted = False
    assert rules(sqlite3.SQLITE_READ, "chat_x", "a", "main", None) == sqlite3.SQLITE_OK
    alive[0] = False
    assert rules(sqlite3.SQLITE_READ, "chat_x", "a", "main", None) == sqlite3.SQLITE_DENY


@pytest.mark.parametrize("base", ["temp", "aux", "me"])
def test_other_databases_are_denied_even_with_own_names(base: str) -> None:
    rules = Rules(GRANT, "migrate", lambda: True)
    rules.lifted = False
    assert rules(sqlite3.SQLITE_READ, "chat_x", "a", base, None) == sqlite3.SQLITE_DENY
    assert rules(sqlite3.SQLITE_ALTER_TABLE, base, "chat_x", None, None) == sqlite3.SQLITE_DENY
