"""What a plugin leaves behind for others to trip over: found after a migration's statements, before COMMIT.

The authorizer judges statements. These judge what only acts later: triggers, views, foreign keys, FTS5
options.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from hotbay.catalogue import Catalogue, Entry
from hotbay.errors import Problem
from hotbay.grant import Grant, fold, quote
from hotbay.guard import GuardedConnection
from hotbay.rules import is_fts5

SAFE_DELETES = ("CASCADE", "SET NULL", "SET DEFAULT")


def inspect_owned(raw: GuardedConnection, catalogue: Catalogue, grant: Grant) -> list[Problem]:
    """Everything of the plugin's that would read or write what is not its own, or get in the host's way."""
    problems: list[Problem] = []
    for entry in catalogue.owned(grant):
        if entry.virtual:
            problems += _virtual(raw, entry)
        elif entry.kind == "view" or (entry.kind == "table" and fold(entry.name) not in catalogue.hidden):
            problems += _compiles(raw, entry, catalogue)
        if entry.kind == "table" and not entry.virtual:
            problems += _foreign_keys(raw, entry, grant, catalogue)
    return problems


def _virtual(raw: GuardedConnection, entry: Entry) -> list[Problem]:
    """Let FTS5 read one row: its option `content=` (which may be abbreviated) names the table that it reads."""
    where = f"virtual table {entry.name}"
    if not is_fts5(entry.sql or ""):
        return [Problem(where, "is of a module other than fts5", mend="use FTS5 or ordinary tables")]
    raw.rules.denial = None
    try:
        with raw.running():
            raw.execute(f"SELECT * FROM {quote(entry.name)} LIMIT 1").fetchall()  # noqa: S608 - quoted
    except sqlite3.Error as error:
        denial = raw.take_denial()
        if denial is None:
            return [Problem(where, f"can't be read: {error}", mend="look at its options, content= above all")]
        refusal = denial.error()
        return [Problem(where, f"reads what is not the plugin's: {refusal.message}", mend=refusal.mend)]
    return []


def _compiles(raw: GuardedConnection, entry: Entry, catalogue: Catalogue) -> list[Problem]:
    """Let SQLite compile, under the rules of run time, all that happens when the object is used by anybody."""
    problems = []
    for what, sql in _uses(raw, entry, catalogue):
        raw.rules.denial = None
        try:
            with raw.running():
                raw.execute(f"EXPLAIN {sql}").fetchall()
        except sqlite3.Error as error:
            denial = raw.take_denial()
            if denial is not None:
                refusal = denial.error()
                problems.append(Problem(f"{entry.kind} {entry.name}", f"{what}: {refusal.message}", mend=refusal.mend))
            elif not _needs_no_trigger(entry, error):
                rule = f"{what} can't be compiled: {error}"
                problems.append(Problem(f"{entry.kind} {entry.name}", rule, mend="drop or mend it"))
    return problems


def _needs_no_trigger(entry: Entry, error: sqlite3.Error) -> bool:
    """A view without an INSTEAD OF trigger for this kind of change: there is nothing to judge."""
    return entry.kind == "view" and "because it is a view" in str(error)


def _uses(raw: GuardedConnection, entry: Entry, catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    name = quote(entry.name)
    yield "SELECT", f"SELECT * FROM {name}"  # noqa: S608 - names are quoted
    triggers = any(one.kind == "trigger" and fold(one.table) == fold(entry.name) for one in catalogue.entries)
    if entry.kind == "view" and not triggers:
        return
    with raw.lifted():
        columns = raw.execute(f"PRAGMA main.table_xinfo({name})").fetchall()
    plain = [quote(row[1]) for row in columns if row[6] == 0]
    yield "INSERT", f"INSERT INTO {name} DEFAULT VALUES"
    yield "UPDATE", f"UPDATE {name} SET {', '.join(f'{column} = {column}' for column in plain)}"  # noqa: S608 - names are quoted
    yield "DELETE", f"DELETE FROM {name}"  # noqa: S608 - names are quoted


def _foreign_keys(raw: GuardedConnection, entry: Entry, grant: Grant, catalogue: Catalogue) -> list[Problem]:
    with raw.lifted():
        keys = raw.execute(f"PRAGMA main.foreign_key_list({quote(entry.name)})").fetchall()
    problems = []
    for parent, on_delete in sorted({(row[2], row[6]) for row in keys}):
        if grant.owns(parent, catalogue.fts):
            continue
        where = f"table {entry.name}"
        if not grant.may_read(parent):
            mend = f"ask for {parent} in the manifest's database.reads"
            problems.append(Problem(where, f"refers to table {parent}, which was not granted", mend=mend))
        elif on_delete not in SAFE_DELETES:
            rule = f"would stop the host from deleting rows of {parent} (ON DELETE {on_delete})"
            problems.append(Problem(where, rule, mend="add ON DELETE CASCADE or ON DELETE SET NULL"))
    return problems


def orphans(raw: sqlite3.Connection, catalogue: Catalogue, grant: Grant) -> dict[tuple[str, str], int]:
    """How many rows of each of the plugin's tables refer to a row, of which parent, that is not there.

    For a lifted connection. A foreign key to what can't be a parent counts as one.
    """
    found: dict[tuple[str, str], int] = {}
    for entry in catalogue.owned(grant):
        if entry.kind != "table" or entry.virtual:
            continue
        try:
            for table, _rowid, parent, _key in raw.execute(f"PRAGMA main.foreign_key_check({quote(entry.name)})"):
                found[table, parent] = found.get((table, parent), 0) + 1
        except sqlite3.OperationalError as error:  # "foreign key mismatch": the parent has no such unique key
            found[entry.name, str(error)] = 1
    return found
