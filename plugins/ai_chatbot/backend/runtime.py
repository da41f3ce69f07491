"""What the host gave this generation: its context, and the two ways to its tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from hotbay_sdk import Context, context

from .settings import Settings

ctx: Context = context(__name__)


def settings() -> Settings:
    """The settings as they are now."""
    current: Settings = ctx.settings
    return current


@contextmanager
def reading() -> Iterator[Session]:
    """A session that only reads and takes no lock that a writer would wait for."""
    with ctx.database.session() as session:
        session.connection(execution_options={"hotbay_readonly": True})
        yield session


@contextmanager
def writing() -> Iterator[Session]:
    """A session that holds the write lock from its first statement and commits at the end of the block."""
    with ctx.database.session() as session:
        yield session
