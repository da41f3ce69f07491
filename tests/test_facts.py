"""What the resolver is told of this host."""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import hotbay
from hotbay import store
from hotbay.facts import HOST_ROUTES, Installed, Modules, gather
from hotbay.model import State
from hotbay.store import Store
from rows import live


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Store]:
    """A registry in a database with tables of the host and of plugins."""
    made = Store(tmp_path / "host.db")
    names = ("Users", "shop_items", "carts", "chat_sessions", "kept_rows", "kept_extra")
    with closing(sqlite3.connect(made.path)) as connection:
        for name in names:
            connection.execute(f"CREATE TABLE {name} (id)")
    yield made
    made.close()


def test_the_hosts_own(registry: Store) -> None:
    facts = gather(registry)
    assert (facts.api, facts.python) == (hotbay.__version__, platform.python_version())
    assert facts.distributions["pydantic"]
    assert "pydantic" in facts.modules
    assert facts.routes == ()
    assert {"api", "hotbay"} <= facts.reserved


def test_routes_are_what_a_worker_wrote_and_their_first_parts_are_no_ids(registry: Store) -> None:
    with registry.write() as connection:
        store.set_meta(connection, HOST_ROUTES, ["/", "/admin/{x}", "/customers"])
    facts = gather(registry)
    assert facts.routes == ("/", "/admin/{x}", "/customers")
    assert {"admin", "customers"} <= facts.reserved
    assert "" not in facts.reserved


def test_the_hosts_tables_are_those_that_no_plugin_brought(registry: Store) -> None:
    with registry.write() as connection:
        store.put_live(connection, live("shop", state=State.INACTIVE, database={"tables": ["Carts"]}))
    own = {name for name in gather(registry).tables if not name.startswith(("hotbay_", "sqlite_"))}
    assert own == {"users", "chat_sessions", "kept_rows", "kept_extra"}


def test_distributions_by_any_spelling() -> None:
    found = Installed()
    assert found["typing-extensions"] == found["typing_extensions"]
    assert found.get("surely-not-there") is None
    assert len(found) == len(list(found)) > 5


def test_modules() -> None:
    modules = Modules()
    assert "json" in modules
    assert "surely_not_there" not in modules
    assert "" not in modules
    assert 5 not in modules
