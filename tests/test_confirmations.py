"""The row of what is to be confirmed: begun and ended in the switch's own transaction, and how much time is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from engine_host import TWO, opened, query, run, shop
from hotbay import confirmations as rows
from hotbay.backups import list_backups, needed_backups
from hotbay.confirmations import Confirmation, find_confirmation
from hotbay.errors import BadInput, HotbayError, Refused, Unconfirmed
from hotbay.model import Kind, Rows, Standing
from hotbay.moments import Moment
from hotbay.offline import OfflineHost


@pytest.fixture
def host(tmp_path: Path) -> Iterator[OfflineHost]:
    """A host with shop 1.0.0 installed, and newer versions in its source."""
    shop(tmp_path / "packages", "1.0.0")
    shop(tmp_path / "packages", "1.1.0", migrations=TWO)
    shop(tmp_path / "packages", "1.2.0", migrations=TWO)
    with opened(tmp_path / "home", keep_backups=1) as made:
        run(made, Kind.INSTALL, version="1.0.0")
        yield made


def upgrade(host: OfflineHost, version: str = "1.1.0", within: float = 600.0, **wish: Any) -> Any:
    return run(host, Kind.UPGRADE, version=version, confirm_within=within, **wish)


def found(host: OfflineHost) -> Confirmation:
    item = find_confirmation(host.store, "shop")
    assert item is not None
    return item


def standing(host: OfflineHost) -> Standing | None:
    item = find_confirmation(host.store, "shop")
    return item.state if item is not None else None


# ── how it begins ──


def test_an_upgrade_says_what_it_goes_back_to_and_until_when(host: OfflineHost) -> None:
    outcome = upgrade(host, rows=Rows.MERGE).to_json()
    item = found(host)
    assert (item.state, item.kind, item.version, item.before_version) == ("pending", Kind.UPGRADE, "1.1.0", "1.0.0")
    assert (item.operation, item.actor, item.keep_new_rows) == (outcome["operation"], "ann", True)
    assert item.before_image != item.image == host.store.get_live("shop").image
    shown = outcome["confirmation"]
    assert (shown["seconds"], shown["state"], shown["before_version"]) == (600.0, "pending", "1.0.0")
    assert 590 < shown["seconds_left"] <= 600
    assert "`hotbay confirm shop`, or it goes back to 1.0.0" in shown["text"]


def test_what_is_not_to_be_confirmed_has_no_row(host: OfflineHost) -> None:
    assert "confirmation" not in run(host, Kind.UPGRADE, version="1.1.0").to_json()
    assert (standing(host), rows.pending(host.store)) == (None, [])


def test_the_plan_says_it(host: OfflineHost) -> None:
    with host.applier.drafter.draft(_wish(confirm_within=90.0, rows=Rows.MERGE)) as draft:
        assert "not confirmed within 90 s: back to 1.0.0 with the rows of now and those added since" in str(draft.plan)
    with host.applier.drafter.draft(_wish()) as draft:
        assert "confirm" not in str(draft.plan)


def _wish(**wish: Any) -> Any:
    from hotbay.request import Request

    return Request(Kind.UPGRADE, "shop", "1.1.0", **wish)


def test_a_failed_upgrade_leaves_nothing_to_confirm(host: OfflineHost, tmp_path: Path) -> None:
    shop(tmp_path / "packages", "2.0.0", backend="1 / 0\n")
    with pytest.raises(HotbayError):
        upgrade(host, "2.0.0")
    assert standing(host) is None


@pytest.mark.parametrize("kind", [Kind.ROLLBACK, Kind.DEACTIVATE, Kind.UNINSTALL, Kind.BACKUP, Kind.RESTORE])
def test_only_install_and_upgrade_can_be_confirmed(host: OfflineHost, kind: Kind) -> None:
    with pytest.raises(Refused, match="can't be confirmed later"):
        run(host, kind, confirm_within=60.0)
    assert host.store.get_live("shop").version == "1.0.0"


def test_a_time_that_is_none_is_refused_before_anything_moves(host: OfflineHost) -> None:
    with pytest.raises(BadInput, match="no time to confirm"):
        upgrade(host, within=0.2)
    assert host.store.get_live("shop").version == "1.0.0"
    with pytest.raises(BadInput):
        rows.unconfirmed_rows(0.0, keep_new=True)


# ── what other operations do to it ──


def test_another_upgrade_has_to_wait(host: OfflineHost) -> None:
    upgrade(host)
    with pytest.raises(Unconfirmed) as caught:
        run(host, Kind.UPGRADE, version="1.2.0")
    assert caught.value.to_json()["confirmation"]["version"] == "1.1.0"
    assert "hotbay confirm shop" in caught.value.mend
    assert (host.store.get_live("shop").version, standing(host)) == ("1.1.0", "pending")


def test_one_that_rests_and_serves_again_is_still_to_be_confirmed(host: OfflineHost) -> None:
    upgrade(host)
    before = found(host)
    for kind in (Kind.DEACTIVATE, Kind.ACTIVATE, Kind.BACKUP):
        run(host, kind)
    run(host, Kind.RESTORE, accept_loss=True)
    assert found(host) == before


def test_a_rollback_by_hand_drops_it(host: OfflineHost) -> None:
    upgrade(host)
    number = run(host, Kind.ROLLBACK, accept_loss=True).operation
    assert (standing(host), found(host).reason) == ("dropped", f"rollback in operation {number}")
    assert needed_backups(host.store) == frozenset()
    upgrade(host, "1.1.0")
    assert standing(host) == "pending"


def test_an_uninstall_by_hand_forgets_it(host: OfflineHost) -> None:
    upgrade(host)
    run(host, Kind.UNINSTALL)
    assert standing(host) is None


def test_what_was_settled_is_forgotten_by_the_next_change(host: OfflineHost) -> None:
    upgrade(host)
    with host.store.write() as connection:
        rows.note_confirmed(connection, found(host), "bob")
    run(host, Kind.DEACTIVATE)
    assert standing(host) == "confirmed"
    run(host, Kind.UPGRADE, version="1.2.0")
    assert standing(host) is None


def test_after_a_revert_that_was_given_up_everything_is_allowed_again(host: OfflineHost) -> None:
    upgrade(host)
    with host.store.write() as connection:
        rows.note_attempt(connection, found(host), "no way", last=False)
    assert (found(host).attempts, standing(host), "no way" in found(host).text()) == (1, "pending", True)
    with host.store.write() as connection:
        rows.note_attempt(connection, found(host), "no way", last=True)
    assert (found(host).attempts, standing(host)) == (2, "failed")
    run(host, Kind.UPGRADE, version="1.2.0")
    assert standing(host) is None


def test_the_backup_of_the_way_back_is_kept(host: OfflineHost) -> None:
    """Retention keeps one; a pending upgrade keeps its own as well, and nobody can delete it."""
    upgrade(host)
    (mine,) = list_backups(host.store)
    for _ in range(3):
        run(host, Kind.BACKUP)
    assert needed_backups(host.store) == {mine.id} <= {item.id for item in list_backups(host.store)}
    with pytest.raises(Unconfirmed, match="is the way back"):
        host.applier.delete_backup(mine.id)
    with host.store.write() as connection:
        rows.note_confirmed(connection, found(host), "bob")
    run(host, Kind.BACKUP)
    assert mine.id not in {item.id for item in list_backups(host.store)}


# ── time ──


def at(item: Confirmation, wall: float = 0.0, up: float = 0.0, boot: str = "") -> Moment:
    return Moment(item.wall + wall, item.up + up, boot or item.boot)


def test_setting_the_clock_changes_nothing_while_the_machine_runs(host: OfflineHost) -> None:
    upgrade(host)
    item = replace(found(host), boot="this")
    for wall in (10.0, -86400.0, 86400.0):
        now = at(item, wall, 10.0)
        assert item.left(now) == pytest.approx(590.0)
        assert item.to_json(now)["seconds_left"] == pytest.approx(590.0)
    late = item.to_json(at(item, 0.0, 700.0))
    assert (late["seconds_left"], "its time is over" in late["text"]) == (0.0, True)


def test_after_a_start_of_the_machine_the_wall_clock_counts_and_never_backwards(host: OfflineHost) -> None:
    upgrade(host)
    item = replace(found(host), boot="this")
    assert item.left(at(item, 60.0, -item.up + 1, "next")) == pytest.approx(540.0)
    assert item.left(at(item, 7200.0, -item.up + 1, "next")) < 0
    assert item.left(at(item, -86400.0, -item.up + 1, "next")) == pytest.approx(600.0)


def test_what_is_over_is_written_down_so_that_a_clock_in_the_past_can_not_stop_it(host: OfflineHost) -> None:
    upgrade(host)
    item = found(host)
    start = Moment(item.wall - 86400.0, 5.0, "next")
    with host.store.write() as connection:
        again = rows.count_on(connection, replace(item, used=100.0), start)
    assert again == found(host)
    assert again.left(start) == pytest.approx(500.0)
    assert again.left(replace(start, up=505.1)) < 0  # A day before it began, by the wall clock.


def test_a_row_that_something_else_wrote_over_hides_no_other(host: OfflineHost) -> None:
    upgrade(host)
    with host.store.write() as connection:
        connection.execute(text("UPDATE hotbay_confirmations SET state = 'rubbish'"))
    assert (rows.all_confirmations(host.store), standing(host)) == ({}, None)
    assert len(query(host, "SELECT * FROM hotbay_confirmations")) == 1
    run(host, Kind.UPGRADE, version="1.2.0")
    assert host.store.get_live("shop").version == "1.2.0"
