"""What a plugin left behind goes into one export, or stays where it is: nothing in between, wherever it is cut off."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine_host import opened, query, run, shop
from hotbay.aside import NOTE, put_aside, settle_aside
from hotbay.export import read_export
from hotbay.facts import KEPT_TABLES
from hotbay.grant import Grant
from hotbay.model import DataPolicy, Kind
from hotbay.offline import OfflineHost
from hotbay.store import put_settings, set_meta

SHOP = Grant("shop", frozenset())


@pytest.fixture
def host(tmp_path: Path) -> Iterator[OfflineHost]:
    """A host from which shop is gone, its tables, settings and files kept; and what another plugin keeps."""
    shop(tmp_path / "packages", "1.0.0")
    with opened(tmp_path / "home") as made:
        run(made, Kind.INSTALL)
        run(made, Kind.UNINSTALL, data=DataPolicy.KEEP)
        own = made.settings.data / "shop"
        own.mkdir(parents=True, exist_ok=True)
        (own / "note.txt").write_text("mine")
        with made.store.write() as connection:
            put_settings(connection, "shop", {"word": "mine"}, {})
            set_meta(connection, KEPT_TABLES, {"shop": [], "mail": ["letters"]})
        yield made


def left(host: OfflineHost) -> tuple[int, int, bool]:
    """Tables, rows of the ledger, and whether the folder is there."""
    there = query(host, "SELECT name FROM sqlite_master WHERE name = 'shop_items'")
    return len(there), len(host.store.applied("shop")), (host.settings.data / "shop").is_dir()


def cut_off(host: OfflineHost, *, done: bool) -> Path:
    """The note and the export of somebody who was killed."""
    folder = host.settings.exports / "shop-orphaned-9"
    folder.mkdir(parents=True)
    with host.store.write() as connection:
        set_meta(connection, NOTE, {"plugin": "shop", "folder": folder.name, "done": done})
    return folder


def test_everything_goes_into_one_export(host: OfflineHost) -> None:
    folder = put_aside(host.settings, host.store, SHOP)
    assert folder.parent == host.settings.exports and folder.name.startswith("shop-orphaned-")
    found = read_export(folder / "data.db")
    assert found["settings"]["data"] == {"word": "mine"}
    assert [row["number"] for row in found["ledger"]] == [1]
    assert (folder / "files" / "note.txt").read_text() == "mine"
    assert left(host) == (0, 0, False)
    assert host.store.read_settings("shop")[0] == {}
    assert host.store.get_meta(KEPT_TABLES) == {"mail": ["letters"]}
    assert not host.store.get_meta(NOTE)
    run(host, Kind.INSTALL, restore="latest")
    assert query(host, "SELECT name FROM shop_items") == [("first",)]


def test_one_after_the_other_gets_names_in_order(host: OfflineHost) -> None:
    first = put_aside(host.settings, host.store, SHOP)
    second = put_aside(host.settings, host.store, SHOP)
    numbers = [int(path.name.rpartition("-")[2]) for path in (first, second)]
    assert numbers == [2, 3], "behind the operation that left it, and behind the first"
    assert (first / "data.db").is_file() and not (second / "files").exists()


def test_what_fails_changes_nothing(host: OfflineHost) -> None:
    before = left(host)
    os.mkfifo(host.settings.data / "shop" / "pipe")  # It can't be copied.
    with pytest.raises(shutil.Error):
        put_aside(host.settings, host.store, SHOP)
    assert left(host) == before
    assert not host.store.get_meta(NOTE)
    assert list(host.settings.exports.iterdir()) == []


def test_cut_off_before_its_end_the_export_goes(host: OfflineHost) -> None:
    folder = cut_off(host, done=False)
    settle_aside(host.settings, host.store)
    assert not folder.exists()
    assert left(host) == (1, 1, True)
    assert not host.store.get_meta(NOTE)


def test_cut_off_after_it_what_the_export_has_goes(host: OfflineHost) -> None:
    folder = cut_off(host, done=True)
    settle_aside(host.settings, host.store)
    assert folder.is_dir()
    assert not (host.settings.data / "shop").exists()
    settle_aside(host.settings, host.store)
    assert not host.store.get_meta(NOTE)


def test_who_comes_next_settles_first(host: OfflineHost) -> None:
    folder = cut_off(host, done=False)
    made = put_aside(host.settings, host.store, SHOP)
    assert not folder.exists() and made.is_dir()


def test_without_a_note_nothing_is_touched(host: OfflineHost) -> None:
    stray = host.settings.exports / "shop-orphaned-9"
    stray.mkdir(parents=True)
    settle_aside(host.settings, host.store)
    assert stray.is_dir() and left(host) == (1, 1, True)


def test_the_next_operation_ends_what_was_cut_off(host: OfflineHost) -> None:
    folder = cut_off(host, done=False)
    run(host, Kind.INSTALL)
    assert not folder.exists()
    assert not host.store.get_meta(NOTE)
