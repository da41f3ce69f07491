"""The registry's rows: what is written comes back, one transaction is one moment, many processes may come at once."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from cursors import holding
from hotbay import store
from hotbay.errors import NotFound, StorageError
from hotbay.model import State, Version
from hotbay.store import Store
from rows import live

OPEN = """
import sys
from pathlib import Path
from typing import Any
from hotbay import store
registry = store.Store(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(25):
    with registry.write() as connection:
        store.bump_rev(connection)
print(registry.rev()[0])
registry.close()
"""


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Store]:
    """A fresh registry."""
    made = Store(tmp_path / "var" / "host.db")
    yield made
    made.close()


# ── the database ──


def test_what_a_thread_still_reads_is_closed_when_it_ends(registry: Store) -> None:
    go, begun, raws = threading.Event(), threading.Event(), list[Any]()

    def read() -> None:
        with registry.read() as connection:
            raws.append(connection.connection.dbapi_connection)
            begun.set()
            go.wait(30)
            connection.exec_driver_sql("SELECT 1")

    reader = threading.Thread(target=read)
    reader.start()
    begun.wait(30)
    registry.close()
    go.set()
    reader.join(30)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        raws[0].execute("SELECT 1")
    assert registry.rev()[1] == 0  # And whoever reads after all, may.


def test_a_fresh_database_has_an_epoch_that_stays(registry: Store) -> None:
    epoch, rev = registry.rev()
    again = Store(registry.path)
    assert again.rev() == (epoch, rev)
    assert len(epoch) == 32
    assert rev == 0
    again.close()


def test_it_is_safe_against_a_power_cut_and_readers_do_not_block(registry: Store) -> None:
    with registry.read() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 1
    with registry.write(durable=True) as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
    with registry.write() as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 1


def test_every_table_of_hotbay_says_so(registry: Store) -> None:
    with closing(sqlite3.connect(registry.path)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert all(name.startswith(("hotbay_", "sqlite_")) for name in names)
    assert len(names) > 8


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "host.db").write_text("not a database at all, but long enough to be taken for one" * 20)
    with pytest.raises(StorageError, match=r"host\.db can.t be used: it is no database, or damaged"):
        Store(tmp_path / "host.db")


def test_many_processes_open_a_fresh_database_and_none_loses_a_write(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OPEN, str(tmp_path / "host.db")]
    children = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = [child.communicate("go\n", timeout=60)[0].split() for child in children]
    assert all(child.returncode == 0 for child in children)
    assert len({words[1] for words in said}) == 1
    registry = Store(tmp_path / "host.db")
    assert registry.rev()[1] == 100
    registry.close()


def test_a_transaction_that_fails_leaves_nothing(registry: Store) -> None:
    with pytest.raises(KeyError), registry.write() as connection:
        store.put_live(connection, live())
        store.add_audit(connection, actor="a", action="install", plugin="shop", result="done")
        connection.execute(text("CREATE TABLE shop_items (id)"))
        raise KeyError
    assert (registry.all_live(), registry.history("shop"), registry.audit_entries()) == ({}, [], [])
    assert registry.rev()[1] == 0
    with closing(sqlite3.connect(registry.path)) as connection:
        assert not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'shop_items'").fetchall()


def test_a_write_holds_the_lock_from_its_start(registry: Store) -> None:
    with registry.write(), closing(sqlite3.connect(registry.path, timeout=0)) as other:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        # … and readers go on.
        assert other.execute("SELECT count(*) FROM hotbay_live").fetchone() == (0,)


def test_a_reader_sees_one_moment(registry: Store) -> None:
    with registry.read() as connection:
        before = connection.execute(text("SELECT count(*) FROM hotbay_live")).scalar()
        with registry.write() as writer:
            store.put_live(writer, live())
        assert connection.execute(text("SELECT count(*) FROM hotbay_live")).scalar() == before == 0
    assert len(registry.all_live()) == 1


def test_what_a_thread_reads_in_one_moment_is_of_that_moment(registry: Store) -> None:
    def elsewhere() -> int:
        with ThreadPoolExecutor(1) as pool:
            return len(pool.submit(registry.all_live).result())

    with pytest.raises(ValueError, match="on purpose"), registry.one_moment():
        assert registry.all_live() == {}
        with registry.write() as connection:
            store.put_live(connection, live())
        with registry.one_moment():
            assert registry.all_live() == {}
        assert registry.all_live() == {}, "the inner block's end does not end it"
        assert elsewhere() == 1, "other threads see what there is"
        raise ValueError("on purpose")
    assert len(registry.all_live()) == 1


def test_in_one_moment_rows_are_read_once_and_nobody_gets_anothers_list(registry: Store) -> None:
    with registry.write() as connection:
        store.put_live(connection, live())
        store.record_migrations(connection, "shop", [{"number": 1, "name": "a", "checksum": "x"}], 1)
    asked: list[str] = []

    @event.listens_for(registry.engine, "before_cursor_execute")
    def _asked(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    with registry.one_moment():
        for _ in range(3):
            registry.all_live().clear()
            registry.applied("shop")[0].clear()
            assert registry.applied("mail") == []
        assert set(registry.all_live()) == {"shop"}
        assert [row["number"] for row in registry.applied("shop")] == [1]
    assert len([text for text in asked if "hotbay_live" in text]) == 1
    assert len([text for text in asked if "hotbay_ledger" in text]) == 2
    with registry.write() as connection:
        store.remove_live(connection, "shop")
    with registry.one_moment():
        assert registry.all_live() == {}, "another moment"


# ── live rows and history ──


def test_a_live_row_comes_back_with_its_candidate(registry: Store) -> None:
    row = live(routes=("/api/v1/shop/{id}",), requires=["base>=1"])
    with registry.write() as connection:
        store.put_live(connection, row)
        store.set_candidate(connection, "shop", {"verb": "hold", "operation": 1})
        store.set_candidate(connection, "fresh", {"verb": "start"})
    assert registry.all_live() == {"shop": replace(row, candidate={"verb": "hold", "operation": 1})}
    assert set(registry.all_candidates()) == {"shop", "fresh"}
    with registry.write() as connection:
        store.set_candidate(connection, "shop", None)
        store.set_candidate(connection, "fresh", None)
    assert registry.get_live("shop") == row
    assert registry.all_candidates() == {}
    assert store.version_of(row) == Version("shop", "1.0.0", row.sha256, row.image, "local")


def test_a_plugin_that_is_not_there(registry: Store) -> None:
    assert registry.find_live("shop") is None
    with pytest.raises(NotFound, match="'shop' is not installed"):
        registry.get_live("shop")


def test_the_history_has_each_image_once_the_newest_switch_first(registry: Store) -> None:
    for revision, version in enumerate(["1.0", "2.0", "1.0", "3.0"], 1):
        with registry.write() as connection:
            store.put_live(connection, live(version=version, revision=revision))
    found = registry.history("shop")
    assert [(item["version"], item["revision"]) for item in found] == [("3.0", 4), ("1.0", 3), ("2.0", 2)]
    with registry.write() as connection:
        store.forget_versions(connection, "shop", ["image-shop-2.0", "none"])
    assert [item["version"] for item in registry.history("shop")] == ["3.0", "1.0"]
    assert registry.get_live("shop").version == "3.0"


def test_removal_forgets_all_but_ledger_and_audit(registry: Store) -> None:
    step = {"number": 1, "name": "a", "checksum": "c", "down": None, "undo": ["DROP TABLE x"]}
    with registry.write() as connection:
        for plugin in ("shop", "other"):
            store.put_live(connection, live(plugin))
            store.put_settings(connection, plugin, {"a": 1}, {})
            store.put_refusal(connection, plugin, "d", "bad")
            store.record_migrations(connection, plugin, [step], 1)
            store.add_audit(connection, actor="a", action="install", plugin=plugin, result="done")
        store.remove_live(connection, "shop")
    assert set(registry.all_live()) == set(registry.all_refusals()) == {"other"}
    assert (registry.history("shop"), registry.read_settings("shop")) == ([], ({}, {}))
    assert registry.read_settings("other") == ({"a": 1}, {})
    assert len(registry.applied("shop")) == len(registry.audit_entries("shop")) == 1


def test_the_revision_counts_every_change_that_workers_must_see(registry: Store) -> None:
    def rev() -> int:
        return registry.rev()[1]

    changes = [
        lambda connection: store.put_live(connection, live()),
        lambda connection: store.put_settings(connection, "shop", {}, {}),
        lambda connection: store.set_problem(connection, "shop", "broken"),
        lambda connection: store.put_refusal(connection, "shop", "d", "p"),
        lambda connection: store.clear_refusal(connection, "shop"),
        lambda connection: store.remove_live(connection, "shop"),
    ]
    for change in changes:
        before = rev()
        with registry.write() as connection:
            change(connection)
        assert rev() == before + 1
    with registry.write() as connection:
        store.clear_refusal(connection, "shop")
    assert rev() == len(changes)


def test_a_problem_is_noted_and_cleared(registry: Store) -> None:
    with registry.write() as connection:
        store.put_live(connection, live())
        store.set_problem(connection, "shop", "can't be imported")
    assert registry.get_live("shop").problem == "can't be imported"
    with registry.write() as connection:
        store.set_problem(connection, "shop", "")
    assert registry.get_live("shop").problem == ""


# ── ledger, settings, meta, audit ──


def test_the_ledger_is_in_order_and_forgets_some_or_all(registry: Store) -> None:
    rows = [{"number": n, "name": f"m{n}", "checksum": "c", "down": "DROP", "undo": None} for n in (3, 1, 2)]
    with registry.write() as connection:
        store.record_migrations(connection, "shop", rows, 7)
    assert [(row["number"], row["operation"]) for row in registry.applied("shop")] == [(1, 7), (2, 7), (3, 7)]
    with registry.write() as connection:
        store.forget_migrations(connection, "shop", [1, 3])
    assert [row["number"] for row in registry.applied("shop")] == [2]
    with registry.write() as connection:
        store.forget_migrations(connection, "shop", [])
        assert registry.applied("shop")
        store.forget_migrations(connection, "shop")
    assert registry.applied("shop") == []


def test_settings_are_replaced_whole_and_counted(registry: Store) -> None:
    with registry.write() as connection:
        store.put_live(connection, live())
        store.put_settings(connection, "shop", {"a": 1, "b": 2}, {"key": "x"})
        store.put_settings(connection, "shop", {"a": 3}, {})
    assert registry.read_settings("shop") == ({"a": 3}, {})
    assert registry.get_live("shop").settings_rev == 2


def test_meta_values(registry: Store) -> None:
    assert registry.get_meta("routes", ["none"]) == ["none"]
    with registry.write() as connection:
        store.set_meta(connection, "routes", ["/a"])
        store.set_meta(connection, "routes", ["/b"])
    assert registry.get_meta("routes") == ["/b"]


def test_the_audit_is_newest_first_and_by_plugin(registry: Store) -> None:
    with registry.write() as connection:
        for number in range(5):
            plugin = "shop" if number % 2 else "other"
            store.add_audit(connection, actor="a", action=str(number), plugin=plugin, result="done")
    assert [row["action"] for row in registry.audit_entries(limit=3)] == ["4", "3", "2"]
    assert [row["action"] for row in registry.audit_entries("shop")] == ["3", "1"]


def test_the_state_is_stored_as_its_word(registry: Store) -> None:
    with registry.write() as connection:
        store.put_live(connection, live(state=State.INACTIVE))
        assert connection.execute(text("SELECT state FROM hotbay_live")).scalar() == "inactive"
    assert not registry.get_live("shop").active


def test_a_held_cursor_of_its_settings_does_not_keep_a_connection_from_being_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite refuses to register functions while a statement is open; a search through the heap holds what it meets."""
    kind, held = holding(sqlite3.Connection)
    monkeypatch.setattr(sqlite3.dbapi2, "connect", partial(sqlite3.connect, factory=kind))
    registry = Store(tmp_path / "host.db")
    with registry.read() as connection:
        assert connection.execute(text("SELECT floor(1.5)")).scalar() == 1
    registry.close()
    assert held
