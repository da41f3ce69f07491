"""The journal: a whole operation is recorded before its first step, and each step as it goes.

An operation that is still `running` when nobody holds the lease was cut off: its record says how far it came. Not
switched: it is undone. Switched: it is finished.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert, select

from hotbay import asked
from hotbay.errors import NotFound
from hotbay.schema import operations, steps
from hotbay.store import Store, now

RUNNING, DONE, UNDONE, FAILED = "running", "done", "undone", "failed"


def open_operation(
    connection: Connection, *, kind: str, plugin: str, actor: str, plan: dict[str, Any], verbs: list[str]
) -> int:
    """Record an operation and all its steps, the first as running, before anything moves; answers its number."""
    row = {"kind": kind, "plugin": plugin, "actor": actor, "plan": plan, "state": RUNNING, "switched": False}
    done = connection.execute(insert(operations).values(**row, pid=os.getpid(), created_at=now()))
    key = done.inserted_primary_key
    assert key is not None
    number = int(key[0])
    rows = [
        {"operation": number, "seq": seq, "verb": verb, "state": "pending" if seq else RUNNING}
        for seq, verb in enumerate(verbs)
    ]
    if rows:
        connection.execute(insert(steps), rows)
    return number


def mark_step(connection: Connection, operation: int, seq: int, state: str, **values: Any) -> None:
    """Record a step's state and, where given, `record` (what undo needs), `seconds`, `error`."""
    connection.execute(asked.CHANGE_STEP, {"of": operation, "at": seq, "state": state, **values})


def mark_switched(connection: Connection, operation: int) -> None:
    """Record the point of no return, in the transaction that is it."""
    connection.execute(asked.CHANGE_OPERATION, {"of": operation, "switched": True})


def close_operation(
    connection: Connection,
    operation: int,
    state: str,
    *,
    result: dict[str, Any] | None = None,
    error: dict[str, Any] | None = None,
) -> None:
    """Record the end of an operation."""
    values = {"state": state, "result": result, "error": error, "finished_at": now()}
    connection.execute(asked.CHANGE_OPERATION, {"of": operation, **values})


def mark_stuck(connection: Connection, operation: int, error: dict[str, Any]) -> None:
    """Record why an operation could not be closed; it stays running, and recovery tries again."""
    connection.execute(asked.CHANGE_OPERATION, {"of": operation, "error": error})


def cut_off(store: Store) -> list[dict[str, Any]]:
    """Operations that are recorded as running, the oldest first. Only the holder of the lease may believe them dead."""
    with store.read() as connection:
        return [dict(row) for row in connection.execute(asked.OPERATIONS_IN, {"state": RUNNING}).mappings()]


def step_rows(store: Store, operation: int) -> list[dict[str, Any]]:
    """The steps of an operation, in order."""
    query = select(steps).where(steps.c.operation == operation).order_by(steps.c.seq)
    with store.read() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def list_operations(store: Store, *, plugin: str = "", limit: int = 50) -> list[dict[str, Any]]:
    """Operations without their steps, the newest first."""
    query = select(operations).order_by(operations.c.id.desc()).limit(limit)
    if plugin:
        query = query.where(operations.c.plugin == plugin)
    with store.read() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def get_operation(store: Store, number: int) -> dict[str, Any]:
    """One operation with its steps; raises NotFound."""
    with store.read() as connection:
        row = connection.execute(select(operations).where(operations.c.id == number)).mappings().first()
    if row is None:
        raise NotFound(f"there is no operation {number}", mend="list them with `hotbay audit`")
    return dict(row) | {"steps": step_rows(store, number)}


def slim(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a step or a worker says, without the contributions, which only the registry needs."""
    return {key: value for key, value in record.items() if key != "contributions"}
