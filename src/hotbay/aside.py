"""What a plugin that is not installed left behind goes into one export that `install --restore` reads, all or nothing.

A note in the database says what is under way. The rows are dropped in the transaction that marks the note as done: cut
off before it, the export is deleted; cut off after it, the plugin's folder, which the export has, is. Whoever holds the
lease next does that (`settle_aside`).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from hotbay import store
from hotbay.export import describe, export_data
from hotbay.facts import KEPT_TABLES
from hotbay.folder import fsync_tree, make_folder
from hotbay.grant import Grant
from hotbay.migrate import Migrator
from hotbay.schema import operations
from hotbay.settings import Settings
from hotbay.store import Store

NOTE = "put_aside"


def put_aside(settings: Settings, registry: Store, grant: Grant) -> Path:
    """Export the tables, settings and files of the grant's plugin, then drop them; answers the export's folder.

    Needs the lease. Raises MigrationFailed or StorageError; then everything is as it was.
    """
    plugin = grant.plugin
    settle_aside(settings, registry)
    folder = _place(settings, registry, plugin)
    _note(registry, {"plugin": plugin, "folder": folder.name, "done": False})
    try:
        _copy_files(settings.data / plugin, folder)
        with Migrator(settings.database_path, grant).transaction() as transaction:
            # Another connection reads what was committed; nobody commits more while this transaction is open.
            meta = describe(registry, plugin)
            export_data(settings.database_path, grant, folder / "data.db", meta=meta)
            transaction.drop_owned()
            done = {"plugin": plugin, "folder": folder.name, "done": True}
            kept = {name: listed for name, listed in registry.get_meta(KEPT_TABLES, {}).items() if name != plugin}
            transaction.trusted(lambda connection: _forget(connection, plugin, kept, done))
    finally:
        settle_aside(settings, registry)
    return folder


def _place(settings: Settings, registry: Store, plugin: str) -> Path:
    """A new name among the plugin's exports, the last in their order."""
    with registry.read() as connection:
        number = connection.scalar(select(func.max(operations.c.id))) or 0
    names = {path.name for path in settings.exports.glob(f"{plugin}-*")}
    while f"{plugin}-orphaned-{number}" in names:
        number += 1
    return settings.exports / f"{plugin}-orphaned-{number}"


def _copy_files(own: Path, folder: Path) -> None:
    make_folder(folder)
    if own.is_dir():
        shutil.copytree(own, folder / "files", symlinks=True)
        fsync_tree(folder)


def _forget(connection: Connection, plugin: str, kept: dict[str, object], note: dict[str, object]) -> None:
    store.forget_migrations(connection, plugin)
    store.forget_settings(connection, plugin)
    store.set_meta(connection, KEPT_TABLES, kept)
    store.set_meta(connection, NOTE, note)


def _note(registry: Store, note: dict[str, object]) -> None:
    with registry.write(durable=True) as connection:
        store.set_meta(connection, NOTE, note)


def moved_aside(registry: Store) -> dict[str, Any]:
    """What was being moved aside when it was cut off; empty when nothing was."""
    found: dict[str, Any] | None = registry.get_meta(NOTE)
    return found or {}


def settle_aside(settings: Settings, registry: Store) -> None:
    """End what was cut off: take the export back, or what it has. Needs the lease; safe to repeat."""
    note = moved_aside(registry)
    if not note:
        return
    if note["done"]:
        shutil.rmtree(settings.data / note["plugin"], ignore_errors=True)
    else:
        shutil.rmtree(settings.exports / note["folder"], ignore_errors=True)
    _note(registry, {})
