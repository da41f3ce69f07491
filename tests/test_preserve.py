"""Rows are kept before anything changes them, and brought back: by a failure, a rollback, or because somebody asks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine_host import ITEMS, ROW, TWO, do, opened, prepared, query, run, seen, shop
from hotbay.backups import backup_of, list_backups
from hotbay.errors import ActivationFailed, BadInput, LosesRows, NotFound, Refused
from hotbay.model import DataPolicy, Kind, Rows
from hotbay.offline import OfflineHost
from hotbay.request import Request
from hotbay.steps import STEPS


@pytest.fixture
def host(tmp_path: Path) -> Iterator[OfflineHost]:
    """A host with shop 1.0.0 installed and 1.1.0, which adds a table and a column, in its source."""
    shop(tmp_path / "packages", "1.0.0")
    shop(tmp_path / "packages", "1.1.0", migrations=TWO)
    with opened(tmp_path / "home", ack_seconds=0.5, keep_backups=3) as made:
        run(made, Kind.INSTALL, version="1.0.0")
        yield made


def write(host: OfflineHost, *statements: str) -> None:
    with closing(sqlite3.connect(host.settings.database_path)) as connection, connection:
        for sql in statements:
            connection.execute(sql)


def names(host: OfflineHost) -> list[str]:
    return [row[0] for row in query(host, "SELECT name FROM shop_items ORDER BY id")]


# ── back up ──


def test_an_upgrade_backs_up_what_is_there(host: OfflineHost) -> None:
    first = host.store.get_live("shop")
    outcome = run(host, Kind.UPGRADE)
    (backup,) = list_backups(host.store)
    assert (backup.plugin, backup.version, backup.image, backup.reason) == ("shop", "1.0.0", first.image, "upgrade")
    assert (backup.counts, backup.migrations, backup.operation) == ({"shop_items": 1}, {1}, outcome.operation)
    with closing(sqlite3.connect(backup.file(host.settings))) as file:
        assert file.execute("SELECT name FROM shop_items").fetchall() == [("first",)]
    assert outcome.notes["backup"] == backup.id


def test_an_install_of_what_is_new_needs_none(host: OfflineHost) -> None:
    assert list_backups(host.store) == []


def test_the_oldest_go(host: OfflineHost) -> None:
    made = [run(host, Kind.BACKUP).notes["backup"] for _ in range(5)]
    assert [item.id for item in list_backups(host.store, "shop")] == made[:1:-1]
    assert seen(host)["backups"]  # rows and folders fit together


def test_a_backup_is_undone_from_anywhere(host: OfflineHost) -> None:
    before = seen(host)
    with prepared(host, Kind.BACKUP) as bench:
        STEPS["backup"].undo(bench, {})
        do(bench, "backup")
        do(bench, "backup")  # begun again after it was cut off
        assert len(seen(host)["backups"]) == 1
        for _ in range(2):
            STEPS["backup"].undo(bench, {})
    assert seen(host) == before


def test_a_purge_keeps_one_backup_with_the_plugins_files(host: OfflineHost) -> None:
    own = host.settings.data / "shop"
    own.mkdir(parents=True)
    (own / "note.txt").write_text("mine")
    run(host, Kind.UNINSTALL, data=DataPolicy.PURGE)
    (backup,) = list_backups(host.store)
    assert not own.exists()
    run(host, Kind.INSTALL, version="1.0.0", restore=str(backup.id))
    assert names(host) == ["first"]
    assert (own / "note.txt").read_text() == "mine"


# ── restored by a failure ──


def test_a_held_upgrade_that_fails_puts_every_row_back(host: OfflineHost, tmp_path: Path) -> None:
    """The down script of the author is wrong, and is not needed."""
    twice = {
        "0001_initial.up": ITEMS + ROW,
        "0002_more.up": "UPDATE shop_items SET name = upper(name); INSERT INTO shop_items (name) VALUES ('x');",
        "0002_more.down": "DELETE FROM shop_items;",
    }
    ill = "def health():\n    return False\n"
    shop(tmp_path / "packages", "2.0.0", migrations=twice, backend=ill, exclusive=True)
    before = seen(host)
    with pytest.raises(ActivationFailed):
        run(host, Kind.UPGRADE)
    assert seen(host) == before


# ── rollback ──


def test_a_rollback_takes_code_and_rows_back(host: OfflineHost) -> None:
    run(host, Kind.UPGRADE)
    outcome = run(host, Kind.ROLLBACK)
    assert host.store.get_live("shop").version == "1.0.0"
    assert [row["number"] for row in host.store.applied("shop")] == [1]
    assert query(host, "SELECT * FROM shop_items") == [(1, "first")]
    assert outcome.notes["lost"] == {}
    run(host, Kind.UPGRADE)
    assert query(host, "SELECT * FROM shop_items") == [(1, "first", None)]


CHANGES = (
    "INSERT INTO shop_items (name, price) VALUES ('second', 2), ('third', 3)",
    "UPDATE shop_items SET name = 'FIRST' WHERE id = 1",
    "INSERT INTO shop_notes (text) VALUES ('a')",
)


def test_rows_written_since_are_lost_only_with_consent(host: OfflineHost) -> None:
    run(host, Kind.UPGRADE)
    write(host, *CHANGES)
    lost = {"shop_items": {"added": 2, "changed": 1}, "shop_notes": {"added": 1}}
    plan = host.applier.plan(Request(Kind.ROLLBACK, "shop"))
    assert plan.lost == lost
    assert "rows lost: shop_items: 2 added, 1 changed since the backup" in str(plan)
    before = seen(host)
    with pytest.raises(LosesRows) as caught:
        run(host, Kind.ROLLBACK)
    assert caught.value.detail["lost"] == lost
    assert "--keep-new-rows" in caught.value.mend
    assert seen(host) == before
    outcome = run(host, Kind.ROLLBACK, accept_loss=True)
    assert outcome.notes["lost"] == lost
    assert names(host) == ["first"]
    # What was lost is in the backup that the rollback made.
    run(host, Kind.ROLLBACK, version="1.1.0", accept_loss=True)
    assert names(host) == ["FIRST", "second", "third"]
    assert query(host, "SELECT text FROM shop_notes") == [("a",)]


def test_rows_written_after_the_plan_count(host: OfflineHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the hold, requests go on; the numbers that decide are taken when nobody writes."""
    run(host, Kind.UPGRADE)
    step = type(STEPS["hold"])
    real = step.do

    def late(*arguments: Any) -> Any:
        write(host, "INSERT INTO shop_items (name) VALUES ('late')")
        return real(*arguments)

    monkeypatch.setattr(step, "do", late)
    with pytest.raises(LosesRows):
        run(host, Kind.ROLLBACK)
    assert names(host) == ["first", "late"]
    assert host.store.get_live("shop").version == "1.1.0"


def test_new_rows_are_kept_where_the_tables_allow_it(host: OfflineHost) -> None:
    run(host, Kind.UPGRADE)
    write(host, CHANGES[0])
    outcome = run(host, Kind.ROLLBACK, rows=Rows.MERGE)
    assert outcome.notes["merged"] == {"shop_items": 2}
    assert query(host, "SELECT * FROM shop_items") == [(1, "first"), (2, "second"), (3, "third")]
    write(host, "INSERT INTO shop_items (name) VALUES ('fourth')")
    assert query(host, "SELECT max(id) FROM shop_items") == [(4,)]


def test_the_code_alone(host: OfflineHost) -> None:
    run(host, Kind.UPGRADE)
    write(host, *CHANGES)
    outcome = run(host, Kind.ROLLBACK, rows=Rows.KEEP)
    assert "restore" not in [step["verb"] for step in outcome.steps]
    assert names(host) == ["FIRST", "second", "third"]
    run(host, Kind.UPGRADE)
    assert query(host, "SELECT text FROM shop_notes") == [("a",)]


def test_code_that_could_not_live_with_the_tables_does_not_go_back_alone(host: OfflineHost, tmp_path: Path) -> None:
    less = {"0001_initial.up": ITEMS + ROW, "0002_less.up": "ALTER TABLE shop_items DROP COLUMN name;"}
    shop(tmp_path / "packages", "2.0.0", migrations=less, exclusive=True)
    run(host, Kind.UPGRADE)
    with pytest.raises(Refused, match="can't live with the tables of 2") as caught:
        run(host, Kind.ROLLBACK, rows=Rows.KEEP)
    assert "drops a column" in str(caught.value)
    run(host, Kind.ROLLBACK)
    assert names(host) == ["first"]


def test_without_its_backup_only_the_code_goes_back(host: OfflineHost) -> None:
    run(host, Kind.UPGRADE)
    (backup,) = list_backups(host.store)
    host.applier.delete_backup(backup.id)
    with pytest.raises(Refused, match="no backup of the rows") as caught:
        run(host, Kind.ROLLBACK)
    assert "--data keep" in caught.value.mend
    run(host, Kind.ROLLBACK, rows=Rows.KEEP)


def test_a_backup_that_was_changed_is_not_used(host: OfflineHost) -> None:
    run(host, Kind.UPGRADE)
    (backup,) = list_backups(host.store)
    write_into = backup.file(host.settings)
    with closing(sqlite3.connect(write_into)) as connection, connection:
        connection.execute("UPDATE shop_items SET name = 'forged'")
    before = seen(host)
    with pytest.raises(BadInput, match="hash"):
        run(host, Kind.ROLLBACK)
    assert seen(host) == before


@pytest.mark.parametrize("known", [True, False])
def test_a_rollback_is_undone_from_anywhere(host: OfflineHost, known: bool) -> None:
    run(host, Kind.UPGRADE)
    write(host, *CHANGES)
    before = seen(host)
    with prepared(host, Kind.ROLLBACK, accept_loss=True) as bench:
        left = [step for step in bench.plan.steps if not step.right and step.verb != "switch"]
        assert [step.verb for step in left] == ["stage", "shelve", "hold", "backup", "restore", "start"]
        records = [STEPS[step.verb].do(bench, step.params) for step in left]
        assert names(host) == ["first"]
        for _ in range(2):
            for step, record in zip(reversed(left), reversed(records), strict=True):
                STEPS[step.verb].undo(bench, record if known else {})
    assert seen(host) == before


# ── restore ──


def test_a_backup_is_put_in_place_and_the_present_rows_are_kept(host: OfflineHost) -> None:
    number = run(host, Kind.BACKUP).notes["backup"]
    write(host, "DELETE FROM shop_items", "INSERT INTO shop_items (name) VALUES ('other')")
    with pytest.raises(LosesRows):
        run(host, Kind.RESTORE, backup=str(number))
    revision = host.store.get_live("shop").revision
    outcome = run(host, Kind.RESTORE, backup=str(number), accept_loss=True)
    assert names(host) == ["first"]
    assert host.store.get_live("shop").revision == revision + 1
    mine = backup_of(host.store, outcome.operation)
    assert mine is not None
    run(host, Kind.RESTORE, backup=str(mine.id), accept_loss=True)
    assert names(host) == ["other"]


def test_rows_of_an_older_version_are_brought_forward(host: OfflineHost) -> None:
    run(host, Kind.UPGRADE)
    outcome = run(host, Kind.RESTORE, backup="latest", accept_loss=True)
    assert [step["verb"] for step in outcome.steps][2:5] == ["restore", "expand", "start"]
    assert query(host, "SELECT * FROM shop_items") == [(1, "first", None)]
    assert [row["number"] for row in host.store.applied("shop")] == [1, 2]


def test_rows_of_a_newer_version_are_refused(host: OfflineHost) -> None:
    run(host, Kind.UPGRADE)
    number = run(host, Kind.BACKUP).notes["backup"]
    run(host, Kind.ROLLBACK)
    with pytest.raises(Refused, match=r"whose tables 1\.0\.0 does not know") as caught:
        run(host, Kind.RESTORE, backup=str(number))
    assert "upgrade to 1.1.0" in caught.value.mend


def test_only_the_plugins_own_backups_are_taken(host: OfflineHost, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no backup of shop"):
        run(host, Kind.RESTORE)
    with pytest.raises(NotFound, match="no backup 7 of shop"):
        run(host, Kind.RESTORE, backup="7")


def test_a_resting_plugin_rests_on(host: OfflineHost) -> None:
    run(host, Kind.DEACTIVATE)
    run(host, Kind.BACKUP)
    write(host, "DELETE FROM shop_items")
    run(host, Kind.RESTORE, accept_loss=True)
    assert (names(host), host.store.get_live("shop").active) == (["first"], False)
