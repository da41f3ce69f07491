"""A plugin's door to the host's SQLite database: SQLite itself refuses what was not granted.

A default-deny authorizer sits on every connection that a plugin gets. It is asked while a statement is
compiled, so it sees through views, triggers, common table expressions and sub-queries. It is no defence
against hostile Python in the same process (that can open the file itself): isolation is for that.
"""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError

from hotbay.errors import InvalidConfig
from hotbay.grant import Denial, Grant, GuardDenied, quote
from hotbay.rules import Mode, Names, Rules
from hotbay.waiting import begin_writing

__all__ = [
    "Grant",
    "GuardDenied",
    "GuardedConnection",
    "Mode",
    "database_path",
    "explain_denials",
    "guarded_connection_factory",
    "plugin_engine",
    "quote",
]


class GuardedConnection(sqlite3.Connection):
    """A connection whose authorizer is on from the start. Made by `guarded_connection_factory`."""

    def __init__(self, database: Any, *args: Any, grant: Grant, mode: Mode = "run", **kwargs: Any) -> None:
        self.grant, self.mode = grant, mode
        migrate = mode == "migrate"
        # A cached statement isn't compiled and checked again: cache none where the guard is ever lifted.
        super().__init__(database, *args, **{**kwargs, **({"cached_statements": 0} if migrate else {})})
        self.isolation_level = None
        me = weakref.ref(self)
        self.rules = Rules(self.grant, self.mode, lambda: (it := me()) is not None and it.in_transaction)
        self.ignore_rollback = False
        # It answers a row. Whoever held the cursor (a search through the heap does) would keep the statement open, and
        # SQLite then refuses the functions that SQLAlchemy registers.
        self.execute("PRAGMA journal_mode=WAL").close()
        # Rebuilding the parent of a foreign key with enforcement on would delete the children.
        self.execute(f"PRAGMA foreign_keys={'OFF' if migrate else 'ON'}")
        self.execute("PRAGMA synchronous=FULL")
        super().set_authorizer(self.rules)
        self.refresh()
        self.rules.lifted = False

    def refresh(self) -> None:
        """Read the names that exist, if the schema has changed since."""
        with self.lifted():
            version = self.execute("PRAGMA main.schema_version").fetchone()[0]
            if version != self.rules.names.version:
                self.rules.names = Names.read(self, version)

    @contextmanager
    def lifted(self) -> Iterator[None]:
        """Hotbay's own SQL, unguarded, for the length of the block."""
        before, self.rules.lifted = self.rules.lifted, True
        try:
            yield
        finally:
            self.rules.lifted = before

    @contextmanager
    def running(self) -> Iterator[None]:
        """Judge by the rules of run time for the length of the block."""
        before, self.rules.mode = self.rules.mode, "run"
        try:
            yield
        finally:
            self.rules.mode = before

    def take_denial(self) -> Denial | None:
        """The last refusal, and forget it."""
        denial, self.rules.denial = self.rules.denial, None
        return denial

    def commit(self) -> None:
        """Commit; in a migration nothing happens: all of it is committed when the migration has passed."""
        if self.mode == "run":
            super().commit()

    def rollback(self) -> None:
        """Roll back; in a migration GuardDenied: its transaction is not the plugin's to end."""
        if self.mode == "run":
            super().rollback()
        elif not self.ignore_rollback:
            raise Denial(self.grant.plugin, "control the transaction by", "ROLLBACK", "").error()

    def close(self) -> None:
        """Close; in a migration nothing happens: whoever closes what he was given ends his own use of it only."""
        if self.mode == "run":
            super().close()

    def end(self) -> None:
        """Close, whatever it was made for; safe to repeat."""
        super().close()

    def set_authorizer(self, *_: Any, **__: Any) -> None:
        """Refused: the guard stays on."""
        raise Denial(self.grant.plugin, "change the guard of its connection", "", "").error()

    def enable_load_extension(self, *_: Any, **__: Any) -> None:
        """Refused: an extension runs machine code in the host."""
        raise Denial(self.grant.plugin, "load extensions", "", "").error()

    def backup(self, *_: Any, **__: Any) -> None:
        """Refused: it copies the host's tables too."""
        raise Denial(self.grant.plugin, "copy the whole database", "", "").error()

    def serialize(self, *_: Any, **__: Any) -> bytes:
        """Refused: it copies the host's tables too."""
        raise Denial(self.grant.plugin, "copy the whole database", "", "").error()

    def blobopen(self, *_: Any, **__: Any) -> Any:
        """Refused: SQLite does not ask the authorizer there."""
        raise Denial(self.grant.plugin, "open blobs by row", "", "").error()


def guarded_connection_factory(grant: Grant, mode: Mode = "run") -> Callable[..., GuardedConnection]:
    """What makes connections (for `sqlite3.connect(factory=…)`) that are confined to `grant`.

    `run` allows rows, `migrate` the DDL of own tables too, in a transaction that only Hotbay begins and ends.
    """
    return partial(GuardedConnection, grant=grant, mode=mode)


def plugin_engine(url_or_path: str | Path, grant: Grant, *, busy_timeout_s: float = 5) -> Engine:
    """An SQLAlchemy engine on the SQLite file, confined to `grant`; dispose of it when the plugin stops.

    Transactions begin as writers (BEGIN IMMEDIATE), waiting up to `busy_timeout_s` seconds; those with the
    execution option `hotbay_readonly=True` begin as readers. Refused statements raise GuardDenied. Raises
    InvalidConfig when the URL is not one of an SQLite file.
    """
    path = database_path(url_or_path)
    arguments = {"factory": guarded_connection_factory(grant), "timeout": busy_timeout_s}
    engine = create_engine(f"sqlite:///{path}", connect_args=arguments)

    @event.listens_for(engine, "begin")
    def _begins(connection: Connection) -> None:
        _begin(connection, busy_timeout_s)

    explain_denials(engine)
    return engine


def database_path(url_or_path: str | Path) -> Path:
    """The file of an SQLite URL (`sqlite:///…`, with or without a driver) or path; raises InvalidConfig."""
    if isinstance(url_or_path, Path) or "://" not in url_or_path:
        return Path(url_or_path)
    mend = "write sqlite:///path/to/file.db"
    try:
        url = make_url(url_or_path)
    except ArgumentError as error:
        raise InvalidConfig(f"no database URL: {url_or_path!r}", mend=mend) from error
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        raise InvalidConfig(f"{url.render_as_string()} is no SQLite file", mend=mend)
    return Path(str(url.database))


def explain_denials(engine: Engine) -> None:
    """Let `engine` raise GuardDenied, which says what was refused and how to mend it."""
    event.listen(engine, "before_cursor_execute", _forget_denial)
    event.listen(engine, "handle_error", _explain)


def _begin(connection: Connection, seconds: float) -> None:
    raw = connection.connection.dbapi_connection
    assert isinstance(raw, GuardedConnection)
    raw.refresh()
    if connection.get_execution_options().get("hotbay_readonly"):
        connection.exec_driver_sql("BEGIN")
        return
    with raw.lifted():
        begin_writing(raw, partial(connection.exec_driver_sql, "BEGIN IMMEDIATE"), seconds)


def _forget_denial(connection: Connection, *_: Any) -> None:
    raw = connection.connection.dbapi_connection
    if isinstance(raw, GuardedConnection):
        raw.rules.denial = None


def _explain(context: ExceptionContext) -> BaseException | None:
    raw = context.connection.connection.dbapi_connection if context.connection else None
    if isinstance(raw, GuardedConnection) and isinstance(context.original_exception, sqlite3.Error):
        denial = raw.take_denial()
        return denial.error() if denial else None
    return None
