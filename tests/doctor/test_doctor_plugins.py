"""Rows of the registry that belong to nothing go; rows that can't be read come back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from doctor.patients import found, mends_itself, one, sql
from engine_host import Kind, prepared, run, shop
from hotbay import store
from hotbay.doctor import mend
from hotbay.offline import OfflineHost


@pytest.fixture
def installed(host: OfflineHost, packages: Path) -> OfflineHost:
    shop(packages, "1.0.0")
    run(host, Kind.INSTALL, version="1.0.0")
    return host


def test_a_wish_that_no_operation_has(installed: OfflineHost) -> None:
    with installed.store.write() as connection:
        store.set_candidate(connection, "shop", {"verb": "hold", "operation": 99})
    assert one(installed).id == "registry:wish:shop"
    before = installed.applier.beacon.value
    mends_itself(installed, "registry:wish:shop")
    assert installed.applier.beacon.value > before


def test_a_wish_of_an_operation_in_progress_is_none(installed: OfflineHost) -> None:
    with prepared(installed, Kind.DEACTIVATE) as bench:
        with installed.store.write() as connection:
            store.set_candidate(connection, "shop", {"verb": "hold", "operation": bench.operation})
        assert list(found(installed)) == [f"operations:cut-off:{bench.operation}"]


def test_versions_of_a_plugin_that_is_gone_and_then_their_images(installed: OfflineHost) -> None:
    image = installed.store.get_live("shop").image
    sql(installed, "DELETE FROM hotbay_live", "DELETE FROM hotbay_ledger", "DROP TABLE shop_items")
    shutil.rmtree(installed.settings.plugins / "shop")
    names = set(found(installed))
    assert "registry:versions:shop" in names and f"images:unused:{image}" not in names
    mend(installed.applier)
    assert found(installed) == {}
    assert not installed.images.has(image)


def test_steps_of_no_operation(installed: OfflineHost) -> None:
    sql(installed, "INSERT INTO hotbay_steps (operation, seq, verb, state) VALUES (99, 0, 'stage', 'done')")
    mends_itself(installed, "registry:steps:99")


def test_a_row_that_can_not_be_read_is_restored(installed: OfflineHost) -> None:
    sql(installed, "UPDATE hotbay_live SET manifest = '{'")
    assert mends_itself(installed, "plugins:unreadable:shop") == "restored the row of shop"
    assert installed.store.get_live("shop").manifest["id"] == "shop"


def test_a_refusal_of_a_folder_that_is_gone(installed: OfflineHost) -> None:
    with installed.store.write() as connection:
        store.put_refusal(connection, "other", "0", "it was bad")
    mends_itself(installed, "plugins-folder:refused:other")
    assert installed.store.all_refusals() == {}
