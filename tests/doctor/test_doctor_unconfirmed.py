"""What waits for a confirmation that can't come is forgotten; what nobody takes back in time is taken back by name."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from doctor.patients import found, mends_by_choice, mends_itself, sql
from engine_host import TWO, Kind, query, run, shop
from hotbay.backups import needed_backups
from hotbay.confirmations import find_confirmation, note_attempt
from hotbay.doctor import mend
from hotbay.offline import OfflineHost
from hotbay.presence import Lease

OVERDUE = "confirmations:overdue:shop"
ORPHANED = "confirmations:orphaned:shop"


@pytest.fixture
def waiting(host: OfflineHost, packages: Path) -> OfflineHost:
    """An upgrade from 1.0.0 to 1.1.0 that waits for its confirmation."""
    shop(packages, "1.0.0")
    shop(packages, "1.1.0", migrations=TWO)
    run(host, Kind.INSTALL, version="1.0.0")
    run(host, Kind.UPGRADE, version="1.1.0", confirm_within=600.0)
    assert found(host) == {}
    return host


def standing(host: OfflineHost) -> tuple[str, str]:
    item = find_confirmation(host.store, "shop")
    return (item.state, item.reason) if item is not None else ("", "")


def version(host: OfflineHost) -> str:
    return host.store.get_live("shop").version


def late(host: OfflineHost) -> None:
    sql(host, "UPDATE hotbay_confirmations SET used = 660")


# ── nothing can confirm or revert it ──


def test_of_a_plugin_that_is_not_installed(waiting: OfflineHost) -> None:
    sql(waiting, "DELETE FROM hotbay_live")
    assert "not installed" in found(waiting)[ORPHANED].message
    mends_itself(waiting, ORPHANED)
    assert query(waiting, "SELECT * FROM hotbay_confirmations") == []


def test_of_code_that_another_has_taken_the_place_of(waiting: OfflineHost) -> None:
    sql(waiting, "UPDATE hotbay_confirmations SET image = 'other', version = '1.0.9'")
    assert needed_backups(waiting.store)
    assert "it stays" in mends_itself(waiting, ORPHANED)
    assert standing(waiting) == ("dropped", "by ann: another code is installed")
    assert (version(waiting), needed_backups(waiting.store)) == ("1.1.0", frozenset())


def test_of_an_operation_that_the_journal_does_not_have(waiting: OfflineHost) -> None:
    number = find_confirmation(waiting.store, "shop").operation
    tables = ("hotbay_operations WHERE id", "hotbay_steps WHERE operation", "hotbay_receipts WHERE operation")
    sql(waiting, *(f"DELETE FROM {table} = {number}" for table in tables))
    assert f"operation {number} is not in the journal" in found(waiting)[ORPHANED].message
    mends_by_choice(waiting, ORPHANED)
    assert (standing(waiting)[0], version(waiting)) == ("dropped", "1.1.0")


@pytest.mark.parametrize("gone", ["image", "history"])
def test_whose_way_back_is_gone(waiting: OfflineHost, gone: str) -> None:
    before = find_confirmation(waiting.store, "shop").before_image
    if gone == "image":
        shutil.rmtree(waiting.settings.images / before)
    else:
        sql(waiting, f"DELETE FROM hotbay_versions WHERE image = '{before}'")
    late(waiting)
    assert "1.0.0, to which it would go back, is gone" in found(waiting)[ORPHANED].message
    mends_by_choice(waiting, ORPHANED)
    assert (standing(waiting)[0], version(waiting)) == ("dropped", "1.1.0")
    assert OVERDUE not in found(waiting)


def test_a_row_that_can_not_be_read(waiting: OfflineHost) -> None:
    sql(waiting, "UPDATE hotbay_confirmations SET state = 'rubbish'")
    mends_itself(waiting, "confirmations:unreadable:shop")
    assert query(waiting, "SELECT * FROM hotbay_confirmations") == []


@pytest.mark.parametrize("settled", ["confirmed", "reverted", "dropped"])
def test_what_is_settled_waits_for_nobody(waiting: OfflineHost, settled: str) -> None:
    sql(waiting, f"UPDATE hotbay_confirmations SET state = '{settled}', image = 'other', used = 660")
    assert found(waiting) == {}


# ── nobody takes it back ──


def test_what_is_overdue_goes_back_when_it_is_named(waiting: OfflineHost) -> None:
    sql(waiting, "INSERT INTO shop_items (name, price) VALUES ('written since', 5)")
    late(waiting)
    assert "had to be confirmed 1 min ago" in found(waiting)[OVERDUE].message
    assert mends_by_choice(waiting, OVERDUE) == "reverted upgrade of shop 1.1.0"
    assert (version(waiting), standing(waiting)) == ("1.0.0", ("reverted", "nobody confirmed it within 10 min"))
    assert query(waiting, "SELECT name FROM shop_items") == [("first",)]
    assert found(waiting) == {}


def test_an_install_that_is_overdue_is_uninstalled(host: OfflineHost, packages: Path) -> None:
    shop(packages, "1.0.0")
    run(host, Kind.INSTALL, confirm_within=600.0)
    late(host)
    mends_by_choice(host, OVERDUE)
    assert host.store.find_live("shop") is None
    assert list(host.settings.exports.glob("shop-*/data.db"))


def test_one_that_can_not_go_back_stays_and_says_why(waiting: OfflineHost) -> None:
    late(waiting)
    (backup,) = waiting.settings.backups.glob("shop-*/data.db")
    backup.write_bytes(b"")
    made = mend(waiting.applier, [OVERDUE])
    assert list(made.failed) == [OVERDUE]
    assert (version(waiting), standing(waiting)[0]) == ("1.1.0", "pending")


def test_while_a_worker_has_the_post_it_is_the_workers(waiting: OfflineHost) -> None:
    late(waiting)
    fd: Any = Lease(waiting.settings.run / "confirm").try_acquire()
    assert found(waiting) == {}
    os.close(fd)
    assert list(found(waiting)) == [OVERDUE]


def test_what_was_given_up_is_named(waiting: OfflineHost) -> None:
    with waiting.store.write() as connection:
        note_attempt(connection, find_confirmation(waiting.store, "shop"), "no way", last=True)
    item = found(waiting)["confirmations:failed:shop"]
    assert ("no way" in item.message, item.fixable, item.choice) == (True, False, False)
