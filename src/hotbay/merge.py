"""Rows that were added since a backup: set aside before the backup is put back, and put in after."""

# ruff: noqa: S608 - every name in a statement is quoted, and every value bound

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from hotbay.compare import Pair, pairs
from hotbay.errors import MigrationFailed
from hotbay.export import ROWID, SIDE, shape
from hotbay.grant import GuardDenied, fold, quote
from hotbay.migrate import Transaction

MEND = "leave --keep-new-rows away; a backup of the present rows is made before they are replaced"


@dataclass(frozen=True)
class Stash:
    """Rows of the table `name` (for people: `shown`) in the temporary table `place`, whose columns are `columns`."""

    name: str
    shown: str
    place: str
    columns: tuple[str, ...]
    rows: int


@dataclass(frozen=True)
class Aside:
    """What was set aside: rows, AUTOINCREMENT counters, and the search tables whose new words exist nowhere else."""

    rows: tuple[Stash, ...] = ()
    counters: dict[str, int] = field(default_factory=dict)
    words: frozenset[str] = frozenset()


def stash_rows(transaction: Transaction) -> Aside:
    """Copy what was added since the file that is `beside` the transaction into temporary tables."""
    catalogue, raw = transaction.catalogue(), transaction.raw
    with raw.lifted():
        found = [_stash(raw, pair, seq) for seq, pair in enumerate(pairs(raw, catalogue, transaction.grant))]
        words = {name for name in catalogue.fts if transaction.grant.owns(name) and _has_new_words(raw, name)}
    counters = {name: max(seqs) for name, seqs in catalogue.counters.items() if transaction.grant.owns(name)}
    return Aside(tuple(item for item in found if item.rows), counters, frozenset(words))


def _stash(raw: sqlite3.Connection, pair: Pair, seq: int) -> Stash:
    place, form = f"hotbay_stash_{seq}", pair.form
    numbered = bool(form.rowid and not form.keys)  # Where a key tells rows apart, their numbers are nobody's.
    number = [f"m.{form.rowid} AS {quote(ROWID)}"] if numbered else []
    columns = (*([ROWID] if numbered else []), *pair.columns)
    listed = ", ".join([*number, *(f"m.{quote(name)} AS {quote(name)}" for name in pair.columns)])
    if pair.match:
        what = f"{pair.main} m WHERE NOT EXISTS (SELECT 1 FROM {pair.side} s WHERE {pair.match})"
    else:
        same = " AND ".join(f"m.{quote(name)} IS s.{quote(name)}" for name in pair.columns)
        what = f"{pair.main} m WHERE NOT EXISTS (SELECT 1 FROM {pair.side} s WHERE {same})"
    raw.execute(f"CREATE TEMP TABLE {place} AS SELECT {listed} FROM {what}")
    rows = raw.execute(f"SELECT count(*) FROM temp.{place}").fetchone()[0]
    return Stash(pair.name, pair.shown, place, columns, rows)


def _has_new_words(raw: sqlite3.Connection, table: str) -> bool:
    """True for an FTS5 table that keeps no rows of its own and knows documents that the file's does not know."""
    if raw.execute("SELECT 1 FROM main.sqlite_master WHERE lower(name) = ?", (f"{table}_content",)).fetchone():
        return False
    name = quote(f"{table}_docsize")
    new = f"SELECT 1 FROM main.{name} m WHERE NOT EXISTS (SELECT 1 FROM {SIDE}.{name} s WHERE s.id = m.id)"
    try:
        return raw.execute(new).fetchone() is not None
    except sqlite3.OperationalError:  # The file has no such table: nothing of it comes back.
        return False


def merge_rows(transaction: Transaction, aside: Aside) -> None:
    """Put the rows that were set aside into the tables as they are now. Raises MigrationFailed when they don't fit."""
    before, transaction.raw.rules.side = transaction.raw.rules.side, "temp"
    try:
        for stash in aside.rows:
            _put(transaction, stash)
    except GuardDenied as error:
        raise MigrationFailed(error.message, mend=error.mend) from error
    except sqlite3.Error as error:
        raise MigrationFailed(f"rows of {stash.shown} that were added since don't fit: {error}", mend=MEND) from error
    finally:
        transaction.raw.rules.side = before
    if aside.rows:
        _search_anew(transaction, aside)
        _count_on(transaction, aside)


def _put(transaction: Transaction, stash: Stash) -> None:
    """By the names that both have; a search table gets its rows itself, so that its words are found."""
    raw = transaction.raw
    if stash.shown != stash.name:
        named = [row[1] for row in raw.execute(f"PRAGMA main.table_info({quote(stash.shown)})")]
        table, names = stash.shown, ["rowid", *map(quote, named)]
    else:
        form = shape(raw, stash.name)
        table, names = stash.name, [form.rowid if name == ROWID else quote(name) for name in stash.columns]
    listed = ", ".join(map(quote, stash.columns))
    transaction.execute(f"INSERT INTO main.{quote(table)} ({', '.join(names)}) SELECT {listed} FROM temp.{stash.place}")


def _search_anew(transaction: Transaction, aside: Aside) -> None:
    """Search tables over other tables' rows index them again; of those without content nothing can be brought back."""
    catalogue = transaction.catalogue()
    for name in (
        one for one in catalogue.fts if transaction.grant.owns(one) and f"{one}_content" not in catalogue.hidden
    ):
        try:
            transaction.execute(f"INSERT INTO main.{quote(name)} ({quote(name)}) VALUES ('rebuild')")
        except sqlite3.Error as error:
            if name in aside.words:
                raise MigrationFailed(f"the new words of {name} can't be kept: {error}", mend=MEND) from error


def _count_on(transaction: Transaction, aside: Aside) -> None:
    raw = transaction.raw
    with raw.lifted():
        there = {fold(str(row[0])) for row in raw.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'")}
        for name, seq in aside.counters.items():
            if name in there:
                raw.execute(
                    "UPDATE main.sqlite_sequence SET seq = max(seq, ?) WHERE lower(name) = lower(?)", (seq, name)
                )
