"""From a wish to a plan: what is fetched is verified, what is planned is what is there, and nothing is left behind."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine_host import ITEMS, ROW, TWO, build, opened, run, shop, state
from hotbay.errors import (
    BadInput,
    Conflict,
    HotbayError,
    InvalidPackage,
    NotFound,
    NotVerified,
    Refused,
)
from hotbay.model import DataPolicy, Kind, Live, State
from hotbay.offline import OfflineHost
from hotbay.package import digest, sha256_file
from hotbay.request import Draft, Request
from hotbay.store import set_meta
from rows import plugin_folder


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """The local source."""
    return tmp_path / "packages"


@pytest.fixture
def host(tmp_path: Path, packages: Path) -> Iterator[OfflineHost]:
    """A host with shop 1.0.0 and 1.1.0 in its source."""
    shop(packages, "1.0.0")
    shop(packages, "1.1.0", migrations=TWO)
    with opened(tmp_path / "home", keep_versions=2) as made:
        yield made


def draft(host: OfflineHost, kind: Kind, plugin: str = "shop", **values: object) -> Draft:
    """A draft, when its fetched tree is gone already."""
    with host.applier.drafter.draft(Request(kind, plugin, **values)) as made:  # type: ignore[arg-type]
        assert made.tree is None or (made.tree / "metadata.json").is_file()
    assert made.tree is None or not made.tree.exists()
    assert list(host.settings.staging.iterdir()) == []
    return made


def steps(made: Draft) -> dict[str, dict[str, object]]:
    return {step.verb: step.params for step in made.plan.steps}


def test_all_that_a_plan_is_made_of_was_true_at_one_moment(host: OfflineHost, monkeypatch: pytest.MonkeyPatch) -> None:
    drafter, seen = host.applier.drafter, list[object]()
    real = drafter.store.all_live

    def all_live() -> dict[str, Live]:
        found = real()
        seen.append(drafter.store.get_meta("of somebody else"))
        with drafter.store.write() as connection:
            set_meta(connection, "of somebody else", len(seen))
        seen.append(drafter.store.get_meta("of somebody else"))
        return found

    monkeypatch.setattr(drafter.store, "all_live", all_live)
    draft(host, Kind.INSTALL)
    assert len(seen) > 2 and set(seen) == {None}
    monkeypatch.setattr(drafter.store, "all_live", real)
    run(host, Kind.INSTALL)
    seen.clear()
    monkeypatch.setattr(drafter.store, "all_live", all_live)
    draft(host, Kind.UNINSTALL)
    assert len(seen) >= 2 and len(set(seen)) == 1


def test_an_install(host: OfflineHost, packages: Path) -> None:
    made = draft(host, Kind.INSTALL)
    target = made.plan.after
    assert target is not None
    assert (target.version, target.sha256) == ("1.1.0", sha256_file(packages / "shop_v1.1.0.zip"))
    assert target.image == digest(packages.parent / "trees" / "shop-1.1.0")
    assert steps(made)["expand"] == {"image": target.image}
    assert made.old is None
    assert made.row is not None
    assert (made.row.state, made.row.revision, made.row.image) == (State.ACTIVE, 1, target.image)
    assert made.row.manifest["version"] == "1.1.0"
    assert "the package is not signed" in made.plan.warnings


def test_only_new_migrations_are_planned(host: OfflineHost) -> None:
    run(host, Kind.INSTALL, version="1.0.0")
    made = draft(host, Kind.UPGRADE)
    assert "run migrations 0002_notes" in str(made.plan)
    assert made.row is not None
    assert made.old is not None
    assert (made.row.revision, made.row.installed_at) == (2, made.old.installed_at)


def test_without_migrations_there_is_nothing_to_expand(host: OfflineHost, packages: Path) -> None:
    build(packages, "plain")
    assert "expand" not in steps(draft(host, Kind.INSTALL, "plain"))


def test_refusals_leave_no_temporary_tree(host: OfflineHost) -> None:
    wishes = [
        (Request(Kind.INSTALL), BadInput),
        (Request(Kind.INSTALL, "gone"), NotFound),
        (Request(Kind.UPGRADE, "shop"), Refused),
        (Request(Kind.ROLLBACK, "shop"), NotFound),
        (Request(Kind.INSTALL, "shop", sha256="1" * 64), NotVerified),
        (Request(Kind.INSTALL, "shop", restore="latest"), NotFound),
    ]
    before = state(host)
    for request, kind in wishes:
        with pytest.raises(kind), host.applier.drafter.draft(request):
            raise AssertionError
        with pytest.raises(kind):
            host.applier.plan(request)
    assert state(host) == before


def test_an_uploaded_file_names_its_plugin(host: OfflineHost, packages: Path, tmp_path: Path) -> None:
    file = shutil.move(packages / "shop_v1.0.0.zip", tmp_path / "upload.bin.zip")
    made = draft(host, Kind.INSTALL, "", file=Path(file))
    assert (made.plan.plugin, made.plan.after and made.plan.after.version) == ("shop", "1.0.0")
    with pytest.raises(HotbayError):
        draft(host, Kind.INSTALL, "other", file=Path(file))


def test_a_folder_of_the_registry_is_taken_as_it_is(host: OfflineHost) -> None:
    folder = plugin_folder(host.settings.plugins / "inventory", "inventory")
    found = host.applier.folders.scan()["inventory"]
    made = draft(host, Kind.INSTALL, "inventory", folder=found)
    assert "shelve" not in steps(made)
    assert made.plan.after is not None
    assert made.plan.after.sha256 == made.plan.after.image == digest(folder)
    plugin_folder(host.settings.plugins / "_wrong", "other")
    with pytest.raises(NotVerified, match="wrong"):
        draft(host, Kind.INSTALL, "wrong", folder=host.applier.folders.scan()["wrong"])


def test_an_installed_folder_that_changed_is_an_upgrade_with_its_own_state(host: OfflineHost) -> None:
    folder = plugin_folder(host.settings.plugins / "inventory", "inventory")
    run(host, Kind.INSTALL, "inventory", folder=host.applier.folders.scan()["inventory"])
    (folder / "backend" / "__init__.py").write_text("VERSION = 'edited'\n")
    found = host.applier.folders.scan()["inventory"]
    outcome = run(host, Kind.UPGRADE, "inventory", folder=found)
    assert outcome.plan.title == "upgrade inventory 1.0.0"
    assert host.store.get_live("inventory").image == digest(folder)
    assert (folder / "backend" / "__init__.py").read_text() == "VERSION = 'edited'\n"
    with pytest.raises(Refused, match="exactly this content"):
        draft(host, Kind.UPGRADE, "inventory", folder=found)


def test_the_retention_never_takes_what_serves(host: OfflineHost, packages: Path) -> None:
    for number in range(3):
        shop(packages, f"2.{number}.0")
    images = {}
    for version in ("1.0.0", "2.0.0", "2.1.0"):
        run(host, Kind.UPGRADE if images else Kind.INSTALL, version=version)
        images[version] = host.store.get_live("shop").image
    assert steps(draft(host, Kind.UPGRADE))["prune"] == {"images": [images["2.0.0"]]}
    run(host, Kind.ROLLBACK)
    prune = steps(draft(host, Kind.UPGRADE))["prune"]
    assert prune == {"images": [images["2.1.0"]]}


def test_a_retention_of_one_keeps_the_way_back_until_the_next_upgrade(tmp_path: Path, packages: Path) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        shop(packages, version)
    with opened(tmp_path / "home", keep_versions=1) as host:
        run(host, Kind.INSTALL, version="1.0.0")
        first = host.store.get_live("shop").image
        assert "prune" not in steps(draft(host, Kind.UPGRADE, version="1.1.0"))
        run(host, Kind.UPGRADE, version="1.1.0")
        assert steps(draft(host, Kind.UPGRADE))["prune"] == {"images": [first]}


def test_an_uninstall_names_tables_and_all_images(host: OfflineHost) -> None:
    run(host, Kind.INSTALL, version="1.0.0")
    run(host, Kind.UPGRADE)
    made = draft(host, Kind.UNINSTALL, data=DataPolicy.PURGE)
    assert made.row is None
    assert made.plan.warnings == ("rows of shop_items, shop_notes are lost; a backup stays until it is deleted",)
    assert steps(made)["prune"] == {"images": host.images.all(), "data": True}


def test_a_changed_migration_is_refused_whatever_its_line_ends(host: OfflineHost, packages: Path) -> None:
    run(host, Kind.INSTALL, version="1.0.0")
    shop(packages, "1.2.0", migrations={"up": (ITEMS + ROW).replace("\n", "\r\n")})
    draft(host, Kind.UPGRADE)
    shop(packages, "1.3.0", migrations={"up": ITEMS})
    with pytest.raises(Refused, match="another content"):
        draft(host, Kind.UPGRADE)


def test_migrations_that_can_not_be_read_are_refused(host: OfflineHost, packages: Path) -> None:
    shop(packages, "1.2.0", migrations={"0001_a.up": ITEMS, "001_b.up": ROW})
    with pytest.raises(InvalidPackage, match="is there twice"):
        draft(host, Kind.INSTALL)


def test_tables_that_the_plugin_did_not_leave_are_not_taken_over(host: OfflineHost) -> None:
    with host.store.write() as connection:
        connection.exec_driver_sql("CREATE TABLE shop_items (id)")
    with pytest.raises(Conflict, match="shop_items"):
        draft(host, Kind.INSTALL)


def test_the_export_that_is_restored(host: OfflineHost) -> None:
    places = []
    for version in ("1.0.0", "1.1.0"):
        run(host, Kind.INSTALL, version=version)
        places.append(Path(run(host, Kind.UNINSTALL).notes["export"]))
    os.utime(places[0] / "data.db", (1, 1))
    newest, oldest = str(places[1] / "data.db"), str(places[0] / "data.db")
    for given, expected in (("latest", newest), (str(places[0]), oldest), (oldest, oldest)):
        params = steps(draft(host, Kind.INSTALL, restore=given))["expand"]
        assert (params["restore"], params["files"]) == (expected, False)
    assert "restored rows" in str(draft(host, Kind.INSTALL, restore="latest").plan)


def test_what_is_needed_comes_as_requests_in_order(host: OfflineHost, packages: Path) -> None:
    build(packages, "top", requires=["shop<1.1", "mid"])
    build(packages, "mid")
    run(host, Kind.INSTALL, "mid", inactive=True)
    wish = Request(Kind.INSTALL, "top")
    needs = [(need.kind, need.plugin, need.version) for need in host.applier.drafter.needs(wish)]
    assert needs == [(Kind.INSTALL, "shop", "1.0.0"), (Kind.ACTIVATE, "mid", "1.0.0")]
    assert host.applier.drafter.needs(Request(Kind.UNINSTALL, "mid")) == []
    assert list(host.settings.staging.iterdir()) == []


def test_the_rows_manifest_is_the_packages_with_its_unknown_fields(host: OfflineHost, packages: Path) -> None:
    build(packages, "odd", colour="blue")
    row = draft(host, Kind.INSTALL, "odd").row
    assert row is not None
    assert json.loads(json.dumps(row.manifest))["colour"] == "blue"
