"""Operations end to end on a host without a server: they happen whole, or leave no trace but the audit."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine_host import ITEMS, ROW, TWO, build, opened, query, run, shop, state
from hotbay import journal
from hotbay.errors import (
    ActivationFailed,
    BadInput,
    Conflict,
    HotbayError,
    InvalidPackage,
    LeaseHeld,
    MigrationFailed,
    NotAdditive,
    NotFound,
    NotVerified,
    OperationFailed,
    Refused,
    Superseded,
    Unresolvable,
)
from hotbay.folders import Folders
from hotbay.model import DataPolicy, Kind, State
from hotbay.offline import OfflineHost, open_host
from hotbay.outcome import Progress
from hotbay.request import Request
from hotbay.steps import Shelve


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """The local source."""
    return tmp_path / "packages"


@pytest.fixture
def host(tmp_path: Path, packages: Path) -> Iterator[OfflineHost]:
    """A host with a table of its own, and shop 1.0.0 and 1.1.0 in its source."""
    shop(packages, "1.0.0")
    shop(packages, "1.1.0", migrations=TWO)
    with opened(tmp_path / "home") as made:
        with closing(sqlite3.connect(made.settings.database_path)) as connection:
            connection.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)")
            connection.execute("INSERT INTO users (name) VALUES ('ann')")
            connection.commit()
        yield made


def fails(host: OfflineHost, kind: type[HotbayError], *arguments: Any, match: str = "", **values: Any) -> HotbayError:
    """The operation fails, and everything but journal and audit is exactly as it was."""
    before = state(host)
    with pytest.raises(kind, match=match or None) as caught:
        run(host, *arguments, **values)
    after = state(host)
    for part, value in before.items():
        assert after[part] == value, part
    assert journal.cut_off(host.store) == []
    return caught.value


def failed(host: OfflineHost, step: str, *arguments: Any, kind: type[HotbayError], **values: Any) -> HotbayError:
    """It fails in `step`; journal and audit say so."""
    error = fails(host, kind, *arguments, **values)
    operation = journal.get_operation(host.store, error.detail["operation"])
    assert error.step == step
    assert (operation["state"], operation["switched"]) == (journal.FAILED, False)
    assert operation["error"]["code"] == error.code
    states = {row["verb"]: row["state"] for row in operation["steps"]}
    verbs = list(states)
    assert states[step] == journal.FAILED
    assert all(states[verb] == journal.UNDONE for verb in verbs[: verbs.index(step)])
    assert all(states[verb] == "pending" for verb in verbs[verbs.index(step) + 1 :])
    entry = host.store.audit_entries(limit=1)[0]
    assert (entry["result"], entry["operation"], entry["actor"]) == (f"failed: {error.code}", operation["id"], "ann")
    return error


def version_files(host: OfflineHost, active: bool = True) -> str:
    folder = host.settings.plugins / ("shop" if active else "_shop")
    return str(json.loads((folder / "metadata.json").read_text())["version"])


# ── install ──


def test_install(host: OfflineHost) -> None:
    outcome = run(host, Kind.INSTALL, version="1.0.0")
    row = host.store.get_live("shop")
    assert (row.version, row.state, row.revision, row.candidate) == ("1.0.0", State.ACTIVE, 1, None)
    assert [route.path for route in row.contributions.routes] == ["/api/v1/shop/version"]
    assert query(host, "SELECT name FROM shop_items") == [("first",)]
    assert host.images.all() == [row.image]
    assert version_files(host) == "1.0.0"
    entry = host.applier.folders.read_registry()["addons"]["shop"]
    assert (entry["version"], entry["enabled"], entry["image"]) == ("1.0.0", True, row.image)
    assert list(host.settings.staging.iterdir()) == []
    found = outcome.to_json()
    assert (found["version"], found["before"], found["state"], found["restart_required"]) == (
        "1.0.0",
        None,
        "done",
        False,
    )
    assert [step["verb"] for step in found["steps"]] == ["stage", "shelve", "expand", "start", "switch", "publish"]
    assert json.loads(json.dumps(found)) == found


def test_the_trail_of_an_operation(host: OfflineHost) -> None:
    seen: list[Progress] = []
    numbers: list[int] = []
    watched = open_host(host.settings, actor="bob", progress=seen.append)
    outcome = watched.applier.run(Request(Kind.INSTALL, "shop"), on_open=numbers.append)
    watched.close()
    assert numbers == [outcome.operation]
    operation = journal.get_operation(host.store, outcome.operation)
    assert (operation["state"], operation["switched"], operation["actor"]) == (journal.DONE, True, "bob")
    assert operation["result"] == outcome.to_json()
    assert {row["state"] for row in operation["steps"]} == {journal.DONE}
    (entry,) = host.store.audit_entries("shop")
    assert (entry["actor"], entry["action"], entry["result"]) == ("bob", "install", "done")
    assert (entry["before"], entry["after"], entry["operation"]) == ("", "1.1.0", outcome.operation)
    assert [step["verb"] for step in entry["detail"]["steps"]] == [row["verb"] for row in operation["steps"]]
    assert [(item.verb, item.state) for item in seen][:3] == [("", "running"), ("stage", "running"), ("stage", "done")]
    assert (seen[-1].verb, seen[-1].state, seen[-1].total) == ("", "done", len(operation["steps"]))


def test_a_plan_changes_nothing(host: OfflineHost) -> None:
    before = state(host)
    plan = host.applier.plan(Request(Kind.INSTALL, "shop"))
    assert "run migrations 0001_initial, 0002_notes" in str(plan)
    assert plan.warnings
    assert state(host) == before
    assert (journal.list_operations(host.store), host.store.audit_entries()) == ([], [])
    assert [step.verb for step in plan.steps] == [step["verb"] for step in run(host, Kind.INSTALL).steps]


def test_install_of_what_is_there_and_of_what_is_nowhere(host: OfflineHost) -> None:
    run(host, Kind.INSTALL, version="1.0.0")
    fails(host, Refused, Kind.INSTALL, match=r"1\.0\.0 is installed already")
    fails(host, NotFound, Kind.INSTALL, "gone")
    fails(host, NotFound, Kind.INSTALL, version="9.9")
    fails(host, BadInput, Kind.INSTALL, "")
    results = [entry["result"] for entry in host.store.audit_entries()]
    assert results == ["refused: bad-input", "refused: not-found", "refused: not-found", "refused: refused", "done"]


def test_an_uploaded_file_of_either_kind(host: OfflineHost, tmp_path: Path) -> None:
    file = build(tmp_path / "elsewhere" / "out", "other", "2.0.0", kind="tar.gz")
    run(host, Kind.INSTALL, "", file=file)
    assert host.store.get_live("other").version == "2.0.0"


def test_bytes_that_are_not_the_promised_ones(host: OfflineHost) -> None:
    fails(host, NotVerified, Kind.INSTALL, sha256="0" * 64)
    assert host.store.audit_entries()[0]["result"] == "refused: not-verified"


def test_an_inactive_install_is_started_and_checked_but_does_not_serve(host: OfflineHost) -> None:
    run(host, Kind.INSTALL, inactive=True)
    assert not host.store.get_live("shop").active
    assert version_files(host, active=False) == "1.1.0"
    assert host.applier.folders.read_registry()["addons"]["shop"]["enabled"] is False


BROKEN: dict[str, tuple[str, type[HotbayError], str]] = {
    "import error": ("import not_there_at_all\n", ActivationFailed, "start"),
    "raises": ("1 / 0\n", ActivationFailed, "start"),
    "exits": ("raise SystemExit(3)\n", ActivationFailed, "start"),
    "start raises": ("def start(context):\n    raise ValueError('no')\n", ActivationFailed, "start"),
    "unhealthy": ("def health(context):\n    return False\n", ActivationFailed, "start"),
    "health raises": ("async def health():\n    raise ValueError('ill')\n", ActivationFailed, "start"),
    "hangs": ("import asyncio\nasync def start():\n    await asyncio.sleep(60)\n", ActivationFailed, "start"),
    "syntax": ("def start(:\n", InvalidPackage, "stage"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_code_is_undone_at_install_and_at_upgrade(tmp_path: Path, packages: Path, what: str) -> None:
    backend, kind, step = BROKEN[what]
    shop(packages, "1.0.0")
    with opened(tmp_path / "home", start_seconds=0.3) as host:
        run(host, Kind.INSTALL)
        shop(packages, "2.0.0", backend=backend, migrations=TWO)
        error = failed(host, step, Kind.UPGRADE, kind=kind)
        assert ("backend/plugin.py" in str(error)) == (what not in ("unhealthy", "hangs")), error
        assert version_files(host) == "1.0.0"
        run(host, Kind.UNINSTALL, data=DataPolicy.PURGE)
        failed(host, step, Kind.INSTALL, kind=kind)
        assert query(host, "SELECT name FROM sqlite_master WHERE name LIKE 'shop%'") == []


BAD_SQL = {
    "no sql": "CREATE TABLE shop_x (id); SELEKT 1;",
    "not its own": "CREATE TABLE shop_x (id); DELETE FROM users;",
    "the host's schema": "CREATE TABLE shop_x (id); ALTER TABLE users ADD COLUMN x;",
    "a foreign name": "CREATE TABLE others_table (id);",
    "the registry": "UPDATE hotbay_live SET version = '9';",
    "ends the transaction": "CREATE TABLE shop_x (id); COMMIT;",
    "half way": "INSERT INTO shop_items (name) VALUES ('x'); INSERT INTO shop_none VALUES (1);",
}


@pytest.mark.parametrize("what", BAD_SQL)
def test_a_failing_migration_leaves_the_old_version(host: OfflineHost, packages: Path, what: str) -> None:
    run(host, Kind.INSTALL, version="1.0.0")
    shop(packages, "2.0.0", migrations={**TWO, "0003_bad.up": BAD_SQL[what]})
    failed(host, "expand", Kind.UPGRADE, kind=MigrationFailed)
    assert [row["number"] for row in host.store.applied("shop")] == [1]


# ── upgrade and rollback ──


def test_upgrade_runs_only_what_is_new_and_keeps_rows_and_settings(host: OfflineHost) -> None:
    run(host, Kind.INSTALL, version="1.0.0")
    first = host.store.get_live("shop")
    with closing(sqlite3.connect(host.settings.database_path)) as connection:
        connection.execute("INSERT INTO shop_items (name) VALUES ('second')")
        connection.commit()
    outcome = run(host, Kind.UPGRADE)
    row = host.store.get_live("shop")
    assert (row.version, row.revision, row.installed_at) == ("1.1.0", 2, first.installed_at)
    assert query(host, "SELECT name, price FROM shop_items") == [("first", None), ("second", None)]
    assert query(host, "SELECT * FROM shop_notes") == []
    assert [(row["number"], row["operation"]) for row in host.store.applied("shop")] == [(1, 1), (2, 2)]
    assert set(host.images.all()) == {first.image, row.image}
    assert version_files(host) == "1.1.0"
    assert outcome.to_json()["before"] == "1.0.0"


def test_upgrade_of_what_is_not_there_older_or_the_same(host: OfflineHost) -> None:
    fails(host, Refused, Kind.UPGRADE, match="not installed")
    run(host, Kind.INSTALL)
    fails(host, Refused, Kind.UPGRADE, match="exactly this content runs already")
    fails(host, Refused, Kind.UPGRADE, version="1.0.0", match="older")
    run(host, Kind.UPGRADE, version="1.0.0", force=True)
    assert version_files(host) == "1.0.0"


def test_an_upgrade_of_a_resting_plugin_lets_it_rest(host: OfflineHost) -> None:
    run(host, Kind.INSTALL, version="1.0.0")
    run(host, Kind.DEACTIVATE)
    run(host, Kind.UPGRADE)
    assert (host.store.get_live("shop").version, host.store.get_live("shop").active) == ("1.1.0", False)
    assert version_files(host, active=False) == "1.1.0"
    assert not (host.settings.plugins / "shop").exists()


def test_a_changed_applied_migration_is_refused(host: OfflineHost, packages: Path) -> None:
    run(host, Kind.INSTALL, version="1.0.0")
    shop(packages, "2.0.0", migrations={"up": ITEMS.replace("name", "title")})
    error = fails(host, Refused, Kind.UPGRADE, match="0001 of shop was applied with another content")
    assert "add a new one" in error.mend


def test_rollback_takes_the_code_back_and_again_forward(host: OfflineHost) -> None:
    run(host, Kind.INSTALL, version="1.0.0")
    fails(host, NotFound, Kind.ROLLBACK, match="no version before")
    run(host, Kind.UPGRADE)
    run(host, Kind.ROLLBACK)
    row = host.store.get_live("shop")
    assert (row.version, row.revision, version_files(host)) == ("1.0.0", 3, "1.0.0")
    assert owned(host) == ["shop_items"]
    fails(host, NotFound, Kind.ROLLBACK, version="0.1")
    run(host, Kind.ROLLBACK, version="1.1.0")
    assert version_files(host) == "1.1.0"
    assert owned(host) == ["shop_items", "shop_notes"]


def owned(host: OfflineHost) -> list[str]:
    """The plugin's tables."""
    return sorted(row[0] for row in query(host, "SELECT name FROM sqlite_master WHERE name LIKE 'shop_%'"))


def test_rollback_to_what_does_not_start_any_more(host: OfflineHost, packages: Path, tmp_path: Path) -> None:
    flag = tmp_path / "ill"
    backend = f"import pathlib\ndef health():\n    return not pathlib.Path({str(flag)!r}).exists()\n"
    shop(packages, "2.0.0", backend=backend, migrations=TWO)
    run(host, Kind.INSTALL)
    shop(packages, "3.0.0", migrations=TWO)
    run(host, Kind.UPGRADE)
    flag.touch()
    failed(host, "start", Kind.ROLLBACK, kind=ActivationFailed)
    assert version_files(host) == "3.0.0"


def test_old_versions_beyond_the_retention_go(tmp_path: Path, packages: Path) -> None:
    with opened(tmp_path / "home", keep_versions=2) as host:
        for number in range(5):
            shop(packages, f"1.{number}.0")
            run(host, Kind.UPGRADE if number else Kind.INSTALL)
            kept = [row["version"] for row in host.store.history("shop")]
            assert len(host.images.all()) == len(kept) == min(number + 1, 2)
        assert kept == ["1.4.0", "1.3.0"]
        run(host, Kind.ROLLBACK)
        fails(host, NotFound, Kind.ROLLBACK, version="1.2.0")


# ── exclusive and irreversible migrations ──


def test_exclusive_migrations_hold_requests_and_are_undone_with_their_rows(host: OfflineHost, packages: Path) -> None:
    run(host, Kind.INSTALL, version="1.0.0")
    narrow = {"0001_initial.up": ITEMS + ROW, "0002_less.up": "ALTER TABLE shop_items DROP COLUMN name;"}
    shop(packages, "2.0.0", migrations=narrow, backend="def health():\n    return False\n", exclusive=True)
    assert "hold the plugin's requests" in str(host.applier.plan(Request(Kind.UPGRADE, "shop")))
    failed(host, "start", Kind.UPGRADE, kind=ActivationFailed)
    assert query(host, "SELECT name FROM shop_items") == [("first",)]
    shop(packages, "2.0.1", migrations=narrow, exclusive=True)
    run(host, Kind.UPGRADE)
    assert query(host, "SELECT * FROM shop_items") == [(1,)]
    assert state(host)["exports"] == []


@pytest.mark.parametrize("down", [None, "ALTER TABLE shop_items ADD COLUMN name TEXT;"])
def test_what_the_version_in_service_could_not_live_with_is_not_begun(
    host: OfflineHost, packages: Path, down: str | None
) -> None:
    """A down script makes it no better: the version in service would write without its column meanwhile."""
    run(host, Kind.INSTALL, version="1.0.0")
    narrow = {"0001_initial.up": ITEMS + ROW, "0002_less.up": "ALTER TABLE shop_items DROP COLUMN name;"}
    shop(packages, "2.0.0", migrations=narrow | ({"0002_less.down": down} if down else {}))
    before = state(host)
    error = fails(host, NotAdditive, Kind.UPGRADE)
    (problem,) = error.problems
    assert (problem.file, problem.field, problem.code) == (
        "migrations/0002_less.up.sql",
        "statement 1, line 1",
        "drops-column",
    )
    assert ".contract.sql" in problem.mend
    assert state(host) == before
    run(host, Kind.DEACTIVATE)
    run(host, Kind.UPGRADE)  # Nobody serves: there is nothing to break.
    assert query(host, "SELECT * FROM shop_items") == [(1,)]


# ── activate and deactivate ──


def test_deactivate_and_activate_keep_everything(host: OfflineHost) -> None:
    run(host, Kind.INSTALL)
    before = state(host)
    run(host, Kind.DEACTIVATE)
    assert not host.store.get_live("shop").active
    assert version_files(host, active=False) == "1.1.0"
    assert not (host.settings.plugins / "shop").exists()
    assert query(host, "SELECT name FROM shop_items") == [("first",)]
    fails(host, Refused, Kind.DEACTIVATE, match="inactive already")
    run(host, Kind.ACTIVATE)
    fails(host, Refused, Kind.ACTIVATE, match="active already")
    after = state(host)
    for part in ("tables", "ledger", "images", "folders", "candidates", "data"):
        assert after[part] == before[part], part
    fails(host, NotFound, Kind.ACTIVATE, "gone")


def test_what_does_not_start_stays_inactive(host: OfflineHost, packages: Path, tmp_path: Path) -> None:
    flag = tmp_path / "ill"
    shop(packages, "2.0.0", backend=f"import pathlib\nassert not pathlib.Path({str(flag)!r}).exists()\n")
    run(host, Kind.INSTALL)
    run(host, Kind.DEACTIVATE)
    flag.touch()
    failed(host, "start", Kind.ACTIVATE, kind=ActivationFailed)
    assert (host.settings.plugins / "_shop").is_dir()


def test_a_missing_image_is_said_before_anything_moves(host: OfflineHost) -> None:
    run(host, Kind.INSTALL)
    run(host, Kind.DEACTIVATE)
    host.images.remove(host.store.get_live("shop").image)
    fails(host, NotFound, Kind.ACTIVATE, match="is missing")


# ── uninstall and restore ──


def test_uninstall_exports_and_restore_brings_it_back(host: OfflineHost) -> None:
    run(host, Kind.INSTALL)
    own = host.settings.data / "shop"
    own.mkdir(parents=True)
    (own / "file.txt").write_text("mine")
    with closing(sqlite3.connect(host.settings.database_path)) as connection:
        connection.execute("INSERT INTO shop_items (name, price) VALUES ('second', 5)")
        connection.commit()
    before = state(host)
    outcome = run(host, Kind.UNINSTALL)
    folder = Path(outcome.notes["export"])
    assert folder.name == "shop-1.1.0-2"
    assert (folder / "files" / "file.txt").read_text() == "mine"
    after = state(host)
    assert (after["live"], after["versions"], after["ledger"], after["images"], after["folders"]) == (
        [],
        [],
        [],
        [],
        {},
    )
    assert (after["registry"], after["data"]) == ({}, {})
    assert query(host, "SELECT name FROM users") == [("ann",)]
    assert query(host, "SELECT name FROM sqlite_master WHERE name LIKE 'shop%'") == []
    run(host, Kind.INSTALL, restore="latest")
    again = state(host)
    assert again["tables"] == before["tables"]
    assert [row["number"] for row in again["ledger"]] == [1, 2]
    assert again["data"] == before["data"]


SETTINGS = """
from pydantic import BaseModel, SecretStr
class Settings(BaseModel):
    greeting: str = "hello"
    key: SecretStr = SecretStr("")
"""


def test_settings_stay_with_the_data(host: OfflineHost, packages: Path) -> None:
    shop(packages, "2.0.0", backend=SETTINGS, migrations=TWO)
    run(host, Kind.INSTALL)
    host.change_settings("shop", {"greeting": "hi", "key": "s3cret"})
    for policy in (DataPolicy.EXPORT, DataPolicy.KEEP):
        run(host, Kind.UNINSTALL, data=policy)
        run(host, Kind.INSTALL, restore="latest" if policy is DataPolicy.EXPORT else "")
        assert host.vault.read("shop") == {"greeting": "hi", "key": "s3cret"}
    run(host, Kind.UNINSTALL, data=DataPolicy.EXPORT)
    shop(packages, "3.0.0", backend="1 / 0\n", migrations=TWO)
    failed(host, "start", Kind.INSTALL, kind=ActivationFailed, restore="latest")
    assert host.vault.read("shop") == {}
    run(host, Kind.INSTALL, version="2.0.0")
    assert host.vault.read("shop") == {}


def test_a_restore_into_a_newer_version_runs_what_is_new(host: OfflineHost) -> None:
    run(host, Kind.INSTALL, version="1.0.0")
    folder = run(host, Kind.UNINSTALL).notes["export"]
    run(host, Kind.INSTALL, restore=folder)
    assert query(host, "SELECT name, price FROM shop_items") == [("first", None)]


def test_a_restore_that_fails_later_is_undone(host: OfflineHost, packages: Path) -> None:
    run(host, Kind.INSTALL)
    (host.settings.data / "shop").mkdir(parents=True)
    (host.settings.data / "shop" / "file.txt").write_text("mine")
    run(host, Kind.UNINSTALL)
    shop(packages, "2.0.0", backend="1 / 0\n", migrations=TWO)
    failed(host, "start", Kind.INSTALL, kind=ActivationFailed, restore="latest")


def test_restores_that_can_not_be(host: OfflineHost, packages: Path, tmp_path: Path) -> None:
    fails(host, NotFound, Kind.INSTALL, restore="latest", match="no export of shop")
    build(packages, "other", files={"migrations/up.sql": "CREATE TABLE other_t (id);"})
    run(host, Kind.INSTALL, "other")
    folder = run(host, Kind.UNINSTALL, "other").notes["export"]
    failed(host, "expand", Kind.INSTALL, kind=BadInput, restore=folder)
    (tmp_path / "data.db").write_text("no export")
    failed(host, "expand", Kind.INSTALL, kind=BadInput, restore=str(tmp_path))


def test_uninstall_keep_and_install_again(host: OfflineHost) -> None:
    run(host, Kind.INSTALL, version="1.0.0")
    run(host, Kind.UNINSTALL, data=DataPolicy.KEEP)
    assert query(host, "SELECT name FROM shop_items") == [("first",)]
    assert [row["number"] for row in host.store.applied("shop")] == [1]
    run(host, Kind.INSTALL)
    assert query(host, "SELECT name, price FROM shop_items") == [("first", None)]


def test_kept_tables_with_names_from_the_manifest_are_found_again(host: OfflineHost, packages: Path) -> None:
    up = {"migrations/up.sql": "CREATE TABLE chat_sessions (id INTEGER PRIMARY KEY);"}
    build(packages, "chatter", files=up, database={"tables": ["chat_sessions"]})
    run(host, Kind.INSTALL, "chatter")
    run(host, Kind.UNINSTALL, "chatter", data=DataPolicy.KEEP)
    run(host, Kind.INSTALL, "chatter")
    run(host, Kind.UNINSTALL, "chatter", data=DataPolicy.PURGE)
    assert query(host, "SELECT name FROM sqlite_master WHERE name = 'chat_sessions'") == []


def test_uninstall_purge_runs_the_down_scripts_and_one_that_fails_does_not_matter(
    host: OfflineHost, packages: Path
) -> None:
    down = {"0001_a.up": ITEMS + ROW, "0001_a.down": "DROP TABLE shop_items; DROP TABLE shop_never;"}
    shop(packages, "2.0.0", migrations=down)
    run(host, Kind.INSTALL)
    outcome = run(host, Kind.UNINSTALL, data=DataPolicy.PURGE)
    assert outcome.plan.warnings == ("rows of shop_items are lost; a backup stays until it is deleted",)
    after = state(host)
    assert (after["ledger"], after["exports"], after["data"]) == ([], [], {})
    assert query(host, "SELECT name FROM sqlite_master WHERE name LIKE 'shop%'") == []


def test_a_down_script_that_fails_half_way_does_not_keep_the_plugin(
    host: OfflineHost, packages: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is needed here: how rows were before they were changed is not in the catalogue."""
    first = {"0001_a.up": ITEMS + ROW, "0001_a.down": "DROP TABLE shop_items;"}
    second = {"0002_b.up": "UPDATE shop_items SET name = 'changed';"}
    second["0002_b.down"] = (
        "UPDATE shop_items SET name = 'old'; ALTER TABLE shop_items RENAME TO shop_half; DROP TABLE shop_never;"
    )
    shop(packages, "2.0.0", migrations=first)
    run(host, Kind.INSTALL)
    shop(packages, "2.1.0", migrations=first | second)
    run(host, Kind.UPGRADE)
    assert host.store.applied("shop")[-1]["undo"] is None
    run(host, Kind.UNINSTALL, data=DataPolicy.PURGE)
    assert "the plugin's own removal failed" in caplog.text
    assert "shop_never" in caplog.text
    assert query(host, "SELECT name FROM sqlite_master WHERE name LIKE 'shop%'") == []
    assert host.store.find_live("shop") is None


def test_tables_of_somebody_else_are_never_dropped(host: OfflineHost, packages: Path) -> None:
    build(packages, "shopping", files={"migrations/up.sql": "CREATE TABLE shopping_list (id);"})
    with closing(sqlite3.connect(host.settings.database_path)) as connection:
        connection.execute("CREATE TABLE orders (id)")
    run(host, Kind.INSTALL)
    run(host, Kind.INSTALL, "shopping")
    run(host, Kind.UNINSTALL, data=DataPolicy.PURGE)
    names = {row[0] for row in query(host, "SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {"users", "orders", "shopping_list"} <= names
    assert "shop_items" not in names


WRITES = """
def start(context):
    (context.data / "half").write_text("done")
    raise RuntimeError("no luck")
"""


def test_what_a_failed_first_start_wrote_is_gone(host: OfflineHost, packages: Path) -> None:
    """Its own folder was not there before; `fails` compares it."""
    shop(packages, "1.2.0", backend=WRITES)
    fails(host, ActivationFailed, Kind.INSTALL)
    assert not (host.settings.data / "shop").exists()
    run(host, Kind.INSTALL, inactive=True, version="1.0.0")
    fails(host, ActivationFailed, Kind.UPGRADE)
    assert not (host.settings.data / "shop").exists()


def test_a_folder_that_was_there_stays_when_a_start_fails(host: OfflineHost, packages: Path) -> None:
    shop(packages, "1.2.0", backend=WRITES)
    run(host, Kind.INSTALL, version="1.0.0")
    # Whoever serves may make it at any moment, even if it is not there yet.
    for there in (False, True):
        own = host.settings.data / "shop"
        assert own.exists() == there
        with pytest.raises(ActivationFailed):
            run(host, Kind.UPGRADE)
        assert (own / "half").is_file()
    (own / "kept").write_text("kept")
    run(host, Kind.UNINSTALL, data=DataPolicy.KEEP)
    with pytest.raises(ActivationFailed):
        run(host, Kind.INSTALL)
    assert (own / "kept").read_text() == "kept"


# ── requirements ──


@pytest.fixture
def family(host: OfflineHost, packages: Path) -> OfflineHost:
    """`top` needs `mid`, which needs `base` below 2."""
    build(packages, "base", "1.0.0", files={"migrations/up.sql": "CREATE TABLE base_t (id);"})
    build(packages, "base", "2.0.0")
    build(packages, "mid", requires=["base>=1,<2"])
    build(packages, "top", requires=["mid"])
    return host


def test_requirements_are_named_and_installed_in_the_same_go(family: OfflineHost) -> None:
    error = fails(family, Unresolvable, Kind.INSTALL, "top", match=r"needs base 1\.0\.0, mid 1\.0\.0")
    assert "--with-requirements" in error.mend
    run(family, Kind.INSTALL, "top", with_requirements=True)
    rows = family.store.all_live()
    assert {name: row.version for name, row in rows.items()} == {"base": "1.0.0", "mid": "1.0.0", "top": "1.0.0"}
    fails(family, Refused, Kind.DEACTIVATE, "base", match="needed by mid")
    fails(family, Refused, Kind.UNINSTALL, "mid", match="needed by top")
    fails(family, Unresolvable, Kind.UPGRADE, "base", match="can't be used")
    outcome = run(family, Kind.DEACTIVATE, "mid", force=True)
    assert outcome.plan.warnings == ("top need it and stay active",)


def test_a_plan_names_what_would_come_first(family: OfflineHost) -> None:
    before = state(family)
    with pytest.raises(Unresolvable, match=r"needs base 1\.0\.0, mid 1\.0\.0"):
        family.applier.plan(Request(Kind.INSTALL, "top"))
    plan = family.applier.plan(Request(Kind.INSTALL, "top", with_requirements=True))
    assert "warning: before that: install base 1.0.0, install mid 1.0.0" in str(plan)
    assert state(family) == before
    run(family, Kind.INSTALL, "base", version="1.0.0", inactive=True)
    run(family, Kind.INSTALL, "mid", inactive=True)
    plan = family.applier.plan(Request(Kind.INSTALL, "top", with_requirements=True))
    assert "before that: activate base 1.0.0, activate mid 1.0.0" in plan.warnings
    plan = family.applier.plan(Request(Kind.ACTIVATE, "mid", with_requirements=True))
    assert "before that: activate base 1.0.0" in plan.warnings
    outcome = run(family, Kind.ACTIVATE, "mid", with_requirements=True)
    assert not any("before that" in text for text in outcome.plan.warnings)


def test_a_plan_says_what_its_requirements_ask_for(host: OfflineHost, packages: Path) -> None:
    build(packages, "quiet")
    build(packages, "base", permissions=["network"], database={"reads": ["users"]})
    build(packages, "mid", permissions=["database.create_tables"], requires=["base", "quiet"])
    build(packages, "top", requires=["mid"])
    wish = Request(Kind.INSTALL, "top", with_requirements=True)
    asked = [text for text in host.applier.plan(wish).warnings if "asks for" in text]
    assert asked == ["base 1.0.0 asks for: network, to read users", "mid 1.0.0 asks for: database.create_tables"]
    run(host, Kind.INSTALL, "base", inactive=True)
    asked = [text for text in host.applier.plan(wish).warnings if "asks for" in text]
    assert asked == ["mid 1.0.0 asks for: database.create_tables"]


def test_requirements_that_rest_are_activated(family: OfflineHost) -> None:
    run(family, Kind.INSTALL, "top", with_requirements=True)
    for plugin in ("top", "mid", "base"):
        run(family, Kind.DEACTIVATE, plugin)
    fails(family, Unresolvable, Kind.ACTIVATE, "top")
    run(family, Kind.ACTIVATE, "top", with_requirements=True)
    assert all(row.active for row in family.store.all_live().values())


def test_requirements_are_taken_back_when_it_fails(family: OfflineHost, packages: Path) -> None:
    build(packages, "bad", requires=["mid"], files={"backend/__init__.py": "1 / 0\n"})
    fails(family, ActivationFailed, Kind.INSTALL, "bad", with_requirements=True)


def test_taking_back_keeps_rows_that_were_there_before(family: OfflineHost, packages: Path) -> None:
    run(family, Kind.INSTALL, "base", version="1.0.0")
    with closing(sqlite3.connect(family.settings.database_path)) as connection:
        connection.execute("INSERT INTO base_t VALUES (7)")
        connection.commit()
    run(family, Kind.UNINSTALL, "base", data=DataPolicy.KEEP)
    build(packages, "bad", requires=["base<2"], files={"backend/__init__.py": "1 / 0\n"})
    fails(family, ActivationFailed, Kind.INSTALL, "bad", with_requirements=True)
    assert query(family, "SELECT * FROM base_t") == [(7,)]


def test_activated_requirements_are_taken_back_too(family: OfflineHost, packages: Path) -> None:
    run(family, Kind.INSTALL, "base", version="1.0.0", inactive=True)
    build(packages, "bad", requires=["base<2"], files={"backend/__init__.py": "1 / 0\n"})
    with pytest.raises(ActivationFailed):
        run(family, Kind.INSTALL, "bad", with_requirements=True)
    assert {name: row.active for name, row in family.store.all_live().items()} == {"base": False}
    assert (family.settings.plugins / "_base").is_dir()


def test_circles_ranges_and_what_is_missing(host: OfflineHost, packages: Path) -> None:
    build(packages, "a", requires=["b"])
    build(packages, "b", requires=["a"])
    build(packages, "c", requires=["shop>=9", "gone"])
    for values in ({}, {"with_requirements": True}):
        fails(host, Unresolvable, Kind.INSTALL, "a", match="circle: a → b → a", **values)
        error = fails(host, Unresolvable, Kind.INSTALL, "c", **values)
        assert len(error.problems) == 2


def test_conflicts_are_found_before_anything_moves(host: OfflineHost, packages: Path) -> None:
    build(packages, "thief", database={"tables": ["users"]})
    build(packages, "rival", backend={"routes": ["/api/v1/shop/version"]})
    run(host, Kind.INSTALL)
    fails(host, Conflict, Kind.INSTALL, "thief", match="users")
    fails(host, Conflict, Kind.INSTALL, "rival", match="is answered by shop")


# ── seed 002's addon class ──

MODELS = """
from sqlalchemy import Column, Integer, String
from sqlalchemy.orm import declarative_base
Base = declarative_base()

class Session(Base):
    __tablename__ = "chat_sessions"
    id = Column(Integer, primary_key=True)
    name = Column(String)

class Message(Base):
    __tablename__ = "chat_messages"
    id = Column(Integer, primary_key=True)
"""
ADDON = """
class ChatAddon:
    name = "chatter"

    def install(self, db):
        from .models import Session
        self.create_tables(db)
        db.add(Session(name="seeded"))
        {more}

    def uninstall(self, db):
        self.drop_tables(db)

    def register_routes(self, app):
        from .routes import router
        app.include_router(router, prefix="/api/v1")

    def create_tables(self, db):
        from .models import Message, Session
        Session.__table__.create(db.bind)
        Message.__table__.create(db.bind)

    def drop_tables(self, db):
        from .models import Message, Session
        Message.__table__.drop(db.bind)
        Session.__table__.drop(db.bind)
"""


def chatter(packages: Path, version: str = "1.0.0", more: str = "pass", models: str = MODELS, **files: str) -> None:
    code = {
        "backend/__init__.py": ADDON.format(more=more),
        "backend/models.py": models,
        "backend/routes.py": "from fastapi import APIRouter\nrouter = APIRouter()\n"
        "@router.get('/chat/ping')\ndef ping() -> str:\n    return 'pong'\n",
    }
    tables = {"tables": ["chat_sessions", "chat_messages"]}
    build(packages, "chatter", version, files=code | files, database=tables)


CHAT = "SELECT name FROM sqlite_master WHERE name LIKE 'chat_%' ORDER BY 1"


def test_an_addon_makes_and_drops_its_own_tables(host: OfflineHost, packages: Path) -> None:
    chatter(packages)
    plan = host.applier.plan(Request(Kind.INSTALL, "chatter"))
    assert "the addon's own tables" in str(plan)
    run(host, Kind.INSTALL, "chatter")
    assert query(host, "SELECT name FROM chat_sessions") == [("seeded",)]
    row = host.store.get_live("chatter")
    assert [route.path for route in row.contributions.routes] == ["/api/v1/chat/ping"]
    chatter(packages, "1.1.0")
    run(host, Kind.UPGRADE, "chatter")
    assert query(host, "SELECT name FROM chat_sessions") == [("seeded",)]
    run(host, Kind.UNINSTALL, "chatter", data=DataPolicy.PURGE)
    assert query(host, CHAT) == []


@pytest.mark.parametrize(
    "more", ["1 / 0", "__import__('sqlalchemy') and db.execute(__import__('sqlalchemy').text('DELETE FROM users'))"]
)
def test_an_addon_that_fails_or_trespasses_leaves_nothing(host: OfflineHost, packages: Path, more: str) -> None:
    chatter(packages, more=more)
    failed(host, "expand", Kind.INSTALL, "chatter", kind=HotbayError)
    assert query(host, CHAT) == []


def test_an_addon_that_comes_with_an_upgrade_is_undone_with_it(host: OfflineHost, packages: Path) -> None:
    tables = {"tables": ["chat_sessions", "chat_messages", "chat_old"]}
    old = {"migrations/up.sql": "CREATE TABLE chat_old (id);"}
    build(packages, "chatter", "0.9.0", files=old, database=tables)
    run(host, Kind.INSTALL, "chatter")
    code = {"backend/plugin.py": "1 / 0\n", "migrations/up.sql": "CREATE TABLE chat_old (id);"}
    chatter(packages, **code)
    fails(host, ActivationFailed, Kind.UPGRADE, "chatter")


def test_an_addon_whose_uninstall_fails_can_be_removed_all_the_same(host: OfflineHost, packages: Path) -> None:
    chatter(packages)
    run(host, Kind.INSTALL, "chatter")
    image = host.images.path(host.store.get_live("chatter").image)
    (image / "backend" / "__pycache__").rename(image / "backend" / "gone")
    (image / "backend" / "models.py").write_text("raise RuntimeError('a library is gone')\n")
    run(host, Kind.UNINSTALL, "chatter", data=DataPolicy.PURGE)
    assert query(host, CHAT) == []


# ── who may when ──

HOLD = """
import sys
from pathlib import Path
from hotbay.presence import Lease
with Lease(Path(sys.argv[1])).hold(5, kind="upgrade", plugin="shop", actor="bob"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_lease_of_another_process_names_its_holder(host: OfflineHost) -> None:
    command = [sys.executable, "-c", HOLD, str(host.settings.run / "lease")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline()
        error = fails(
            host, LeaseHeld, Kind.INSTALL, match=f"upgrade of shop is in progress .process {child.pid}, by bob"
        )
        assert error.detail["holder"]["plugin"] == "shop"
        fails(host, LeaseHeld, Kind.INSTALL, wait=0.1)
        child.kill()
    run(host, Kind.INSTALL, wait=5)


def test_what_is_no_longer_wanted_is_not_done(host: OfflineHost) -> None:
    before = state(host)
    with pytest.raises(Superseded):
        host.applier.run(Request(Kind.INSTALL, "shop"), unless=lambda: True)
    assert state(host) == before
    assert host.store.audit_entries() == []


def test_a_failure_right_of_the_switch_is_finished_by_the_next_operation(
    host: OfflineHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Folders, "publish", full)
        with pytest.raises(OperationFailed, match="no space left") as caught:
            run(host, Kind.INSTALL)
    assert caught.value.detail["switched"] is True
    assert "undone" not in caught.value.mend
    assert host.store.get_live("shop").active
    assert not (host.settings.plugins / "shop").exists()
    run(host, Kind.DEACTIVATE)
    assert version_files(host, active=False) == "1.1.0"
    assert [journal.get_operation(host.store, number)["state"] for number in (1, 2)] == [journal.DONE] * 2


def test_a_failing_undo_does_not_hide_why_the_step_failed(
    host: OfflineHost, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stuck(*_: object) -> None:
        raise OSError("busy")

    shop(packages, "2.0.0", backend="1 / 0\n")
    with monkeypatch.context() as patch:
        patch.setattr(Shelve, "undo", stuck)
        with pytest.raises(ActivationFailed, match="ZeroDivisionError") as caught:
            run(host, Kind.INSTALL)
        assert caught.value.detail["undone"] is False
        assert len(journal.cut_off(host.store)) == 1
    assert host.applier.recover_at_start() == [1]
    assert host.store.all_live() == {}
    assert query(host, "SELECT name FROM sqlite_master WHERE name LIKE 'shop%'") == []
    assert (host.images.all(), host.applier.folders.strangers()) == ([], [])


def test_kept_tables_are_nobody_elses(host: OfflineHost, packages: Path) -> None:
    up = {"migrations/up.sql": "CREATE TABLE chat_sessions (id INTEGER PRIMARY KEY);"}
    build(packages, "chatter", files=up, database={"tables": ["chat_sessions"]})
    build(packages, "thief", database={"tables": ["Chat_Sessions"]})
    run(host, Kind.INSTALL, "chatter")
    run(host, Kind.UNINSTALL, "chatter", data=DataPolicy.KEEP)
    fails(host, Conflict, Kind.INSTALL, "thief", match="belongs to chatter, whose data was kept")
    run(host, Kind.INSTALL, "chatter")
    run(host, Kind.UNINSTALL, "chatter")
    run(host, Kind.INSTALL, "thief")
