"""Export and restore: every value comes back as it was, nothing fires, nothing is half written."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hotbay.errors import BadInput, Conflict, MigrationFailed
from hotbay.export import export_data, read_export
from hotbay.grant import Grant, quote
from hotbay.migrate import Migrator, owned_tables
from hotbay.restore import restore_data
from sqlite_host import GRANT, contents, make_host
from test_migrate import kill_when_ready

RICH = r"""
CREATE TABLE "chat_o'dd ""näme"";" ("a b" TEXT, "sel""ect" BLOB, "ünï" , rowid TEXT);
INSERT INTO "chat_o'dd ""näme"";" VALUES ('x' || char(0) || 'y', x'00ff', 1.5, 'r'), (NULL, NULL, NULL, NULL);
CREATE TABLE chat_pairs (k TEXT, n INTEGER, v, PRIMARY KEY (k, n)) WITHOUT ROWID;
INSERT INTO chat_pairs VALUES ('a', 1, 2), ('a', 2, x''), ('b', 1, 9223372036854775807);
CREATE TABLE chat_strict (a INTEGER, b ANY) STRICT;
INSERT INTO chat_strict VALUES (1, '1'), (2, x'02');
CREATE TABLE chat_gen (a INTEGER NOT NULL CHECK (a > 0), b INTEGER AS (a * 2), c INTEGER AS (a + 1) STORED);
INSERT INTO chat_gen (a) VALUES (1), (7);
CREATE INDEX chat_gen_c ON chat_gen (c) WHERE a > 1;
CREATE TABLE Chat_Empty (id INTEGER PRIMARY KEY AUTOINCREMENT, t);
INSERT INTO Chat_Empty (id) VALUES (41);
DELETE FROM Chat_Empty;
DELETE FROM chat_msgs WHERE id = 1;
CREATE TABLE chat_rows (t);
INSERT INTO chat_rows (rowid, t) VALUES (-5, 'a'), (1000, 'b');
CREATE TABLE chat_child (m INTEGER REFERENCES chat_msgs (id), p INTEGER REFERENCES products (id) ON DELETE SET NULL);
INSERT INTO chat_child VALUES (2, 1), (2, NULL);
CREATE VIRTUAL TABLE chat_ext USING fts5 (t, content='chat_rows');
INSERT INTO chat_ext (chat_ext) VALUES ('rebuild');
CREATE VIRTUAL TABLE chat_bare USING fts5 (t, content='');
INSERT INTO chat_bare (rowid, t) VALUES (12, 'hidden treasure');
CREATE VIRTUAL TABLE "chat_f t" USING fts5 (a, b UNINDEXED, tokenize='porter');
INSERT INTO "chat_f t" VALUES ('running dogs', 'x');
CREATE TRIGGER chat_rows_ai AFTER INSERT ON chat_rows BEGIN
  INSERT INTO chat_rows (t) SELECT 'fired' WHERE new.t <> 'fired';
END;
CREATE VIEW chat_all AS SELECT * FROM chat_rows;
"""


@pytest.fixture
def host(tmp_path: Path) -> Path:
    path = make_host(tmp_path / "host.db")
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(RICH)
    return path


def export_drop_restore(host: Path, out: Path, grant: Grant = GRANT) -> dict[str, Any]:
    export_data(host, grant, out, meta={"version": "1.0.0"})
    with Migrator(host, grant).transaction() as transaction:
        transaction.drop_owned()
    assert owned_tables(host, grant) == []
    with Migrator(host, grant).transaction() as transaction:
        return restore_data(out, transaction)


def ask(host: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(host)) as connection:
        return connection.execute(sql).fetchall()


def sorted_counters(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "sqlite_sequence": sorted(found["sqlite_sequence"])}


def test_everything_comes_back_as_it_was(host: Path, tmp_path: Path) -> None:
    before = contents(host)
    meta = export_drop_restore(host, tmp_path / "chat.hotbay")
    assert meta == {"version": "1.0.0", "plugin": "chat"}
    assert sorted_counters(contents(host)) == sorted_counters(before)
    assert ("Chat_Empty", 41) in before["sqlite_sequence"]


def test_row_numbers_generated_columns_and_search_come_back(host: Path, tmp_path: Path) -> None:
    export_drop_restore(host, tmp_path / "chat.hotbay")
    assert ask(host, "SELECT rowid, t FROM chat_rows") == [(-5, "a"), (1000, "b")]
    assert ask(host, "SELECT * FROM chat_gen") == [(1, 2, 2), (7, 14, 8)]
    assert ask(host, "SELECT rowid FROM chat_bare WHERE chat_bare MATCH 'treasure'") == [(12,)]
    assert ask(host, "SELECT rowid, t FROM chat_ext WHERE chat_ext MATCH 'b'") == [(1000, "b")]
    assert ask(host, """SELECT a, b FROM "chat_f t" WHERE "chat_f t" MATCH 'run'""") == [("running dogs", "x")]
    with closing(sqlite3.connect(host)) as connection:
        for table in ("kb", "chat_f t", "chat_ext"):
            connection.execute(f"INSERT INTO {quote(table)} ({quote(table)}) VALUES ('integrity-check')")
    assert ask(host, "PRAGMA integrity_check") == [("ok",)]


def test_search_works_in_the_transaction_of_the_restore(host: Path, tmp_path: Path) -> None:
    out = tmp_path / "chat.hotbay"
    export_data(host, GRANT, out, meta={})
    with Migrator(host, GRANT).transaction() as transaction:
        transaction.drop_owned()
        restore_data(out, transaction)
        assert transaction.execute("SELECT title FROM kb WHERE kb MATCH 'money'").fetchall() == [("Refund",)]
        transaction.execute("INSERT INTO kb VALUES ('More', 'money')")
    assert len(ask(host, "SELECT title FROM kb WHERE kb MATCH 'money'")) == 2


def test_the_file_is_one_readable_database_of_the_plugins_rows_only(host: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "er" / "chat.hotbay"
    info = export_data(host, GRANT, out, meta={"ledger": [1, 2]})
    assert (info.path, info.bytes) == (out, out.stat().st_size)
    assert info.sha256 == hashlib.sha256(out.read_bytes()).hexdigest()
    assert info.tables == len(owned_tables(host, GRANT))
    assert read_export(out) == {"ledger": [1, 2], "plugin": "chat"}
    assert [path.name for path in out.parent.iterdir()] == ["chat.hotbay"]
    assert ask(out, "SELECT text FROM chat_msgs") == [("world",)]
    assert b"password_hash" not in out.read_bytes()


def test_the_export_is_of_one_moment(host: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hotbay.export as module

    real = module._write_schema

    def write_meanwhile(*arguments: Any) -> None:
        with closing(sqlite3.connect(host)) as other, other:
            other.execute("DELETE FROM sessions")
            other.execute("INSERT INTO chat_msgs (text) VALUES ('too late')")
        real(*arguments)

    monkeypatch.setattr(module, "_write_schema", write_meanwhile)
    out = tmp_path / "chat.hotbay"
    export_data(host, GRANT, out, meta={})
    assert ask(out, "SELECT text FROM chat_msgs") == [("world",)]


def test_many_rows_travel_in_batches(host: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(host)) as connection, connection:
        connection.executemany("INSERT INTO sessions (name) VALUES (?)", [(str(n),) for n in range(1234)])
    before = contents(host)
    export_drop_restore(host, tmp_path / "chat.hotbay")
    assert contents(host)["sessions"] == before["sessions"]


# ── refusals ──


def restore(file: Path, host: Path, grant: Grant = GRANT) -> None:
    with Migrator(host, grant).transaction() as transaction:
        restore_data(file, transaction)


def test_tables_that_are_there_are_not_overwritten(host: Path, tmp_path: Path) -> None:
    export_data(host, GRANT, tmp_path / "x", meta={})
    before = contents(host)
    with pytest.raises(Conflict, match="chat_msgs"):
        restore(tmp_path / "x", host)
    assert contents(host) == before


def test_another_plugins_export_is_refused(host: Path, tmp_path: Path) -> None:
    export_data(host, GRANT, tmp_path / "x", meta={})
    with pytest.raises(BadInput, match="'chat', not of 'shop'"):
        restore(tmp_path / "x", host, Grant("shop"))


def truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:9000])


def flipped(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[4096:8192] = os.urandom(4096)
    file.write_bytes(bytes(data))


def no_database(file: Path) -> None:
    file.write_bytes(b"PK\3\4 no database")


def some_database(file: Path) -> None:
    file.unlink()
    make_host(file)


def no_plugin(file: Path) -> None:
    tamper(file, "UPDATE hotbay_export_meta SET document = '[]'")


@pytest.mark.parametrize("harm", [truncated, flipped, no_database, some_database, no_plugin, Path.unlink])
def test_a_file_that_is_no_whole_export_is_refused(host: Path, tmp_path: Path, harm: Callable[[Path], None]) -> None:
    file = tmp_path / "x"
    export_data(host, GRANT, file, meta={})
    harm(file)
    with pytest.raises(BadInput) as caught:
        restore(file, host)
    assert caught.value.mend


def tamper(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        for sql in statements:
            connection.execute(sql)


@pytest.mark.parametrize(
    "statements",
    [
        ["INSERT INTO hotbay_export_object (kind, name, tbl, sql) VALUES ('table', 'x', 'x', 'DROP TABLE users')"],
        [
            "INSERT INTO hotbay_export_object (kind, name, tbl, sql)"
            " VALUES ('table', 'x', 'x', 'CREATE TABLE settings (x)')"
        ],
        [
            "UPDATE hotbay_export_object SET sql = 'CREATE TRIGGER chat_t AFTER INSERT ON users BEGIN SELECT 1; END'"
            " WHERE kind = 'trigger'"
        ],
        ["UPDATE hotbay_export_object SET sql = 'CREATE VIEW chat_all AS SELECT * FROM users' WHERE kind = 'view'"],
        ["CREATE TABLE users (id, email, password_hash)", "INSERT INTO users VALUES (1, 'x', 'x')"],
        ["INSERT INTO hotbay_export_counter VALUES ('users', 900)"],
        ["ALTER TABLE chat_msgs RENAME COLUMN text TO texts"],
    ],
)
def test_a_forged_export_gets_nowhere(host: Path, tmp_path: Path, statements: list[str]) -> None:
    file = tmp_path / "x"
    export_data(host, GRANT, file, meta={})
    tamper(file, *statements)
    with Migrator(host, GRANT).transaction() as transaction:
        transaction.drop_owned()
    before = contents(host)
    with pytest.raises(MigrationFailed):
        restore(file, host)
    assert contents(host) == before


def test_a_folder_that_can_not_be_written(host: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MigrationFailed, match="can't export"):
        export_data(host, GRANT, tmp_path / "file" / "x", meta={})


# ── properties and crashes ──

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12)
VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    table=NAMES,
    columns=st.lists(NAMES, min_size=1, max_size=4, unique_by=str.lower),
    kinds=st.lists(st.sampled_from(["", "TEXT", "INTEGER", "REAL", "BLOB", "NUMERIC"]), min_size=4, max_size=4),
    rows=st.lists(st.lists(VALUES, min_size=4, max_size=4), max_size=5),
    keyed=st.booleans(),
)
def test_any_table_comes_back(
    table: str, columns: list[str], kinds: list[str], rows: list[list[Any]], keyed: bool
) -> None:
    name = quote("chat_" + table)
    made = [f"{quote(column)} {kind}" for column, kind in zip(columns, kinds, strict=False)]
    if keyed:
        made.append("hotbay_key INTEGER PRIMARY KEY AUTOINCREMENT")
    with tempfile.TemporaryDirectory() as folder:
        host = Path(folder) / "host.db"
        with closing(sqlite3.connect(host)) as connection, connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"CREATE TABLE {name} ({', '.join(made)})")
            marks = ", ".join("?" * len(columns))
            listed = ", ".join(map(quote, columns))
            connection.executemany(
                f"INSERT INTO {name} ({listed}) VALUES ({marks})", [row[: len(columns)] for row in rows]
            )
        before = contents(host)
        export_drop_restore(host, Path(folder) / "out", Grant("chat"))
        assert contents(host) == before


KILLED = """
    import sys
    from pathlib import Path
    import hotbay.export as module
    from sqlite_host import GRANT

    real = module._copy_out

    def stop(*arguments):
        real(*arguments)
        print("ready", flush=True)
        sys.stdin.read()

    module._copy_out = stop
    module.export_data(Path(sys.argv[1]), GRANT, Path(sys.argv[2]), meta={})
"""


def test_kill_9_in_the_middle_leaves_the_old_export(host: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "chat.hotbay"
    export_data(host, GRANT, out, meta={"old": True})
    old, before = out.read_bytes(), contents(host)
    kill_when_ready(KILLED, str(host), str(out))
    assert out.read_bytes() == old
    assert contents(host) == before
    export_data(host, GRANT, out, meta={"old": False})
    assert read_export(out)["old"] is False
