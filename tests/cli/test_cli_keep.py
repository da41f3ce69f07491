"""Backups from the command line: made, listed, put in place, deleted; and rollbacks that would lose rows."""

from __future__ import annotations

import sqlite3

from terminal import Terminal


def rows(terminal: Terminal, *statements: str) -> list[int]:
    """The plugin's rows, after statements of the test's own."""
    connection = sqlite3.connect(terminal.home / "hotbay.db")
    with connection:
        for sql in statements:
            connection.execute(sql)
    found = [row[0] for row in connection.execute("SELECT id FROM shop_rows ORDER BY id")]
    connection.close()
    return found


def test_a_backup_is_made_listed_restored_and_deleted(terminal: Terminal) -> None:
    terminal.offer()
    terminal.run("install", "shop")
    assert "are backup 1" in terminal.run("backup", "shop").stdout
    (made,) = terminal.json("backup", "list", "shop")["backups"]
    assert (made["id"], made["version"], made["rows"], made["reason"]) == (1, "1.0.0", 2, "backup")
    assert "shop" in terminal.run("backup", "list").stdout
    assert rows(terminal, "DELETE FROM shop_rows WHERE id = 1", "INSERT INTO shop_rows VALUES (9)") == [2, 9]
    found = terminal.json("restore", "shop", "1", code=5)
    assert (found["code"], found["lost"]) == ("loses-rows", {"shop_rows": {"added": 1, "deleted": 1}})
    told = terminal.run("restore", "shop", "1", "--keep-new-rows", "--yes").stdout
    assert "shop_rows: 1 added rows were kept" in told
    assert rows(terminal) == [1, 2, 9]
    terminal.run("restore", "shop", "latest", "--yes")
    assert rows(terminal) == [2, 9]
    assert terminal.json("backup", "delete", "1")["deleted"]["id"] == 1
    assert 1 not in [item["id"] for item in terminal.json("backup", "list")["backups"]]
    assert "delete backup 1" in terminal.run("audit").stdout


def test_what_makes_no_sense_is_refused(terminal: Terminal) -> None:
    terminal.offer()
    terminal.run("install", "shop")
    terminal.run("backup", "nobody", code=4)
    terminal.run("backup", "delete", "7", code=4)
    terminal.run("backup", "delete", code=2)
    terminal.run("backup", "shop", "shop", code=2)
    terminal.run("restore", "shop", "latest", code=4)
    terminal.run("rollback", "shop", "--data", "keep", "--keep-new-rows", code=2)
    terminal.run("plan", "rollback", "shop", "--data", "purge", code=2)


def test_a_rollback_that_loses_rows_takes_consent(terminal: Terminal) -> None:
    terminal.offer(version="1.0.0")
    terminal.run("install", "shop")
    terminal.offer(version="1.1.0")
    terminal.run("upgrade", "shop")
    rows(terminal, "INSERT INTO shop_rows VALUES (9)")
    assert "rows lost: shop_rows: 1 added since the backup" in terminal.run("plan", "rollback", "shop").stdout
    kept = terminal.json("plan", "rollback", "shop", "--data", "keep")
    assert (kept["lost"], "restore" in [step["verb"] for step in kept["steps"]]) == ({}, False)
    assert "1 added" in terminal.run("rollback", "shop", code=5).stderr
    assert terminal.state() == {"shop": ("1.1.0", "active")}
    told = terminal.run("rollback", "shop", "--yes").stdout
    assert "shop_rows: 1 added were lost" in told
    assert (terminal.state(), rows(terminal)) == ({"shop": ("1.0.0", "active")}, [1, 2])


def test_a_purge_can_be_brought_back(terminal: Terminal) -> None:
    terminal.offer()
    terminal.run("install", "shop")
    assert "are backup 1" in terminal.run("uninstall", "shop", "--data", "purge", "--yes").stdout
    terminal.run("install", "shop", "--restore", "1")
    assert rows(terminal) == [1, 2]
