"""Hotbay's own tables: their names are what the guard keeps from plugins."""

from __future__ import annotations

from hotbay.grant import Grant
from hotbay.schema import metadata


def test_no_plugin_can_own_one_of_them() -> None:
    assert len(metadata.tables) == 13
    greedy = Grant("hotbay", frozenset(metadata.tables))
    assert [name for name in metadata.tables if not name.startswith("hotbay_") or greedy.owns(name)] == []


def test_each_has_a_primary_key() -> None:
    assert [table.name for table in metadata.tables.values() if not table.primary_key.columns] == []
