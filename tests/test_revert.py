"""Going back: only what still waits, to exactly what it came from, with the rows that were asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine_host import TWO, opened, run, shop
from hotbay.confirm import confirm
from hotbay.confirmations import Confirmation, find_confirmation
from hotbay.errors import MigrationFailed, Superseded
from hotbay.model import DataPolicy, Kind, Rows
from hotbay.moments import Moment
from hotbay.offline import OfflineHost
from hotbay.request import Request
from hotbay.revert import go_back, overdue


@pytest.fixture
def host(tmp_path: Path) -> Iterator[OfflineHost]:
    shop(tmp_path / "packages", "1.0.0")
    shop(tmp_path / "packages", "1.1.0", migrations=TWO)
    with opened(tmp_path / "home") as made:
        yield made


def waiting(host: OfflineHost, **wish: Any) -> Confirmation:
    """An upgrade that waits for its confirmation."""
    run(host, Kind.INSTALL, version="1.0.0")
    run(host, Kind.UPGRADE, version="1.1.0", confirm_within=600.0, **wish)
    return found(host)


def found(host: OfflineHost) -> Confirmation:
    item = find_confirmation(host.store, "shop")
    assert item is not None
    return item


class Asked:
    """Takes down what is asked for, and refuses as often as told."""

    def __init__(self, *errors: MigrationFailed) -> None:
        self.errors = list(errors)
        self.requests: list[Request] = []

    def __call__(self, request: Request, *, unless: Any) -> None:
        assert not unless()
        self.requests.append(request)
        if self.errors:
            raise self.errors.pop(0)


def test_its_time_is_over_at_the_deadline_and_not_before(host: OfflineHost) -> None:
    item = waiting(host)
    assert overdue(item, Moment(item.wall + 599.9, item.up + 599.9, item.boot)) == ""
    assert overdue(item, Moment(item.wall + 600, item.up + 600, item.boot)) == "nobody confirmed it within 10 min"


def test_it_goes_back_to_the_code_and_the_rows_from_before(host: OfflineHost) -> None:
    item = waiting(host)
    go_back(host.applier.run, host.store, item, "because")
    assert host.store.get_live("shop").image == item.before_image
    assert (found(host).state, found(host).reason) == ("reverted", "because")


def test_what_was_confirmed_or_replaced_meanwhile_stays(host: OfflineHost) -> None:
    item = waiting(host)
    with pytest.raises(Superseded):
        go_back(host.applier.run, host.store, replace(item, operation=item.operation + 1), "another one waits")
    with pytest.raises(Superseded):
        go_back(host.applier.run, host.store, replace(item, image="other"), "another code serves")
    confirm(host.applier, "shop")
    with pytest.raises(Superseded):
        go_back(host.applier.run, host.store, item, "too late")
    assert host.store.get_live("shop").version == "1.1.0"


def test_added_rows_that_do_not_fit_are_left_in_the_backup(host: OfflineHost) -> None:
    asked = Asked(MigrationFailed("no room", step="restore"))
    go_back(asked, host.store, waiting(host, rows=Rows.MERGE), "because")
    assert [request.rows for request in asked.requests] == [Rows.MERGE, Rows.RESTORE]
    assert asked.requests[1].reason == "because; the added rows are in the backup alone: no room"


@pytest.mark.parametrize(("rows", "step"), [(Rows.MERGE, "expand"), (Rows.RESTORE, "restore")])
def test_another_failure_is_told(host: OfflineHost, rows: Rows, step: str) -> None:
    asked = Asked(MigrationFailed("no room", step=step))
    with pytest.raises(MigrationFailed):
        go_back(asked, host.store, waiting(host, rows=rows), "because")
    assert len(asked.requests) == 1


@pytest.mark.parametrize("there", [False, True])
def test_an_install_takes_only_tables_that_came_with_it(host: OfflineHost, there: bool) -> None:
    if there:
        run(host, Kind.INSTALL, version="1.0.0")
        run(host, Kind.UNINSTALL, data=DataPolicy.KEEP)
    run(host, Kind.INSTALL, version="1.0.0", confirm_within=600.0)
    asked = Asked()
    go_back(asked, host.store, found(host), "because")
    (request,) = asked.requests
    assert (request.kind, request.force) == (Kind.UNINSTALL, True)
    assert request.data is (DataPolicy.KEEP if there else DataPolicy.EXPORT)
