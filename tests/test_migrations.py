"""Migration scripts as text: which files are taken, how they are split, what in them is not additive."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotbay.errors import InvalidPackage
from hotbay.migrations import Migration, checksum, lint, read_migrations, split


def package(root: Path, **files: str) -> Path:
    """A folder with migrations; in the names `__` stands for a dot."""
    (root / "migrations").mkdir(exist_ok=True)
    for name, text in files.items():
        (root / "migrations" / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return root


def texts(script: str) -> list[str]:
    return [statement.text for statement in split(script)]


def test_a_package_without_migrations(tmp_path: Path) -> None:
    assert read_migrations(tmp_path) == []


def test_up_and_down_are_number_one(tmp_path: Path) -> None:
    package(tmp_path, up__sql="CREATE TABLE a (b);", down__sql="DROP TABLE a;")
    (only,) = read_migrations(tmp_path)
    assert (only.number, only.name, only.up, only.down) == (1, "initial", "CREATE TABLE a (b);", "DROP TABLE a;")
    assert (only.up_file, only.down_file) == ("migrations/up.sql", "migrations/down.sql")


def test_numbers_are_numbers_and_come_in_order(tmp_path: Path) -> None:
    package(tmp_path, **{"0010_b.up.sql": "SELECT 1;", "9_a.up.sql": "SELECT 1;", "up.sql": "SELECT 1;"})
    assert [(one.number, one.name, one.down) for one in read_migrations(tmp_path)] == [
        (1, "initial", None),
        (9, "a", None),
        (10, "b", None),
    ]


def test_the_script_for_sqlite_wins_and_that_for_postgres_is_left_alone(tmp_path: Path) -> None:
    names = {"2_a.up.sql": "SELECT 1;", "2_a.sqlite.up.sql": "SELECT 2;", "2_a.postgres.up.sql": "SELECT '"}
    (only,) = read_migrations(package(tmp_path, **names))
    assert only.up == "SELECT 2;"


def test_every_problem_is_listed_at_once(tmp_path: Path) -> None:
    package(tmp_path, **{"up.sql": "SELECT 1;", "0001_a.up.sql": "SELECT 1;", "2_x.down.sql": "", "x.sql": ""})
    package(tmp_path, **{"3_a.up.sql": "SELECT 'open", "4_a.postgres.up.sql": "", "0_a.up.sql": ""})
    (tmp_path / "migrations" / "5_a.up.sql").write_bytes(b"SELECT '\xff';")
    (tmp_path / "migrations" / "6_a.up.sql").write_bytes(b"SELECT '\0';")
    with pytest.raises(InvalidPackage) as caught:
        read_migrations(tmp_path)
    found = {(problem.file, problem.rule) for problem in caught.value.problems}
    assert found == {
        ("migrations/x.sql", "is no migration's name"),
        ("migrations/0_a.up.sql", "is no migration's name"),
        ("migrations/2_x.down.sql", "has no up script for SQLite"),
        ("migrations/4_a.postgres.up.sql", "has no up script for SQLite"),
        ("migrations/3_a.up.sql", "never ends"),
        ("migrations/5_a.up.sql", "is not UTF-8 (byte 8)"),
        ("migrations/6_a.up.sql", "has a NUL character in it"),
        ("migrations", "is there twice"),
    }
    assert all(problem.mend for problem in caught.value.problems)


def test_a_byte_order_mark_and_line_ends_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "up.sql").write_bytes("\ufeffSELECT 1;\r\nSELECT 2;".encode())
    (only,) = read_migrations(tmp_path)
    assert texts(only.up) == ["SELECT 1;", "SELECT 2;"]
    assert only.checksum == checksum("SELECT 1;\nSELECT 2;") != checksum("SELECT 1;\n\nSELECT 2;")


TRIGGER = "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET b = CASE WHEN 1 THEN ';' END; DELETE FROM a; END;"


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", []),
        (" ; ;;\n-- only a comment; really\n/* ; */", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1 -- the end", ["SELECT 1 -- the end"]),
        ("SELECT ';'; SELECT \"a;b\";", ["SELECT ';';", 'SELECT "a;b";']),
        ("SELECT [c;d];SELECT `e;`;", ["SELECT [c;d];", "SELECT `e;`;"]),
        ("SELECT 'it''s;' ;SELECT 2;", ["SELECT 'it''s;' ;", "SELECT 2;"]),
        (f"{TRIGGER}\nSELECT 1;", [TRIGGER, "SELECT 1;"]),
        ("/* ; */ SELECT 1; -- ;\nSELECT 2;", ["/* ; */ SELECT 1;", "-- ;\nSELECT 2;"]),
    ],
)
def test_split(script: str, expected: list[str]) -> None:
    assert texts(script) == expected


def test_statements_know_their_lines() -> None:
    script = f"-- head\n\nSELECT 1;\n/* a\nb */ SELECT 2;\n{TRIGGER}\n\n  SELECT\n3"
    assert [(one.number, one.line) for one in split(script)] == [(1, 3), (2, 5), (3, 6), (4, 8)]


@pytest.mark.parametrize("script", ["SELECT 'open", 'SELECT 1; SELECT "x', TRIGGER[:-5]])
def test_what_never_ends_is_refused(script: str) -> None:
    with pytest.raises(InvalidPackage) as caught:
        split(script, "migrations/up.sql")
    assert caught.value.problems[0].file == "migrations/up.sql"


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), max_size=6))
def test_any_strings_split_and_run_as_they_are(values: list[str]) -> None:
    script = "\n".join("INSERT INTO t VALUES ('" + value.replace("'", "''") + "'); -- ;'" for value in values)
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (v)")
        for statement in split(script):
            connection.execute(statement.text)
        assert [row[0] for row in connection.execute("SELECT v FROM t")] == values


def rules(script: str) -> list[str]:
    return [problem.rule for problem in lint(Migration(2, "x", script, None, "", "migrations/2_x.up.sql"))]


@pytest.mark.parametrize(
    ("script", "rule"),
    [
        ("DROP TABLE IF EXISTS main.a;", "drops table a"),
        ("DROP VIEW v;", "drops view v"),
        ("ALTER TABLE a RENAME TO b;", "renames table a"),
        ('ALTER TABLE "A b" RENAME COLUMN x TO y;', "renames a column of a b"),
        ("ALTER TABLE a RENAME x TO y;", "renames a column of a"),
        ("ALTER TABLE a DROP COLUMN x;", "drops a column of a"),
        ("ALTER TABLE a ALTER COLUMN x SET NOT NULL;", "changes a column of a"),
        ("ALTER TABLE a ADD COLUMN x TEXT NOT NULL;", "adds a NOT NULL column without a default to a"),
        ("CREATE UNIQUE INDEX i ON a (x);", "makes rows of a unique"),
        (
            "CREATE TRIGGER t BEFORE INSERT ON a BEGIN SELECT RAISE(ABORT, 'no'); END;",
            "lets a trigger refuse rows of a",
        ),
        ("DELETE FROM a;", "deletes rows of a"),
        ("-- DROP TABLE b\nCREATE TABLE n (x); DROP TABLE a;", "drops table a"),
    ],
)
def test_lint_finds_what_the_old_version_could_not_live_with(script: str, rule: str) -> None:
    (found,) = rules(script)
    assert found.startswith(rule)


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE a (x NOT NULL UNIQUE);",
        "ALTER TABLE a ADD COLUMN x TEXT;",
        "ALTER TABLE a ADD x TEXT NOT NULL DEFAULT 'DROP TABLE b';",
        "CREATE INDEX IF NOT EXISTS i ON a (x);",
        "CREATE TABLE IF NOT EXISTS n (x); CREATE UNIQUE INDEX i ON n (x); ALTER TABLE n RENAME x TO y; DROP TABLE n;",
        "CREATE TRIGGER t AFTER DELETE ON a BEGIN DELETE FROM b; END;",
        "INSERT INTO a VALUES ('DROP TABLE a;');",
        "UPDATE a SET x = 1;",
        "CREATE VIRTUAL TABLE f USING fts5 (x); DELETE FROM f;",
    ],
)
def test_lint_lets_additions_pass(script: str) -> None:
    assert rules(script) == []


def test_lint_says_where_and_how_to_split() -> None:
    (problem,) = lint(Migration(2, "x", "SELECT 1;\n\nDROP TABLE a;", None, "", "migrations/2_x.up.sql"))
    assert (problem.field, problem.file) == ("statement 2, line 3", "migrations/2_x.up.sql")
    assert '"migrations": "exclusive"' in problem.mend
