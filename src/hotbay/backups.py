"""The backups of a host: one folder and one row each. The row says of what, why, and the hash of the file.

A backup is made by an operation (`operation`), and belongs to it: undone, it goes; done, it stays until newer ones push
it out. `folder` is the name below `settings.backups`; in it `data.db` has the rows (the format of exports) and `files`,
where there is one, the plugin's own folder.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from hotbay.errors import NotFound
from hotbay.model import Standing
from hotbay.schema import backups, confirmations, operations
from hotbay.settings import Settings
from hotbay.store import Store, now


@dataclass(frozen=True)
class Backup:
    """One backup: `ledger` are the migrations its tables had seen, `counts` rows by table, `tables` the manifest's."""

    id: int
    plugin: str
    version: str
    image: str
    reason: str
    operation: int
    folder: str
    tables: tuple[str, ...]
    ledger: tuple[dict[str, Any], ...]
    counts: dict[str, int]
    bytes: int
    sha256: str
    at: str
    restored_by: int | None = None

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return sum(self.counts.values())

    @property
    def migrations(self) -> frozenset[int]:
        """The numbers of the migrations that its tables had seen."""
        return frozenset(row["number"] for row in self.ledger)

    def file(self, settings: Settings) -> Path:
        """The file with its rows."""
        return settings.backups / self.folder / "data.db"

    def to_json(self) -> dict[str, Any]:
        """What may be shown."""
        names = ("id", "plugin", "version", "image", "reason", "operation", "folder", "counts", "bytes", "sha256", "at")
        shown = {name: getattr(self, name) for name in names}
        return shown | {"rows": self.rows, "migrations": sorted(self.migrations), "restored_by": self.restored_by}


def list_backups(store: Store, plugin: str = "") -> list[Backup]:
    """All backups, or those of one plugin; the newest first."""
    query = select(backups).order_by(backups.c.id.desc())
    if plugin:
        query = query.where(backups.c.plugin == plugin)
    with store.read() as connection:
        return [_backup(dict(row)) for row in connection.execute(query).mappings()]


def get_backup(store: Store, number: int) -> Backup:
    """One backup; raises NotFound."""
    with store.read() as connection:
        row = connection.execute(select(backups).where(backups.c.id == number)).mappings().first()
    if row is None:
        raise NotFound(f"there is no backup {number}", mend="`hotbay backup list` shows what there is")
    return _backup(dict(row))


def choose_backup(store: Store, plugin: str, wanted: str) -> Backup:
    """The plugin's backup of that number, or its newest for `latest`. Raises NotFound."""
    found = list_backups(store, plugin)
    if wanted != "latest":
        found = [item for item in found if str(item.id) == wanted]
    if not found:
        which = f"backup {wanted}" if wanted != "latest" else "backup"
        raise NotFound(f"there is no {which} of {plugin}", mend=f"`hotbay backup list {plugin}` shows what there is")
    return found[0]


def backup_of(store: Store, operation: int) -> Backup | None:
    """The backup that an operation made."""
    with store.read() as connection:
        row = connection.execute(select(backups).where(backups.c.operation == operation)).mappings().first()
    return None if row is None else _backup(dict(row))


def needed_backups(store: Store) -> frozenset[int]:
    """The numbers of backups with which a change goes back that nobody has confirmed yet."""
    still = confirmations.c.state.in_([state.value for state in Standing if state.open])
    query = select(backups.c.id).join(confirmations, confirmations.c.operation == backups.c.operation).where(still)
    with store.read() as connection:
        return frozenset(connection.scalars(query))


def _backup(row: dict[str, Any]) -> Backup:
    return Backup(**{**row, "tables": tuple(row["tables"]), "ledger": tuple(row["ledger"])})


# ── writing: the first three are part of the caller's transaction ──


def record_backup(connection: Connection, **values: Any) -> int:
    """Write a backup's row; answers its number."""
    key = connection.execute(insert(backups).values(at=now(), **values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def mark_restored(connection: Connection, number: int, operation: int | None) -> None:
    """Say which operation has put a backup's rows in place; None: it was undone."""
    connection.execute(update(backups).where(backups.c.id == number).values(restored_by=operation))


def forget_backup(connection: Connection, number: int) -> None:
    """Delete a backup's row. Its folder is the caller's to delete, afterwards."""
    connection.execute(delete(backups).where(backups.c.id == number))


def remove_backup(settings: Settings, store: Store, backup: Backup) -> None:
    """Delete a backup: the row first, so that no row is without its file; safe to repeat."""
    with store.write() as connection:
        forget_backup(connection, backup.id)
    shutil.rmtree(settings.backups / backup.folder, ignore_errors=True)


def retire_backups(settings: Settings, store: Store, plugin: str, needed: frozenset[int] = frozenset()) -> list[int]:
    """Delete the oldest backups of a plugin beyond `keep_backups`, but not those that are `needed`; their numbers."""
    needed |= needed_backups(store)
    old = [item for item in list_backups(store, plugin)[settings.keep_backups :] if item.id not in needed]
    for item in old:
        remove_backup(settings, store, item)
    return [item.id for item in old]


def sweep_backups(settings: Settings, store: Store) -> None:
    """Delete folders that no backup has: whoever deleted it, or had begun one, was cut off. Needs the lease.

    A folder of an operation that the journal does not know stays: the database may be an older one than the folder.
    """
    known = {item.folder for item in list_backups(store)}
    with store.read() as connection:
        ours = set(connection.scalars(select(operations.c.id)))
    for path in settings.backups.iterdir() if settings.backups.is_dir() else ():
        number = path.name.rpartition("-")[2]
        if path.name not in known and number.isdigit() and int(number) in ours:
            shutil.rmtree(path, ignore_errors=True)
