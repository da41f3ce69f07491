"""The folder registry: names are states, a folder under a plugin's name is whole, the rest is the user's."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from hotbay.folders import Folders, Found
from hotbay.model import State
from rows import live, plugin_folder


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """An empty plugins folder."""
    return Folders(tmp_path / "plugins")


def version(path: Path) -> str:
    return str(json.loads((path / "metadata.json").read_text())["version"])


def names(folders: Folders) -> list[str]:
    return sorted(path.name for path in folders.root.iterdir())


def test_what_counts_as_a_plugin(folders: Folders, tmp_path: Path) -> None:
    for name in ("inventory", "_billing", ".template", "Upper", "9x", "a-b", "_2x"):
        plugin_folder(folders.root / name)
    (folders.root / "empty").mkdir()
    (folders.root / "file").touch()
    plugin_folder(tmp_path / "outside")
    (folders.root / "linked").symlink_to(tmp_path / "outside")
    (folders.root / "seed4").mkdir()
    (folders.root / "seed4" / "plugin.json").write_text("{}")
    assert folders.scan() == {
        "inventory": Found("inventory", folders.root / "inventory", True),
        "billing": Found("billing", folders.root / "_billing", False),
        "seed4": Found("seed4", folders.root / "seed4", True),
    }
    assert folders.strangers() == ["9x", "Upper", "_2x", "a-b", "empty", "file", "linked"]


def test_where_both_names_exist_the_active_one_counts(folders: Folders) -> None:
    plugin_folder(folders.root / "_shop", version="1.0.0")
    plugin_folder(folders.root / "shop", version="2.0.0")
    assert folders.scan()["shop"].active


def test_the_stamp_changes_with_the_content_and_not_with_compiled_code(folders: Folders) -> None:
    found = Found("shop", plugin_folder(folders.root / "shop"), True)
    before = found.stamp()
    assert found.stamp() == before
    cache = found.path / "backend" / "__pycache__"
    times = (found.path / "backend").stat()
    cache.mkdir()
    (cache / "x.pyc").touch()
    os.utime(found.path / "backend", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert found.stamp() == before
    (found.path / "backend" / "new.py").touch()
    grown = found.stamp()
    assert grown != before
    (found.path / "backend" / "new.py").unlink()
    assert found.stamp() != grown
    os.utime(found.path / "metadata.json", (4_000_000_000, 4_000_000_000))
    assert found.stamp()[0] == 4_000_000_000 * 10**9


def test_content_that_brings_its_old_time_along_is_noticed(folders: Folders) -> None:
    plugin_folder(folders.root / "shop")
    found = folders.scan()["shop"]
    file = found.path / "metadata.json"
    os.utime(file, (1_000_000_000, 1_000_000_000))
    before = found.stamp()
    time.sleep(0.02)  # The clock of files ticks every 4 ms.
    file.write_text(file.read_text().replace("1.0.0", "1.0.1"))
    os.utime(file, (1_000_000_000, 1_000_000_000))
    assert found.stamp() != before


def test_new_content_takes_the_folders_place(folders: Folders, tmp_path: Path) -> None:
    image = plugin_folder(tmp_path / "image", version="2.0.0")
    (image / "backend" / "__pycache__").mkdir()
    plugin_folder(folders.root / "shop", version="1.0.0")
    shelf = folders.shelve(image, 7, "shop")
    assert shelf.name.startswith(".")
    assert set(folders.scan()) == {"shop"}
    assert version(folders.root / "shop") == "1.0.0"
    folders.publish(7, "shop", active=True)
    assert version(folders.root / "shop") == "2.0.0"
    assert not (folders.root / "shop" / "backend" / "__pycache__").exists()
    folders.publish(7, "shop", active=True)
    assert names(folders) == ["shop"]


def test_shelving_again_replaces_half_a_copy(folders: Folders, tmp_path: Path) -> None:
    folders.shelf(7, "shop").mkdir()
    (folders.shelf(7, "shop") / "half").touch()
    folders.shelve(plugin_folder(tmp_path / "image"), 7, "shop")
    assert sorted(path.name for path in folders.shelf(7, "shop").iterdir()) == ["backend", "metadata.json"]
    cut_off = folders.root / f".{folders.shelf(7, 'shop').name}.0123456789abcdef.part"
    cut_off.mkdir()
    folders.unshelve(7, "shop")
    folders.unshelve(7, "shop")
    assert not cut_off.exists()
    assert names(folders) == []


def test_a_copy_that_was_cut_off_is_forgotten(folders: Folders) -> None:
    (folders.root / "..hotbay-new-7-shop.0123456789abcdef.part").mkdir()
    (folders.root / "..hotbay-new-8-mail.0123456789abcdef.part").mkdir()
    folders.unshelve(7, "shop")
    assert names(folders) == ["..hotbay-new-8-mail.0123456789abcdef.part"]
    folders.sweep_shelves()
    assert names(folders) == []


def test_states_are_renames(folders: Folders) -> None:
    plugin_folder(folders.root / "shop")
    inode = (folders.root / "shop").stat().st_ino
    folders.publish(1, "shop", active=False)
    assert names(folders) == ["_shop"]
    folders.publish(2, "shop", active=True)
    assert names(folders) == ["shop"]
    assert (folders.root / "shop").stat().st_ino == inode
    folders.publish(3, "none", active=True)


def test_both_names_become_one(folders: Folders) -> None:
    plugin_folder(folders.root / "shop", version="1.0.0")
    plugin_folder(folders.root / "_shop", version="2.0.0")
    folders.publish(1, "shop", active=True)
    assert names(folders) == ["shop"]


def test_new_content_replaces_the_folder_under_either_name(folders: Folders, tmp_path: Path) -> None:
    plugin_folder(folders.root / "_shop", version="1.0.0")
    folders.shelve(plugin_folder(tmp_path / "image", version="2.0.0"), 7, "shop")
    folders.publish(7, "shop", active=True)
    assert names(folders) == ["shop"]
    assert version(folders.root / "shop") == "2.0.0"


@pytest.mark.parametrize("active", [True, False])
def test_a_name_that_somebody_gave_it_since_is_kept(folders: Folders, tmp_path: Path, active: bool) -> None:
    was, now = folders.place("shop", active=active), folders.place("shop", active=not active)
    plugin_folder(now, version="1.0.0")
    folders.publish(1, "shop", active=active, was=was.name)
    assert names(folders) == [now.name]
    folders.shelve(plugin_folder(tmp_path / "image", version="2.0.0"), 7, "shop")
    folders.publish(7, "shop", active=active, was=was.name)
    folders.publish(7, "shop", active=active, was=was.name)
    assert names(folders) == [now.name]
    assert version(now) == "2.0.0"


def test_its_own_renaming_is_nobodys_choice(folders: Folders, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Cut off between the two names: what is left is no choice of anybody's."""
    plugin_folder(folders.root / "shop", version="1.0.0")
    plugin_folder(folders.root / "_shop", version="1.0.0")
    folders.shelve(plugin_folder(tmp_path / "image", version="2.0.0"), 7, "shop")
    real, left = Path.rename, [1]

    def rename(path: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return real(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        with pytest.raises(KeyboardInterrupt):
            folders.publish(7, "shop", active=True, was="shop")
    folders.publish(7, "shop", active=True, was="shop")
    assert names(folders) == ["shop"]
    assert version(folders.root / "shop") == "2.0.0"


def test_a_folder_that_was_missing_and_is_back_is_not_removed(folders: Folders) -> None:
    assert folders.name("shop") == ""
    plugin_folder(folders.root / "_shop")
    assert folders.name("shop") == "_shop"
    folders.remove(1, "shop", was="")
    assert names(folders) == ["_shop"]
    folders.remove(1, "shop", was="_shop")
    assert names(folders) == []


def test_removal(folders: Folders) -> None:
    plugin_folder(folders.root / "shop")
    plugin_folder(folders.root / "_shop")
    plugin_folder(folders.root / "other")
    folders.remove(1, "shop")
    folders.remove(1, "shop")
    assert names(folders) == ["other"]


@pytest.mark.parametrize("cut", range(4))
def test_a_folder_under_a_plugins_name_is_whole_whenever_it_ends(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    """Cut off before each of the renames, or before the deletion: whole, and finished by the next call."""
    plugin_folder(folders.root / "shop", version="1.0.0")
    folders.shelve(plugin_folder(tmp_path / "image", version="2.0.0"), 7, "shop")
    real, left = Path.rename, [cut]

    def rename(path: Path, target: Path) -> Path:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        return real(path, target)

    def half_a_deletion(path: Path, **_: object) -> None:
        (Path(path) / "backend" / "__init__.py").unlink(missing_ok=True)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        patch.setattr(shutil, "rmtree", half_a_deletion)
        with pytest.raises(KeyboardInterrupt):
            folders.publish(7, "shop", active=True)
    for found in folders.scan().values():
        assert version(found.path) in ("1.0.0", "2.0.0")
        assert (found.path / "backend" / "__init__.py").is_file()
    folders.publish(7, "shop", active=True)
    assert names(folders) == ["shop"]
    assert version(folders.root / "shop") == "2.0.0"


def test_the_sweep_after_a_crash_takes_ours_only(folders: Folders, tmp_path: Path) -> None:
    folders.shelve(plugin_folder(tmp_path / "image"), 7, "shop")
    plugin_folder(folders.root / ".template")
    plugin_folder(folders.root / "shop")
    folders.sweep_shelves()
    assert names(folders) == [".template", "shop"]


# ── addon_registry.json ──


def test_the_registry_file_says_what_runs(folders: Folders) -> None:
    rows = [live("shop"), live("other", "2.0.0", state=State.INACTIVE)]
    folders.write_registry(rows, "epoch", 7)
    found = folders.read_registry()
    assert (found["epoch"], found["rev"], set(found["addons"])) == ("epoch", 7, {"shop", "other"})
    entry = found["addons"]["other"]
    assert (entry["version"], entry["enabled"], entry["source"]) == ("2.0.0", False, "local")
    assert entry["grants"] == ["mail.send"]
    assert entry["metadata"]["id"] == "other"
    assert names(folders) == ["addon_registry.json"]
    assert folders.strangers() == []


@pytest.mark.parametrize("plugins", [[], ["shop"], ["shop", "a", "zoo"]])
def test_the_registry_file_is_json_as_people_read_it(folders: Folders, plugins: list[str]) -> None:
    odd = {"description": 'a "quoted"\nline, Grüße \u2028\U0001f600', "nested": {"b": [1, {}], "a": []}}
    for revision in (1, 2):
        folders.write_registry([live(name, revision=revision, **odd) for name in plugins], 'an "epoch"', revision)
        text = (folders.root / "addon_registry.json").read_text(encoding="utf-8")
        data = json.loads(text)
        assert text == json.dumps(data, indent=2, ensure_ascii=False, sort_keys=True)
        assert (list(data["addons"]), data["rev"], data["epoch"]) == (sorted(plugins), revision, 'an "epoch"')
        assert all(data["addons"][name]["metadata"]["nested"] == odd["nested"] for name in plugins)


@pytest.mark.parametrize("text", [None, "", "{", "[1]", "\xff"])
def test_an_unreadable_registry_file_is_empty(folders: Folders, text: str | None) -> None:
    if text is not None:
        (folders.root / "addon_registry.json").write_bytes(text.encode("latin-1"))
    assert folders.read_registry() == {}
