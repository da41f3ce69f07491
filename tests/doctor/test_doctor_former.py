"""What plugins that are gone left behind is listed, exported before it goes, and comes back with the export."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from doctor.patients import found, leave_tables, mends_by_choice, mends_itself, one, sql, tables
from engine_host import Kind, elsewhere, opened, query, run, settings_for
from hotbay.doctor import mend
from hotbay.errors import NotFound, Refused
from hotbay.export import read_export
from hotbay.facts import KEPT_TABLES
from hotbay.offline import OfflineHost
from hotbay.store import Store, set_meta

KILLED = -9


def orphan(host: OfflineHost) -> None:
    """The registry forgets that the data was kept on purpose."""
    sql(host, "DELETE FROM hotbay_ledger", f"DELETE FROM hotbay_meta WHERE name = '{KEPT_TABLES}'")


def test_orphaned_tables_files_and_settings_are_exported_before_they_go(host: OfflineHost, packages: Path) -> None:
    leave_tables(host, packages)
    orphan(host)
    names = [f"{what}:orphaned:shop" for what in ("tables", "data", "settings")]
    assert sorted(found(host)) == sorted(names)
    assert "exported what was left of shop" in mends_by_choice(host, "tables:orphaned:shop")
    assert found(host) == {}
    assert tables(host.settings.database_path) == set()
    assert not (host.settings.data / "shop").exists()
    (folder,) = host.settings.exports.iterdir()
    assert read_export(folder / "data.db")["settings"]["data"] == {"word": "mine"}


@pytest.mark.parametrize("what", ["tables", "data", "settings"])
def test_each_of_them_is_found_and_mended_alone(host: OfflineHost, packages: Path, what: str) -> None:
    leave_tables(host, packages)
    orphan(host)
    if what != "tables":
        sql(host, "DROP TABLE shop_items")
    if what != "data":
        shutil.rmtree(host.settings.data / "shop")
    if what != "settings":
        sql(host, "DELETE FROM hotbay_settings")
    assert one(host).id == f"{what}:orphaned:shop"
    mends_by_choice(host, f"{what}:orphaned:shop")


def test_what_was_put_aside_comes_back(host: OfflineHost, packages: Path) -> None:
    leave_tables(host, packages)
    mend(host.applier, ["tables:kept:shop"])
    (folder,) = host.settings.exports.iterdir()
    run(host, Kind.INSTALL, version="1.0.0", restore="latest")
    assert query(host, "SELECT name FROM shop_items") == [("first",)]
    assert (host.settings.data / "shop" / "note.txt").read_text() == "mine"
    assert host.store.read_settings("shop")[0] == {"word": "mine"}
    assert folder.name.startswith("shop-orphaned-")


def test_data_that_was_kept_on_purpose_is_no_fault_and_can_go_too(host: OfflineHost, packages: Path) -> None:
    leave_tables(host, packages)
    assert found(host) == {}
    assert "shop_items" in found(host, all_levels=True)["tables:kept:shop"].message
    mends_by_choice(host, "tables:kept:shop")
    assert tables(host.settings.database_path) == set()
    assert host.store.get_meta(KEPT_TABLES) == {}
    run(host, Kind.INSTALL, version="1.0.0")
    assert query(host, "SELECT name FROM shop_items") == [("first",)]


def test_migrations_on_record_whose_tables_are_gone_are_forgotten(host: OfflineHost, packages: Path) -> None:
    leave_tables(host, packages)
    sql(host, "DROP TABLE shop_items", "DELETE FROM hotbay_settings")
    shutil.rmtree(host.settings.data / "shop")
    mends_itself(host, "registry:ledger:shop")
    run(host, Kind.INSTALL, version="1.0.0")
    assert query(host, "SELECT name FROM shop_items") == [("first",)]


def test_tables_that_others_have_by_now_are_nobodys_to_drop(host: OfflineHost, packages: Path) -> None:
    """`shop` is gone; `shop_more` is too, and longer; the host has made a table of the name that `shop` had listed."""
    leave_tables(host, packages)
    with host.store.write() as connection:
        set_meta(connection, KEPT_TABLES, {"shop": [], "shop_more": []})
    sql(host, "CREATE TABLE shop_more_rows (a)", "DELETE FROM hotbay_ledger")
    mend(host.applier, ["tables:orphaned:shop"])
    assert tables(host.settings.database_path) == {"shop_more_rows"}


def test_a_folder_that_can_be_no_plugins_is_only_named(host: OfflineHost) -> None:
    (host.settings.data / "Photos").mkdir(parents=True)
    assert one(host).id == "data:stranger:Photos"
    with pytest.raises(Refused, match="not mended from here"):
        mend(host.applier, ["data:stranger:Photos"])
    assert (host.settings.data / "Photos").is_dir()


def test_an_id_that_is_none_changes_nothing(host: OfflineHost, packages: Path) -> None:
    leave_tables(host, packages)
    orphan(host)
    with pytest.raises(NotFound, match="no finding 'tables:orphaned:else'"):
        mend(host.applier, ["tables:orphaned:shop", "tables:orphaned:else"])
    assert "tables:orphaned:shop" in found(host)


# ── killed in the middle ────────────────────────────────────────────────────────────────────────────────────────


def put_aside_and_die(home: Path, deadly: str, listed: Path | None) -> None:
    """In a process of its own: mend the orphaned tables and die at a point, or list the points."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "torture"))
    from faults import Faults

    with opened(home) as host:
        faults = Faults(home, deadly).install()
        made = mend(host.applier, ["tables:orphaned:shop"])
        faults.pause()
        assert not made.failed
    if listed is not None:
        listed.write_text("\n".join(faults.listed))


def state(home: Path) -> tuple[set[str], bool, int, list[str]]:
    """Tables, the plugin's folder, rows of settings, exports with their rows."""
    settings = settings_for(home)
    registry = Store(settings.database_path)
    values = len(registry.read_settings("shop")[0])
    registry.close()
    place = settings.exports
    exports = (
        [f"{path.name} {read_export(path / 'data.db')['plugin']}" for path in place.iterdir()] if place.is_dir() else []
    )
    return tables(settings.database_path), (settings.data / "shop" / "note.txt").is_file(), values, exports


EVERY = 20
OLD = ({"shop_items"}, True, 1, [])


def test_a_mend_that_is_killed_anywhere_leaves_the_old_or_the_new(tmp_path: Path, packages: Path) -> None:
    with opened(tmp_path / "home") as host:
        leave_tables(host, packages)
        orphan(host)
    shutil.copytree(tmp_path / "home", tmp_path / "dry")
    elsewhere(put_aside_and_die, tmp_path / "dry", "", tmp_path / "points")
    new = state(tmp_path / "dry")
    assert (new[:3], len(new[3])) == ((set(), False, 0), 1)
    points = (tmp_path / "points").read_text().splitlines()
    inner = [point for point in points if "hotbay.db" in point or "shop" in point]
    ends = []
    # Some of all, and each of the last: around the commit, and what follows it.
    for number, point in enumerate([*inner[:-10:EVERY], *inner[-10:]]):
        home = tmp_path / f"trial{number}"
        shutil.copytree(tmp_path / "home", home)
        elsewhere(put_aside_and_die, home, point, None, expect=KILLED)
        with opened(home) as host:
            host.applier.recover_at_start()
        ends.append(state(home))
        assert ends[-1] in (OLD, new), point
    assert OLD in ends and new in ends
