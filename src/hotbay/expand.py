"""The step that changes a plugin's tables before the switch: expand."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from hotbay import store
from hotbay.additive import owed, refusal
from hotbay.backups import backup_of
from hotbay.bench import Bench, Record, image_of
from hotbay.catalogue import inverse
from hotbay.export import LEDGER
from hotbay.folder import fsync_tree, make_folder
from hotbay.migrate import Migrator, Transaction
from hotbay.migrations import Migration, checksum, read_migrations
from hotbay.preserve import put_back, undisturbed, wide_grant
from hotbay.restore import restore_data

ADDON = 0  # The ledger's number for what a seed 002 addon class created itself.


class Expand:
    """The plugin's tables as the new version needs them; what the old one uses stays."""

    verb = "expand"

    def do(self, bench: Bench, params: Record) -> Record:
        """Restore rows if asked, run what is pending, and write the ledger in the same transaction.

        Where nobody uses the tables meanwhile, contract scripts run as well, each behind its own up script.
        """
        folder = bench.images.path(params["image"])
        known = {row["number"]: row for row in bench.store.applied(bench.plugin)}
        calm = undisturbed(bench)
        with wide_migrator(bench).transaction() as transaction:
            if params.get("restore"):
                known |= self._restore(bench, transaction, Path(params["restore"]))
            rows, marks = run_scripts(transaction, read_migrations(folder), known, bench.operation, contract=calm)
            if params.get("addon") and ADDON not in known:
                rows.append(self._addon(bench, transaction, folder))
            if not calm and (problems := transaction.not_additive()):
                raise refusal(f"{bench.plugin} {bench.manifest.version}", problems)
            transaction.trusted(lambda connection: self._write(connection, bench, rows, marks))
        if params.get("files"):
            self._bring_files(bench, Path(params["restore"]).parent / "files")
        contracted = sorted({*marks, *(row["number"] for row in rows if row["contract"])})
        return {"migrations": [row["number"] for row in rows]} | ({"contracted": contracted} if contracted else {})

    def _bring_files(self, bench: Bench, source: Path) -> None:
        """The plugin's own folder, which was not there when this was planned, as the export keeps it."""
        own = bench.settings.data / bench.plugin
        make_folder(own)
        shutil.copytree(source, own, symlinks=True, dirs_exist_ok=True)
        fsync_tree(own)

    def _restore(self, bench: Bench, transaction: Transaction, file: Path) -> dict[int, Record]:
        meta = restore_data(file, transaction)
        rows = [{key: row.get(key) for key in LEDGER} for row in meta.get("ledger", ())]
        transaction.trusted(lambda connection: self._write(connection, bench, rows, {}))
        settings = meta.get("settings", {})
        if any(settings.values()):
            # Secrets come back as they were encrypted: only the host that wrote them has the key.
            values = settings["data"], settings["secrets"]
            transaction.trusted(lambda connection: store.put_settings(connection, bench.plugin, *values))
        return {row["number"]: row for row in rows}

    def _write(self, connection: Connection, bench: Bench, rows: list[Record], marks: dict[int, Record]) -> None:
        store.record_migrations(connection, bench.plugin, rows, bench.operation)
        store.mark_contracted(connection, bench.plugin, marks)

    def _addon(self, bench: Bench, transaction: Transaction, folder: Path) -> Record:
        """Let a seed 002 addon class create its own tables, guarded and in this transaction."""

        def create(addon: Any) -> None:
            method = getattr(addon, "install", None) or getattr(addon, "create_tables", None)
            if method is not None:
                transaction.run(method)

        before = transaction.catalogue()
        bench.workshop.with_addon(image_of(bench, folder), create)
        undo = inverse(before, transaction.catalogue())
        return {"number": ADDON, "name": "addon", "checksum": "", "down": None, "undo": undo, "contract": None}

    def undo(self, bench: Bench, record: Record) -> None:
        """Take back what this operation wrote into the ledger, and nothing else."""
        rows = bench.store.applied(bench.plugin)
        mine = [row for row in rows if row["operation"] == bench.operation]
        if mine or any((row["contract"] or {}).get("operation") == bench.operation for row in rows):
            self._take_back(bench, rows, mine)
        if any(step.params.get("restore") for step in bench.plan.steps):
            with bench.store.write() as connection:
                store.forget_settings(connection, bench.plugin)
        if any(step.params.get("files") for step in bench.plan.steps):
            shutil.rmtree(bench.settings.data / bench.plugin, ignore_errors=True)

    def _take_back(self, bench: Bench, rows: list[Record], mine: list[Record]) -> None:
        """Exactly as it was where nobody wrote meanwhile; else what was added goes, and what was written stays."""
        backup = backup_of(bench.store, bench.operation)
        with wide_migrator(bench).transaction() as transaction:
            if backup is not None and undisturbed(bench):
                put_back(bench, transaction, backup)
                return
            if len(mine) == len(rows):
                transaction.drop_owned()
            else:
                revert(transaction, mine)
            transaction.trusted(lambda connection: self._forget(connection, bench, mine))

    def _forget(self, connection: Connection, bench: Bench, mine: list[Record]) -> None:
        store.forget_migrations(connection, bench.plugin, [row["number"] for row in mine])
        store.forget_contracts(connection, bench.plugin, bench.operation)


def wide_migrator(bench: Bench) -> Migrator:
    """The door to the tables of the new version and of the old one: what the new one gave up is there to be dropped."""
    return Migrator(bench.settings.database_path, wide_grant(bench))


def run_scripts(
    transaction: Transaction,
    scripts: list[Migration],
    known: dict[int, Record],
    operation: int,
    *,
    contract: bool,
) -> tuple[list[Record], dict[int, Record]]:
    """Run what the ledger (rows by number) does not have, in its order; new rows, and marks for those that are known.

    With `contract`, contract scripts too, each behind its own up script.
    """
    rows: list[Record] = []
    marks: dict[int, Record] = {}
    last = {item.number for item in owed(scripts, known)} if contract else set()
    for item in scripts:
        mark = contract_mark(item, operation) if item.number in last else None
        if item.number not in known:
            (applied,) = transaction.apply([item], contract=mark is not None)
            rows.append(ledger_row(item, applied.undo) | {"contract": mark})
        elif mark is not None:
            transaction.contract(item)
            marks[item.number] = mark
    return rows, marks


def contract_mark(migration: Migration, operation: int) -> Record:
    """What the ledger keeps of a contract script that ran."""
    return {"checksum": checksum(migration.contract or ""), "operation": operation}


def ledger_row(migration: Migration, undo: tuple[str, ...] | None) -> Record:
    """What the ledger keeps of an applied migration: enough to undo it without its image."""
    return {
        "number": migration.number,
        "name": migration.name,
        "checksum": migration.checksum,
        "down": migration.down,
        "undo": None if undo is None else list(undo),
    }


def revert(transaction: Transaction, rows: list[Record]) -> None:
    """Undo migrations as the ledger remembers them, and what an addon made after them.

    What was computed from the catalogue is exact and comes before the author's down script, which may do more.
    """
    addon = [row for row in rows if row["number"] == ADDON and row["undo"] is not None]
    real = [*(row for row in rows if row["number"] != ADDON), *addon]
    migrations = [
        Migration(row["number"], row["name"], "", row["down"] if row["undo"] is None else None, row["checksum"])
        for row in real
    ]
    transaction.revert(migrations, undo={row["number"]: row["undo"] for row in real})
