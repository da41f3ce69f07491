"""The doors of restoring: a changed file, a file beside a transaction. What comes back is in `test_export.py`."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hotbay.errors import BadInput, Conflict
from hotbay.export import SIDE, export_data, opened
from hotbay.grant import GuardDenied
from hotbay.migrate import Migrator
from hotbay.restore import beside, read_objects, refuse_changed, restore_data
from sqlite_host import GRANT, contents, make_host


@pytest.fixture
def host(tmp_path: Path) -> Path:
    return make_host(tmp_path / "host.db")


@pytest.fixture
def side(host: Path, tmp_path: Path) -> Path:
    export_data(host, GRANT, tmp_path / "side.db", meta={})
    return tmp_path / "side.db"


def run(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def test_a_file_must_have_its_hash(side: Path, tmp_path: Path) -> None:
    sha256 = hashlib.sha256(side.read_bytes()).hexdigest()
    refuse_changed(side, sha256)
    side.write_bytes(side.read_bytes() + b"\0")
    with pytest.raises(BadInput, match="its hash is another"):
        refuse_changed(side, sha256)
    with pytest.raises(BadInput, match=r"can't be read: No such file") as caught:
        refuse_changed(tmp_path / "gone.db", sha256)
    assert caught.value.mend == "choose another backup"


def test_nothing_is_restored_from_a_changed_file(host: Path, side: Path) -> None:
    sha256 = hashlib.sha256(side.read_bytes()).hexdigest()
    run(side, "UPDATE chat_msgs SET text = 'forged'")
    before = contents(host)
    with (
        pytest.raises(BadInput, match="its hash is another"),
        Migrator(host, GRANT).transaction() as transaction,
    ):
        transaction.drop_owned()
        restore_data(side, transaction, sha256=sha256)
    assert contents(host) == before


def test_tables_that_are_there_are_named(host: Path, side: Path) -> None:
    with Migrator(host, GRANT).transaction() as transaction, pytest.raises(Conflict) as caught:
        restore_data(side, transaction)
    assert caught.value.message == "tables are there already: chat_msgs, sessions, kb"


def test_what_is_written_before_the_triggers_fires_none(host: Path, tmp_path: Path) -> None:
    run(
        host,
        "CREATE TRIGGER chat_msgs_ai AFTER INSERT ON chat_msgs BEGIN INSERT INTO sessions (name) VALUES ('x'); END",
    )
    export_data(host, GRANT, tmp_path / "side.db", meta={"note": 1})
    with Migrator(host, GRANT).transaction() as transaction:
        transaction.drop_owned()

        def more() -> None:
            transaction.execute("INSERT INTO chat_msgs (text) VALUES ('added')")

        meta = restore_data(tmp_path / "side.db", transaction, more=more)
    assert (meta["plugin"], meta["note"]) == ("chat", 1)
    assert contents(host)["sessions"] == []
    assert [row[1] for row in contents(host)["chat_msgs"]] == ["hello", "world", "added"]
    run(host, "INSERT INTO chat_msgs (text) VALUES ('later')")
    assert [row[1] for row in contents(host)["sessions"]] == ["x"], "the trigger is there again"


def test_the_statements_are_read_in_order(side: Path) -> None:
    with opened(side, sound=False) as source:
        found = read_objects(source)
    assert [(one.kind, one.name) for one in found] == [
        ("table", "chat_msgs"),
        ("table", "sessions"),
        ("table", "kb"),
        ("view", "chat_view"),
    ]


def test_the_file_is_readable_for_the_block_only(host: Path, side: Path) -> None:
    count = f"SELECT count(*) FROM {SIDE}.chat_msgs"
    with Migrator(host, GRANT).transaction() as transaction:
        for _ in range(2):  # The same one may be asked for again.
            with beside(side, transaction):
                assert transaction.execute(count).fetchone() == (2,)
            with pytest.raises(GuardDenied, match="another database"):
                transaction.execute(count)
