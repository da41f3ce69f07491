"""Backups, exports and logs that are damaged, unknown or of plugins that are gone: they go when somebody says so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from doctor.patients import found, mends_by_choice, one, sql
from engine_host import Kind, query, run, shop
from hotbay.backups import list_backups
from hotbay.doctor import mend
from hotbay.model import DataPolicy
from hotbay.offline import OfflineHost


@pytest.fixture
def backed(host: OfflineHost, packages: Path) -> OfflineHost:
    """A host with a plugin and two backups."""
    shop(packages, "1.0.0")
    run(host, Kind.INSTALL, version="1.0.0")
    run(host, Kind.BACKUP)
    run(host, Kind.BACKUP)
    assert found(host) == {}
    return host


def test_a_backup_whose_file_is_gone_is_forgotten_when_somebody_says_so(backed: OfflineHost) -> None:
    newest, oldest = list_backups(backed.store)
    shutil.rmtree(backed.settings.backups / newest.folder)
    assert one(backed).level == "error"
    mends_by_choice(backed, f"backups:lost:{newest.id}")
    assert [item.id for item in list_backups(backed.store)] == [oldest.id]


def test_a_backup_that_was_cut_short_goes_with_its_file(backed: OfflineHost) -> None:
    newest, _ = list_backups(backed.store)
    with newest.file(backed.settings).open("ab") as stream:
        stream.write(b"more")
    assert "not as long as it was" in one(backed).message
    mends_by_choice(backed, f"backups:lost:{newest.id}")
    assert not (backed.settings.backups / newest.folder).exists()


def test_a_backup_that_the_registry_does_not_know_becomes_an_export(backed: OfflineHost) -> None:
    """The database is an older one: it was restored by somebody. Nothing of the newer files is deleted by a start."""
    newest, _ = list_backups(backed.store)
    for table in ("backups WHERE id", "steps WHERE operation", "operations WHERE id"):
        sql(backed, f"DELETE FROM hotbay_{table} = {newest.id if 'backups' in table else newest.operation}")
    backed.applier.recover_at_start()
    assert one(backed).id == f"backups:unknown:{newest.folder}"
    mends_by_choice(backed, f"backups:unknown:{newest.folder}")
    assert (backed.settings.exports / newest.folder / "data.db").is_file()
    run(backed, Kind.UNINSTALL, data=DataPolicy.PURGE)
    run(backed, Kind.INSTALL, version="1.0.0", restore=str(backed.settings.exports / newest.folder))
    assert query(backed, "SELECT name FROM shop_items") == [("first",)]


def test_one_that_an_operation_of_ours_left_is_swept_as_before(backed: OfflineHost) -> None:
    newest, _ = list_backups(backed.store)
    sql(backed, f"DELETE FROM hotbay_backups WHERE id = {newest.id}")
    backed.applier.recover_at_start()
    assert not (backed.settings.backups / newest.folder).exists()


def test_backups_of_a_plugin_that_is_gone_are_no_fault_and_can_go(backed: OfflineHost) -> None:
    run(backed, Kind.UNINSTALL, data=DataPolicy.PURGE)
    assert found(backed) == {}
    assert mends_by_choice(backed, "backups:former:shop") == "deleted 3 backup(s) of shop"
    assert list(backed.settings.backups.iterdir()) == []


def test_an_export_that_can_not_be_read(backed: OfflineHost) -> None:
    run(backed, Kind.UNINSTALL, data=DataPolicy.EXPORT)
    assert found(backed) == {}
    (folder,) = backed.settings.exports.iterdir()
    (folder / "data.db").write_bytes(b"nothing")
    mends_by_choice(backed, f"exports:broken:{folder.name}")
    assert not folder.exists()


def test_the_log_of_a_plugin_that_is_gone(backed: OfflineHost) -> None:
    backed.settings.logs.mkdir(exist_ok=True)
    for name in ("shop.log", "gone.log"):
        (backed.settings.logs / name).write_text("said\n")
    assert found(backed) == {}
    mends_by_choice(backed, "logs:former:gone.log")
    assert [path.name for path in backed.settings.logs.iterdir()] == ["shop.log"]


def test_while_an_operation_is_in_progress_nothing_is_taken_for_left_over(backed: OfflineHost) -> None:
    (backed.settings.backups / "shop-1.0.0-99").mkdir()
    assert found(backed)
    with backed.applier.lease.hold(0, kind="backup", plugin="shop", actor="bob"):
        assert found(backed) == {}
    mend(backed.applier, ["backups:unknown:shop-1.0.0-99"])
