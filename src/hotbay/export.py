"""A plugin's data in one file: an SQLite database that any SQLite tool opens, and that restores exactly.

Each exported table is a plain table of the same name without constraints, so that values are kept as they
are. `hotbay_export_meta` holds one JSON document, `hotbay_export_object` the statements that make the schema,
`hotbay_export_counter` the AUTOINCREMENT counters. Rows travel in batches; nothing is held in memory whole.
"""

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
from hotbay.errors import BadInput, Conflict, MigrationFailed
from hotbay.folder import fsync_dir, make_folder
from hotbay.grant import Grant, GuardDenied, fold, quote
from hotbay.guard import guarded_connection_factory
from hotbay.migrate import Transaction
from hotbay.mishap import explain

APPLICATION = 0x48424558  # "HBEX", in the file's header
FORMAT = 1
BATCH = 500
ROWID = "hotbay_rowid"
LAYOUT = (
    "CREATE TABLE hotbay_export_meta (document TEXT NOT NULL)",
    "CREATE TABLE hotbay_export_object (position INTEGER PRIMARY KEY, kind TEXT, name TEXT, tbl TEXT, sql TEXT)",
    "CREATE TABLE hotbay_export_counter (name TEXT, seq INTEGER)",
)


@dataclass(frozen=True)
class ExportInfo:
    """What was written: the file, its tables and rows, its size in bytes and its SHA-256 (hex)."""

    path: Path
    tables: int
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Shape:
    """A table's stored columns, and the name by which its row number can be had (empty: it has none to keep)."""

    columns: tuple[str, ...]
    rowid: str

    @property
    def names(self) -> str:
        """The columns for SELECT and INSERT, quoted."""
        return ", ".join([*([self.rowid] if self.rowid else []), *map(quote, self.columns)])

    @property
    def marks(self) -> str:
        """One ? a column."""
        return ", ".join("?" * (len(self.columns) + bool(self.rowid)))


def export_data(database: Path, grant: Grant, out: Path, *, meta: Mapping[str, Any]) -> ExportInfo:
    """Write all tables of the plugin, as of one moment, to the file `out`, whole or not at all.

    `meta` is any JSON (version, ledger); `plugin` is added to it. Neither the host nor other plugins wait
    meanwhile. Raises MigrationFailed when the database or the file can't be read or written.
    """
    try:
        with _beside(out) as temporary:
            with closing(sqlite3.connect(temporary, isolation_level=None)) as target:
                tables, rows = _fill(database, grant, target, {**meta, "plugin": grant.plugin})
            sha256, size = _seal(temporary), temporary.stat().st_size
            temporary.replace(out)
            fsync_dir(out.parent)
    except (sqlite3.Error, OSError) as error:
        refused = explain(error, database)
        mend = refused.mend if refused is not None else "look at the space and rights of its folder"
        raise MigrationFailed(f"can't export {grant.plugin!r} to {out}: {error}", mend=mend) from error
    return ExportInfo(out, tables, rows, size, sha256)


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


def _fill(database: Path, grant: Grant, target: sqlite3.Connection, meta: Mapping[str, Any]) -> tuple[int, int]:
    for sql in ("PRAGMA journal_mode=OFF", f"PRAGMA application_id={APPLICATION}", f"PRAGMA user_version={FORMAT}"):
        target.execute(sql)
    target.execute("BEGIN")
    for sql in LAYOUT:
        target.execute(sql)
    target.execute("INSERT INTO hotbay_export_meta VALUES (?)", (json.dumps(meta, ensure_ascii=False),))
    with _snapshot(database, grant) as (source, catalogue):
        owned = catalogue.owned(grant)
        _write_schema(target, owned, catalogue, grant)
        stored = [one for one in owned if one.kind == "table" and not one.virtual]
        rows = sum(_copy_out(source, target, table.name) for table in stored)
    target.execute("COMMIT")
    return sum(fold(table.name) not in catalogue.hidden for table in owned if table.kind == "table"), rows


@contextmanager
def _snapshot(database: Path, grant: Grant) -> Iterator[tuple[sqlite3.Connection, Catalogue]]:
    """A guarded connection that sees the database as of one moment, and the catalogue of that moment."""
    factory = guarded_connection_factory(grant)
    with closing(sqlite3.connect(database, timeout=30, factory=factory)) as source:
        with source.lifted():
            source.execute("BEGIN")
            catalogue = read_catalogue(source)
        source.refresh()
        yield source, catalogue


def _write_schema(target: sqlite3.Connection, owned: list[Entry], catalogue: Catalogue, grant: Grant) -> None:
    made = [one for one in owned if one.sql and fold(one.name) not in catalogue.hidden]
    target.executemany(
        "INSERT INTO hotbay_export_object (kind, name, tbl, sql) VALUES (?, ?, ?, ?)",
        [(one.kind, one.name, one.table, one.sql) for one in made],
    )
    target.executemany(
        "INSERT INTO hotbay_export_counter VALUES (?, ?)",
        [(name, seq) for name, values in catalogue.counters.items() if grant.owns(name) for seq in values],
    )


def shape(connection: sqlite3.Connection, table: str) -> Shape:
    """What of a table is stored: its columns without the generated ones, and its row number's name."""
    rows = connection.execute(f"PRAGMA table_xinfo({quote(table)})").fetchall()
    every = {fold(row[1]) for row in rows}
    columns = tuple(row[1] for row in rows if row[6] == 0)
    keys = [row for row in rows if row[5]]
    alias = len(keys) == 1 and fold(keys[0][2]) == "integer"
    free = next((name for name in ("rowid", "_rowid_", "oid") if name not in every), "")
    return Shape(columns, "" if alias or not free or not _has_rowid(connection, table, free) else free)


def _has_rowid(connection: sqlite3.Connection, table: str, name: str) -> bool:
    try:
        connection.execute(f"SELECT {name} FROM {quote(table)} LIMIT 0")  # noqa: S608 - names are quoted
    except sqlite3.OperationalError:
        return False
    return True


def _copy_out(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> int:
    form = shape(source, table)
    kept = [*([ROWID] if form.rowid else []), *form.columns]
    target.execute(f"CREATE TABLE {quote(table)} ({', '.join(map(quote, kept))})")
    rows = source.execute(f"SELECT {form.names} FROM {quote(table)}")  # noqa: S608 - names are quoted
    return _pour(rows, target, f"INSERT INTO {quote(table)} VALUES ({form.marks})")  # noqa: S608 - names are quoted


def _pour(rows: sqlite3.Cursor, target: sqlite3.Connection, insert: str) -> int:
    count = 0
    while batch := rows.fetchmany(BATCH):
        target.executemany(insert, batch)
        count += len(batch)
    return count


def read_export(file: Path) -> dict[str, Any]:
    """The meta document of an export. Raises BadInput when the file is none, or damaged."""
    with _opened(file) as source:
        return _meta(source, file)


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    mend = "give a file that uninstall has exported"
    try:
        uri = f"{file.resolve(strict=True).as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as source:
            source.execute("PRAGMA trusted_schema=OFF")
            marks = [source.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
            if marks != [APPLICATION, FORMAT]:
                raise BadInput(f"{file} is no export of Hotbay, format {FORMAT}", mend=mend)
            if (found := source.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
                raise BadInput(f"{file} is damaged: {found}", mend=mend)
            yield source
    except FileNotFoundError as error:
        raise BadInput(f"there is no file {file}", mend=mend) from error
    except sqlite3.DatabaseError as error:
        raise BadInput(f"{file} can't be read as an export: {error}", mend=mend) from error


def _meta(source: sqlite3.Connection, file: Path) -> dict[str, Any]:
    row = source.execute("SELECT document FROM hotbay_export_meta").fetchone()
    try:
        document = json.loads(row[0])
        if isinstance(document["plugin"], str):
            return dict(document)
    except (TypeError, KeyError, ValueError):
        pass
    raise BadInput(f"{file} does not say of which plugin it is", mend="give a file that uninstall has exported")


def restore_data(file: Path, transaction: Transaction) -> dict[str, Any]:
    """Make the exported tables again, with their rows, in a migration's transaction; returns the meta
    document.

    Triggers come last, so none fires. Raises BadInput for a file that is no (or another plugin's) export,
    Conflict when a table is there already, MigrationFailed when its schema or rows don't go in.
    """
    with _opened(file) as source:
        meta = _meta(source, file)
        plugin = transaction.grant.plugin
        if meta["plugin"] != plugin:
            raise BadInput(f"{file} is an export of {meta['plugin']!r}, not of {plugin!r}")
        objects = [
            Entry(*row)
            for row in source.execute("SELECT kind, name, tbl, sql FROM hotbay_export_object ORDER BY position")
        ]
        _refuse_existing(objects, transaction)
        _restore(source, objects, transaction, file)
    return meta


def _refuse_existing(objects: list[Entry], transaction: Transaction) -> None:
    there = transaction.catalogue().by_key
    names = [one.name for one in objects if one.kind == "table" and one.key in there]
    if names:
        mend = "uninstall the plugin with its data first, or install it without --restore"
        raise Conflict(f"tables are there already: {', '.join(names)}", mend=mend)


def _restore(source: sqlite3.Connection, objects: list[Entry], transaction: Transaction, file: Path) -> None:
    tables = [one for one in objects if one.kind == "table"]
    stored = [row[0] for row in source.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")]
    try:
        for entry in sorted(tables, key=lambda one: one.virtual):
            _make(entry, transaction)
        for name in stored:
            if not fold(name).startswith(("hotbay_", "sqlite_")):
                _copy_in(source, transaction, name)
        _restore_counters(source, transaction, {fold(one.name): one.name for one in tables})
        for kind in ("index", "view", "trigger"):
            for entry in (one for one in objects if one.kind == kind):
                _make(entry, transaction)
    except GuardDenied as error:
        raise MigrationFailed(f"{file} does not go in: {error.message}", mend=error.mend) from error
    except sqlite3.Error as error:
        raise MigrationFailed(f"{file} does not go in: {error}") from error


def _make(entry: Entry, transaction: Transaction) -> None:
    if not (entry.sql or "").lstrip()[:6].upper() == "CREATE":
        raise MigrationFailed(f"the export's {entry.kind} {entry.name} has no CREATE statement")
    transaction.execute(entry.sql or "")
    transaction.raw.refresh()


def _copy_in(source: sqlite3.Connection, transaction: Transaction, table: str) -> None:
    form = shape(transaction.raw, table)
    name = quote(table)
    wanted = [*([ROWID] if form.rowid else []), *form.columns]
    kept = ", ".join(map(quote, wanted))
    # An unknown name in double quotes is a text to SQLite: a column that is missing must not become its own name.
    there = [row[1] for row in source.execute(f"PRAGMA table_xinfo({name})")]
    if there != wanted:
        raise MigrationFailed(f"the export's table {table} has columns {there}, its schema {wanted}")
    # FTS5 has put its first rows into its own tables; the exported ones are the whole truth.
    transaction.execute(f"DELETE FROM {name}")  # noqa: S608 - names are quoted
    rows = source.execute(f"SELECT {kept} FROM {name}")  # noqa: S608 - names are quoted
    _pour(rows, transaction.raw, f"INSERT INTO {name} ({form.names}) VALUES ({form.marks})")  # noqa: S608 - names are quoted


def _restore_counters(source: sqlite3.Connection, transaction: Transaction, names: Mapping[str, str]) -> None:
    counters = source.execute("SELECT name, seq FROM hotbay_export_counter").fetchall()
    with transaction.raw.lifted():
        for name, seq in counters:
            if fold(str(name)) not in names:
                raise MigrationFailed(f"the export has a counter for {name}, which is none of its tables")
            set_counter(transaction.raw, names[fold(str(name))], seq)


def set_counter(connection: sqlite3.Connection, table: str, seq: int) -> None:
    """Set a table's AUTOINCREMENT counter on an unguarded (or lifted) connection."""
    if not connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", (seq, table)).rowcount:
        connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, seq))
