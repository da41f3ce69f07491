"""What belongs to an installed plugin on this host: the files of its code and of its own folder, and its tables."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hotbay.bench import grant_for
from hotbay.grant import fold, quote, shadows
from hotbay.migrate import owned_tables
from hotbay.mishap import explained
from hotbay.settings import Settings
from hotbay.store import Store

SHOWN = 2000
_COMPILED = "__pycache__"


@dataclass(frozen=True)
class Folder:
    """A folder's files (paths below it, sizes in bytes), sorted; of very many only the first, but all are counted."""

    path: Path
    files: tuple[tuple[str, int], ...]
    count: int
    bytes: int

    def to_json(self) -> dict[str, Any]:
        """What is shown."""
        listed = [{"name": name, "bytes": size} for name, size in self.files]
        return {"path": str(self.path), "count": self.count, "bytes": self.bytes, "files": listed}


def folder(path: Path) -> Folder:
    """Look at a folder; a link counts as itself, nothing is followed. A folder that is not there is empty."""
    found = sorted(_files(path, ""))
    return Folder(path, tuple(found[:SHOWN]), len(found), sum(size for _, size in found))


def _files(path: Path, below: str) -> Iterator[tuple[str, int]]:
    try:
        with os.scandir(path) as entries:
            inside = list(entries)
    except (FileNotFoundError, NotADirectoryError):  # It went while somebody looked.
        return
    for entry in inside:
        if entry.is_dir(follow_symlinks=False):
            if entry.name != _COMPILED:
                yield from _files(Path(entry.path), f"{below}{entry.name}/")
            continue
        try:
            yield f"{below}{entry.name}", entry.stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            continue


def files(settings: Settings, registry: Store, plugin: str) -> dict[str, Any]:
    """The files of a plugin's code in service, and those of its own folder. Raises NotFound."""
    row = registry.get_live(plugin)
    code, own = folder(settings.images / row.image), folder(settings.data / plugin)
    return {"addon_id": plugin, "version": row.version, "code": code.to_json(), "data": own.to_json()}


def tables(settings: Settings, registry: Store, plugin: str) -> dict[str, Any]:
    """A plugin's tables with their rows and bytes, and those of the host that it may read. Raises NotFound.

    Counting takes some 10 ms for a million rows. `bytes` (indexes included) is None where SQLite can't tell.
    """
    row = registry.get_live(plugin)
    manifest = row.parsed
    names = owned_tables(settings.database_path, grant_for(manifest, registry.all_live()))
    database = settings.database_path
    address = f"{database.absolute().as_uri()}?mode=ro"
    with explained(database), closing(sqlite3.connect(address, uri=True)) as connection:
        found = [_table(connection, name) for name in names]
    return {
        "addon_id": plugin,
        "tables": found,
        "reads": list(manifest.database.reads),
        "rows": sum(item["rows"] for item in found),
        "bytes": None if any(item["bytes"] is None for item in found) else sum(item["bytes"] for item in found),
    }


def _table(connection: sqlite3.Connection, name: str) -> dict[str, Any]:
    (rows,) = connection.execute(f"SELECT count(*) FROM {quote(name)}").fetchone()  # noqa: S608 - quoted
    columns = [row[1] for row in connection.execute("SELECT * FROM pragma_table_info(?)", (name,))]
    return {"name": name, "rows": rows, "bytes": _bytes(connection, name), "columns": columns}


def _bytes(connection: sqlite3.Connection, table: str) -> int | None:
    """Of its pages, its indexes' and those in which FTS5 keeps it; None when SQLite was built without the means."""
    names = [fold(table), *shadows(table)]
    query = (
        "SELECT coalesce(sum(s.pgsize), 0) FROM sqlite_master AS m JOIN dbstat AS s ON s.name = m.name"
        " WHERE s.aggregate = TRUE AND lower(m.tbl_name) IN (SELECT value FROM json_each(?))"
    )
    try:
        return int(connection.execute(query, (json.dumps(names),)).fetchone()[0])
    except sqlite3.OperationalError:
        return None
