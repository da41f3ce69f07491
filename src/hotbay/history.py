"""The journal, the receipts and the audit do not grow for ever: what is old enough goes, a piece at a time.

Receipts are a chain, so they go from its beginning, with their operations and steps, in one transaction that leaves an
anchor in their place: the number and hash of the last one that went, signed with the host's key. The first receipt that
stays continues the anchor as it continued that one; without an anchor, a missing beginning is seen.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any

from sqlalchemy import Connection, delete, func, select

from hotbay import store
from hotbay.journal import RUNNING
from hotbay.model import Standing
from hotbay.receipt import ANCHOR, HostKey, Signed
from hotbay.schema import audit, confirmations, operations, receipts, steps
from hotbay.settings import Settings
from hotbay.store import Store, now

log = logging.getLogger("hotbay.history")
NOTE = "receipts_anchor"
PIECE = 500


def prune_history(settings: Settings, registry: Store, key: HostKey) -> int:
    """Delete at most `PIECE` operations and audit entries beyond the retention; answers how many operations went.

    The newest `history_max` stay, unless they are older than `history_days`; the last one, what runs, and what waits
    for a confirmation always stay. Safe to repeat, at any time and by anybody: it is one transaction.
    """
    most, oldest = settings.history_max, _stamp(settings.history_days)
    with registry.read() as connection:
        if not _prefix(connection, most, oldest) and not _old_entries(connection, most, oldest):
            return 0
    _ = key.public  # Making a key takes longer than others should wait for the database.
    with registry.write() as connection:
        gone = _prefix(connection, most, oldest)
        if gone:
            _forget(connection, key, gone[-1])
        entries = _old_entries(connection, most, oldest)
        connection.execute(delete(audit).where(audit.c.id.in_(entries)))
    if gone:
        log.info("%d operations and their receipts are beyond the retention and were deleted", len(gone))
    return len(gone)


def _stamp(days: float) -> str:
    """What was before this is too old; empty when nothing is."""
    return (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="microseconds") if days else ""


def _beyond(connection: Connection, column: Any, most: int) -> int | None:
    """The newest number of those beyond the newest `most`; None when all may stay."""
    if not most:
        return None
    found: int | None = connection.scalar(select(column).order_by(column.desc()).offset(most).limit(1))
    return found


def _prefix(connection: Connection, most: int, oldest: str) -> list[Any]:
    """The receipts at the beginning of the chain whose operations may go."""
    beyond = _beyond(connection, operations.c.id, most) or 0
    newest = connection.scalar(select(func.max(receipts.c.number))) or 0
    waiting = _waiting(connection)
    query = (
        select(receipts.c.number, receipts.c.sha256, receipts.c.operation, operations.c.state, operations.c.finished_at)
        .join(operations, operations.c.id == receipts.c.operation, isouter=True)
        .where(receipts.c.number < newest)
        .order_by(receipts.c.number)
        .limit(PIECE)
    )
    found = connection.execute(query)
    return list(takewhile(lambda row: row.operation not in waiting and _may_go(row, beyond, oldest), found))


def _waiting(connection: Connection) -> set[int]:
    """The operations that wait for a confirmation."""
    pending = confirmations.c.state == Standing.PENDING.value
    return set(connection.scalars(select(confirmations.c.operation).where(pending)))


def _may_go(row: Any, beyond: int, oldest: str) -> bool:
    return row.state != RUNNING and (row.operation <= beyond or (row.finished_at or now()) < oldest)


def _forget(connection: Connection, key: HostKey, last: Any) -> None:
    """Delete the receipts up to `last`, and their operations; leave the anchor."""
    anchor = key.sign({"format": ANCHOR, "number": last.number, "sha256": last.sha256, "written": now()})
    store.set_meta(connection, NOTE, anchor)
    theirs = select(receipts.c.operation).where(receipts.c.number <= last.number)
    top = connection.scalar(select(func.max(receipts.c.operation)).where(receipts.c.number <= last.number)) or 0
    connection.execute(delete(steps).where(steps.c.operation.in_(theirs)))
    connection.execute(delete(operations).where(operations.c.id.in_(theirs)))
    connection.execute(delete(receipts).where(receipts.c.number <= last.number))
    _forget_without_receipt(connection, top)


def _forget_without_receipt(connection: Connection, top: int) -> None:
    """Older operations that never got one, because their rows can't be understood."""
    kept = select(receipts.c.operation)
    old = (operations.c.id < top, operations.c.id.not_in(_waiting(connection)))
    lost = (*old, operations.c.state != RUNNING, operations.c.id.not_in(kept))
    connection.execute(delete(steps).where(steps.c.operation.in_(select(operations.c.id).where(*lost))))
    connection.execute(delete(operations).where(*lost))


def _old_entries(connection: Connection, most: int, oldest: str) -> list[int]:
    """The oldest entries of the audit, as long as they are beyond the retention."""
    beyond = _beyond(connection, audit.c.id, most) or 0
    found = connection.execute(select(audit.c.id, audit.c.at).order_by(audit.c.id).limit(PIECE))
    return [row.id for row in takewhile(lambda row: row.id <= beyond or row.at < oldest, found)]


def find_anchor(registry: Store) -> Signed | None:
    """What stands in the place of the receipts that went; None when none did."""
    found: Signed | None = registry.get_meta(NOTE)
    return found


def forget_receipts(registry: Store, key: HostKey, number: int) -> None:
    """Delete the receipts up to this number, whose operations are gone, as the retention does."""
    _ = key.public
    with registry.write() as connection:
        last = connection.execute(select(receipts).where(receipts.c.number == number)).one()
        _forget(connection, key, last)
