"""The steps that keep a plugin's rows, or bring them back: back up, restore, export."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection

from hotbay import store
from hotbay.backups import Backup, backup_of, get_backup, mark_restored, record_backup, remove_backup, retire_backups
from hotbay.bench import Bench, Record
from hotbay.compare import Loss, compare
from hotbay.errors import LosesRows
from hotbay.export import describe, export_data
from hotbay.folder import fsync_tree, make_folder
from hotbay.grant import Grant
from hotbay.merge import Aside, merge_rows, stash_rows
from hotbay.migrate import Migrator, Transaction
from hotbay.model import Rows
from hotbay.restore import beside, refuse_changed, restore_data


def wide_grant(bench: Bench, *more: str) -> Grant:
    """The tables of the new version and of the old one, and those that are named."""
    grant = bench.migrator().grant
    listed = bench.old.parsed.database.tables if bench.old is not None else ()
    return replace(grant, tables=grant.tables | frozenset(listed) | frozenset(more))


def _describe(bench: Bench) -> Record:
    return describe(bench.store, bench.plugin, bench.old.version if bench.old else "")


def undisturbed(bench: Bench) -> bool:
    """True while nobody writes into the plugin's tables: its requests are held, or it does not serve at all."""
    return bench.old is None or not bench.old.active or any(step.verb == "hold" for step in bench.plan.steps)


class BackUp:
    """The plugin's rows as they are, in a file, before anything changes them."""

    verb = "backup"

    def do(self, bench: Bench, params: Record) -> Record:
        """Write the file, then its row. What was begun before and not recorded is overwritten."""
        self.undo(bench, {})
        folder = bench.settings.backups / self._name(bench)
        grant = wide_grant(bench)
        info = export_data(bench.settings.database_path, grant, folder / "data.db", meta=_describe(bench))
        own = bench.settings.data / bench.plugin
        if params.get("files") and own.is_dir():
            shutil.copytree(own, folder / "files", symlinks=True)
            fsync_tree(folder)
        with bench.store.write(durable=True) as connection:
            number = record_backup(
                connection,
                plugin=bench.plugin,
                version=bench.old.version if bench.old else "",
                image=bench.old.image if bench.old else "",
                reason=params.get("reason", bench.plan.kind.value),
                operation=bench.operation,
                folder=folder.name,
                tables=sorted(grant.tables),
                ledger=[plain(row) for row in bench.store.applied(bench.plugin)],
                counts=dict(info.counts),
                bytes=info.bytes,
                sha256=info.sha256,
            )
        bench.notes["backup"] = number
        if params.get("retire"):
            retire_backups(bench.settings, bench.store, bench.plugin, frozenset({number}))
        return {"backup": number, "rows": info.rows, "bytes": info.bytes, "sha256": info.sha256}

    def _name(self, bench: Bench) -> str:
        return f"{bench.plugin}-{bench.old.version if bench.old else '0'}-{bench.operation}"

    def undo(self, bench: Bench, record: Record) -> None:
        """Delete it: what it was made for has not happened."""
        made = backup_of(bench.store, bench.operation)
        if made is not None:
            remove_backup(bench.settings, bench.store, made)
        shutil.rmtree(bench.settings.backups / self._name(bench), ignore_errors=True)


def plain(row: Record) -> Record:
    """A row of the ledger without its plugin, as a backup keeps it."""
    return {key: value for key, value in row.items() if key != "plugin"}


def put_back(bench: Bench, transaction: Transaction, backup: Backup, aside: Aside | None = None) -> None:
    """The plugin's tables and ledger as a backup has them, instead of what is there; and the rows that are `aside`."""
    transaction.drop_owned()
    file = backup.file(bench.settings)
    restore_data(file, transaction, sha256=backup.sha256, more=lambda: merge_rows(transaction, aside or Aside()))

    def write(connection: Connection) -> None:
        store.forget_migrations(connection, bench.plugin)
        store.put_ledger(connection, bench.plugin, list(backup.ledger))

    transaction.trusted(write)


class Restore:
    """The plugin's rows as a backup has them. Requests are held, and what is there now was backed up just before."""

    verb = "restore"

    def do(self, bench: Bench, params: Record) -> Record:
        """Compare, refuse to lose what nobody agreed to lose, and put the backup's rows in place; one transaction."""
        backup = get_backup(bench.store, params["backup"])
        policy = Rows(params.get("rows", Rows.RESTORE))
        file = backup.file(bench.settings)
        refuse_changed(file, backup.sha256)
        with Migrator(bench.settings.database_path, wide_grant(bench, *backup.tables)).transaction() as transaction:
            with beside(file, transaction):
                with transaction.raw.lifted():
                    loss = compare(transaction.raw, transaction.catalogue(), transaction.grant)
                if not params.get("accept_loss"):
                    refuse_loss(bench.plugin, loss, policy)
                aside = stash_rows(transaction) if policy is Rows.MERGE else Aside()
            put_back(bench, transaction, backup, aside)
            transaction.trusted(lambda connection: mark_restored(connection, backup.id, bench.operation))
        lost = loss.to_json(policy)
        merged = {item.shown: item.rows for item in aside.rows}
        bench.notes |= {"restored": backup.id, "lost": lost} | ({"merged": merged} if merged else {})
        return {"backup": backup.id, "rows": backup.rows, "lost": lost, "merged": merged}

    def undo(self, bench: Bench, record: Record) -> None:
        """Put back what this operation has backed up, if the rows are the other backup's by now."""
        mine = backup_of(bench.store, bench.operation)
        step = next(step for step in bench.plan.steps if step.verb == self.verb)
        backup = get_backup(bench.store, step.params["backup"])
        if mine is None or backup.restored_by != bench.operation:
            return
        grant = wide_grant(bench, *backup.tables, *mine.tables)
        with Migrator(bench.settings.database_path, grant).transaction() as transaction:
            put_back(bench, transaction, mine)
            transaction.trusted(lambda connection: mark_restored(connection, backup.id, None))


def refuse_loss(plugin: str, loss: Loss, policy: Rows) -> None:
    """Raise LosesRows when rows would go that nobody agreed to lose."""
    if loss.counts(policy):
        raise LosesRows(
            f"rows of {plugin} were changed since the backup and would be lost: {loss.text(policy)}",
            mend="`--keep-new-rows` keeps what was added, `--data keep` takes the code back alone, "
            "`--yes` accepts the loss (a backup of the present rows is kept)",
            lost=loss.to_json(policy),
        )


class Export:
    """The plugin's rows and its own folder, in a place of their own, before they go."""

    verb = "export"

    def do(self, bench: Bench, params: Record) -> Record:
        """Write the file that `install --restore` reads."""
        folder = self._folder(bench)
        make_folder(folder)
        grant = bench.migrator().grant
        info = export_data(bench.settings.database_path, grant, folder / "data.db", meta=_describe(bench))
        own = bench.settings.data / bench.plugin
        if own.is_dir():
            shutil.copytree(own, folder / "files", symlinks=True)
            fsync_tree(folder)  # The switch makes this the only copy.
        bench.notes["export"] = str(folder)
        return {"folder": str(folder), "rows": info.rows, "bytes": info.bytes, "sha256": info.sha256}

    def _folder(self, bench: Bench) -> Path:
        version = bench.plan.before.version if bench.plan.before else "0"
        return bench.settings.exports / f"{bench.plugin}-{version}-{bench.operation}"

    def undo(self, bench: Bench, record: Record) -> None:
        """Delete the file: the rows stay where they are."""
        shutil.rmtree(self._folder(bench), ignore_errors=True)
