"""Commits of others are noticed, and what can not be told may be one."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from hotbay import store
from hotbay.commits import Changes
from hotbay.store import Store


def test_changes_of_others_are_noticed_and_nothing_else(registry: Store) -> None:
    changes = Changes(registry.path)
    try:
        assert changes.any()
        assert not changes.any()
        with registry.read() as connection:
            connection.execute(text("SELECT 1"))
        assert not changes.any()
        with registry.write() as connection:
            store.set_meta(connection, "x", 1)
        assert changes.any()
        assert not changes.any()
    finally:
        changes.close()


def test_what_can_not_be_told_may_be_a_change(tmp_path: Path) -> None:
    """Who follows the rows would fail at the question, and never ask again."""
    registry = Store(tmp_path / "locked.db")
    registry.close()
    changes, other = Changes(registry.path), sqlite3.connect(registry.path, isolation_level=None)
    try:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        assert changes.any()
        assert changes.any()
        other.execute("COMMIT")
        other.close()
        assert changes.any()
        assert not changes.any()
    finally:
        other.close()
        changes.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        changes.any()
