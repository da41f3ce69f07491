"""Statements that are built once do what those did that were built each time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Select, create_engine, insert, select

from hotbay import asked
from hotbay.schema import candidates, live, meta, metadata, operations, steps, versions


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as open_connection:
        yield open_connection
    engine.dispose()


def rows(connection: Connection, query: Select[Any], **given: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query, given).mappings()]


def version(image: str, number: str, **more: Any) -> dict[str, Any]:
    row = {"plugin": "shop", "image": image, "version": number, "sha256": "", "source": "", "revision": 1}
    return {**row, "manifest": {"id": "shop"}, "contributions": {}, "at": "now", **more}


def test_a_value_is_put_in_the_place_of_the_one_before(connection: Connection) -> None:
    for value in ({"a": [1, "ü"]}, None, 7):
        connection.execute(asked.PUT_META, {"name": "x", "value": value})
        assert rows(connection, asked.META, name="x") == [{"value": value}]
    connection.execute(asked.PUT_META, {"name": "y", "value": 1})
    assert rows(connection, asked.EVERY_META) == [{"name": "x", "value": 7}, {"name": "y", "value": 1}]
    assert rows(connection, asked.META, name="z") == []


def test_a_row_is_put_by_its_whole_key(connection: Connection) -> None:
    for image, number in (("one", "1.0.0"), ("two", "2.0.0"), ("one", "1.0.1")):
        connection.execute(asked.PUT_VERSION, version(image, number, manifest={"version": number}))
    found = rows(connection, select(versions.c.image, versions.c.version, versions.c.manifest).order_by("image"))
    assert [tuple(row.values()) for row in found] == [
        ("one", "1.0.1", {"version": "1.0.1"}),
        ("two", "2.0.0", {"version": "2.0.0"}),
    ]


@pytest.mark.parametrize("table", [meta, live, versions])
def test_what_is_put_replaces_every_column(table: Any) -> None:
    text = str(asked.put(table).compile(dialect=create_engine("sqlite://").dialect))
    replaced = text.split("DO UPDATE SET")[1]
    assert all(
        f"{column.name} = excluded.{column.name}" in replaced for column in table.columns if not column.primary_key
    )


def test_only_what_is_named_is_changed(connection: Connection) -> None:
    operation = {"kind": "install", "actor": "a", "state": "running", "plan": {}, "pid": 1, "created_at": ""}
    for plugin in ("shop", "mail"):
        connection.execute(insert(operations).values(plugin=plugin, **operation))
    for number in (1, 2):
        connection.execute(insert(steps), [{"operation": number, "seq": at, "verb": "x", "state": ""} for at in (0, 1)])
    connection.execute(asked.CHANGE_STEP, {"of": 2, "at": 1, "state": "done", "record": {"a": None}})
    connection.execute(asked.CHANGE_OPERATION, {"of": 1, "state": "done", "result": None, "error": {"code": "x"}})
    done = rows(connection, select(steps.c.operation, steps.c.seq, steps.c.record).where(steps.c.state == "done"))
    assert done == [{"operation": 2, "seq": 1, "record": {"a": None}}]
    assert [row["plugin"] for row in rows(connection, asked.OPERATIONS_IN, state="running")] == ["mail"]
    (row,) = rows(connection, asked.OPERATIONS_IN, state="done")
    assert (row["result"], row["error"], row["switched"]) == (None, {"code": "x"}, False)


def test_a_plugin_s_rows_are_its_own(connection: Connection) -> None:
    for plugin in ("shop", "mail"):
        connection.execute(asked.PUT_CANDIDATE, {"plugin": plugin, "data": {"verb": "start"}})
    connection.execute(asked.DROP_CANDIDATE, {"of": "shop"})
    assert [row["plugin"] for row in rows(connection, asked.EVERY_CANDIDATE)] == ["mail"]
    assert rows(connection, select(candidates)) == rows(connection, asked.EVERY_CANDIDATE)
