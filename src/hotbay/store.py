"""The registry's rows: live rows, version history, ledger, settings, audit, in the host's own database.

All tables of Hotbay start with `hotbay_` and live in the same file as the plugins' tables, so that a schema change, its
record and the switch can be one transaction.
"""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    Engine,
    ExceptionContext,
    RowMapping,
    Select,
    create_engine,
    delete,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.pool import ConnectionPoolEntry

from hotbay import asked
from hotbay.errors import NotFound, StateError, StorageError
from hotbay.liverows import LiveRows
from hotbay.mishap import explain_database
from hotbay.model import Live, Version
from hotbay.schema import audit, candidates, ledger, live, meta, metadata, plugin_settings, refusals, versions
from hotbay.waiting import begin_writing

T = TypeVar("T")


def now() -> str:
    """The time as ISO 8601 in UTC, to the microsecond."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


BUSY_SECONDS = 10.0  # How long a transaction waits for that of another program.


def sqlite_engine(path: Path) -> Engine:
    """An engine whose `begin()` takes the write lock at once; nothing autocommits behind SQLAlchemy's back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        f"sqlite:///{path}",
        connect_args={"isolation_level": None, "check_same_thread": False, "timeout": BUSY_SECONDS},
    )

    @event.listens_for(engine, "connect")
    def _pragmas(raw: sqlite3.Connection, _record: object) -> None:
        for setting in (f"busy_timeout={BUSY_SECONDS * 1000:.0f}", "journal_mode=WAL", "synchronous=NORMAL"):
            raw.execute(f"PRAGMA {setting}").close()  # Some answer a row: open until then, see `guard`.

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("hotbay_durable"):
            connection.exec_driver_sql("PRAGMA synchronous=FULL")
        raw = connection.connection.dbapi_connection
        assert isinstance(raw, sqlite3.Connection)
        if options.get("hotbay_readonly"):
            raw.execute("BEGIN").close()  # It looks at nothing yet, and SQLAlchemy would take ten times as long.
        else:
            begin_writing(raw, partial(connection.exec_driver_sql, "BEGIN IMMEDIATE"), BUSY_SECONDS)

    @event.listens_for(engine, "handle_error")
    def _refused(context: ExceptionContext) -> BaseException | None:
        return explain_database(context.original_exception, path)

    @event.listens_for(engine, "checkin")
    def _usual(raw: sqlite3.Connection | None, _record: object) -> None:
        if raw is not None:
            raw.execute("PRAGMA synchronous=NORMAL")

    _close_late(engine)
    return engine


def _close_late(engine: Engine) -> None:
    """What a thread still used when the engine was disposed of is closed when it comes back: no pool has it then."""
    disposed = threading.Event()
    event.listen(engine, "engine_disposed", lambda _engine: disposed.set())

    @event.listens_for(engine, "checkin")
    def _late(_raw: sqlite3.Connection | None, record: ConnectionPoolEntry) -> None:
        if disposed.is_set():
            record.close()


class Store:
    """The registry of one host. `write()` is for the holder of the lease; reading needs nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._moment = threading.local()
        self._rows = LiveRows()
        self.engine = sqlite_engine(path)
        try:
            with self.engine.begin() as connection:
                metadata.create_all(connection)
                _grow(connection)
                fresh = upsert(meta).values(name="epoch", value=uuid.uuid4().hex)
                connection.execute(fresh.on_conflict_do_nothing())
        except StorageError:
            raise
        except Exception as error:
            raise StateError(
                f"the database {path} can't be used: {error}",
                mend="check the file's path, rights and integrity",
            ) from error

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Connection]:
        """A transaction that holds the write lock from its start.

        All survive the death of the process. One that is `durable` survives a crash of the machine as well, and with it
        all before it (there is one log, and its order is kept): the switch needs that, marks in the journal do not.
        """
        with self.engine.connect().execution_options(hotbay_durable=durable) as connection, connection.begin():
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view: of the moment of `one_moment`, where that is open in this thread."""
        held: Connection | None = getattr(self._moment, "connection", None)
        if held is not None:
            yield held
            return
        with self.engine.connect().execution_options(hotbay_readonly=True) as connection:
            yield connection

    @contextmanager
    def one_moment(self) -> Iterator[None]:
        """All that this thread reads in the block is of one moment, and costs a fifth. May be nested.

        Not for blocks that write, nor for long ones: what is written meanwhile is not seen, and the log grows.
        """
        if getattr(self._moment, "connection", None) is not None:
            yield
            return
        with self.read() as connection:
            self._moment.connection, self._moment.known = connection, {}
            try:
                yield
            finally:
                self._moment.connection = self._moment.known = None

    def _once(self, what: tuple[str, ...], read: Callable[[], T]) -> T:
        """What `read` answers; in a moment it is asked once."""
        known: dict[tuple[str, ...], T] | None = getattr(self._moment, "known", None)
        if known is None:
            return read()
        if what not in known:
            known[what] = read()
        return known[what]

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    # ── live rows ────────────────────────────────────────────────────────────────────────────────────────────────

    def all_live(self) -> dict[str, Live]:
        """All live rows by plugin id, each with its candidate, from one moment."""
        return dict(self._once(("live",), self._every_live))

    def _every_live(self) -> dict[str, Live]:
        found = self._live_rows(asked.EVERY_LIVE)
        self._rows.keep_only(found)
        return found

    def _live_rows(self, query: Select[Any], **given: str) -> dict[str, Live]:
        with self.read() as connection:
            waiting = _candidates(connection)
            rows = connection.execute(query, given).all()
        return self._rows.read(rows, waiting)

    def all_candidates(self) -> dict[str, dict[str, Any]]:
        """What operations in progress ask the workers to prepare, by plugin id."""
        with self.read() as connection:
            return _candidates(connection)

    def find_live(self, plugin: str) -> Live | None:
        """One live row, None when the plugin is not installed."""
        return self._live_rows(asked.LIVE, of=plugin).get(plugin)

    def get_live(self, plugin: str) -> Live:
        """One live row; raises NotFound."""
        found = self.find_live(plugin)
        if found is None:
            raise NotFound(f"plugin {plugin!r} is not installed", mend="`hotbay list` shows what is")
        return found

    def rev(self) -> tuple[str, int]:
        """The registry's epoch (a new one for each new database) and revision (grows with each change)."""
        with self.read() as connection:
            found = {row.name: row.value for row in connection.execute(asked.EVERY_META)}
        return str(found.get("epoch", "")), int(found.get("rev", 0))

    def get_meta(self, name: str, default: Any = None) -> Any:
        """A value of the host as a whole."""
        with self.read() as connection:
            row = connection.execute(asked.META, {"name": name}).first()
        return default if row is None else row.value

    def history(self, plugin: str) -> list[dict[str, Any]]:
        """The versions that this host ran of a plugin, the newest switch first."""
        query = select(versions).where(versions.c.plugin == plugin).order_by(versions.c.revision.desc())
        with self.read() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def images(self) -> set[str]:
        """The images that live rows or the kept history point at."""
        query = select(live.c.image).union(select(versions.c.image))
        with self.read() as connection:
            return set(connection.scalars(query))

    def applied(self, plugin: str) -> list[dict[str, Any]]:
        """The migrations that are applied for a plugin, in order."""
        return [dict(row) for row in self._once(("ledger", plugin), lambda: self._ledger(plugin))]

    def _ledger(self, plugin: str) -> Sequence[RowMapping]:
        with self.read() as connection:
            return connection.execute(asked.LEDGER, {"of": plugin}).mappings().all()

    def audit_entries(self, plugin: str = "", limit: int = 100) -> list[dict[str, Any]]:
        """Who did what, the newest first."""
        query = select(audit).order_by(audit.c.id.desc()).limit(limit)
        if plugin:
            query = query.where(audit.c.plugin == plugin)
        with self.read() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def all_refusals(self) -> dict[str, dict[str, Any]]:
        """Folders that could not be brought in as they are, by plugin id."""
        with self.read() as connection:
            return {row["plugin"]: dict(row) for row in connection.execute(asked.EVERY_REFUSAL).mappings()}

    def read_settings(self, plugin: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """A plugin's stored settings: plain values and encrypted ones."""
        with self.read() as connection:
            row = connection.execute(asked.SETTINGS, {"of": plugin}).mappings().first()
        return ({}, {}) if row is None else (dict(row["data"]), dict(row["secrets"]))


def _grow(connection: Connection) -> None:
    """A database of an earlier Hotbay gets the columns that came later; all of them may be empty."""
    there = {row[1] for row in connection.exec_driver_sql("PRAGMA table_info(hotbay_ledger)")}
    if "contract" not in there:
        connection.exec_driver_sql("ALTER TABLE hotbay_ledger ADD COLUMN contract JSON")


def _candidates(connection: Connection) -> dict[str, dict[str, Any]]:
    found = {row.plugin: row.data for row in connection.execute(asked.EVERY_CANDIDATE)}
    return {plugin: data for plugin, data in found.items() if isinstance(data, dict)}


# ── writing: each function is part of the caller's transaction ──────────────────────────────────────────────────


def bump_rev(connection: Connection) -> int:
    """Count a change of the registry."""
    row = connection.execute(asked.META, {"name": "rev"}).first()
    value = int(row.value if row is not None else 0) + 1
    set_meta(connection, "rev", value)
    return value


def set_meta(connection: Connection, name: str, value: Any) -> None:
    """Store a value of the host as a whole."""
    connection.execute(asked.PUT_META, {"name": name, "value": value})


def drop_meta(connection: Connection, name: str) -> None:
    """Forget a value of the host as a whole."""
    connection.execute(delete(meta).where(meta.c.name == name))


def put_live(connection: Connection, row: Live) -> None:
    """Insert or replace a live row, and remember its version in the history."""
    values = {column.name: getattr(row, column.name) for column in live.columns}
    values |= {
        "state": row.state.value,
        "contributions": row.contributions.to_json(),
        "grants": list(row.grants),
    }
    connection.execute(asked.PUT_LIVE, values)
    _remember(connection, row, values)
    bump_rev(connection)


def _remember(connection: Connection, row: Live, values: dict[str, Any]) -> None:
    names = ("plugin", "image", "version", "sha256", "source", "revision", "manifest", "contributions")
    connection.execute(asked.PUT_VERSION, {name: values[name] for name in names} | {"at": row.updated_at})


def remove_live(connection: Connection, plugin: str, *, settings: bool = True) -> None:
    """Delete all that the registry knows of a plugin, but for the ledger, the audit and the journal.

    `settings` is False when its data stays, which they are part of.
    """
    for table in (live, versions, candidates, refusals):
        connection.execute(delete(table).where(table.c.plugin == plugin))
    if settings:
        forget_settings(connection, plugin)
    bump_rev(connection)


def forget_versions(connection: Connection, plugin: str, images: list[str]) -> None:
    """Remove versions from a plugin's history."""
    connection.execute(delete(versions).where(versions.c.plugin == plugin, versions.c.image.in_(images)))


def set_candidate(connection: Connection, plugin: str, data: dict[str, Any] | None) -> None:
    """Ask the workers to prepare something for a plugin, or no longer."""
    connection.execute(asked.DROP_CANDIDATE, {"of": plugin})
    if data is not None:
        connection.execute(asked.PUT_CANDIDATE, {"plugin": plugin, "data": data})


def record_migrations(connection: Connection, plugin: str, done: list[dict[str, Any]], operation: int) -> None:
    """Write applied migrations (number, name, checksum, down script, undo statements, contract) into the ledger."""
    for item in done:
        row = {**item, "plugin": plugin, "operation": operation, "applied_at": now()}
        connection.execute(insert(ledger).values(**row))


def mark_contracted(connection: Connection, plugin: str, marks: dict[int, dict[str, Any]]) -> None:
    """Note on applied migrations, by number, that their contract script ran: its `checksum` and the `operation`."""
    for number, mark in marks.items():
        where = (ledger.c.plugin == plugin) & (ledger.c.number == number)
        connection.execute(update(ledger).where(where).values(contract=mark))


def forget_contracts(connection: Connection, plugin: str, operation: int) -> None:
    """Note that the contract scripts which an operation ran were taken back."""
    rows = connection.execute(select(ledger.c.number, ledger.c.contract).where(ledger.c.plugin == plugin)).all()
    for number in (row.number for row in rows if (row.contract or {}).get("operation") == operation):
        where = (ledger.c.plugin == plugin) & (ledger.c.number == number)
        connection.execute(update(ledger).where(where).values(contract=None))


def put_ledger(connection: Connection, plugin: str, rows: list[dict[str, Any]]) -> None:
    """Write rows into the ledger as they were in it before."""
    for row in rows:
        connection.execute(insert(ledger).values(**{**row, "plugin": plugin}))


def forget_migrations(connection: Connection, plugin: str, numbers: list[int] | None = None) -> None:
    """Remove migrations from the ledger: some, or all."""
    statement = delete(ledger).where(ledger.c.plugin == plugin)
    connection.execute(statement if numbers is None else statement.where(ledger.c.number.in_(numbers)))


def put_settings(connection: Connection, plugin: str, data: dict[str, Any], secrets: dict[str, Any]) -> None:
    """Store a plugin's settings and make its workers look."""
    connection.execute(asked.put(plugin_settings), {"plugin": plugin, "data": data, "secrets": secrets})
    connection.execute(update(live).where(live.c.plugin == plugin).values(settings_rev=live.c.settings_rev + 1))
    bump_rev(connection)


def forget_settings(connection: Connection, plugin: str) -> None:
    """Delete a plugin's settings."""
    connection.execute(delete(plugin_settings).where(plugin_settings.c.plugin == plugin))


def set_problem(connection: Connection, plugin: str, problem: str) -> None:
    """Note on a live row why it does not serve; the empty text clears it."""
    connection.execute(update(live).where(live.c.plugin == plugin).values(problem=problem))
    bump_rev(connection)


def repair_live(connection: Connection, row: Live) -> None:
    """Write the parts of a live row anew that were not readable; its revision stays."""
    values: dict[str, Any] = {"state": row.state.value, "manifest": row.manifest, "extra": row.extra, "problem": ""}
    values |= {"contributions": row.contributions.to_json(), "grants": list(row.grants)}
    connection.execute(update(live).where(live.c.plugin == row.plugin).values(**values))
    bump_rev(connection)


def put_refusal(connection: Connection, plugin: str, digest: str, problem: str) -> None:
    """Remember why a folder with this content was not brought in, so that it is not tried for ever."""
    connection.execute(asked.put(refusals), {"plugin": plugin, "digest": digest, "problem": problem, "at": now()})
    bump_rev(connection)


def clear_refusal(connection: Connection, plugin: str) -> None:
    """Forget why a folder was not brought in."""
    if connection.execute(asked.DROP_REFUSAL, {"of": plugin}).rowcount:
        bump_rev(connection)


def add_audit(connection: Connection, **values: Any) -> None:
    """Append an audit entry: actor, action, plugin, before, after, result, operation, detail."""
    connection.execute(insert(audit).values(at=now(), **values))


def version_of(row: Live) -> Version:
    """The package that a live row runs."""
    return Version(row.plugin, row.version, row.sha256, row.image, row.source)
