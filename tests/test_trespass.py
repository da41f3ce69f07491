"""What would act only later is found when it is already in the database, whoever put it there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hotbay.catalogue import read_catalogue
from hotbay.errors import Problem
from hotbay.guard import guarded_connection_factory
from hotbay.trespass import inspect_owned, orphans
from sqlite_host import GRANT, make_host


def inspect(path: Path, script: str) -> list[Problem]:
    make_host(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    raw: Any = sqlite3.connect(path, factory=guarded_connection_factory(GRANT, "migrate"))
    try:
        with raw.lifted():
            catalogue = read_catalogue(raw)
        return inspect_owned(raw, catalogue, GRANT)
    finally:
        raw.end()


def test_a_clean_plugin_has_no_problems(tmp_path: Path) -> None:
    assert inspect(tmp_path / "host.db", "") == []


@pytest.mark.parametrize(
    ("script", "field", "rule"),
    [
        ("CREATE VIEW chat_v AS SELECT email FROM users", "view chat_v", "may not read table 'users'"),
        ("CREATE VIEW chat_v AS SELECT * FROM nowhere", "view chat_v", "can't be compiled: no such table"),
        ("CREATE VIEW chat_v AS SELECT nofunction(1)", "view chat_v", "no such function"),
        (
            "CREATE TRIGGER t AFTER INSERT ON sessions BEGIN UPDATE orders SET total = 0; END",
            "table sessions",
            "INSERT: plugin 'chat' may not write to table 'orders'",
        ),
        (
            "CREATE TRIGGER t INSTEAD OF UPDATE ON chat_view BEGIN DELETE FROM orders; END",
            "view chat_view",
            "UPDATE: plugin 'chat' may not write to table 'orders'",
        ),
        (
            "CREATE VIRTUAL TABLE chat_f USING fts5 (email, conten = users)",
            "virtual table chat_f",
            "may not read table 'users'",
        ),
        ("CREATE VIRTUAL TABLE chat_f USING rtree (id, a, b)", "virtual table chat_f", "a module other than fts5"),
        ("CREATE TABLE chat_c (u REFERENCES users (id))", "table chat_c", "refers to table users"),
        (
            "CREATE TABLE chat_c (p REFERENCES products (id) ON DELETE RESTRICT)",
            "table chat_c",
            "would stop the host from deleting rows of products (ON DELETE RESTRICT)",
        ),
    ],
)
def test_what_waits_to_act_is_found(tmp_path: Path, script: str, field: str, rule: str) -> None:
    problems = inspect(tmp_path / "host.db", script)
    assert problems
    assert {problem.field for problem in problems} == {field}
    assert any(rule in problem.rule for problem in problems)
    assert all(problem.mend for problem in problems)


def test_orphans_are_counted_by_table_and_parent(tmp_path: Path) -> None:
    path = make_host(tmp_path / "host.db")
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE chat_c (p REFERENCES products (id), m REFERENCES chat_msgs (id));"
            "INSERT INTO chat_c VALUES (77, 1), (78, NULL), (1, 99);"
            "CREATE TABLE chat_d (p REFERENCES products (name));"
        )
        found = orphans(connection, read_catalogue(connection), GRANT)
    mismatch = 'foreign key mismatch - "chat_d" referencing "products"'
    assert found == {("chat_c", "products"): 2, ("chat_c", "chat_msgs"): 1, ("chat_d", mismatch): 1}
