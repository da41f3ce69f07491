"""What is in the database: read it, compare two readings, and undo what was only added."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from hotbay.errors import Problem
from hotbay.grant import Grant, fold, quote, shadows
from hotbay.rules import is_fts5

Key = tuple[str, str]
# The order in which objects can be dropped without one needing another that is gone.
DROP_ORDER = ("trigger", "view", "index", "virtual", "table")


@dataclass(frozen=True)
class Entry:
    """One row of `sqlite_master`: `kind` is table, index, view or trigger; `sql` is None for implied indexes."""

    kind: str
    name: str
    table: str
    sql: str | None

    @property
    def key(self) -> Key:
        """What identifies it."""
        return self.kind, fold(self.name)

    @property
    def virtual(self) -> bool:
        """True for virtual tables of any module."""
        return bool(re.match(r"(?is)\s*create\s+virtual\b", self.sql or ""))

    @property
    def drop_rank(self) -> int:
        """Its place in DROP_ORDER."""
        return DROP_ORDER.index("virtual" if self.virtual else self.kind)


@dataclass(frozen=True)
class Catalogue:
    """All objects of a database, the columns of its tables, and the AUTOINCREMENT counters by folded name."""

    entries: tuple[Entry, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    counters: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @cached_property
    def by_key(self) -> dict[Key, Entry]:
        """The objects by kind and folded name."""
        return {entry.key: entry for entry in self.entries}

    @cached_property
    def fts(self) -> frozenset[str]:
        """The folded names of the FTS5 tables."""
        return frozenset(fold(one.name) for one in self.entries if one.kind == "table" and is_fts5(one.sql or ""))

    @cached_property
    def hidden(self) -> frozenset[str]:
        """The folded names of the tables in which FTS5 keeps its own."""
        names = {key[1] for key in self.by_key if key[0] == "table"}
        return frozenset(names & {name for table in self.fts for name in shadows(table)})

    def owned(self, grant: Grant) -> list[Entry]:
        """The plugin's objects: tables and views by their name, indexes and triggers by their table's."""
        return [entry for entry in self.entries if self.owns(grant, entry)]

    def owns(self, grant: Grant, entry: Entry) -> bool:
        """True when the object is the plugin's."""
        return grant.owns(entry.table if entry.kind in ("index", "trigger") else entry.name, self.fts)


def read_objects(connection: sqlite3.Connection) -> Catalogue:
    """The objects without columns and counters, for who wants their names: a quarter of the time."""
    rows = connection.execute("SELECT type, name, tbl_name, sql FROM main.sqlite_master ORDER BY rowid")
    return Catalogue(tuple(Entry(*row) for row in rows.fetchall()))


def read_catalogue(connection: sqlite3.Connection, before: Catalogue | None = None) -> Catalogue:
    """Read everything through an unguarded (or lifted) connection.

    Columns follow from what the objects were created with: they are those of `before` where that is the same.
    """
    entries = read_objects(connection).entries
    counters = _counters(connection, entries)
    if before is not None and entries == before.entries:
        return before if counters == before.counters else replace(before, counters=counters)
    return Catalogue(entries, _columns(connection, entries), counters)


def _columns(connection: sqlite3.Connection, entries: Iterable[Entry]) -> dict[str, tuple[str, ...]]:
    """One statement for all tables: one for each took most of the reading.

    No function in it: whoever has the connection may have put another in its place.
    """
    found: dict[str, list[str]] = {fold(one.name): [] for one in entries if one.kind == "table" and not one.virtual}
    for table, column in connection.execute(
        "SELECT t.name, c.name FROM main.sqlite_master t, pragma_table_xinfo(t.name, 'main') c"
        " WHERE t.type = 'table' AND t.sql NOT BETWEEN 'CREATE VIRTUAL ' AND 'CREATE VIRTUAL~' ORDER BY t.rowid, c.cid"
    ):
        found[fold(table)].append(column)
    return {table: tuple(columns) for table, columns in found.items()}


def _counters(connection: sqlite3.Connection, entries: Iterable[Entry]) -> dict[str, tuple[int, ...]]:
    counters: dict[str, tuple[int, ...]] = {}
    if any(entry.name == "sqlite_sequence" for entry in entries):
        for name, value in connection.execute("SELECT name, seq FROM main.sqlite_sequence ORDER BY rowid"):
            counters[fold(str(name))] = (*counters.get(fold(str(name)), ()), value)
    return counters


@dataclass(frozen=True)
class Change:
    """One difference between two catalogues; `before` is None for what is new, `after` for what is gone."""

    before: Entry | None
    after: Entry | None

    @property
    def verb(self) -> str:
        """created, changed or dropped."""
        if self.before is None:
            return "created"
        return "dropped" if self.after is None else "changed"

    @property
    def entry(self) -> Entry:
        """The object, as it is or was last."""
        entry = self.after or self.before
        assert entry is not None
        return entry


def changes(before: Catalogue, after: Catalogue) -> list[Change]:
    """What differs, in the order of creation, dropped objects first."""
    old, new = before.by_key, after.by_key
    gone = [Change(entry, None) for key, entry in old.items() if key not in new]
    return gone + [Change(old.get(key), entry) for key, entry in new.items() if old.get(key) != entry]


def foreign_changes(before: Catalogue, after: Catalogue, grant: Grant) -> list[Problem]:
    """Every change of an object or counter that is not the plugin's."""
    problems = []
    for change in changes(before, after):
        mine = all(
            catalogue.owns(grant, entry)
            for catalogue, entry in ((before, change.before), (after, change.after))
            if entry is not None
        )
        if not mine and not (change.verb == "created" and change.entry.name == "sqlite_sequence"):
            problems.append(_trespass(change, grant))
    names = sorted({*before.counters, *after.counters})
    problems += [
        Problem(
            f"counter of table {name}",
            "was changed, and is not the plugin's",
            mend="leave sqlite_sequence alone",
        )
        for name in names
        if before.counters.get(name) != after.counters.get(name) and not grant.owns(name)
    ]
    return problems


def _trespass(change: Change, grant: Grant) -> Problem:
    mend = f"use names that begin with {grant.plugin}_, or list tables in the manifest's database.tables"
    return Problem(f"{change.entry.kind} {change.entry.name}", f"was {change.verb}, and is not the plugin's", mend=mend)


def merge(base: Catalogue, before: Catalogue, after: Catalogue) -> Catalogue:
    """`base` with what changed from `before` to `after`: so Hotbay's own changes don't count as a plugin's."""
    entries = base.by_key
    for change in changes(before, after):
        if change.after is None:
            entries.pop(change.entry.key, None)
        else:
            entries[change.entry.key] = change.after
    counters = dict(base.counters)
    for name in {*before.counters, *after.counters}:
        if before.counters.get(name) != after.counters.get(name):
            counters.pop(name, None)
            counters.update({name: after.counters[name]} if name in after.counters else {})
    return Catalogue(tuple(entries.values()), {**base.columns, **after.columns}, counters)


def inverse(before: Catalogue, after: Catalogue) -> list[str] | None:
    """The statements that undo a change which only added tables, columns, indexes, views or triggers.

    None when something was dropped or changed otherwise: then nobody but the author knows the way back.
    """
    drops: list[Entry] = []
    columns: list[str] = []
    for change in changes(before, after):
        if change.before is None:
            drops.append(change.entry)
            continue
        undone = added_columns(change, before, after)
        if undone is None:
            return None
        columns += undone
    wanted = [one for one in drops if one.sql and one.name != "sqlite_sequence" and fold(one.name) not in after.hidden]
    wanted.sort(key=lambda one: one.drop_rank)
    early = [drop_statement(one) for one in wanted if one.kind != "table"]
    return early + columns + [drop_statement(one) for one in wanted if one.kind == "table"]


def added_columns(change: Change, before: Catalogue, after: Catalogue) -> list[str] | None:
    """DROP COLUMN for each column that ALTER TABLE … ADD COLUMN has put into the table; None for other changes."""
    old, new = change.before, change.after
    if old is None or new is None or old.kind != "table" or old.virtual or not old.sql or not new.sql:
        return None
    name = fold(old.name)
    had, has = before.columns[name], after.columns[name]
    close = old.sql.rfind(")")
    head, tail = old.sql[:close].rstrip(), old.sql[close:]
    grown = new.sql.startswith(head) and new.sql[len(head) :].lstrip().startswith(",") and new.sql.endswith(tail)
    if not grown or has[: len(had)] != had or len(has) == len(had):
        return None
    table = quote(new.name)
    return [f"ALTER TABLE {table} DROP COLUMN {quote(column)}" for column in reversed(has[len(had) :])]


def drop_statement(entry: Entry) -> str:
    """DROP … IF EXISTS for an object."""
    return f"DROP {entry.kind.upper()} IF EXISTS {quote(entry.name)}"


def drop_owned_statements(catalogue: Catalogue, grant: Grant) -> list[str]:
    """DROP for everything that is the plugin's, in an order that works."""
    owned: Iterable[Entry] = catalogue.owned(grant)
    droppable = [one for one in owned if one.sql and fold(one.name) not in catalogue.hidden]
    return [drop_statement(entry) for entry in sorted(droppable, key=lambda one: one.drop_rank)]
