"""A plugin's data in one file: an SQLite database that any SQLite tool opens, and that restores exactly.

Each exported table is a plain table of the same name, without types and constraints, so that values are kept as they
are; only its row number is declared. `hotbay_export_meta` holds one JSON document, `hotbay_export_object` the
statements that make the schema, `hotbay_export_counter` the AUTOINCREMENT counters. SQLite itself carries the rows from
file to file (ATTACH): a million take less than a second, and none is held in memory.
"""

# ruff: noqa: S608 - every name in a statement is quoted, and every value bound

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hotbay.catalogue import Catalogue, Entry, read_catalogue
from hotbay.errors import BadInput, MigrationFailed
from hotbay.folder import fsync_dir, make_folder
from hotbay.grant import Grant, fold, quote
from hotbay.mishap import explain
from hotbay.store import Store, now

APPLICATION = 0x48424558  # "HBEX", in the file's header
FORMAT = 1
SIDE = "hotbay_side"
ROWID = "hotbay_rowid"
LEDGER = ("number", "name", "checksum", "down", "undo", "contract")
LAYOUT = (
    f"CREATE TABLE {SIDE}.hotbay_export_meta (document TEXT NOT NULL)",
    f"CREATE TABLE {SIDE}.hotbay_export_object "
    "(position INTEGER PRIMARY KEY, kind TEXT, name TEXT, tbl TEXT, sql TEXT)",
    f"CREATE TABLE {SIDE}.hotbay_export_counter (name TEXT, seq INTEGER)",
)


@dataclass(frozen=True)
class ExportInfo:
    """What was written: the file, how many rows of which table, its size in bytes and its SHA-256 (hex)."""

    path: Path
    counts: Mapping[str, int]
    bytes: int
    sha256: str

    @property
    def tables(self) -> int:
        """How many tables."""
        return len(self.counts)

    @property
    def rows(self) -> int:
        """How many rows in all."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class Shape:
    """A table's stored columns, and the name by which its row number can be had (empty: it has none to keep).

    `keys` are the columns of its primary key, `alias` is True where that is the row number itself.
    """

    columns: tuple[str, ...]
    rowid: str
    keys: tuple[str, ...] = ()
    alias: bool = False

    @property
    def names(self) -> str:
        """The columns for SELECT and INSERT, quoted."""
        return ", ".join([*([self.rowid] if self.rowid else []), *map(quote, self.columns)])

    @property
    def kept(self) -> list[str]:
        """What the columns are called in an export."""
        return [*([ROWID] if self.rowid else []), *self.columns]

    @property
    def declared(self) -> str:
        """The columns of the export's table for CREATE TABLE."""
        number = ROWID if self.rowid else self.keys[0] if self.alias else ""
        return ", ".join(quote(name) + (" INTEGER PRIMARY KEY" if name == number else "") for name in self.kept)


def export_data(database: Path, grant: Grant, out: Path, *, meta: Mapping[str, Any]) -> ExportInfo:
    """Write all tables of the plugin, as of one moment, to the file `out`, whole or not at all.

    `meta` is any JSON (version, ledger); `plugin` is added to it. Neither the host nor other plugins wait
    meanwhile. Raises MigrationFailed when the database or the file can't be read or written.
    """
    try:
        with _beside(out) as temporary:
            counts = _fill(database, grant, temporary, {**meta, "plugin": grant.plugin})
            sha256, size = _seal(temporary), temporary.stat().st_size
            temporary.replace(out)
            fsync_dir(out.parent)
    except (sqlite3.Error, OSError) as error:
        refused = explain(error, database)
        mend = refused.mend if refused is not None else "look at the space and rights of its folder"
        raise MigrationFailed(f"can't export {grant.plugin!r} to {out}: {error}", mend=mend) from error
    return ExportInfo(out, counts, size, sha256)


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A temporary file in the folder of `out`, removed at the end if it is still there."""
    make_folder(out.parent)
    handle, name = tempfile.mkstemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent)
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _seal(path: Path) -> str:
    """Flush the file to the disk; its SHA-256."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        os.fsync(stream.fileno())
    return digest


def _fill(database: Path, grant: Grant, file: Path, meta: Mapping[str, Any]) -> dict[str, int]:
    """Write all that is the plugin's into an empty file; how many rows each of its tables has."""
    with _snapshot(database, grant, file) as (source, catalogue):
        for sql in LAYOUT:
            source.execute(sql)
        source.execute(f"INSERT INTO {SIDE}.hotbay_export_meta VALUES (?)", (json.dumps(meta, ensure_ascii=False),))
        owned = catalogue.owned(grant)
        _write_schema(source, owned, catalogue, grant)
        stored = [one.name for one in owned if one.kind == "table" and not one.virtual]
        rows = {name: _copy_out(source, name) for name in stored}
        source.execute("COMMIT")
    # What FTS5 keeps of a virtual table's rows counts for that table; without content there is nothing to count.
    content = {fold(name): count for name, count in rows.items()}
    virtual = {one.name: content.get(f"{fold(one.name)}_content", 0) for one in owned if one.virtual}
    return {name: count for name, count in rows.items() if fold(name) not in catalogue.hidden} | virtual


@contextmanager
def _snapshot(database: Path, grant: Grant, file: Path) -> Iterator[tuple[sqlite3.Connection, Catalogue]]:
    """A connection that sees the database as of one moment, with `file` beside it, and the catalogue of that moment.

    All that runs on it is ours and names only the plugin's tables, so it needs no guard.
    """
    with closing(sqlite3.connect(database, timeout=30, isolation_level=None)) as source:
        source.execute("PRAGMA trusted_schema=OFF")
        source.execute(f"ATTACH ? AS {SIDE}", (str(file),))
        for setting in (
            "journal_mode=OFF",
            "synchronous=OFF",
            f"application_id={APPLICATION}",
            f"user_version={FORMAT}",
        ):
            source.execute(f"PRAGMA {SIDE}.{setting}")
        source.execute("BEGIN")
        yield source, read_catalogue(source)


def _write_schema(source: sqlite3.Connection, owned: list[Entry], catalogue: Catalogue, grant: Grant) -> None:
    made = [one for one in owned if one.sql and fold(one.name) not in catalogue.hidden]
    source.executemany(
        f"INSERT INTO {SIDE}.hotbay_export_object (kind, name, tbl, sql) VALUES (?, ?, ?, ?)",
        [(one.kind, one.name, one.table, one.sql) for one in made],
    )
    source.executemany(
        f"INSERT INTO {SIDE}.hotbay_export_counter VALUES (?, ?)",
        [(name, seq) for name, values in catalogue.counters.items() if grant.owns(name) for seq in values],
    )


def shape(connection: sqlite3.Connection, table: str) -> Shape:
    """What of a table is stored: its columns without the generated ones, its row number's name, and its key."""
    name = quote(table)
    rows = connection.execute(f"PRAGMA main.table_xinfo({name})").fetchall()
    every = {fold(row[1]) for row in rows}
    columns = tuple(row[1] for row in rows if row[6] == 0)
    keys = tuple(row[1] for row in sorted((row for row in rows if row[5]), key=lambda row: row[5]))
    indexed = any(row[3] == "pk" for row in connection.execute(f"PRAGMA main.index_list({name})"))
    free = next((word for word in ("rowid", "_rowid_", "oid") if word not in every), "")
    # A key without an index of its own is the row number. WITHOUT ROWID tables and INTEGER PRIMARY KEY DESC have one.
    alias = bool(keys) and not indexed
    return Shape(columns, "" if alias or not free or not _has_rowid(connection, table, free) else free, keys, alias)


def _has_rowid(connection: sqlite3.Connection, table: str, name: str) -> bool:
    try:
        connection.execute(f"SELECT {name} FROM main.{quote(table)} LIMIT 0")
    except sqlite3.OperationalError:
        return False
    return True


def _copy_out(source: sqlite3.Connection, table: str) -> int:
    form, name = shape(source, table), quote(table)
    source.execute(f"CREATE TABLE {SIDE}.{name} ({form.declared})")
    copied = source.execute(f"INSERT INTO {SIDE}.{name} SELECT {form.names} FROM main.{name}")
    return copied.rowcount


def describe(registry: Store, plugin: str, version: str = "") -> dict[str, Any]:
    """What goes with a plugin's rows: enough to bring them back where nothing else is known of it."""
    ledger = [{key: row[key] for key in LEDGER} for row in registry.applied(plugin)]
    plain, secrets = registry.read_settings(plugin)
    settings = {"data": plain, "secrets": secrets}
    return {"plugin": plugin, "version": version, "ledger": ledger, "settings": settings, "at": now()}


def read_export(file: Path) -> dict[str, Any]:
    """The meta document of an export. Raises BadInput when the file is none, or damaged."""
    with opened(file) as source:
        return read_meta(source, file)


@contextmanager
def opened(file: Path, *, sound: bool = False) -> Iterator[sqlite3.Connection]:
    """An export, read-only; `sound` when its hash was compared already. Raises BadInput."""
    mend = "give a file that uninstall has exported"
    try:
        uri = f"{file.resolve(strict=True).as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as source:
            source.execute("PRAGMA trusted_schema=OFF")
            marks = [source.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
            if marks != [APPLICATION, FORMAT]:
                raise BadInput(f"{file} is no export of Hotbay, format {FORMAT}", mend=mend)
            if not sound and (found := source.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
                raise BadInput(f"{file} is damaged: {found}", mend=mend)
            yield source
    except FileNotFoundError as error:
        raise BadInput(f"there is no file {file}", mend=mend) from error
    except sqlite3.DatabaseError as error:
        raise BadInput(f"{file} can't be read as an export: {error}", mend=mend) from error


def read_meta(source: sqlite3.Connection, file: Path) -> dict[str, Any]:
    """The meta document of an open export. Raises BadInput."""
    row = source.execute("SELECT document FROM hotbay_export_meta").fetchone()
    try:
        document = json.loads(row[0])
        if isinstance(document["plugin"], str):
            return dict(document)
    except (TypeError, KeyError, ValueError):
        pass
    raise BadInput(f"{file} does not say of which plugin it is", mend="give a file that uninstall has exported")
