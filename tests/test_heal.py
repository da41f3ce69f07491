"""What is restored, and from where: only content with the very hash."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine_host import opened, run, shop
from hotbay import images
from hotbay.folder import digest
from hotbay.heal import replace_image, restorable, restore_folders, restore_image, restore_rows
from hotbay.model import Kind, Live
from hotbay.offline import OfflineHost


@pytest.fixture
def host(tmp_path: Path) -> Iterator[OfflineHost]:
    shop(tmp_path / "packages", "1.0.0")
    with opened(tmp_path / "home") as made:
        run(made, Kind.INSTALL)
        yield made


def lost(host: OfflineHost) -> Live:
    row = host.store.get_live("shop")
    shutil.rmtree(host.settings.images / row.image)
    return row


def test_an_image_that_is_there_is_left_alone(host: OfflineHost) -> None:
    row = host.store.get_live("shop")
    path = host.settings.images / row.image
    before = path.stat().st_ino
    assert restore_image(host.settings, row) == path
    assert path.stat().st_ino == before


@pytest.mark.parametrize("gone", ["packages", "folder"])
def test_either_place_is_enough(host: OfflineHost, gone: str) -> None:
    row = lost(host)
    shutil.rmtree(host.settings.packages if gone == "packages" else host.settings.plugins / "shop")
    assert restorable(host.settings, row)
    assert not host.images.has(row.image)
    made = restore_image(host.settings, row)
    assert made is not None and digest(made) == row.image
    assert list(host.settings.staging.iterdir()) == []


def test_an_inactive_plugins_folder_has_the_content_too(host: OfflineHost) -> None:
    run(host, Kind.DEACTIVATE)
    row = lost(host)
    shutil.rmtree(host.settings.packages)
    assert restore_image(host.settings, row) is not None


def test_other_content_under_the_same_name_and_version_is_not_taken(host: OfflineHost, tmp_path: Path) -> None:
    row = lost(host)
    (host.settings.plugins / "shop" / "backend" / "routes.py").write_text("evil = True\n")
    shutil.rmtree(host.settings.packages)
    shop(tmp_path / "packages", "1.0.0", backend="evil = True\n")
    assert not restorable(host.settings, row)
    assert restore_image(host.settings, row) is None
    assert not host.images.has(row.image)
    assert list(host.settings.staging.iterdir()) == []


def test_an_image_gets_its_name_when_it_is_on_the_disk(host: OfflineHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut must leave no image that is there and not whole: nobody would look into it again."""
    row, flushed = lost(host), []
    for name in ("fsync_tree", "fsync_dir"):
        real = getattr(images, name)
        monkeypatch.setattr(images, name, flushing(flushed, name, host, row, real))
    restore_image(host.settings, row)
    assert flushed == [("fsync_tree", False), ("fsync_dir", True)]


def flushing(told: list[tuple[str, bool]], name: str, host: OfflineHost, row: Live, real: Any) -> Any:
    def flush(folder: Path) -> None:
        told.append((name, host.images.has(row.image)))
        real(folder)

    return flush


@pytest.mark.parametrize("able", [True, False])
def test_a_changed_image_is_replaced_whole(host: OfflineHost, monkeypatch: pytest.MonkeyPatch, able: bool) -> None:
    row = host.store.get_live("shop")
    image = host.images.path(row.image)
    if not able:  # A file system that can't exchange two folders.
        monkeypatch.setattr(images, "exchange", lambda one, other: False)
    (image / "backend" / "routes.py").write_text("# a hurried patch\n")
    (image / "more.py").write_text("1 / 0\n")
    assert replace_image(host.settings, row) == image
    assert digest(image) == row.image
    assert not (image / "more.py").exists() and list(image.rglob("*.pyc"))
    assert (list(host.settings.staging.iterdir()), host.images.all()) == ([], [row.image])
    assert replace_image(host.settings, row) == image


def test_a_changed_image_stays_as_it_is_when_its_content_is_nowhere(host: OfflineHost) -> None:
    row = host.store.get_live("shop")
    file = host.images.path(row.image) / "backend" / "routes.py"
    file.write_text("# a hurried patch\n")
    shutil.rmtree(host.settings.packages)
    shutil.rmtree(host.settings.plugins / "shop")
    assert replace_image(host.settings, row) is None
    assert file.read_text() == "# a hurried patch\n"


def test_folders_come_back_only_when_all_are_lost(host: OfflineHost) -> None:
    assert restore_folders(host.store, host.settings) == []
    shutil.rmtree(host.settings.plugins / "shop")
    assert restore_folders(host.store, host.settings) == []  # It was deleted: addon_registry.json is there.
    (host.settings.plugins / "addon_registry.json").unlink()
    assert restore_folders(host.store, host.settings) == ["shop"]
    assert digest(host.settings.plugins / "shop") == host.store.get_live("shop").image


def test_a_row_takes_its_state_from_the_folders_name(host: OfflineHost) -> None:
    before = host.store.get_live("shop")
    with host.store.write() as connection:
        connection.exec_driver_sql("UPDATE hotbay_live SET state = 'asleep', manifest = '{', grants = 'x'")
    broken = host.store.get_live("shop")
    assert not broken.active and broken.manifest["id"] == "shop"
    assert restore_rows(host.store, host.settings) == ["shop"]
    assert host.store.get_live("shop") == before
    assert restore_rows(host.store, host.settings) == []


def test_a_row_that_nothing_is_known_of_stays_as_it_is(host: OfflineHost) -> None:
    with host.store.write() as connection:
        connection.exec_driver_sql("UPDATE hotbay_live SET manifest = '{'")
        connection.exec_driver_sql("UPDATE hotbay_versions SET contributions = '{'")
    assert restore_rows(host.store, host.settings) == []
    assert "not readable: manifest" in host.store.get_live("shop").problem
