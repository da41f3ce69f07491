"""What drafts are made from: tables, folders, addons, and the row that is to be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine_host import TWO, opened, run, shop
from hotbay.model import Kind, State, Version
from hotbay.offline import OfflineHost
from hotbay.premises import changed_row, fresh_start, has_addon, row_to_be, tables_there
from hotbay_sdk.manifest import parse


@pytest.fixture
def host(tmp_path: Path) -> Iterator[OfflineHost]:
    """A host with shop 1.0.0 installed."""
    shop(tmp_path / "packages", "1.0.0")
    shop(tmp_path / "packages", "1.1.0", migrations=TWO)
    with opened(tmp_path / "home") as made:
        run(made, Kind.INSTALL, version="1.0.0")
        yield made


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("class ShopAddon:\n    def install(self, db): ...\n", True),
        ("class ShopAddon:\n    def create_tables(self, db): ...\n", True),
        ("class ShopAddon:\n    def register_routes(self, app): ...\n", False),
        ("def install(db): ...\n", False),
        ("raise SystemExit\n", False),
        ("class X(:\n", False),
        ("\0", False),
        (None, False),
    ],
)
def test_addons_are_found_without_running_anything(tmp_path: Path, code: str | None, expected: bool) -> None:
    (tmp_path / "backend").mkdir()
    if code is not None:
        (tmp_path / "backend" / "__init__.py").write_text(code)
    assert has_addon(tmp_path) is expected


def test_the_row_after_an_upgrade_keeps_what_belongs_to_the_plugin(host: OfflineHost) -> None:
    old = host.store.get_live("shop")
    target = Version("shop", "1.1.0", "a" * 64, "b" * 64, "here")
    row = row_to_be(parse(old.manifest), target, State.INACTIVE, old, kept=())
    assert (row.version, row.sha256, row.image, row.source) == ("1.1.0", "a" * 64, "b" * 64, "here")
    assert (row.revision, row.installed_at, row.active) == (old.revision + 1, old.installed_at, False)
    assert row.updated_at > old.updated_at
    first = row_to_be(parse(old.manifest), target, State.ACTIVE, None, kept=())
    assert (first.revision, first.installed_at) == (1, first.updated_at)


def test_the_same_version_that_rests_is_another_revision_without_a_problem(host: OfflineHost) -> None:
    with host.store.write() as connection:
        connection.exec_driver_sql("UPDATE hotbay_live SET problem = 'it hung'")
    old = host.store.get_live("shop")
    row = changed_row(old, State.INACTIVE)
    assert (row.active, row.problem, row.revision, row.image) == (False, "", old.revision + 1, old.image)


def test_a_start_is_fresh_only_where_nobody_has_made_or_makes_its_folder(host: OfflineHost) -> None:
    row = host.store.get_live("shop")
    assert fresh_start(host.settings, "shop", row) == {}
    resting = changed_row(row, State.INACTIVE)
    assert fresh_start(host.settings, "shop", resting) == fresh_start(host.settings, "shop", None) == {"fresh": True}
    (host.settings.data / "shop").mkdir(parents=True)
    assert fresh_start(host.settings, "shop", None) == {}


def test_tables_by_the_manifest_that_is_and_the_one_to_be(host: OfflineHost) -> None:
    old = host.store.get_live("shop")
    with host.store.write() as connection:
        connection.exec_driver_sql("CREATE TABLE baskets (x)")
    listed = parse({**old.manifest, "database": {"tables": ["baskets"]}})
    live = host.store.all_live()
    assert tables_there(host.settings, parse(old.manifest), old, live) == ["shop_items"]
    assert sorted(tables_there(host.settings, listed, old, live)) == ["baskets", "shop_items"]
