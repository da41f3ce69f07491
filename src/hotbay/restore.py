"""Bring a plugin's tables back from an export or a backup, in a migration's transaction and under its guard.

SQLite carries the rows from file to file; indexes are made when the rows are there, triggers last, so none fires.
"""

# ruff: noqa: S608 - every name in a statement is quoted, and every value bound

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hotbay.catalogue import Entry
from hotbay.errors import BadInput, Conflict, MigrationFailed
from hotbay.export import SIDE, opened, read_meta, shape
from hotbay.grant import GuardDenied, fold, quote
from hotbay.migrate import Transaction


def restore_data(
    file: Path, transaction: Transaction, *, sha256: str = "", more: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """Make the exported tables again, with their rows, in a migration's transaction; returns the meta document.

    `sha256` is the file's hash where it is known: then the hash is compared, instead of looking through its pages.
    `more` is called before the triggers are made: what it writes fires none.
    Raises BadInput for a file that is no (or another plugin's) export or was changed, Conflict when a table is there
    already, MigrationFailed when its schema or rows don't go in.
    """
    if sha256:
        refuse_changed(file, sha256)
    with opened(file, sound=bool(sha256)) as source:
        meta = read_meta(source, file)
        plugin = transaction.grant.plugin
        if meta["plugin"] != plugin:
            raise BadInput(f"{file} is an export of {meta['plugin']!r}, not of {plugin!r}")
        objects = read_objects(source)
        _refuse_existing(objects, transaction)
        with beside(file, transaction):
            _restore(source, objects, transaction, file, more)
    return meta


def refuse_changed(file: Path, sha256: str) -> None:
    """Raise BadInput unless the file has this hash."""
    try:
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(f"{file} can't be read: {error.strerror}", mend="choose another backup") from error
    if found != sha256:
        raise BadInput(f"{file} is not what was written: its hash is another", mend="choose another backup")


def read_objects(source: sqlite3.Connection) -> list[Entry]:
    """The CREATE statements of an export, in order."""
    rows = source.execute("SELECT kind, name, tbl, sql FROM hotbay_export_object ORDER BY position")
    return [Entry(*row) for row in rows]


@contextmanager
def beside(file: Path, transaction: Transaction) -> Iterator[None]:
    """The file's tables can be read in the transaction, as `hotbay_side`, for the block and until the transaction ends.

    A database can't be detached inside a transaction; the same file may be asked for again, another may not.
    """
    raw = transaction.raw
    with raw.lifted():
        there = {row[1]: row[2] for row in raw.execute("PRAGMA database_list")}
        if SIDE not in there:
            raw.execute(f"ATTACH ? AS {SIDE}", (str(file.resolve()),))
    before, raw.rules.side = raw.rules.side, SIDE
    try:
        yield
    finally:
        raw.rules.side = before


def _refuse_existing(objects: list[Entry], transaction: Transaction) -> None:
    there = transaction.catalogue().by_key
    names = [one.name for one in objects if one.kind == "table" and one.key in there]
    if names:
        mend = "uninstall the plugin with its data first, or install it without --restore"
        raise Conflict(f"tables are there already: {', '.join(names)}", mend=mend)


def _restore(
    source: sqlite3.Connection, objects: list[Entry], transaction: Transaction, file: Path, more: Callable[[], None]
) -> None:
    tables = [one for one in objects if one.kind == "table"]
    stored = [row[0] for row in source.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")]
    try:
        for entry in sorted(tables, key=lambda one: one.virtual):
            _make(entry, transaction)
        for name in stored:
            if not fold(name).startswith(("hotbay_", "sqlite_")):
                _copy_in(source, transaction, name)
        _restore_counters(source, transaction, {fold(one.name): one.name for one in tables})
        for entry in (one for one in objects if one.kind == "index"):
            _make(entry, transaction)
        more()
        for entry in sorted(
            (one for one in objects if one.kind in ("view", "trigger")), key=lambda one: -one.drop_rank
        ):
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
    name, kept = quote(table), ", ".join(map(quote, form.kept))
    # An unknown name in double quotes is a text to SQLite: a column that is missing must not become its own name.
    there = [row[1] for row in source.execute(f"PRAGMA table_xinfo({name})")]
    if there != form.kept:
        raise MigrationFailed(f"the export's table {table} has columns {there}, its schema {form.kept}")
    # FTS5 has put its first rows into its own tables; the exported ones are the whole truth.
    transaction.execute(f"DELETE FROM main.{name}")
    insert = f"INSERT INTO main.{name} ({form.names}) SELECT {kept} FROM {SIDE}.{name}"
    transaction.execute(insert)


def _restore_counters(source: sqlite3.Connection, transaction: Transaction, names: Mapping[str, str]) -> None:
    counters = source.execute("SELECT name, seq FROM hotbay_export_counter").fetchall()
    with transaction.raw.lifted():
        raw = transaction.raw
        if raw.execute("SELECT 1 FROM main.sqlite_master WHERE name = 'sqlite_sequence'").fetchone():
            # Copying nothing into a table makes its counter 0 where there was none.
            raw.executemany("DELETE FROM main.sqlite_sequence WHERE name = ?", [(name,) for name in names.values()])
        for name, seq in counters:
            if fold(str(name)) not in names:
                raise MigrationFailed(f"the export has a counter for {name}, which is none of its tables")
            raw.execute("INSERT INTO main.sqlite_sequence (name, seq) VALUES (?, ?)", (names[fold(str(name))], seq))
