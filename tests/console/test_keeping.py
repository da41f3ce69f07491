"""Backups over HTTP, and rollbacks with and without the rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from desks import MARKET, Desk, opened


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with opened(tmp_path) as found:
        found.pack()
        found.install()
        yield found


def texts(desk: Desk, *statements: str) -> list[Any]:
    with closing(sqlite3.connect(desk.hotbay.settings.database_path)) as connection, connection:
        for sql in statements:
            connection.execute(sql)
        return [row[0] for row in connection.execute("SELECT text FROM notes_rows ORDER BY id")]


def test_a_backup_is_made_listed_restored_and_deleted(desk: Desk) -> None:
    texts(desk, "INSERT INTO notes_rows (text) VALUES ('a')")
    number = desk.post("/backups/notes")["backup"]
    (made,) = desk.get("/backups", plugin="notes")["backups"]
    assert (made["id"], made["counts"], made["plugin"]) == (number, {"notes_rows": 1}, "notes")
    texts(desk, "UPDATE notes_rows SET text = 'b'", "INSERT INTO notes_rows (text) VALUES ('c')")
    refused = desk.post("/restore/notes", {"backup": str(number)}, 409)
    assert (refused["code"], refused["lost"]) == ("loses-rows", {"notes_rows": {"added": 1, "changed": 1}})
    done = desk.post("/restore/notes", {"backup": str(number), "keep_new_rows": True, "accept_loss": True})
    assert (done["merged"], texts(desk)) == ({"notes_rows": 1}, ["a", "c"])
    deleted = desk.client.delete(f"{MARKET}/backups/{number}")
    assert deleted.json()["deleted"]["id"] == number
    assert desk.client.delete(f"{MARKET}/backups/{number}").status_code == 404
    desk.post("/restore/notes", {"backup": "../x"}, 422)


def test_a_rollback_says_what_would_be_lost(desk: Desk) -> None:
    desk.pack(version="1.1.0")
    desk.post("/upgrade/notes")
    texts(desk, "INSERT INTO notes_rows (text) VALUES ('new')")
    plan = desk.post("/plan", {"kind": "rollback", "addon_id": "notes"})
    assert plan["plan"]["lost"] == {"notes_rows": {"added": 1}}
    assert desk.post("/rollback/notes", status=409)["lost"] == {"notes_rows": {"added": 1}}
    desk.post("/plan", {"kind": "rollback", "addon_id": "notes", "data": "purge"}, 422)
    assert desk.post("/rollback/notes", {"data": "keep"})["version"] == "1.0.0"
    assert texts(desk) == ["new"]


def test_a_purge_comes_back_by_its_backup(desk: Desk) -> None:
    texts(desk, "INSERT INTO notes_rows (text) VALUES ('a')")
    answer = desk.client.delete(f"{MARKET}/uninstall/notes", params={"data": "purge"}).json()
    desk.install(restore=str(answer["backup"]))
    assert texts(desk) == ["a"]
