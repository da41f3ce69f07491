"""Change a plugin's tables in one guarded transaction, together with Hotbay's own rows, or not at all.

Order: foreign keys off → BEGIN IMMEDIATE → guarded statements → checks → COMMIT with synchronous=FULL.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, NullPool, Pool, StaticPool, create_engine
from sqlalchemy.orm import Session

from hotbay.additive import not_additive
from hotbay.catalogue import (
    Catalogue,
    drop_owned_statements,
    foreign_changes,
    inverse,
    merge,
    read_catalogue,
    read_objects,
)
from hotbay.errors import HotbayError, MigrationFailed, Problem
from hotbay.grant import Grant, GuardDenied, fold
from hotbay.guard import GuardedConnection, explain_denials, guarded_connection_factory
from hotbay.migrations import Migration
from hotbay.mishap import explain_database
from hotbay.script import Statement, split
from hotbay.trespass import inspect_owned, orphans
from hotbay.waiting import begin_writing

Result = TypeVar("Result")
# The SQLite connection of the transaction for which an engine is about to connect.
_lent: ContextVar[GuardedConnection] = ContextVar("hotbay_migration")


@dataclass(frozen=True)
class Applied:
    """A migration that ran, and the statements that undo it when it has no down script (None: nobody knows).

    `changed` are the tables that were there before and whose rows it may have changed: then nobody knows.
    """

    migration: Migration
    undo: tuple[str, ...] | None
    changed: tuple[str, ...] = ()


class Transaction:
    """A migration in progress. Got from `Migrator.transaction()`; over when that block ends."""

    def __init__(self, raw: GuardedConnection, grant: Grant) -> None:
        self.raw = raw
        self.grant = grant
        with raw.lifted():
            self._baseline = self._start = self._last = read_catalogue(raw)
            self._orphans = orphans(raw, self._baseline, grant)
        self._engine: Engine | None = None  # For the plugin's code: it may listen to it, and it knows its tables.
        self._undo: dict[int, tuple[str, ...] | None] = {}
        self._written: set[tuple[str, str]] = set()

    def apply(self, migrations: Sequence[Migration], *, contract: bool = False) -> list[Applied]:
        """Run the up scripts in the order given, each with its contract script behind it where that is wanted.

        Raises MigrationFailed naming file, line and statement.
        """
        return [self._apply(migration, contract) for migration in migrations]

    def contract(self, migration: Migration) -> None:
        """Run the contract script of a migration. Raises MigrationFailed."""
        for statement in split(migration.contract or "", migration.contract_file):
            self._execute(statement, migration.contract_file)

    def _apply(self, migration: Migration, contract: bool) -> Applied:
        before = self.catalogue()
        self._forget_written()
        for statement in split(migration.up, migration.up_file):
            self._execute(statement, migration.up_file)
        if contract:
            self.contract(migration)
        changed = self.rows_changed()
        undo = None if changed else inverse(before, self.catalogue())
        self._undo[migration.number] = None if undo is None else tuple(undo)
        return Applied(migration, self._undo[migration.number], changed)

    def _forget_written(self) -> None:
        self._written |= self.raw.rules.written
        self.raw.rules.written.clear()

    def not_additive(self) -> list[Problem]:
        """What of all that ran until now a version in service could not live with, by what SQLite says of it."""
        self._forget_written()
        old = {fold(one.name) for one in self._start.entries if one.kind in ("table", "view")}
        written = {table for table, _ in self._written if table in old and self.grant.owns(table, self._start.fts)}
        return not_additive(self._start, self.catalogue(), written)

    def rows_changed(self) -> tuple[str, ...]:
        """The plugin's tables from before this transaction whose rows the statements since `apply` may have changed.

        SQLite itself says so when it compiles them, triggers too. Columns that are new are no rows from before.
        """
        tables = {fold(one.name) for one in self._start.entries if one.kind in ("table", "view")}
        found = {
            table
            for table, column in self.raw.rules.written
            if table in tables
            and self.grant.owns(table, self._start.fts)
            and not (column and column not in map(fold, self._start.columns.get(table, (column,))))
        }
        return tuple(sorted(found))

    def revert(
        self, migrations: Sequence[Migration], *, undo: Mapping[int, Sequence[str] | None] | None = None
    ) -> None:
        """Run the down scripts, last migration first.

        A migration without one is undone by what `apply` said of it (`Applied.undo`): of this transaction, or
        kept by the caller and given as `undo` by number. Raises MigrationFailed when there is neither.
        """
        known = {**self._undo, **(undo or {})}
        for migration in reversed(migrations):
            if migration.down is not None:
                statements = split(migration.down, migration.down_file)
            else:
                statements = _generic(migration, known.get(migration.number))
            for statement in statements:
                self._execute(statement, migration.down_file or f"the undoing of {migration.up_file}")

    def drop_owned(self) -> list[str]:
        """Drop every table, view, index and trigger that is the plugin's; returns the statements that did it."""
        statements = drop_owned_statements(self.catalogue(), self.grant)
        for number, text in enumerate(statements, 1):
            self._execute(Statement(number, 1, text), "dropping the plugin's tables")
        return statements

    def execute(self, sql: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        """Run one statement under the guard. Raises GuardDenied, or sqlite3.Error as it comes."""
        self.raw.rules.denial = None
        try:
            return self.raw.execute(sql, values)
        except sqlite3.Error as error:
            denial = self.raw.take_denial()
            if denial is not None:
                raise denial.error() from error
            raise

    def run(self, work: Callable[[Session], Result]) -> Result:
        """Call `work` with an SQLAlchemy session (its bind: a connection) under the guard, in this
        transaction.

        Commit, rollback and close of the session end its own savepoint only; what is pending when `work`
        returns is kept. Raises MigrationFailed when `work` raises anything that is not a HotbayError.
        """
        if self._engine is None:
            raw = self.raw
            self._engine = _make_engine(lambda: raw, StaticPool)
        with self._connection(self._engine) as connection:
            session = Session(bind=connection, join_transaction_mode="create_savepoint")
            try:
                result = work(session)
                session.commit()
            except HotbayError:
                raise
            except Exception as error:
                raise MigrationFailed(f"the plugin's code raised {type(error).__name__}: {error}") from error
            finally:
                with self._ending():
                    session.close()
        self._still_open()
        self.raw.refresh()
        return result

    def trusted(self, work: Callable[[Connection], Result]) -> Result:
        """Call `work` (Hotbay's own SQL: live row, journal, ledger) unguarded, in this transaction."""
        self._still_open()
        before = self.catalogue()
        with self.raw.lifted(), self._connection(_own_engine()) as connection:
            result = work(connection)
        self._still_open()
        after = self.catalogue()
        self._baseline = merge(self._baseline, before, after)
        self.raw.refresh()
        return result

    def catalogue(self) -> Catalogue:
        """Everything that is in the database now."""
        with self.raw.lifted():
            self._last = read_catalogue(self.raw, self._last)
        return self._last

    snapshot = catalogue

    def check(self) -> None:
        """Raise MigrationFailed when anything was changed, or left behind, that is not the plugin's to touch.

        Runs by itself before COMMIT; may be called before.
        """
        self._still_open()
        after = self.catalogue()
        problems = foreign_changes(self._baseline, after, self.grant)
        problems += inspect_owned(self.raw, after, self.grant)
        with self.raw.lifted():
            now = orphans(self.raw, after, self.grant)
        problems += [
            Problem(
                f"table {table}",
                f"{count} rows refer to rows of {parent} that don't exist",
                mend="mend the rows",
            )
            for (table, parent), count in now.items()
            if count > self._orphans.get((table, parent), 0)
        ]
        if problems:
            raise MigrationFailed(
                f"the migration of {self.grant.plugin!r} touches what is not its own",
                problems=tuple(problems),
            )

    def _execute(self, statement: Statement, file: str) -> None:
        try:
            for _row in self.execute(statement.text):
                pass
        except GuardDenied as error:
            raise _failed(statement, file, error.message, error.mend) from error
        except (sqlite3.Error, sqlite3.Warning) as error:
            mend = "mend the statement; the database is as it was"
            raise _failed(statement, file, str(error), mend) from error
        if not self.raw.in_transaction:
            mend = "use plain INSERT, OR IGNORE or OR REPLACE, and RAISE(ABORT, …) in triggers"
            raise _failed(statement, file, "ends the migration's transaction", mend)
        self.raw.refresh()

    def _still_open(self) -> None:
        if not self.raw.in_transaction:
            raise MigrationFailed(
                f"SQL of {self.grant.plugin!r} ended the migration's transaction; nothing of it was kept",
                mend="leave out OR ROLLBACK and RAISE(ROLLBACK, …)",
            )

    @contextmanager
    def _connection(self, engine: Engine) -> Iterator[Connection]:
        """An SQLAlchemy connection on the same SQLite connection, whose end leaves the transaction open."""
        with self._ending():
            token = _lent.set(self.raw)
            try:
                connection = engine.connect()
            finally:
                _lent.reset(token)
            connection.begin()
        try:
            yield connection
        finally:
            with self._ending():
                connection.close()

    @contextmanager
    def _ending(self) -> Iterator[None]:
        self.raw.ignore_rollback = True
        try:
            yield
        finally:
            self.raw.ignore_rollback = False


def _make_engine(creator: Callable[[], GuardedConnection], pool: type[Pool]) -> Engine:
    engine = create_engine("sqlite://", creator=creator, poolclass=pool, pool_reset_on_return=None)
    explain_denials(engine)
    return engine


@cache
def _own_engine() -> Engine:
    """For Hotbay's own SQL, in the transaction that is `_lent`.

    One for all: making one and compiling the same statements anew for each transaction takes longer than they do, and
    leaves some hundred objects in cycles.
    """
    return _make_engine(_lent.get, NullPool)


def _generic(migration: Migration, undo: Sequence[str] | None) -> list[Statement]:
    if undo is None:
        raise MigrationFailed(
            f"migration {migration.number} ({migration.up_file}) can't be undone: it has no down script and did "
            "more than add tables, columns, indexes, views or triggers",
            mend=f"write {migration.up_file.replace('.up.sql', '.down.sql').replace('/up.sql', '/down.sql')}",
        )
    return [Statement(number, 1, text) for number, text in enumerate(undo, 1)]


def _failed(statement: Statement, file: str, rule: str, mend: str) -> MigrationFailed:
    problem = Problem(statement.field, rule, statement.excerpt, file, mend)
    return MigrationFailed(f"{file}, {statement.field}: {rule}", mend=mend, problems=(problem,))


class Migrator:
    """Changes the tables of one plugin in the host's SQLite file."""

    def __init__(self, database: Path, grant: Grant, *, busy_timeout_s: float = 30) -> None:
        self.database = database
        self.grant = grant
        self.busy_timeout_s = busy_timeout_s

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """One write transaction: committed when the block ends and its checks pass, else rolled back.

        Raises MigrationFailed when another writer holds the database longer than `busy_timeout_s` seconds, StorageError
        when the disk or the database refuses.
        """
        raw = self._open()
        try:
            transaction = Transaction(raw, self.grant)
            yield transaction
            transaction.check()
            with raw.lifted():
                raw.execute("COMMIT")
        except BaseException as error:
            if raw.in_transaction:
                with raw.lifted():
                    raw.execute("ROLLBACK")
            ours = isinstance(error, sqlite3.Error | MigrationFailed)  # Others may be about an export's file.
            refused = explain_database(error, self.database) if ours else None
            if refused is not None:
                raise refused from error
            raise
        finally:
            raw.end()

    def _open(self) -> GuardedConnection:
        # A class by its annotation; SQLite's module calls whatever it is given.
        factory: Any = guarded_connection_factory(self.grant, "migrate")
        try:
            raw: GuardedConnection = sqlite3.connect(
                self.database, timeout=self.busy_timeout_s, factory=factory, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise MigrationFailed(f"can't open {self.database}: {error}") from error
        try:
            with raw.lifted():
                begin_writing(raw, partial(raw.execute, "BEGIN IMMEDIATE"), self.busy_timeout_s)
        except sqlite3.OperationalError as error:
            raw.end()
            raise MigrationFailed(
                f"the database is busy: {error} for {self.busy_timeout_s:g} s",
                mend="try again when the long write of the host or another plugin has ended",
            ) from error
        return raw


def names_there(database: Path, grant: Grant) -> frozenset[str]:
    """The names of the plugin's tables, views, indexes and triggers, in lower case."""
    return frozenset(entry.name.lower() for entry in _objects_of(database).owned(grant))


def _objects_of(database: Path) -> Catalogue:
    connection = sqlite3.connect(database)
    try:
        return read_objects(connection)
    finally:
        connection.close()


def owned_tables(database: Path, grant: Grant) -> list[str]:
    """The names of the plugin's tables that exist, sorted, without those in which FTS5 keeps its own."""
    catalogue = _objects_of(database)
    owned = catalogue.owned(grant)
    return sorted(one.name for one in owned if one.kind == "table" and fold(one.name) not in catalogue.hidden)
