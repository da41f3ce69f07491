"""Receipts whose operations are gone, and a chain that is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from doctor.patients import found, mends_by_choice, one, sql
from engine_host import Kind, run, shop
from hotbay.history import find_anchor
from hotbay.offline import OfflineHost
from hotbay.receipt import check_whole


@pytest.fixture
def told(host: OfflineHost, packages: Path) -> OfflineHost:
    """Four receipts."""
    shop(packages, "1.0.0")
    for kind in (Kind.INSTALL, Kind.DEACTIVATE, Kind.ACTIVATE, Kind.BACKUP):
        run(host, kind)
    assert len(host.applier.notary.all()) == 4
    assert found(host) == {}
    return host


def forget(host: OfflineHost, *numbers: int) -> None:
    for table in ("operations WHERE id", "steps WHERE operation"):
        sql(host, *(f"DELETE FROM hotbay_{table} = {number}" for number in numbers))


def test_those_at_the_beginning_go_and_leave_an_anchor(told: OfflineHost) -> None:
    forget(told, 1, 2)
    assert one(told).id == "receipts:orphaned:2"
    mends_by_choice(told, "receipts:orphaned:2")
    assert found(told) == {}
    anchor = find_anchor(told.store)
    assert anchor is not None and anchor["receipt"]["number"] == 2
    assert check_whole([item["receipt"] for item in told.applier.notary.all()], anchor["receipt"]) == []


def test_those_in_the_middle_and_the_last_one_stay(told: OfflineHost) -> None:
    forget(told, 2, 4)
    assert found(told) == {}
    assert "receipts 2, 4 are" in found(told, all_levels=True)["receipts:alone"].message
    forget(told, 1, 3)
    assert one(told).id == "receipts:orphaned:3"


def test_one_that_was_taken_out_is_seen(told: OfflineHost) -> None:
    sql(told, "DELETE FROM hotbay_receipts WHERE number = 2")
    item = one(told)
    assert (item.id, item.level, item.message) == ("receipts:chain", "error", "receipt 2 is missing")


def test_a_beginning_that_was_cut_off_without_an_anchor_is_seen(told: OfflineHost) -> None:
    sql(told, "DELETE FROM hotbay_receipts WHERE number < 3")
    assert one(told).message == "receipt 1 is missing"
