"""When a package's scripts run, and what of a change only SQLite shows."""

from __future__ import annotations

import ast
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hotbay import additive as room
from hotbay.additive import Schedule, not_additive, owed, schedule, stranding
from hotbay.catalogue import read_catalogue
from hotbay.errors import NotAdditive
from hotbay.migrations import Migration, checksum

THERE = {"shop_items", "shop_index"}
ADD, FILL = "ALTER TABLE shop_items ADD COLUMN title;", "UPDATE shop_items SET title = name;"
DROP = "ALTER TABLE shop_items DROP COLUMN name;"


def migration(number: int, up: str = "", contract: str | None = None) -> Migration:
    return Migration(number, "x", up, None, checksum(up), f"{number}.up.sql", "", contract, f"{number}.contract.sql")


def rows(*numbers: int, contracted: tuple[int, ...] = ()) -> dict[int, dict[str, Any]]:
    return {number: {"contract": {"operation": 1} if number in contracted else None} for number in numbers}


def plan(*scripts: Migration, ledger: Any = None, serving: bool = True, exclusive: bool = False) -> Schedule:
    known = rows(1) if ledger is None else ledger
    return schedule(scripts, known, THERE, what="shop 2.0.0", serving=serving, exclusive=exclusive)


ONE = migration(1, "CREATE TABLE shop_items (name);")


def test_what_adds_runs_before_and_what_takes_away_after() -> None:
    found = plan(ONE, migration(2, ADD, DROP), migration(3, "CREATE TABLE shop_notes (text);"))
    assert (found.before, found.after, found.hold) == (("0002_x", "0003_x"), ("0002_x",), False)
    (told,) = found.findings
    assert (told["code"], told["file"], told["runs"]) == ("drops-column", "2.contract.sql", "after the switch")


def test_where_nobody_serves_each_contract_follows_its_own_script() -> None:
    scripts = (ONE, migration(2, ADD, DROP), migration(3, DROP, "SELECT 1;"))
    found = plan(*scripts, serving=False)
    assert found.before == ("0002_x", "0002_x (contract)", "0003_x", "0003_x (contract)")
    assert (found.after, found.hold, found.findings) == ((), False, ())
    held = plan(*scripts, exclusive=True)
    assert (held.before, held.after, held.hold) == (found.before, (), True)
    assert [(item["code"], item["runs"]) for item in held.findings] == [
        ("drops-column", "while requests are held"),
        ("drops-column", "while requests are held"),
    ]
    assert not plan(ONE, exclusive=True).hold


def test_changed_rows_hold_requests() -> None:
    found = plan(ONE, migration(2, ADD + FILL, DROP))
    assert (found.before, found.after, found.hold) == (("0002_x", "0002_x (contract)"), (), True)
    assert [item["code"] for item in found.findings] == ["fills-column", "drops-column"]


@pytest.mark.parametrize("more", ["", FILL])
def test_what_breaks_is_refused_whatever_else_is_in_it(more: str) -> None:
    with pytest.raises(NotAdditive, match=r"shop 2\.0\.0") as caught:
        plan(ONE, migration(2, ADD), migration(3, f"{more}\n{DROP}\nDROP INDEX shop_index;"))
    found = [(problem.file, problem.field[-6:], problem.code) for problem in caught.value.problems]
    assert found == [("3.up.sql", "line 2", "drops-column"), ("3.up.sql", "line 3", "drops-index")]


def test_a_contract_may_come_with_a_later_version() -> None:
    later = plan(ONE, migration(2, ADD, DROP), ledger=rows(1, 2))
    assert (later.before, later.after) == ((), ("0002_x",))
    done = plan(ONE, migration(2, ADD, DROP), ledger=rows(1, 2, contracted=(2,)))
    assert done == Schedule()
    alone = plan(ONE, migration(2, contract=DROP))
    assert (alone.before, alone.after) == (("0002_x",), ("0002_x",))


def test_what_is_owed() -> None:
    scripts = [ONE, migration(2, ADD, DROP), migration(3, "", "SELECT 1;")]
    assert [item.number for item in owed(scripts, rows(1, 2, contracted=(2,)))] == [3]
    assert [item.number for item in owed(scripts, rows(1, 2))] == [2, 3]


def test_what_an_older_version_could_not_live_with() -> None:
    older, newer = [ONE, migration(2, ADD)], [ONE, migration(2, ADD, DROP), migration(3, "DROP TABLE shop_items;")]

    def codes(ledger: Any) -> list[str]:
        return [problem.code for problem in stranding(older, newer, ledger)]

    assert codes(rows(1, 2)) == []
    assert codes(rows(1, 2, contracted=(2,))) == ["drops-column"]
    assert codes(rows(1, 2, 3)) == ["drops-table"]
    assert stranding(newer[:2], newer[:2], rows(1, 2, contracted=(2,))) == []


# ── what SQLite made of it ──

BEFORE = """
CREATE TABLE shop_items (id INTEGER PRIMARY KEY, name TEXT);
CREATE INDEX shop_index ON shop_items (name);
CREATE VIEW shop_view AS SELECT name FROM shop_items;
CREATE TRIGGER shop_trigger AFTER INSERT ON shop_items BEGIN SELECT 1; END;
"""


def changed(script: str, written: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(BEFORE)
        before = read_catalogue(connection)
        connection.executescript(script)
        return [(item.field, item.code) for item in not_additive(before, read_catalogue(connection), written)]


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        ("DROP VIEW shop_view;", [("view shop_view", "drops-view")]),
        ("DROP INDEX shop_index;", [("index shop_index", "drops-index")]),
        ("DROP TRIGGER shop_trigger;", [("trigger shop_trigger", "drops-trigger")]),
        (
            "DROP INDEX shop_index; CREATE INDEX shop_index ON shop_items (id);",
            [("index shop_index", "rebuilds-index")],
        ),
        ("CREATE UNIQUE INDEX shop_one ON shop_items (name);", [("index shop_one", "makes-unique")]),
        (
            "CREATE TRIGGER shop_t AFTER INSERT ON shop_items BEGIN DELETE FROM shop_items; END;",
            [("trigger shop_t", "trigger-writes")],
        ),
        (
            "DROP TRIGGER shop_trigger; DROP VIEW shop_view; DROP INDEX shop_index;"
            "ALTER TABLE shop_items DROP COLUMN name;",
            [
                ("index shop_index", "drops-index"),
                ("view shop_view", "drops-view"),
                ("trigger shop_trigger", "drops-trigger"),
                ("table shop_items", "rebuilds-table"),
            ],
        ),
    ],
)
def test_sqlite_shows_what_is_not_additive(script: str, wanted: list[tuple[str, str]]) -> None:
    assert changed(script) == wanted


def test_sqlite_shows_whose_rows_were_written() -> None:
    assert changed("", ("shop_items",)) == [("table shop_items", "changes-rows")]


def test_sqlite_has_nothing_against_additions() -> None:
    script = f"""
    {ADD} CREATE TABLE shop_notes (text UNIQUE); CREATE UNIQUE INDEX shop_one ON shop_notes (text);
    CREATE INDEX shop_more ON shop_items (title); CREATE VIRTUAL TABLE shop_search USING fts5 (text);
    CREATE TRIGGER shop_t AFTER INSERT ON shop_items BEGIN
        UPDATE shop_items SET title = NEW.name WHERE id = NEW.id; INSERT INTO shop_notes VALUES (NEW.name);
    END;
    """
    assert changed(script) == []


def test_the_room_is_pure() -> None:
    tree = ast.parse(Path(room.__file__).read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not modules & {"os", "pathlib", "sqlite3", "asyncio", "importlib"}
