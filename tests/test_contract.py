"""Contract scripts: after the switch, when the version before is gone; owed when they can't run, and never torn."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine_host import ITEMS, ROW, build, opened, query, run, seen, shop, state
from hotbay.contract import all_owed, note_owed
from hotbay.doctor import examine, mend
from hotbay.errors import MigrationFailed, NotAdditive, OperationFailed, Refused
from hotbay.model import DataPolicy, Kind, Rows
from hotbay.offline import OfflineHost
from hotbay.request import Request
from hotbay.steps import STEPS
from hotbay.store import Store

FIRST = {"0001_initial.up": ITEMS + ROW}
EXPAND = """ALTER TABLE shop_items ADD COLUMN title TEXT;
CREATE TRIGGER shop_title AFTER INSERT ON shop_items WHEN NEW.title IS NULL BEGIN
    UPDATE shop_items SET title = NEW.name WHERE id = NEW.id;
END;
"""
CONTRACT = """DROP TRIGGER shop_title;
UPDATE shop_items SET title = name WHERE title IS NULL;
ALTER TABLE shop_items DROP COLUMN name;
"""
SPLIT = FIRST | {"0002_title.up": EXPAND, "0002_title.contract": CONTRACT}
ONCE = "CREATE UNIQUE INDEX shop_once ON shop_items (name);"
UNIQUE = FIRST | {"0002_once.contract": f"ALTER TABLE shop_items ADD COLUMN extra;\n{ONCE}"}


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    return tmp_path / "packages"


@pytest.fixture
def host(tmp_path: Path, packages: Path) -> Iterator[OfflineHost]:
    """A host with shop 1.0.0 active, and 2.0.0 in its source, which has a contract script."""
    shop(packages, "1.0.0", migrations=FIRST)
    shop(packages, "2.0.0", migrations=SPLIT)
    with opened(tmp_path / "home", ack_seconds=0.5) as made:
        run(made, Kind.INSTALL, version="1.0.0")
        yield made


def verbs(outcome: Any) -> list[str]:
    return [step["verb"] for step in outcome.steps]


def columns(host: OfflineHost) -> list[str]:
    return [row[1] for row in query(host, "PRAGMA table_info(shop_items)")]


def contracted(host: OfflineHost) -> dict[int, Any]:
    return {row["number"]: (row["contract"] or {}).get("operation") for row in host.store.applied("shop")}


def contracts_of(host: OfflineHost) -> list[str]:
    return [found.message for found in examine(host.settings) if found.check == "contracts"]


# ── when they run ──


def test_it_runs_after_the_switch_and_is_in_the_ledger(host: OfflineHost) -> None:
    plan = host.applier.plan(Request(Kind.UPGRADE, "shop"))
    told = [(item["code"], item["line"], item["runs"]) for item in plan.findings]
    assert told == [
        ("changes-rows", 2, "after the switch"),
        ("drops-column", 3, "after the switch"),
    ]
    outcome = run(host, Kind.UPGRADE)
    assert verbs(outcome) == [
        *("stage", "shelve", "backup", "expand", "start", "switch", "publish", "drain", "contract"),
    ]
    assert columns(host) == ["id", "title"]
    assert query(host, "SELECT * FROM shop_items") == [(1, "first")]
    assert contracted(host) == {1: None, 2: outcome.operation}
    assert outcome.steps[-1]["record"] == {"contracted": [2]}
    assert (all_owed(host.store), contracts_of(host)) == ({}, [])


def test_a_first_install_and_one_that_rests_run_them_before(host: OfflineHost, tmp_path: Path) -> None:
    run(host, Kind.DEACTIVATE)
    outcome = run(host, Kind.UPGRADE)
    assert "contract" not in verbs(outcome)
    assert next(step for step in outcome.steps if step["verb"] == "expand")["record"] == {
        "migrations": [2],
        "contracted": [2],
    }
    with opened(tmp_path / "other", ack_seconds=0.5) as fresh:
        outcome = run(fresh, Kind.INSTALL)
        assert "contract" not in verbs(outcome)
        assert (columns(fresh), contracted(fresh)) == (["id", "title"], {1: None, 2: outcome.operation})
        assert host.store.applied("shop")[1]["contract"].keys() == {"checksum", "operation"}
    assert columns(host) == ["id", "title"]


def test_exclusive_ones_run_while_requests_are_held(host: OfflineHost, packages: Path) -> None:
    shop(packages, "2.0.1", migrations=SPLIT, exclusive=True, backend="def health():\n    return False\n")
    before = seen(host)
    with pytest.raises(OperationFailed):
        run(host, Kind.UPGRADE)
    assert seen(host) == before
    shop(packages, "2.0.2", migrations=SPLIT, exclusive=True)
    outcome = run(host, Kind.UPGRADE)
    assert verbs(outcome)[2:5] == ["hold", "backup", "expand"]
    assert "contract" not in verbs(outcome)
    assert (columns(host), contracted(host)) == (["id", "title"], {1: None, 2: outcome.operation})


def test_a_held_contract_of_an_old_migration_is_taken_back(host: OfflineHost, packages: Path) -> None:
    """The ledger's row is of an earlier operation, the contract of this one."""
    shop(packages, "2.0.1", migrations=FIRST | {"0002_title.up": EXPAND})
    run(host, Kind.UPGRADE, version="2.0.1")
    ill = "def health():\n    return False\n"
    shop(packages, "2.0.2", migrations=SPLIT, exclusive=True, backend=ill)
    before = seen(host)
    with pytest.raises(OperationFailed):
        run(host, Kind.UPGRADE)
    assert seen(host) == before
    shop(packages, "2.0.3", migrations=SPLIT)
    outcome = run(host, Kind.UPGRADE)
    assert "expand" not in verbs(outcome)
    assert contracted(host) == {1: None, 2: outcome.operation}


def test_a_failure_before_the_switch_leaves_the_contract_alone(host: OfflineHost, packages: Path) -> None:
    shop(packages, "2.0.1", migrations=SPLIT, backend="def health():\n    return False\n")
    before = seen(host)
    with pytest.raises(OperationFailed):
        run(host, Kind.UPGRADE)
    assert seen(host) == before


# ── what can't run is owed ──


def doubled(host: OfflineHost, packages: Path) -> Any:
    """An upgrade whose contract script fails: there are doubles. What it came to."""
    shop(packages, "2.1.0", migrations=UNIQUE)
    with host.store.write() as connection:
        connection.exec_driver_sql("INSERT INTO shop_items (name) VALUES ('first')")
    return run(host, Kind.UPGRADE)


def mend_doubles(host: OfflineHost) -> None:
    with host.store.write() as connection:
        connection.exec_driver_sql("DELETE FROM shop_items WHERE id > 1")


def test_one_that_fails_leaves_the_new_version_on_the_wide_schema(host: OfflineHost, packages: Path) -> None:
    outcome = doubled(host, packages)
    assert host.store.get_live("shop").version == "2.1.0"
    assert columns(host) == ["id", "name"], "nothing of the script is kept"
    assert contracted(host) == {1: None, 2: None}
    assert "migrations/0002_once.contract.sql, statement 2" in outcome.notes["owed"]
    assert outcome.to_json()["owed"] == outcome.notes["owed"]
    (message,) = contracts_of(host)
    assert "shop" in message
    assert "UNIQUE constraint failed" in message
    assert mend(host.applier).failed.keys() == {"contracts:owed:shop"}
    assert len(contracts_of(host)) == 1
    mend_doubles(host)
    host.applier.recover()
    assert len(contracts_of(host)) == 1, "what fails is not tried at every operation"
    host.applier.recover_at_start()
    assert (all_owed(host.store), contracts_of(host)) == ({}, [])
    assert (columns(host), contracted(host)) == (["id", "name", "extra"], {1: None, 2: outcome.operation})
    entry = host.store.audit_entries("shop")[0]
    assert (entry["action"], entry["result"], entry["operation"]) == ("contract", "done", outcome.operation)


def test_the_next_operation_forgets_what_nobody_owes_any_more(host: OfflineHost, packages: Path) -> None:
    outcome = doubled(host, packages)
    debt = all_owed(host.store)["shop"]
    with host.store.write() as connection:
        note_owed(connection, "gone", debt | {"image": "f" * 64})
    run(host, Kind.BACKUP)
    assert set(all_owed(host.store)) == {"shop"}, "and what is owed still is"
    assert all_owed(host.store)["shop"]["operation"] == outcome.operation


def test_the_doctor_pays_what_is_owed(host: OfflineHost, packages: Path) -> None:
    """Also when the journal has forgotten the operation."""
    doubled(host, packages)
    mend_doubles(host)
    with host.store.write() as connection:
        connection.exec_driver_sql("DELETE FROM hotbay_operations")
        connection.exec_driver_sql("DELETE FROM hotbay_steps")
    assert mend(host.applier).done == {"contracts:owed:shop": "ran the contract scripts of shop"}
    assert contracted(host)[2] is not None


def test_the_next_version_may_mend_a_script_that_never_ran(host: OfflineHost, packages: Path) -> None:
    doubled(host, packages)
    shop(packages, "2.2.0", migrations=FIRST | {"0002_once.contract": f"DELETE FROM shop_items WHERE id > 1;\n{ONCE}"})
    outcome = run(host, Kind.UPGRADE)
    assert (all_owed(host.store), contracted(host)) == ({}, {1: None, 2: outcome.operation})
    shop(packages, "2.3.0", migrations=UNIQUE)
    with pytest.raises(Refused, match="another content"):
        run(host, Kind.UPGRADE)


@pytest.mark.parametrize("kind", [Kind.ROLLBACK, Kind.UNINSTALL, Kind.DEACTIVATE])
def test_what_is_owed_is_forgotten_with_the_version(host: OfflineHost, packages: Path, kind: Kind) -> None:
    doubled(host, packages)
    run(host, kind, accept_loss=True)
    if kind is Kind.DEACTIVATE:
        run(host, Kind.ACTIVATE)
        assert all_owed(host.store).keys() == {"shop"}, "the same tables are there: they are still to be narrowed"
        mend_doubles(host)
    else:
        assert all_owed(host.store) == {}
    there = query(host, "SELECT count(*) FROM sqlite_master WHERE name = 'shop_items'")
    assert there == ([(0,)] if kind is Kind.UNINSTALL else [(1,)])
    host.applier.recover_at_start()
    assert all_owed(host.store) == {}
    assert (contracted(host).get(2) is not None) == (kind is Kind.DEACTIVATE)


def test_tables_that_were_kept_are_brought_to_their_end(host: OfflineHost, packages: Path) -> None:
    doubled(host, packages)
    run(host, Kind.UNINSTALL, data=DataPolicy.KEEP)
    mend_doubles(host)
    outcome = run(host, Kind.INSTALL)
    assert "contract" not in verbs(outcome)
    assert (columns(host), contracted(host)) == (["id", "name", "extra"], {1: None, 2: outcome.operation})
    assert query(host, "SELECT name FROM shop_items") == [("first",)]


def test_it_can_not_be_undone(host: OfflineHost) -> None:
    with pytest.raises(OperationFailed):
        STEPS["contract"].undo(None, {})  # type: ignore[arg-type]


# ── the way back ──


def test_a_rollback_takes_the_rows_back(host: OfflineHost) -> None:
    before = state(host)
    run(host, Kind.UPGRADE)
    with pytest.raises(Refused, match="can't live with the tables") as caught:
        run(host, Kind.ROLLBACK, rows=Rows.KEEP)
    assert {problem.code for problem in caught.value.problems} == {"drops-column"}
    run(host, Kind.ROLLBACK, accept_loss=True)
    after = state(host)
    assert (after["tables"], after["ledger"]) == (before["tables"], before["ledger"])
    assert contracted(host) == {1: None}


def test_an_older_version_is_not_brought_onto_what_was_narrowed(host: OfflineHost, packages: Path) -> None:
    run(host, Kind.UPGRADE)
    before = seen(host)
    with pytest.raises(Refused, match=r"shop 1\.0\.0 can't live with the tables of 2\.0\.0") as caught:
        run(host, Kind.UPGRADE, version="1.0.0", force=True)
    assert {problem.code for problem in caught.value.problems} == {"drops-column"}
    assert "hotbay rollback shop --version 1.0.0" in caught.value.mend
    assert seen(host) == before
    shop(packages, "1.9.0", migrations=SPLIT)
    run(host, Kind.UPGRADE, version="1.9.0", force=True)
    assert host.store.get_live("shop").version == "1.9.0", "older, but it knows the narrow tables"


def test_nor_onto_narrow_tables_that_were_kept(host: OfflineHost, packages: Path) -> None:
    run(host, Kind.UPGRADE)
    run(host, Kind.UNINSTALL, data=DataPolicy.KEEP)
    with pytest.raises(Refused, match="0002_title narrowed them"):
        run(host, Kind.INSTALL, version="1.0.0")
    shop(packages, "3.0.0", migrations={"0001_initial.up": ITEMS + ROW, "0003_later.up": "CREATE TABLE shop_x (x);"})
    run(host, Kind.INSTALL, version="3.0.0")
    assert columns(host) == ["id", "title"]


def test_a_restored_backup_is_brought_forward_to_its_end(host: OfflineHost) -> None:
    run(host, Kind.UPGRADE)
    run(host, Kind.RESTORE, backup="1", accept_loss=True)
    assert columns(host) == ["id", "title"]
    assert query(host, "SELECT * FROM shop_items") == [(1, "first")]
    assert contracted(host)[2] is not None


def test_an_export_remembers_its_contracts(host: OfflineHost) -> None:
    run(host, Kind.UPGRADE)
    run(host, Kind.UNINSTALL, data=DataPolicy.EXPORT)
    run(host, Kind.INSTALL, restore="latest")
    assert (columns(host), contracted(host)[2]) == (["id", "title"], 2)


# ── the linter does not see everything ──


def test_what_is_not_the_plugins_is_the_guards_to_refuse(host: OfflineHost, packages: Path) -> None:
    for number, sql in enumerate(("DROP TABLE hotbay_live;", "DELETE FROM hotbay_audit;")):
        shop(packages, f"2.0.{number + 1}", migrations=FIRST | {"0002_x.up": sql})
        with pytest.raises(MigrationFailed, match="may not"):
            run(host, Kind.UPGRADE)


CREATES = """
class Addon:
    def create_tables(self, db):
        from sqlalchemy import text
        db.execute(text({sql!r}))
"""


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("ALTER TABLE shop_items RENAME COLUMN name TO title", "rebuilds-table"),
        ("CREATE UNIQUE INDEX shop_once ON shop_items (name)", "makes-unique"),
        ("UPDATE shop_items SET name = 'x'", "changes-rows"),
    ],
)
def test_what_a_plugins_own_code_does_to_its_tables_is_refused_by_the_engine(
    host: OfflineHost, packages: Path, sql: str, code: str
) -> None:
    files = {
        "backend/__init__.py": CREATES.format(sql=sql),
        "migrations/0001_initial.up.sql": ITEMS + ROW,
    }
    build(packages, "shop", "2.5.0", files=files)
    before = seen(host)
    with pytest.raises(NotAdditive) as caught:
        run(host, Kind.UPGRADE)
    assert code in {problem.code for problem in caught.value.problems}
    assert seen(host) == before


def test_a_database_of_an_earlier_hotbay_gets_the_column(host: OfflineHost) -> None:
    path = host.settings.database_path
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE hotbay_ledger DROP COLUMN contract")
    again = Store(path)
    try:
        assert [row["contract"] for row in again.applied("shop")] == [None]
    finally:
        again.close()
