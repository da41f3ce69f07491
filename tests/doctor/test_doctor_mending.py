"""Mending: recovery comes first, one failure stops no other, and everything is in the audit."""

from __future__ import annotations

from pathlib import Path

import pytest

from doctor.patients import found, leave_tables, sql
from engine_host import Kind, prepared, run, shop
from hotbay import journal
from hotbay.aside import NOTE
from hotbay.doctor import mend
from hotbay.errors import LeaseHeld
from hotbay.facts import KEPT_TABLES
from hotbay.offline import OfflineHost


def test_a_cut_off_operation_is_closed_by_its_name(host: OfflineHost, packages: Path) -> None:
    shop(packages, "1.0.0")
    run(host, Kind.INSTALL, version="1.0.0")
    with prepared(host, Kind.DEACTIVATE) as bench:
        plan = bench.plan.to_json() | {"row": None}
        with host.store.write() as connection:
            from sqlalchemy import update

            from hotbay.schema import operations

            connection.execute(update(operations).where(operations.c.id == bench.operation).values(plan=plan))
    name = f"operations:cut-off:{bench.operation}"
    assert mend(host.applier, [name]).done == {name: f"closed operation {bench.operation}"}
    assert journal.get_operation(host.store, bench.operation)["state"] == "undone"


def test_one_that_can_not_be_closed_is_said_and_stops_nothing_else(host: OfflineHost) -> None:
    with host.store.write() as connection:
        journal.open_operation(connection, kind="deactivate", plugin="shop", actor="x", plan={}, verbs=[])
    (host.settings.run / "w-99-dead.json").write_text("{}")
    made = mend(host.applier)
    assert list(made.failed) == ["operations:cut-off:1"]
    assert "KeyError" in made.failed["operations:cut-off:1"].message
    assert list(found(host)) == ["operations:cut-off:1"]
    told = {(item["action"], item["result"], item["detail"]["finding"]) for item in host.store.audit_entries()}
    assert ("mend", "failed: state-error", "operations:cut-off:1") in told
    assert ("mend", "done", "workers:left:w-99-dead.json") in told


def test_a_mend_that_fails_leaves_everything_as_it_was(host: OfflineHost, packages: Path) -> None:
    """Where the exports belong, somebody put a file."""
    leave_tables(host, packages)
    sql(host, "DELETE FROM hotbay_ledger", f"DELETE FROM hotbay_meta WHERE name = '{KEPT_TABLES}'")
    host.settings.exports.mkdir(exist_ok=True)
    host.settings.exports.rmdir()
    host.settings.exports.write_text("a file where a folder belongs")
    made = mend(host.applier, ["tables:orphaned:shop"])
    assert list(made.failed) == ["tables:orphaned:shop"]
    assert (host.settings.data / "shop" / "note.txt").is_file()
    assert not host.store.get_meta(NOTE)
    host.settings.exports.unlink()
    assert not mend(host.applier, ["tables:orphaned:shop"]).failed


def test_while_an_operation_is_in_progress_nothing_is_mended(host: OfflineHost) -> None:
    (host.settings.run / "w-99-dead.json").write_text("{}")
    with host.applier.lease.hold(0, kind="backup", plugin="shop", actor="bob"), pytest.raises(LeaseHeld):
        mend(host.applier)
    assert (host.settings.run / "w-99-dead.json").exists()


def test_nothing_to_mend_is_mended_again_and_again(host: OfflineHost) -> None:
    assert mend(host.applier).to_json() == {"mended": [], "failed": []}
    assert host.store.audit_entries() == []
