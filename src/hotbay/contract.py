"""The step that takes away what only the version before needed, when that is gone from every worker: contract.

It stands right of the switch, so it is not undone. What can't run (the SQL fails, or a worker may still run the version
before) is owed: the new version serves on with both schemas in place, and whoever holds the lease tries it again.
"""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy import Connection

from hotbay import asked, store
from hotbay.additive import owed
from hotbay.bench import Bench, Record
from hotbay.errors import HotbayError, OperationFailed, StorageError
from hotbay.expand import contract_mark
from hotbay.migrate import Migrator
from hotbay.migrations import read_migrations
from hotbay.presence import Status
from hotbay.preserve import wide_grant
from hotbay.store import Store

log = logging.getLogger("hotbay.contract")
OWED = "contracts_owed"
Debt = dict[str, Any]


class Contract:
    """The contract scripts of the version that serves, in one transaction with the ledger; safe to repeat."""

    verb = "contract"

    def do(self, bench: Bench, params: Record) -> Record:
        """Run them, or note that they are owed and why. Raises StorageError."""
        late = self._not_gone(bench, params.get("patience", bench.settings.drain_seconds + 10))
        if late:
            return self._owe(bench, params, f"{', '.join(late)} may still run the version before", late=True)
        try:
            return {"contracted": self._run(bench, params)}
        except StorageError:
            raise
        except HotbayError as error:
            return self._owe(bench, params, str(error), late=False)

    def _not_gone(self, bench: Bench, seconds: float) -> list[str]:
        """The workers that have not left the version before: stopped, or with work of it in flight."""
        target = bench.beacon.value

        def left(status: Status) -> str:
            if status.of(bench.plugin).get("leaving"):
                return "busy"
            return "done" if status.beacon >= target else "silent"

        return bench.cohort.gather(left, seconds).late

    def _run(self, bench: Bench, params: Record) -> list[int]:
        scripts = read_migrations(bench.images.path(params["image"]))
        ledger = {row["number"]: row for row in bench.store.applied(bench.plugin)}
        todo = [item for item in owed(scripts, ledger) if item.number in ledger]
        marks = {item.number: contract_mark(item, bench.operation) for item in todo}
        grant = wide_grant(bench, *params.get("tables", ()))
        with Migrator(bench.settings.database_path, grant).transaction() as transaction:
            for item in todo:
                transaction.contract(item)
            transaction.trusted(lambda connection: self._write(connection, bench, marks))
        return sorted(marks)

    def _write(self, connection: Connection, bench: Bench, marks: dict[int, Record]) -> None:
        store.mark_contracted(connection, bench.plugin, marks)
        forget_owed(connection, bench.plugin)

    def _owe(self, bench: Bench, params: Record, problem: str, *, late: bool) -> Record:
        # With its plan: the journal may have forgotten the operation when this is tried again.
        plan = bench.plan.to_json()
        debt = {"operation": bench.operation, "image": params["image"], "problem": problem, "late": late, "plan": plan}
        with bench.store.write() as connection:
            note_owed(connection, bench.plugin, debt)
        log.warning("contract scripts of %s are owed: %s", bench.plugin, problem)
        bench.notes["owed"] = problem
        return {"owed": problem}

    def undo(self, bench: Bench, record: Record) -> None:
        """Right of the switch nothing is undone."""
        raise OperationFailed("contract can't be undone")


def all_owed(registry: Store) -> dict[str, Debt]:
    """By plugin: the `operation` whose contract scripts have not run, its `plan` and `image`, and why."""
    found: dict[str, Debt] = registry.get_meta(OWED, {})
    return found


def waits_for_workers(registry: Store) -> bool:
    """True while contract scripts are owed because a worker had not left the version before."""
    return any(debt["late"] for debt in all_owed(registry).values())


# ── writing: part of the caller's transaction ──


def note_owed(connection: Connection, plugin: str, debt: Debt) -> None:
    """Write down that a plugin's contract scripts have not run."""
    _put(connection, {**_read(connection), plugin: debt})


def forget_owed(connection: Connection, plugin: str) -> None:
    """They ran, or another version is to serve."""
    known = _read(connection)
    if plugin in known:
        _put(connection, {name: debt for name, debt in known.items() if name != plugin})


def _read(connection: Connection) -> dict[str, Debt]:
    found: dict[str, Debt] = connection.scalar(asked.META, {"name": OWED}) or {}
    return found


def _put(connection: Connection, debts: dict[str, Debt]) -> None:
    store.set_meta(connection, OWED, debts)
