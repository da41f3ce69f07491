"""The panel's database: one SQLite file, which also holds the plugins' tables.

`get_db` gives a session. In a GET it only reads; elsewhere its transaction takes the write lock with its
first statement (`BEGIN IMMEDIATE`): one that reads first and writes later fails when somebody else wrote in
between. Nothing is committed for you, and whatever calls plugins must commit first, because a plugin's own
write would wait for ours.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi.requests import HTTPConnection
from sqlalchemy import Connection, DateTime, Engine, TypeDecorator, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase

BUSY_SECONDS = 15
HOST_FOLDER = Path(__file__).parents[2]


class Base(DeclarativeBase):
    """The panel's own tables. Plugins bring a base of their own."""


class UtcTime(TypeDecorator[datetime]):
    """A moment: aware in Python, naive UTC in SQLite, which knows no time zones."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: Any, dialect: Any) -> datetime | None:
        return value.replace(tzinfo=UTC) if value else None


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def database_path() -> Path:
    """The file: `HOTBAY_DATABASE_URL`, else `BILLING_DATABASE`, else `var/billing.db` of the project.

    Raises ValueError for a URL that is not SQLite's.
    """
    if url := os.environ.get("HOTBAY_DATABASE_URL"):
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite" or not parsed.database:
            raise ValueError(f"HOTBAY_DATABASE_URL={url}: the billing panel needs sqlite:///path/of/file.db")
        return Path(parsed.database).resolve()
    default = HOST_FOLDER.parents[1] / "var" / "billing.db"
    return Path(os.environ.get("BILLING_DATABASE") or default).resolve()


def _connected(connection: Any, _record: Any) -> None:
    # None: the driver starts no transactions behind our back; _began does.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


def _began(connection: Connection) -> None:
    reads = connection.get_execution_options().get("reads")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _careful(made: Engine) -> Engine:
    event.listen(made, "connect", _connected)
    event.listen(made, "begin", _began)
    return made


def plain_engine() -> Engine:
    """A synchronous engine for the same file (set-up and command line); the caller disposes it."""
    DATABASE.parent.mkdir(parents=True, exist_ok=True)
    return _careful(create_engine(f"sqlite:///{DATABASE}", connect_args={"timeout": BUSY_SECONDS}))


DATABASE = database_path()
engine = create_async_engine(f"sqlite+aiosqlite:///{DATABASE}", connect_args={"timeout": BUSY_SECONDS}, pool_size=8)
_careful(engine.sync_engine)
_reading = engine.execution_options(reads=True)


def new_session(*, reads: bool = False) -> AsyncSession:
    """A session to use with `async with`; `reads=True` never takes the write lock."""
    return AsyncSession(_reading if reads else engine, expire_on_commit=False)


async def get_db(connection: HTTPConnection = None) -> AsyncIterator[AsyncSession]:  # type: ignore[assignment]
    """The request's session: a FastAPI dependency, or `async for db in get_db()`. Commit what you write."""
    reads = connection is not None and connection.scope.get("method") in {"GET", "HEAD"}
    async with new_session(reads=reads) as session:
        yield session
