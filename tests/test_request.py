"""What somebody wants, said with defaults that lose nothing, and what is made of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from engine_host import opened, query, run, shop
from hotbay.model import DataPolicy, Kind, Rows
from hotbay.offline import OfflineHost
from hotbay.request import Draft, Request


@pytest.fixture
def host(tmp_path: Path) -> Iterator[OfflineHost]:
    shop(tmp_path / "packages", "1.0.0")
    with opened(tmp_path / "home") as made:
        yield made


def test_who_says_nothing_loses_nothing(host: OfflineHost) -> None:
    """An uninstall that says no more keeps the rows in a file."""
    run(host, Kind.INSTALL)
    outcome = host.applier.run(Request(Kind.UNINSTALL, "shop"))
    assert Path(outcome.notes["export"], "data.db").is_file()
    assert query(host, "SELECT name FROM sqlite_master WHERE name = 'shop_items'") == []


def test_what_is_not_said() -> None:
    asked = Request(Kind.ROLLBACK)
    assert (asked.rows, asked.data) == (Rows.RESTORE, DataPolicy.EXPORT)
    switches = ("inactive", "with_requirements", "force", "accept_loss", "fresh", "accept_publisher")
    assert [getattr(asked, name) for name in switches] == [False] * len(switches)
    assert (asked.wait, asked.confirm_within) == (None, 0.0), "as configured, and for good"
    rest = {item.name for item in fields(Request)} - {*switches, "kind", "rows", "data", "wait", "confirm_within"}
    assert {getattr(asked, name) for name in rest} == {"", None}


def test_equal_wishes_are_one_wish() -> None:
    """Who waited for the lease asks whether the wish still stands: by its content."""
    wish = Request(Kind.INSTALL, "shop", version="1.0.0")
    assert wish in [Request(Kind.INSTALL, "shop", version="1.0.0")]
    assert wish not in [Request(Kind.INSTALL, "shop", version="1.0.0", inactive=True)]


def test_a_wish_does_not_change(host: OfflineHost) -> None:
    with pytest.raises(FrozenInstanceError):
        Request(Kind.INSTALL).plugin = "shop"  # type: ignore[misc]
    with host.applier.drafter.draft(Request(Kind.INSTALL, "shop")) as made:
        with pytest.raises(FrozenInstanceError):
            made.row = None  # type: ignore[misc]
        assert (made.old, made.plan.kind) == (None, Kind.INSTALL)
        assert made.row is not None and made.plan.after is not None and made.row.image == made.plan.after.image
        assert made.tree is not None and (made.tree / "metadata.json").is_file()
        assert Draft(made.plan, None, made.row) != made, "a draft without a tree stages nothing"
