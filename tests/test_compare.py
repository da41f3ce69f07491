"""How rows of a table and of a file are matched, and what would be lost; in whole databases, see `test_merge.py`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hotbay.catalogue import read_catalogue
from hotbay.compare import Loss, compare, newer_values, pairs
from hotbay.export import SIDE, export_data
from hotbay.grant import Grant
from hotbay.model import Rows

GRANT = Grant("chat")


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Any]:
    """Makes a database, exports it, changes it, and answers a connection to it with the export attached."""
    opened: list[sqlite3.Connection] = []

    def make(before: str, after: str = "") -> sqlite3.Connection:
        path = tmp_path / f"host{len(opened)}.db"
        raw = sqlite3.connect(path, isolation_level=None)
        opened.append(raw)
        raw.executescript(before)
        export_data(path, GRANT, path.with_suffix(".side"), meta={})
        raw.executescript(after)
        raw.execute(f"ATTACH ? AS {SIDE}", (str(path.with_suffix(".side")),))
        return raw

    yield make
    for raw in opened:
        raw.close()


def lost(raw: sqlite3.Connection) -> Loss:
    catalogue = read_catalogue(raw)
    return replace(compare(raw, catalogue, GRANT), values=newer_values(raw, catalogue, GRANT))


@pytest.mark.parametrize(
    ("table", "match"),
    [
        ("(id INTEGER PRIMARY KEY, v)", 'm."id" = s."id"'),
        ("(a, b, v, PRIMARY KEY (a, b)) WITHOUT ROWID", 'm."a" = s."a" AND m."b" = s."b"'),
        ('("a ""b" TEXT PRIMARY KEY, v)', 'm."a ""b" = s."a ""b"'),
        ("(v)", 'm.rowid = s."hotbay_rowid"'),
        ("(rowid, v)", 'm._rowid_ = s."hotbay_rowid"'),
        ("(rowid, oid, _rowid_, v)", ""),
    ],
)
def test_what_identifies_a_row(both: Any, table: str, match: str) -> None:
    raw = both(f"CREATE TABLE chat_t {table}; CREATE TABLE other (v)")
    (pair,) = pairs(raw, read_catalogue(raw), GRANT)
    assert pair.match.lower() == match.lower()
    assert (pair.name, pair.shown, pair.main, pair.side) == (
        "chat_t",
        "chat_t",
        'main."chat_t"',
        f'{SIDE}."chat_t"',
    )


@pytest.mark.parametrize("keyed", ["id INTEGER PRIMARY KEY, v", "rowid, oid, _rowid_, v"])
def test_rows_are_counted_with_and_without_something_that_identifies_them(both: Any, keyed: str) -> None:
    first = keyed.split()[0].rstrip(",")
    names = f"({first}, v)"
    raw = both(
        f"CREATE TABLE chat_t ({keyed}); INSERT INTO chat_t {names} VALUES (1, 'a'), (2, 'b'), (3, 'c')",
        f"DELETE FROM chat_t WHERE {first} = 1; UPDATE chat_t SET v = 'B' WHERE {first} = 2;"
        f"INSERT INTO chat_t {names} VALUES (7, 'g'), (8, 'h')",
    )
    found = lost(raw).tables["chat_t"]
    if keyed.startswith("id"):
        assert found == {"added": 2, "changed": 1, "deleted": 1}
    else:  # A changed row is one that went and one that came.
        assert found == {"added": 3, "changed": 0, "deleted": 2}


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ("NULL", "NULL", 0),
        ("NULL", "1", 1),
        ("1", "NULL", 1),
        ("'a'", "'A'", 1),
        ("1", "'1'", 1),
        ("1", "1.0", 0),
        ("'a'", "x'61'", 1),
    ],
)
def test_a_change_is_one_of_the_value_not_of_how_it_sorts(both: Any, before: str, after: str, changed: int) -> None:
    raw = both(
        f"CREATE TABLE chat_t (id INTEGER PRIMARY KEY, v COLLATE NOCASE); INSERT INTO chat_t VALUES (1, {before})",
        f"UPDATE chat_t SET v = {after}",
    )
    assert lost(raw).tables["chat_t"] == {"added": 0, "changed": changed, "deleted": 0}


def test_columns_that_came_or_went_are_no_change(both: Any) -> None:
    raw = both(
        "CREATE TABLE chat_t (id INTEGER PRIMARY KEY, gone, stays); INSERT INTO chat_t VALUES (1, 2, 3)",
        "ALTER TABLE chat_t DROP COLUMN gone; ALTER TABLE chat_t ADD COLUMN fresh DEFAULT 9",
    )
    assert lost(raw).tables["chat_t"] == {"added": 0, "changed": 0, "deleted": 0}


def test_values_that_the_backup_has_no_column_for_are_told(both: Any) -> None:
    raw = both(
        "CREATE TABLE chat_t (id INTEGER PRIMARY KEY, v); INSERT INTO chat_t (v) VALUES (1), (2), (3)",
        "ALTER TABLE chat_t ADD COLUMN stars INTEGER; ALTER TABLE chat_t ADD COLUMN kind TEXT DEFAULT 'it''s';"
        "ALTER TABLE chat_t ADD COLUMN weight REAL NOT NULL DEFAULT 1.50; ALTER TABLE chat_t ADD COLUMN idle DEFAULT 7;"
        "UPDATE chat_t SET stars = 5 WHERE id < 3; UPDATE chat_t SET kind = 'other', weight = 2 WHERE id = 1",
    )
    loss = lost(raw)
    assert loss.values == {"chat_t.stars": 2, "chat_t.kind": 1, "chat_t.weight": 1}
    assert loss.tables == {"chat_t": {"added": 0, "changed": 0, "deleted": 0}}
    assert not loss.counts(Rows.RESTORE), "the migration may have filled them in"
    assert loss.warnings(Rows.RESTORE, "1.0.0")[0] == (
        "values of chat_t.stars in 2 rows are lost: the backup of 1.0.0 has no such column"
    )
    assert len(loss.warnings(Rows.MERGE, "1.0.0")) == 3
    assert loss.warnings(Rows.KEEP, "1.0.0") == ()


def test_a_default_that_is_an_expression_is_not_evaluated(both: Any) -> None:
    raw = both(
        "CREATE TABLE chat_t (id INTEGER PRIMARY KEY); INSERT INTO chat_t VALUES (1), (2)",
        "CREATE TABLE chat_new (id INTEGER PRIMARY KEY, mark DEFAULT (abs(-3)));"
        "INSERT INTO chat_new (id) SELECT id FROM chat_t; DROP TABLE chat_t; ALTER TABLE chat_new RENAME TO chat_t",
    )
    assert lost(raw).values == {"chat_t.mark": 2}


def test_a_key_that_is_new_can_not_identify_old_rows(both: Any) -> None:
    raw = both(
        "CREATE TABLE chat_t (v); INSERT INTO chat_t VALUES ('a'), ('b')",
        "CREATE TABLE chat_n (id INTEGER PRIMARY KEY, v); INSERT INTO chat_n (v) SELECT v FROM chat_t;"
        "DROP TABLE chat_t; ALTER TABLE chat_n RENAME TO chat_t",
    )
    (pair,) = pairs(raw, read_catalogue(raw), GRANT)
    assert pair.match == "", "by its values alone"
    assert lost(raw).tables["chat_t"] == {"added": 0, "changed": 0, "deleted": 0}


def test_new_tables_are_told_apart_and_names_fold(both: Any) -> None:
    raw = both(
        "CREATE TABLE Chat_Old (v)",
        "ALTER TABLE Chat_Old RENAME TO chat_x; ALTER TABLE chat_x RENAME TO chat_OLD;"
        "CREATE TABLE chat_new (v); INSERT INTO chat_new VALUES (1), (2); CREATE TABLE chat_none (v)",
    )
    found = lost(raw)
    assert set(found.tables) == {"chat_OLD"}
    assert found.fresh == {"chat_new": 2, "chat_none": 0}
    assert found.to_json(Rows.RESTORE) == {"chat_new": {"added": 2}}


def test_of_full_text_search_only_the_rows_count_under_the_tables_name(both: Any) -> None:
    raw = both(
        "CREATE VIRTUAL TABLE chat_kb USING fts5 (v); INSERT INTO chat_kb VALUES ('one')",
        "INSERT INTO chat_kb VALUES ('two')",
    )
    assert lost(raw) == Loss({"chat_kb": {"added": 1, "changed": 0, "deleted": 0}}, {})


def test_others_tables_are_not_looked_at(both: Any) -> None:
    raw = both("CREATE TABLE other (v); CREATE TABLE chat_t (v)", "INSERT INTO other VALUES (1)")
    assert set(lost(raw).tables) == {"chat_t"}


def test_words_for_what_would_be_lost() -> None:
    loss = Loss({"a": {"added": 0, "changed": 1, "deleted": 2}}, {"b": 0})
    assert loss.text(Rows.RESTORE) == "a: 1 changed, 2 deleted"
    assert loss.text(Rows.KEEP) == ""
    assert loss.counts(Rows.MERGE)
    assert not loss.counts(Rows.KEEP)
    assert not Loss({}, {"b": 0}).counts(Rows.RESTORE)


def test_comparing_writes_nothing(both: Any, tmp_path: Path) -> None:
    raw = both("CREATE TABLE chat_t (v); INSERT INTO chat_t VALUES (1)")
    raw.execute("PRAGMA query_only=ON")
    lost(raw)
    with closing(sqlite3.connect(tmp_path / "host0.db")) as other:
        assert other.execute("SELECT count(*) FROM chat_t").fetchone() == (1,)
