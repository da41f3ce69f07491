"""What was written since a backup: rows added, changed and deleted, by table. Only reads."""

# ruff: noqa: S608 - every name in a statement is quoted, and every value bound

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from hotbay.catalogue import Catalogue, read_catalogue
from hotbay.errors import StateError
from hotbay.export import ROWID, SIDE, Shape, shape
from hotbay.grant import Grant, fold, quote
from hotbay.model import Rows

Numbers = dict[str, int]


@dataclass(frozen=True)
class Loss:
    """Per table, how many rows were `added`, `changed` and `deleted` since; `fresh` are rows of tables that are new.

    `values` are, by `table.column`, the rows with a value in a column that the backup has not. Nobody can tell those
    that were written since from those that the migration filled in: they are told, and refuse nothing.
    """

    tables: dict[str, Numbers]
    fresh: Numbers
    values: Numbers = field(default_factory=dict)

    def counts(self, policy: Rows) -> bool:
        """True when putting the backup back in this way would take something away that was written since."""
        return bool(self.to_json(policy))

    def text(self, policy: Rows) -> str:
        """`items: 2 added, 1 changed; notes: 1 deleted`."""
        lost = self.to_json(policy).items()
        return "; ".join(f"{name}: {', '.join(f'{count} {what}' for what, count in one.items())}" for name, one in lost)

    def warnings(self, policy: Rows, version: str) -> tuple[str, ...]:
        """What of `values` goes; nothing when the rows are left as they are."""
        if policy is Rows.KEEP:
            return ()
        return tuple(
            f"values of {column} in {count} rows are lost: the backup of {version} has no such column"
            for column, count in self.values.items()
        )

    def to_json(self, policy: Rows) -> dict[str, Numbers]:
        """What would be lost, by table. Nothing when the rows are left as they are."""
        if policy is Rows.KEEP:
            return {}
        kept = {"added"} if policy is Rows.MERGE else set()
        lost = {
            name: {what: count for what, count in numbers.items() if count and what not in kept}
            for name, numbers in self.tables.items()
        }
        lost |= {name: {"added": count} for name, count in self.fresh.items() if count}
        return {name: numbers for name, numbers in lost.items() if numbers}


@dataclass(frozen=True)
class Pair:
    """A table that is there (`name`) and in the file: how its rows are matched, and what both have.

    `newer` are the columns that only the database has. `shown` is what people call it: for the table in which FTS5
    keeps its rows, the virtual table. `match` is the SQL that says that row `m` of the database is row `s` of the file;
    empty when nothing identifies a row.
    """

    name: str
    shown: str
    form: Shape
    match: str
    columns: tuple[str, ...]
    newer: tuple[str, ...] = ()

    @property
    def main(self) -> str:
        """The table in the database."""
        return f"main.{quote(self.name)}"

    @property
    def side(self) -> str:
        """The table in the file."""
        return f"{SIDE}.{quote(self.name)}"


def compare(raw: sqlite3.Connection, catalogue: Catalogue, grant: Grant) -> Loss:
    """What was written since the attached file, on a connection that is lifted. A million rows take about a second."""
    known = {pair.shown: _numbers(raw, pair) for pair in pairs(raw, catalogue, grant)}
    there = _side_tables(raw)
    new = [(name, shown) for name, shown in _stored(catalogue, grant) if fold(name) not in there]
    return Loss(known, {shown: _count(raw, f"main.{quote(name)}") for name, shown in new})


def newer_values(raw: sqlite3.Connection, catalogue: Catalogue, grant: Grant) -> Numbers:
    """A loss's `values`. Reads each table that has newer columns once more: not while requests wait."""
    found = (item for pair in pairs(raw, catalogue, grant) for item in _values(raw, pair))
    return {column: count for column, count in found if count}


def preview(database: Path, file: Path, grant: Grant) -> Loss:
    """The same before anything is begun: a reader among others, nobody waits for it. Raises StateError."""
    try:
        with closing(sqlite3.connect(database, timeout=30, isolation_level=None)) as raw:
            raw.execute("PRAGMA trusted_schema=OFF")
            raw.execute(f"ATTACH ? AS {SIDE}", (str(file),))
            raw.execute("BEGIN")
            catalogue = read_catalogue(raw)
            return replace(compare(raw, catalogue, grant), values=newer_values(raw, catalogue, grant))
    except sqlite3.Error as error:
        raise StateError(f"can't compare the tables with {file}: {error}", mend="choose another backup") from error


def pairs(raw: sqlite3.Connection, catalogue: Catalogue, grant: Grant) -> Iterator[Pair]:
    """The plugin's tables that are in the database and in the file."""
    there = _side_tables(raw)
    for name, shown in _stored(catalogue, grant):
        if fold(name) in there:
            form, columns = shape(raw, name), there[fold(name)]
            common = tuple(column for column in form.columns if fold(column) in columns)
            newer = tuple(column for column in form.columns if fold(column) not in columns)
            yield Pair(name, shown, form, _match(form, columns), common, newer)


def _stored(catalogue: Catalogue, grant: Grant) -> Iterator[tuple[str, str]]:
    """The tables with rows of the plugin's, and what people call them; of what FTS5 keeps, only the rows themselves."""
    contents = {f"{table}_content": table for table in catalogue.fts}
    for entry in catalogue.owned(grant):
        key = fold(entry.name)
        if entry.kind == "table" and not entry.virtual and (key not in catalogue.hidden or key in contents):
            yield entry.name, contents.get(key, entry.name)


def _side_tables(raw: sqlite3.Connection) -> dict[str, frozenset[str]]:
    """The folded columns of the file's tables, by folded name."""
    names = [row[0] for row in raw.execute(f"SELECT name FROM {SIDE}.sqlite_master WHERE type = 'table'")]
    return {fold(name): frozenset(_columns(raw, name)) for name in names if not fold(name).startswith("hotbay_")}


def _columns(raw: sqlite3.Connection, table: str) -> Iterator[str]:
    return (fold(row[1]) for row in raw.execute(f"PRAGMA {SIDE}.table_xinfo({quote(table)})"))


def _match(form: Shape, columns: frozenset[str]) -> str:
    if form.keys and all(fold(key) in columns for key in form.keys):
        return " AND ".join(f"m.{quote(key)} = s.{quote(key)}" for key in form.keys)
    return f"m.{form.rowid} = s.{quote(ROWID)}" if form.rowid and ROWID in columns else ""


def _numbers(raw: sqlite3.Connection, pair: Pair) -> Numbers:
    now, then = _count(raw, pair.main), _count(raw, pair.side)
    if not pair.match:
        listed = ", ".join(map(quote, pair.columns))
        both = [f"SELECT {listed} FROM {table}" for table in (pair.main, pair.side)]
        added, gone = (_count(raw, f"({one} EXCEPT {other})") for one, other in (both, both[::-1]))
        return {"added": added, "changed": 0, "deleted": gone}
    # Values, not what a collation makes of them.
    differs = " OR ".join(f"m.{quote(name)} IS NOT s.{quote(name)} COLLATE BINARY" for name in pair.columns) or "0"
    # One pass over both: the match itself is true where there is a row, and null where there is none.
    gone, changed = raw.execute(
        f"SELECT count(*) - total({pair.match}), total({pair.match} AND ({differs})) "
        f"FROM {pair.side} s LEFT JOIN {pair.main} m ON {pair.match}"
    ).fetchone()
    return {"added": max(0, now - (then - int(gone))), "changed": int(changed), "deleted": int(gone)}


def _values(raw: sqlite3.Connection, pair: Pair) -> Iterator[tuple[str, int]]:
    """By `table.column`, the rows that have something else in a newer column than what it is filled with by itself."""
    if not pair.newer:
        return
    usual = {fold(row[1]): _literal(row[4]) for row in raw.execute(f"PRAGMA main.table_xinfo({quote(pair.name)})")}
    given = [usual[fold(column)] for column in pair.newer]
    counted = ", ".join(f"total({quote(column)} IS NOT ? AND {quote(column)} IS NOT NULL)" for column in pair.newer)
    found = raw.execute(f"SELECT {counted} FROM {pair.main}", given).fetchone()
    yield from ((f"{pair.shown}.{column}", int(count)) for column, count in zip(pair.newer, found, strict=True))


def _literal(default: str | None) -> str | int | float | None:
    """The value of a column's default, where it is a number or a text; its expressions are not evaluated."""
    text = (default or "").strip()
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return None


def _count(raw: sqlite3.Connection, source: str) -> int:
    return int(raw.execute(f"SELECT count(*) FROM {source}").fetchone()[0])
