"""How SQL scripts are split into statements, and those into words."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotbay.errors import InvalidPackage
from hotbay.script import split, words


def texts(script: str) -> list[str]:
    return [statement.text for statement in split(script)]


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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('DROP TABLE Main."A b";', ["drop", "table", "main", ".", "a b"]),
        ("select 'Text', [x], `y` -- end\n;;", ["select", "''", ",", "x", ",", "y"]),
        ("/* CREATE */ BEGIN; END;", ["begin", ";", "end"]),
        ("", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected
