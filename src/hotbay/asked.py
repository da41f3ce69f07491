"""The statements that every operation asks several times, built once.

To build a statement and its cache key takes SQLAlchemy four times as long as to ask it (134 µs against 32), and an
operation asks fifty. What it asks once, and what nobody waits for, is built where it is asked.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, Table, bindparam, delete, insert, select, type_coerce, update
from sqlalchemy.dialects.sqlite import Insert
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.types import NullType

from hotbay.schema import (
    candidates,
    confirmations,
    ledger,
    live,
    meta,
    operations,
    plugin_settings,
    refusals,
    steps,
    versions,
)


def put(table: Table) -> Insert:
    """Insert a row, or replace the one with the same primary key; values for all columns are given when it is asked."""
    statement = upsert(table)
    fresh = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=fresh)


# Parameters: `of` the plugin or the operation, `at` the number of the step, `name` of the value.
_OF: Any = bindparam("of")

EVERY_META = select(meta)
META = select(meta.c.value).where(meta.c.name == bindparam("name"))
PUT_META = put(meta)

# As the database has them: `liverows` decodes those that have changed.
_COLUMNS: list[Any] = [type_coerce(column, NullType()).label(column.name) for column in live.columns]
_LIVE: Select[Any] = select(*_COLUMNS)
EVERY_LIVE = _LIVE.order_by(live.c.plugin)
LIVE = _LIVE.where(live.c.plugin == _OF)
PUT_LIVE = put(live)
PUT_VERSION = put(versions)

EVERY_CANDIDATE = select(candidates)
DROP_CANDIDATE = delete(candidates).where(candidates.c.plugin == _OF)
PUT_CANDIDATE = insert(candidates)

LEDGER = select(ledger).where(ledger.c.plugin == _OF).order_by(ledger.c.number)
SETTINGS = select(plugin_settings).where(plugin_settings.c.plugin == _OF)
EVERY_REFUSAL = select(refusals)
DROP_REFUSAL = delete(refusals).where(refusals.c.plugin == _OF)
EVERY_CONFIRMATION = select(confirmations)
CONFIRMATION = select(confirmations).where(confirmations.c.plugin == _OF)

OPERATIONS_IN = select(operations).where(operations.c.state == bindparam("state")).order_by(operations.c.id)
CHANGE_OPERATION = update(operations).where(operations.c.id == _OF)
CHANGE_STEP = update(steps).where(steps.c.operation == _OF, steps.c.seq == bindparam("at"))
