"""What the version in service could not live with: each rule is proved by an old version on the new schema."""

from __future__ import annotations

import ast
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hotbay import lint as room
from hotbay.findings import RULES, Effect
from hotbay.lint import breaking, judge

FILE = "migrations/0002_x.up.sql"
OLD = """
CREATE TABLE a (id INTEGER PRIMARY KEY, x TEXT, n INTEGER);
CREATE TABLE b (y TEXT);
CREATE UNIQUE INDEX i ON b (y);
CREATE VIEW v AS SELECT x FROM a;
CREATE TABLE log (line TEXT);
CREATE TRIGGER t AFTER DELETE ON a BEGIN INSERT INTO log VALUES (OLD.x); END;
INSERT INTO a (x, n) VALUES ('first', 1), ('second', 2);
INSERT INTO b VALUES ('k');
"""
THERE = {"a", "b", "i", "v", "log", "t"}
# What the version in service does; `n` has doubles.
WORK = (
    "INSERT INTO a (x, n) VALUES ('third', 1)",
    "INSERT INTO b (y) VALUES ('k') ON CONFLICT (y) DO NOTHING",
    "UPDATE a SET n = -5 WHERE x = 'third'",
    "DELETE FROM a WHERE x = 'first'",
)
LOOKS = ("SELECT id, x, n FROM a ORDER BY id", "SELECT x FROM v ORDER BY x", "SELECT y FROM b", "SELECT line FROM log")


def outcome(script: str) -> Any:
    """What the old version comes to on a schema that the script has changed: its rows, or the error that it gets."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(OLD)
        connection.executescript(script)
        try:
            for statement in WORK:
                connection.execute(statement)
            return [connection.execute(look).fetchall() for look in LOOKS]
        except sqlite3.Error as error:
            return str(error)


def codes(script: str, there: set[str] | None = None) -> list[str]:
    return [finding.code for finding in judge([(FILE, script)], there)]


BREAKS = [
    ("DROP TABLE IF EXISTS main.a;", "drops-table"),
    ("DROP VIEW v;", "drops-view"),
    ("DROP INDEX i;", "drops-index"),
    ("DROP TRIGGER t;", "drops-trigger"),
    ("DROP VIEW v; ALTER TABLE a DROP COLUMN n;", "drops-column"),
    ("DROP TRIGGER t; DROP VIEW v; ALTER TABLE a RENAME TO c;", "renames-table"),
    ('ALTER TABLE "A" RENAME COLUMN x TO z;', "renames-column"),
    ("ALTER TABLE a RENAME x TO z;", "renames-column"),
    ("DELETE FROM a; ALTER TABLE a ADD COLUMN z TEXT NOT NULL;", "adds-required-column"),
    ("DELETE FROM a; ALTER TABLE a ADD z TEXT DEFAULT NULL NOT NULL;", "adds-required-column"),
    ("ALTER TABLE a ADD COLUMN z INTEGER DEFAULT 0 CHECK (z < n);", "adds-checked-column"),
    ("DELETE FROM a; ALTER TABLE a ADD COLUMN z INTEGER CHECK (z IS NOT NULL);", "adds-checked-column"),
    ("DROP INDEX i; CREATE UNIQUE INDEX one ON a (n);", "makes-unique"),
    ("CREATE UNIQUE INDEX IF NOT EXISTS main.one ON a (n) WHERE x <> 'second';", "makes-unique"),
    (
        "CREATE TRIGGER u BEFORE UPDATE OF n ON a WHEN NEW.n < 0 BEGIN SELECT RAISE(ABORT, 'no'); END;",
        "trigger-refuses",
    ),
    ("CREATE TRIGGER u AFTER INSERT ON a BEGIN UPDATE a SET x = upper(x); END;", "trigger-writes"),
    ("CREATE TRIGGER u AFTER INSERT ON a BEGIN SELECT 1; DELETE FROM a WHERE x = 'second'; END;", "trigger-writes"),
    ("CREATE TRIGGER u AFTER INSERT ON a BEGIN INSERT INTO log VALUES ('x'); END;", "trigger-writes"),
]


@pytest.mark.parametrize(("script", "code"), BREAKS)
def test_what_breaks_the_version_in_service(script: str, code: str) -> None:
    for there in (None, THERE):
        assert code in codes(script, there)
    assert RULES[code].effect is Effect.BREAKS
    assert outcome(script) != outcome("")


def test_what_only_an_engine_or_a_dialect_shows() -> None:
    """A default that is no constant fails where there are rows; a default may refer to what is not there."""
    with pytest.raises(sqlite3.OperationalError, match="non-constant default"):
        outcome("ALTER TABLE a ADD COLUMN at TEXT DEFAULT CURRENT_TIMESTAMP;")
    assert codes("ALTER TABLE a ADD COLUMN at TEXT DEFAULT CURRENT_TIMESTAMP;") == ["default-not-constant"]
    assert codes("ALTER TABLE a ADD COLUMN at TEXT DEFAULT (datetime('now')) NOT NULL;") == ["default-not-constant"]
    assert codes("ALTER TABLE a ADD COLUMN of INTEGER DEFAULT 1 REFERENCES b (y);") == ["adds-reference"]
    assert codes("ALTER TABLE a ALTER COLUMN x SET NOT NULL;") == ["alters-column"]


CHANGES = [
    ("UPDATE a SET n = 7;", "changes-rows"),
    ("ALTER TABLE a ADD z; UPDATE a SET z = x, n = 7;", "changes-rows"),
    ("UPDATE OR IGNORE a SET (n, x) = (1, 2);", "changes-rows"),
    ("DELETE FROM a;", "deletes-rows"),
    ("WITH old AS (SELECT id FROM a) DELETE FROM a WHERE id IN (SELECT id FROM old);", "deletes-rows"),
    ("INSERT INTO a (x) VALUES ('zeroth');", "adds-rows"),
    ("REPLACE INTO a (id, x) VALUES (1, 'other');", "adds-rows"),
]


@pytest.mark.parametrize(("script", "code"), CHANGES)
def test_what_changes_rows(script: str, code: str) -> None:
    for there in (None, THERE):
        assert codes(script, there) == [code]
    assert RULES[code].effect is Effect.CHANGES
    assert outcome(script) != outcome("")


@pytest.mark.parametrize(
    ("script", "code", "gap"),
    [
        ("ALTER TABLE a ADD z; UPDATE a SET z = upper(x);", "fills-column", "SELECT count(*) FROM a WHERE z IS NULL"),
        (
            "CREATE TABLE c (x); INSERT INTO c SELECT x FROM main.a;",
            "copies-rows",
            "SELECT count(*) FROM a WHERE x NOT IN (SELECT x FROM c)",
        ),
        (
            "CREATE TABLE c AS SELECT x FROM a;",
            "copies-rows",
            "SELECT count(*) FROM a WHERE x NOT IN (SELECT x FROM c)",
        ),
        (
            "CREATE TABLE c (x); WITH w AS (SELECT x FROM a) INSERT INTO c SELECT x FROM w;",
            "copies-rows",
            "SELECT count(*) FROM a WHERE x NOT IN (SELECT x FROM c)",
        ),
        (
            "CREATE TABLE c (x); INSERT INTO c VALUES ('first'); UPDATE c SET x = (SELECT x FROM a WHERE id = 2);",
            "copies-rows",
            "SELECT count(*) FROM a WHERE x NOT IN (SELECT x FROM c) AND x <> 'second'",
        ),
    ],
)
def test_what_is_copied_lacks_what_is_written_later(script: str, code: str, gap: str) -> None:
    assert codes(script) == codes(script, THERE) == [code]
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(OLD + script)
        for statement in WORK:
            connection.execute(statement)
        assert connection.execute(gap).fetchone()[0] == 1


ADDS = [
    "",
    "CREATE TABLE c (x NOT NULL UNIQUE, a INTEGER REFERENCES a (id) ON DELETE CASCADE);",
    "ALTER TABLE a ADD COLUMN z TEXT;",
    "ALTER TABLE a ADD z TEXT NOT NULL DEFAULT 'DROP TABLE b';",
    "ALTER TABLE a ADD z REAL DEFAULT (-1.5);",
    "ALTER TABLE a ADD z INTEGER CHECK (z BETWEEN 1 AND 5 OR abs(z) > 7);",
    "ALTER TABLE a ADD z INTEGER NOT NULL DEFAULT 1 CHECK (z IS NOT NULL);",
    "ALTER TABLE a ADD z INTEGER REFERENCES a (id);",
    "CREATE INDEX IF NOT EXISTS j ON a (x);",
    "CREATE TABLE IF NOT EXISTS c (x); CREATE UNIQUE INDEX j ON c (x); ALTER TABLE c RENAME x TO y; DROP TABLE c;",
    "CREATE TABLE c (x); ALTER TABLE c RENAME TO d; DELETE FROM d; DROP TABLE d;",
    "CREATE VIEW w AS SELECT * FROM a; DROP VIEW w;",
    "CREATE VIRTUAL TABLE f USING fts5 (x); DELETE FROM f; INSERT INTO f SELECT value FROM json_each('[1]');",
    "CREATE TABLE c (x); INSERT INTO c VALUES ('DROP TABLE a;');",
    "CREATE TABLE c (x); CREATE TRIGGER s AFTER INSERT ON a BEGIN INSERT INTO c SELECT NEW.x; END;",
    "ALTER TABLE a ADD z; CREATE TRIGGER s AFTER INSERT ON a BEGIN UPDATE a SET z = CASE WHEN 1 THEN NEW.x END; END;",
    "-- DROP TABLE b\nSELECT 1;",
]


@pytest.mark.parametrize("script", ADDS)
def test_what_only_adds_is_not_noticed(script: str) -> None:
    assert codes(script) == codes(script, THERE) == []
    assert outcome(script) == outcome("")


def test_what_is_not_there_may_be_changed_freely() -> None:
    script = "DROP TABLE IF EXISTS c; CREATE TABLE c (x); CREATE UNIQUE INDEX j ON c (x);"
    assert codes(script, THERE) == []
    assert codes(script) == ["rebuilds-table"]  # Without the database nobody knows.
    kept = "CREATE TABLE IF NOT EXISTS a (x); DROP TABLE a;"
    assert codes(kept, THERE) == ["drops-table"]
    assert codes(kept) == []


def test_a_rebuilt_table_is_named_as_such() -> None:
    script = "CREATE TABLE c (x); INSERT INTO c SELECT x FROM a; DROP TABLE a; ALTER TABLE c RENAME TO a;"
    assert codes(script) == codes(script, THERE) == ["copies-rows", "rebuilds-table"]
    assert codes("DROP TABLE b;" + script) == ["drops-table", "copies-rows", "rebuilds-table"]


def test_scripts_know_what_those_before_them_made() -> None:
    scripts = [("one", "CREATE TABLE c (x);"), ("two", "DROP TABLE c; DROP TABLE a;")]
    (found,) = judge(scripts)
    assert (found.file, found.statement.number, found.name) == ("two", 2, "a")
    assert [finding.name for finding in judge(scripts[1:])] == ["c", "a"]


def test_a_finding_says_where_why_and_how_to_split() -> None:
    drop, fill = judge([(FILE, "SELECT 1;\n\nDROP TABLE\n  a;\nUPDATE b SET y = 1;")])
    assert breaking([drop, fill]) == [drop]
    problem = drop.problem()
    assert (problem.field, problem.file, problem.code) == ("statement 2, line 3", FILE, "drops-table")
    assert str(problem).startswith(
        f"{FILE}: statement 2, line 3: drops table a, which the version in service uses [dro"
    )
    assert ".contract.sql of the same number" in problem.mend
    assert '"migrations": "exclusive"' in problem.mend
    told = drop.to_json()
    assert told["statement"] == problem.value == "DROP TABLE a;"
    assert (told["code"], told["line"], told["effect"], told["why"]) == ("drops-table", 3, "breaks", problem.rule)
    assert "requests" in fill.problem().mend


def test_every_rule_is_proved_here_and_documented() -> None:
    proved = {code for _, code in (*BREAKS, *CHANGES)}
    proved |= {"default-not-constant", "adds-reference", "alters-column", "fills-column", "copies-rows"}
    assert proved | {"rebuilds-table"} == set(RULES)
    page = (Path(__file__).parents[1] / "docs" / "database.md").read_text()
    assert [code for code in RULES if f"`{code}`" not in page] == []


def test_the_room_is_pure() -> None:
    tree = ast.parse(Path(room.__file__).read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not modules & {"os", "pathlib", "sqlite3", "asyncio", "importlib"}
