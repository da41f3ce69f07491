"""The step that changes a plugin's tables before the switch: expand."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from hotbay import store
from hotbay.backups import backup_of
from hotbay.bench import Bench, Record, image_of
from hotbay.catalogue import inverse
from hotbay.errors import MigrationFailed
from hotbay.export import LEDGER
from hotbay.folder import fsync_tree, make_folder
from hotbay.migrate import Applied, Migrator, Transaction
from hotbay.migrations import Migration, read_migrations
from hotbay.preserve import put_back, undisturbed, wide_grant
from hotbay.restore import restore_data

ADDON = 0  # The ledger's number for what a seed 002 addon class created itself.


class Expand:
    """The plugin's tables as the new version needs them; what the old one uses stays."""

    verb = "expand"

    def do(self, bench: Bench, params: Record) -> Record:
        """Restore rows if asked, run what is pending, and write the ledger in the same transaction."""
        folder = bench.images.path(params["image"])
        known = {row["number"] for row in bench.store.applied(bench.plugin)}
        with bench.migrator().transaction() as transaction:
            if params.get("restore"):
                known |= self._restore(bench, transaction, Path(params["restore"]))
            pending = [item for item in read_migrations(folder) if item.number not in known]
            applied = transaction.apply(pending)
            if known and not undisturbed(bench):
                refuse_irreversible(applied)
            rows = [ledger_row(item.migration, item.undo) for item in applied]
            if params.get("addon") and ADDON not in known:
                rows.append(self._addon(bench, transaction, folder))
            transaction.trusted(lambda connection: self._write(connection, bench, rows))
        if params.get("files"):
            self._bring_files(bench, Path(params["restore"]).parent / "files")
        return {"migrations": [row["number"] for row in rows]}

    def _bring_files(self, bench: Bench, source: Path) -> None:
        """The plugin's own folder, which was not there when this was planned, as the export keeps it."""
        own = bench.settings.data / bench.plugin
        make_folder(own)
        shutil.copytree(source, own, symlinks=True, dirs_exist_ok=True)
        fsync_tree(own)

    def _restore(self, bench: Bench, transaction: Transaction, file: Path) -> set[int]:
        meta = restore_data(file, transaction)
        rows = [{key: row[key] for key in LEDGER} for row in meta.get("ledger", ())]
        transaction.trusted(lambda connection: self._write(connection, bench, rows))
        settings = meta.get("settings", {})
        if any(settings.values()):
            # Secrets come back as they were encrypted: only the host that wrote them has the key.
            values = settings["data"], settings["secrets"]
            transaction.trusted(lambda connection: store.put_settings(connection, bench.plugin, *values))
        return {row["number"] for row in rows}

    def _write(self, connection: Connection, bench: Bench, rows: list[Record]) -> None:
        store.record_migrations(connection, bench.plugin, rows, bench.operation)

    def _addon(self, bench: Bench, transaction: Transaction, folder: Path) -> Record:
        """Let a seed 002 addon class create its own tables, guarded and in this transaction."""

        def create(addon: Any) -> None:
            method = getattr(addon, "install", None) or getattr(addon, "create_tables", None)
            if method is not None:
                transaction.run(method)

        before = transaction.catalogue()
        bench.workshop.with_addon(image_of(bench, folder), create)
        undo = inverse(before, transaction.catalogue())
        return {"number": ADDON, "name": "addon", "checksum": "", "down": None, "undo": undo}

    def undo(self, bench: Bench, record: Record) -> None:
        """Take back what this operation wrote into the ledger, and nothing else."""
        rows = bench.store.applied(bench.plugin)
        mine = [row for row in rows if row["operation"] == bench.operation]
        if mine:
            self._take_back(bench, rows, mine)
        if any(step.params.get("restore") for step in bench.plan.steps):
            with bench.store.write() as connection:
                store.forget_settings(connection, bench.plugin)
        if any(step.params.get("files") for step in bench.plan.steps):
            shutil.rmtree(bench.settings.data / bench.plugin, ignore_errors=True)

    def _take_back(self, bench: Bench, rows: list[Record], mine: list[Record]) -> None:
        """Exactly as it was where nobody wrote meanwhile; else what was added goes, and what was written stays."""
        backup = backup_of(bench.store, bench.operation)
        with Migrator(bench.settings.database_path, wide_grant(bench)).transaction() as transaction:
            if backup is not None and undisturbed(bench):
                put_back(bench, transaction, backup)
                return
            if len(mine) == len(rows):
                transaction.drop_owned()
            else:
                revert(transaction, mine)
            numbers = [row["number"] for row in mine]
            transaction.trusted(lambda connection: store.forget_migrations(connection, bench.plugin, numbers))


def ledger_row(migration: Migration, undo: tuple[str, ...] | None) -> Record:
    """What the ledger keeps of an applied migration: enough to undo it without its image."""
    return {
        "number": migration.number,
        "name": migration.name,
        "checksum": migration.checksum,
        "down": migration.down,
        "undo": None if undo is None else list(undo),
    }


def refuse_irreversible(applied: Sequence[Applied]) -> None:
    """Without a way back, a version that does not start would leave the old one with tables that it can't use."""
    for item in applied:
        if item.undo is None and item.migration.down is None:
            raise MigrationFailed(
                f"{item.migration.up_file} can't be undone: it does more than add",
                mend='write its .down.sql, or say "migrations": "exclusive" in the manifest (requests wait meanwhile)',
            )


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
