"""Catalogues: read, compare, undo what was only added."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hotbay.catalogue import (
    changes,
    drop_owned_statements,
    foreign_changes,
    inverse,
    merge,
    read_catalogue,
    read_objects,
)
from sqlite_host import GRANT, make_host


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(make_host(tmp_path / "host.db"), isolation_level=None)) as connection:
        yield connection


def test_owned_objects_are_told_from_others(database: sqlite3.Connection) -> None:
    catalogue = read_catalogue(database)
    owned = {entry.name for entry in catalogue.owned(GRANT) if entry.sql}
    assert owned - catalogue.hidden == {"chat_msgs", "sessions", "kb", "chat_view"}
    assert {"kb_data", "users_fts_data"} <= catalogue.hidden
    assert "notes_data" not in catalogue.hidden
    assert catalogue.columns["chat_msgs"] == ("id", "text", "n")
    assert catalogue.counters == {"users": (2,), "inventory_stock": (1,), "chat_msgs": (2,)}


def test_the_columns_of_tables_with_any_name_are_read_generated_ones_too(database: sqlite3.Connection) -> None:
    database.executescript(
        """CREATE TABLE "a 'b"";c" (x, "Y y"); CREATE TABLE Ä (z);
        CREATE TABLE g (a, b AS (a) STORED, c AS (a) VIRTUAL);
        CREATE VIRTUAL TABLE v USING fts5(a, b); CREATE TABLE "create virtual" (w);"""
    )
    columns = read_catalogue(database).columns
    assert columns["a 'b\";c"] == ("x", "Y y")
    assert columns["Ä"] == ("z",)
    assert columns["g"] == ("a", "b", "c")
    assert columns["create virtual"] == ("w",)
    assert "v" not in columns


def test_a_function_that_somebody_put_in_the_place_of_sqlites_changes_nothing(database: sqlite3.Connection) -> None:
    before = read_catalogue(database)
    for name, count in (("like", 2), ("substr", 3), ("upper", 1), ("lower", 1), ("instr", 2)):
        database.create_function(name, count, lambda *_: 1)
    assert read_catalogue(database) == before


def test_names_alone_are_read_without_columns(database: sqlite3.Connection) -> None:
    light, whole = read_objects(database), read_catalogue(database)
    assert light.entries == whole.entries
    assert (light.columns, light.counters) == ({}, {})
    assert light.owned(GRANT) == whole.owned(GRANT)


def test_a_second_reading_keeps_what_did_not_change(database: sqlite3.Connection) -> None:
    first = read_catalogue(database)
    assert read_catalogue(database, first) is first
    database.execute("UPDATE sqlite_sequence SET seq = 50 WHERE name = 'users'")
    second = read_catalogue(database, first)
    assert second.columns is first.columns
    assert second.counters["users"] == (50,)
    assert second == read_catalogue(database)


def test_a_second_reading_sees_another_change_under_the_same_schema_version(database: sqlite3.Connection) -> None:
    database.executescript("BEGIN; SAVEPOINT one; ALTER TABLE sessions ADD COLUMN x;")
    first = read_catalogue(database)
    version = database.execute("PRAGMA schema_version").fetchone()
    for statement in ("ROLLBACK TO one", "ALTER TABLE sessions ADD COLUMN y"):
        database.execute(statement)
    assert database.execute("PRAGMA schema_version").fetchone() == version
    second = read_catalogue(database, first)
    assert (first.columns["sessions"][-1], second.columns["sessions"][-1]) == ("x", "y")


def test_changes_are_seen(database: sqlite3.Connection) -> None:
    before = read_catalogue(database)
    database.executescript("DROP VIEW v_users; CREATE TABLE chat_a (x); ALTER TABLE sessions ADD COLUMN x;")
    found = [(change.verb, change.entry.name) for change in changes(before, read_catalogue(database))]
    assert sorted(found) == [("changed", "sessions"), ("created", "chat_a"), ("dropped", "v_users")]


def test_only_changes_of_others_are_problems(database: sqlite3.Connection) -> None:
    before = read_catalogue(database)
    database.executescript(
        "CREATE TABLE chat_a (x); DROP TABLE sessions; DROP TABLE kb; CREATE INDEX i ON users (email);"
        "UPDATE sqlite_sequence SET seq = 50; CREATE TRIGGER chat_t AFTER INSERT ON orders BEGIN SELECT 1; END;"
    )
    problems = foreign_changes(before, read_catalogue(database), GRANT)
    assert [problem.field for problem in problems] == [
        "index i",
        "trigger chat_t",
        "counter of table inventory_stock",
        "counter of table users",
    ]


def test_the_first_counter_makes_sqlites_own_table(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "new.db")) as connection:
        before = read_catalogue(connection)
        connection.execute("CREATE TABLE chat_a (id INTEGER PRIMARY KEY AUTOINCREMENT)")
        after = read_catalogue(connection)
    assert foreign_changes(before, after, GRANT) == []
    assert inverse(before, after) == ['DROP TABLE IF EXISTS "chat_a"']


ADDITIVE = """
CREATE TABLE "chat_a ""b" (id INTEGER PRIMARY KEY, x UNIQUE);
CREATE INDEX chat_i ON sessions (name);
ALTER TABLE sessions ADD COLUMN "new (one)" TEXT NOT NULL DEFAULT ')';
ALTER TABLE sessions ADD COLUMN second REFERENCES users (id) ON DELETE CASCADE;
CREATE INDEX chat_j ON sessions (second);
CREATE VIEW chat_v AS SELECT second FROM sessions;
CREATE TRIGGER chat_t AFTER INSERT ON sessions BEGIN UPDATE sessions SET second = 1; END;
CREATE VIRTUAL TABLE chat_f USING fts5 (a);
"""


def test_what_was_added_is_undone(database: sqlite3.Connection) -> None:
    before = read_catalogue(database)
    database.executescript(ADDITIVE)
    statements = inverse(before, read_catalogue(database))
    assert statements is not None
    for sql in statements:
        database.execute(sql)
    after = read_catalogue(database)
    assert after.by_key == before.by_key


@pytest.mark.parametrize(
    "script",
    [
        "DROP TABLE sessions",
        "ALTER TABLE sessions RENAME TO chat_s",
        "ALTER TABLE sessions RENAME COLUMN name TO label",
        "ALTER TABLE chat_msgs DROP COLUMN text",
        "DROP TABLE sessions; CREATE TABLE sessions (id INTEGER PRIMARY KEY, name TEXT NOT NULL, more)",
        "DROP VIEW chat_view; CREATE VIEW chat_view AS SELECT 1",
    ],
)
def test_what_was_not_only_added_has_no_inverse(database: sqlite3.Connection, script: str) -> None:
    before = read_catalogue(database)
    database.execute("DROP VIEW IF EXISTS chat_view") if "DROP COLUMN" in script else None
    database.executescript(script)
    assert inverse(before, read_catalogue(database)) is None


def test_nothing_changed_needs_nothing_undone(database: sqlite3.Connection) -> None:
    catalogue = read_catalogue(database)
    assert inverse(catalogue, catalogue) == []


def test_merging_leaves_out_what_happened_in_between(database: sqlite3.Connection) -> None:
    base = read_catalogue(database)
    database.execute("CREATE TABLE settings (x)")
    one = read_catalogue(database)
    database.executescript("CREATE TABLE hotbay_x (y); DROP TABLE hotbay_live; UPDATE sqlite_sequence SET seq = 9;")
    two = read_catalogue(database)
    merged = merge(base, one, two)
    assert [(change.verb, change.entry.name) for change in changes(merged, two)] == [("created", "settings")]
    assert merged.counters == two.counters


def test_all_that_is_owned_can_be_dropped_in_the_order_given(database: sqlite3.Connection) -> None:
    database.executescript(ADDITIVE)
    for sql in drop_owned_statements(read_catalogue(database), GRANT):
        database.execute(sql)
    assert read_catalogue(database).owned(GRANT) == []
