"""What was written since an export is counted, and rows that were added can be put into the older tables."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hotbay.catalogue import read_catalogue
from hotbay.compare import Loss, compare, preview
from hotbay.errors import MigrationFailed, StateError
from hotbay.export import export_data
from hotbay.merge import Aside, merge_rows, stash_rows
from hotbay.migrate import Migrator
from hotbay.model import Rows
from hotbay.restore import beside, restore_data
from sqlite_host import GRANT, make_host

MORE = """
CREATE TABLE chat_keyed (k TEXT COLLATE NOCASE PRIMARY KEY, v);
INSERT INTO chat_keyed VALUES ('a', 1), ('b', 2);
CREATE TABLE chat_pairs (a, b, v, PRIMARY KEY (a, b)) WITHOUT ROWID;
INSERT INTO chat_pairs VALUES (1, 1, 'x'), (1, 2, 'y');
CREATE TABLE chat_bare (v);
INSERT INTO chat_bare VALUES ('one'), ('two');
CREATE VIRTUAL TABLE chat_ext USING fts5 (v, content='chat_bare');
INSERT INTO chat_ext (chat_ext) VALUES ('rebuild');
CREATE TRIGGER chat_bare_ai AFTER INSERT ON chat_bare BEGIN INSERT INTO sessions (name) VALUES ('fired'); END;
"""


@pytest.fixture
def host(tmp_path: Path) -> Path:
    path = make_host(tmp_path / "host.db")
    run(path, MORE)
    export_data(path, GRANT, tmp_path / "before.db", meta={})
    return path


def run(host: Path, script: str) -> None:
    with closing(sqlite3.connect(host)) as connection:
        connection.executescript(script)


def ask(host: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(host)) as connection:
        return connection.execute(sql).fetchall()


def since(host: Path) -> dict[str, Any]:
    found = preview(host, host.parent / "before.db", GRANT)
    with (
        Migrator(host, GRANT).transaction() as transaction,
        beside(host.parent / "before.db", transaction),
        transaction.raw.lifted(),
    ):
        assert compare(transaction.raw, read_catalogue(transaction.raw), GRANT) == found
    return found.to_json(Rows.RESTORE)


def go_back(host: Path) -> Aside:
    file = host.parent / "before.db"
    with Migrator(host, GRANT).transaction() as transaction:
        with beside(file, transaction):
            aside = stash_rows(transaction)
        transaction.drop_owned()
        restore_data(file, transaction, more=lambda: merge_rows(transaction, aside))
    return aside


@pytest.mark.parametrize(
    ("script", "lost"),
    [
        ("", {}),
        ("INSERT INTO chat_msgs (text) VALUES ('x'), ('y');", {"chat_msgs": {"added": 2}}),
        ("UPDATE chat_msgs SET n = NULL WHERE id = 1;", {"chat_msgs": {"changed": 1}}),
        ("DELETE FROM chat_msgs WHERE id = 1;", {"chat_msgs": {"deleted": 1}}),
        ("DELETE FROM chat_keyed WHERE k = 'a'; INSERT INTO chat_keyed VALUES ('c', 3);",
         {"chat_keyed": {"added": 1, "deleted": 1}}),
        ("UPDATE chat_keyed SET k = 'A' WHERE k = 'a';", {"chat_keyed": {"changed": 1}}),
        ("UPDATE chat_pairs SET v = 'z' WHERE b = 2; INSERT INTO chat_pairs VALUES (2, 1, 'w');",
         {"chat_pairs": {"added": 1, "changed": 1}}),
        ("UPDATE chat_bare SET v = 'changed' WHERE rowid = 2;", {"chat_bare": {"changed": 1}}),
        ("INSERT INTO kb VALUES ('New', 'words');", {"kb": {"added": 1}}),
        ("CREATE TABLE chat_new (v); INSERT INTO chat_new VALUES (1), (2);", {"chat_new": {"added": 2}}),
        ("ALTER TABLE chat_msgs ADD COLUMN extra DEFAULT 5;", {}),
        ("DROP TABLE chat_pairs;", {}),
        ("INSERT INTO users (email) VALUES ('z'); INSERT INTO inventory_stock (n) VALUES (1);", {}),
    ],
)  # fmt: skip
def test_what_was_written_since_is_counted(host: Path, script: str, lost: dict[str, Any]) -> None:
    run(host, script)
    assert since(host) == lost


def test_what_would_be_lost_depends_on_what_is_kept() -> None:
    loss = Loss({"a": {"added": 1, "changed": 2, "deleted": 0}, "b": {"added": 3}}, {"new": 4})
    assert loss.to_json(Rows.KEEP) == {}
    assert loss.to_json(Rows.MERGE) == {"a": {"changed": 2}, "new": {"added": 4}}
    assert loss.text(Rows.RESTORE) == "a: 1 added, 2 changed; b: 3 added; new: 4 added"
    assert not Loss({"a": {"added": 1}}, {}).counts(Rows.MERGE)


def test_a_file_that_is_none_is_no_basis(host: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database at all, but long enough to be looked at" * 20)
    with pytest.raises(StateError, match="can't compare"):
        preview(host, tmp_path / "text", GRANT)


def test_added_rows_are_put_into_the_older_tables(host: Path) -> None:
    run(
        host,
        """
        ALTER TABLE chat_msgs ADD COLUMN extra;
        INSERT INTO chat_msgs (text, n, extra) VALUES ('new', 9, 'lost with its column');
        UPDATE chat_msgs SET text = 'changed' WHERE id = 1;
        INSERT INTO chat_keyed VALUES ('c', 3);
        INSERT INTO chat_pairs VALUES (7, 7, 'new');
        INSERT INTO chat_bare VALUES ('three');
        INSERT INTO kb VALUES ('New', 'words');
        INSERT INTO chat_msgs (id, text) VALUES (50, 'gone'); DELETE FROM chat_msgs WHERE id = 50;
        DELETE FROM sessions;
        """,
    )
    aside = go_back(host)
    assert {item.shown: item.rows for item in aside.rows} == {
        "chat_msgs": 1, "chat_keyed": 1, "chat_pairs": 1, "chat_bare": 1, "kb": 1,
    }  # fmt: skip
    assert ask(host, "SELECT * FROM chat_msgs") == [(1, "hello", 1), (2, "world", 2), (3, "new", 9)]
    assert ask(host, "SELECT k FROM chat_keyed ORDER BY k") == [("a",), ("b",), ("c",)]
    assert ask(host, "SELECT v FROM chat_pairs") == [("x",), ("y",), ("new",)]
    assert ask(host, "SELECT rowid, v FROM chat_bare") == [(1, "one"), (2, "two"), (3, "three")]
    assert ask(host, "SELECT title FROM kb WHERE kb MATCH 'words'") == [("New",)]
    assert ask(host, "SELECT v FROM chat_ext WHERE chat_ext MATCH 'three'") == [("three",)]
    assert ask(host, "SELECT seq FROM sqlite_sequence WHERE name = 'chat_msgs'") == [(50,)]
    assert ask(host, "SELECT count(*) FROM sessions") == [(0,)], "a trigger fired"


def test_rows_that_the_older_tables_refuse_are_named(host: Path) -> None:
    run(
        host,
        "DROP VIEW chat_view; CREATE TABLE chat_x (id INTEGER PRIMARY KEY, text TEXT, n INTEGER);"
        "INSERT INTO chat_x SELECT * FROM chat_msgs; DROP TABLE chat_msgs; ALTER TABLE chat_x RENAME TO chat_msgs;"
        "INSERT INTO chat_msgs (n) VALUES (1);",
    )
    before = ask(host, "SELECT * FROM chat_msgs")
    with pytest.raises(MigrationFailed, match=r"rows of chat_msgs .* don't fit") as caught:
        go_back(host)
    assert "--keep-new-rows" in caught.value.mend
    assert ask(host, "SELECT * FROM chat_msgs") == before


def test_words_without_rows_can_not_be_kept(host: Path, tmp_path: Path) -> None:
    run(host, "CREATE VIRTUAL TABLE chat_words USING fts5 (t, content='');")
    export_data(host, GRANT, tmp_path / "before.db", meta={})
    run(host, "INSERT INTO chat_bare VALUES ('three');")
    go_back(host)
    run(host, "INSERT INTO chat_words (rowid, t) VALUES (1, 'hidden'); INSERT INTO chat_bare VALUES ('four');")
    with pytest.raises(MigrationFailed, match="new words of chat_words"):
        go_back(host)
