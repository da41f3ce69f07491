"""How a change that is not to stay goes back: an operation like any other, whoever runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from hotbay.backups import backup_of
from hotbay.confirmations import Confirmation, find_confirmation
from hotbay.errors import MigrationFailed
from hotbay.model import DataPolicy, Kind, Rows, Standing
from hotbay.moments import Moment, tell_seconds
from hotbay.request import Request
from hotbay.store import Store


class Run(Protocol):
    """Runs an operation, or raises Superseded when `unless` is true once the lease is held."""

    def __call__(self, request: Request, *, unless: Callable[[], bool]) -> object: ...


def overdue(item: Confirmation, now: Moment) -> str:
    """Why it goes back when its time is over; empty before that."""
    return f"nobody confirmed it within {tell_seconds(item.seconds)}" if item.left(now) <= 0 else ""


def go_back(run: Run, registry: Store, item: Confirmation, reason: str) -> None:
    """Revert it, code and rows; where added rows don't fit the older tables, without those. Raises what `run` raises.

    Superseded where it was confirmed meanwhile, or other code has taken its place.
    """

    def settled() -> bool:
        found, row = find_confirmation(registry, item.plugin), registry.find_live(item.plugin)
        if found is None or row is None or row.image != item.image:
            return True
        return found.state is not Standing.PENDING or found.operation != item.operation

    request = _request(registry, item, reason)
    try:
        run(request, unless=settled)
    except MigrationFailed as error:
        if request.rows is not Rows.MERGE or error.step != "restore":
            raise
        reason = f"{request.reason}; the added rows are in the backup alone: {error.message}"
        run(replace(request, rows=Rows.RESTORE, reason=reason), unless=settled)


def _request(registry: Store, item: Confirmation, reason: str) -> Request:
    if item.kind is Kind.INSTALL:
        # Tables that were there before it came stay.
        fresh = all(row["operation"] == item.operation for row in registry.applied(item.plugin))
        data = DataPolicy.EXPORT if fresh else DataPolicy.KEEP
        return Request(Kind.UNINSTALL, item.plugin, data=data, force=True, reason=reason)
    rows = Rows.MERGE if item.keep_new_rows else Rows.RESTORE
    if backup_of(registry, item.operation) is None:
        rows = Rows.KEEP  # There were none.
    return Request(Kind.ROLLBACK, item.plugin, image=item.before_image, rows=rows, accept_loss=True, reason=reason)
