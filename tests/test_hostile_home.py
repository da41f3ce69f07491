"""A host whose state was damaged by somebody: it starts, serves the rest, and doctor and API name it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from console.desks import LIVE, Desk, opened, until
from hotbay.doctor import examine, mend
from hotbay.offline import open_host
from hotbay.settings import Settings

Damage = Callable[[Path], None]


def small() -> FastAPI:
    app = FastAPI()

    @app.get("/ping")
    def ping() -> str:
        return "pong"

    return app


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A host that ran and has stopped, with two active plugins, of which `other` is nobody's aim."""
    folder = tmp_path_factory.mktemp("sound")
    with opened(folder, small()) as desk:
        for plugin in ("notes", "other"):
            desk.pack(plugin)
            desk.install(plugin)
    return folder


@pytest.fixture
def var(sound: Path, tmp_path: Path) -> Path:
    """A copy of its state."""
    shutil.copytree(sound / "var", tmp_path / "var", symlinks=True)
    return tmp_path / "var"


def settings(var: Path) -> Settings:
    return Settings(home=var, database_url=f"sqlite:///{var}/hotbay.db", lease_seconds=0.3)


def findings(var: Path) -> list[tuple[str, str, str]]:
    """What the doctor says of a host that does not run, if it is not that all is well."""
    return [(item.check, item.level, f"{item.message}; {item.mend}") for item in examine(settings(var)) if item.mend]


def sql(var: Path, statement: str, *values: Any) -> None:
    with closing(sqlite3.connect(var / "hotbay.db")) as connection, connection:
        assert connection.execute(statement, values).rowcount > 0


def live_image(var: Path, plugin: str = "notes") -> Path:
    with closing(sqlite3.connect(var / "hotbay.db")) as connection:
        (image,) = connection.execute("SELECT image FROM hotbay_live WHERE plugin = ?", (plugin,)).fetchone()
    return var / "images" / str(image)


def status(desk: Desk, plugin: str = "notes") -> int:
    return desk.client.get(f"/api/v1/{plugin}/version").status_code


def serves(var: Path, *plugins: str, watch: bool = True) -> Iterator[Desk]:
    """The host starts on what is there; its own routes and these plugins answer, and it stops in order."""
    with opened(var.parent, small(), watch=watch) as desk:
        assert desk.client.get("/ping").status_code == 200
        for plugin in plugins:
            assert status(desk, plugin) == 200, plugin
        yield desk


def started(var: Path, *plugins: str, watch: bool = True) -> dict[str, Any]:
    """`serves`, and what the API's health says then."""
    for desk in serves(var, *plugins, watch=watch):
        return dict(desk.client.get(f"{LIVE}/health").json())
    raise AssertionError


# ── the record beside the folders ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("text", ["", "{", "[]", '{"addons": [1, 2]}', '{"addons": {"notes": 5}}', "\0\0\0", "null"])
def test_a_corrupted_registry_file_is_named_and_stops_nobody(var: Path, text: str) -> None:
    (var / "plugins" / "addon_registry.json").write_text(text)
    assert ("addon_registry.json", "warning") in [item[:2] for item in findings(var)]
    health = started(var, "notes", "other")
    assert health["ok"]
    assert any(item["check"] == "addon_registry.json" and item["mend"] for item in health["findings"])
    _mend(var)
    assert findings(var) == []
    addons = json.loads((var / "plugins" / "addon_registry.json").read_text())["addons"]
    assert sorted(addons) == ["notes", "other"]


def _mend(var: Path) -> list[str]:
    host = open_host(settings(var))
    try:
        return list(mend(host.applier).done.values())
    finally:
        host.close()


# ── images ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_missing_image_comes_back_from_the_plugins_folder(var: Path) -> None:
    image = live_image(var)
    shutil.rmtree(image)
    shutil.rmtree(var / "modules")
    ((check, level, text),) = [item for item in findings(var) if item[0] == "images"]
    assert (check, level) == ("images", "error") and "is missing" in text and "--mend restores it" in text
    started(var, "notes", "other")
    assert (image / "backend" / "routes.py").is_file()
    assert [item for item in findings(var) if item[0] == "images"] == []


def test_a_missing_image_comes_back_from_the_local_source(var: Path) -> None:
    image = live_image(var)
    shutil.rmtree(image)
    (var / "plugins" / "notes" / "README.md").write_text("changed")
    assert "restored the image of notes 1.0.0" in _mend(var)
    assert (image / "backend" / "routes.py").is_file()
    started(var, "notes", "other", watch=False)


def test_an_image_that_is_nowhere_is_named_and_the_others_serve(var: Path) -> None:
    shutil.rmtree(live_image(var))
    shutil.rmtree(var / "modules")
    (var / "plugins" / "notes" / "README.md").write_text("changed")
    assert any("install the plugin anew" in text for check, level, text in findings(var) if level == "error")
    for desk in serves(var, "other", watch=False):
        assert status(desk) == 503
        health = desk.client.get(f"{LIVE}/health").json()
        assert not health["ok"]
        (named,) = [item for item in health["findings"] if item["level"] == "error"]
        assert named["plugin"] == "notes" and "is missing" in named["message"]
        assert desk.client.delete("/api/v1/marketplace/uninstall/notes?data=keep").status_code == 200


# ── the plugins folder ──────────────────────────────────────────────────────────────────────────────────────────


def test_strange_things_in_the_plugins_folder_are_named_and_left_alone(var: Path) -> None:
    plugins = var / "plugins"
    (plugins / "README.txt").write_text("somebody's")
    (plugins / "not a plugin").mkdir()
    (plugins / "empty").mkdir()
    (plugins / "loop").symlink_to(plugins)
    (plugins / "broken").mkdir()
    (plugins / "broken" / "metadata.json").write_text("{")
    os.mkfifo(plugins / "pipe")
    (plugins / "wrong").mkdir()
    (plugins / "wrong" / "metadata.json").mkdir()
    named = " ".join(text for check, _, text in findings(var) if check == "plugins folder")
    for name in ("README.txt", "not a plugin", "empty", "loop", "broken", "pipe", "wrong"):
        assert name in named, name
    for desk in serves(var, "notes", "other"):
        until(lambda desk=desk: "broken" in str(desk.get("/installed")["waiting"]))
        until(lambda desk=desk: any(item["refusal"] for item in desk.get("/installed")["waiting"]))
        assert set(desk.get("/installed")["strangers"]) == {
            "README.txt",
            "not a plugin",
            "empty",
            "loop",
            "pipe",
            "wrong",
        }
    assert (plugins / "README.txt").read_text() == "somebody's"


def test_a_plugins_folder_that_was_lost_uninstalls_nobody_and_can_be_put_back(var: Path) -> None:
    shutil.rmtree(var / "plugins")
    for desk in serves(var, "notes", "other"):
        health = desk.client.get(f"{LIVE}/health").json()
        assert any("was lost" in item["message"] for item in health["findings"])
    assert {"put the folders of notes, other back"} <= set(_mend(var))
    assert (var / "plugins" / "notes" / "backend" / "routes.py").is_file()
    assert findings(var) == []
    started(var, "notes", "other")


def test_a_folder_that_was_deleted_uninstalls_its_plugin_only(var: Path) -> None:
    shutil.rmtree(var / "plugins" / "notes")
    assert any("its folder is missing" in text for _, _, text in findings(var))
    for desk in serves(var, "other"):
        until(lambda desk=desk: status(desk) == 404)
        assert [row["id"] for row in desk.get("/installed")["addons"]] == ["other"]


# ── signals ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _short_beacon(run: Path) -> None:
    (run / "beacon").write_bytes(b"\1\2\3")


def _odd_beacon(run: Path) -> None:
    (run / "beacon").write_bytes(b"\xff" * 8)


def _folders_for_files(run: Path) -> None:
    for name in ("beacon", "lease", "watch", "jobs"):
        (run / name).unlink(missing_ok=True)
        (run / name).mkdir()
    (run / "w-1-aaaaaa.fifo").mkdir()
    (run / "w-1-aaaaaa.json").mkdir()


def _files_for_folders(run: Path) -> None:
    shutil.rmtree(run / "loading", ignore_errors=True)
    (run / "loading").write_text("no folder")
    (run / "w-1-aaaaaa.fifo").write_text("no pipe")


def _no_folder(run: Path) -> None:
    shutil.rmtree(run)
    run.write_text("no folder")


def _corrupt_statuses(run: Path) -> None:
    (run / "w-1-aaaaaa.json").write_text("{")
    (run / "w-2-aaaaaa.json").write_text('{"worker": 1, "pid": "x", "beacon": null, "plugins": []}')
    (run / "lease").write_text("[1]")
    (run / "loading").mkdir(exist_ok=True)
    (run / "loading" / "1-a.mark").write_text("\0")
    (run / "loading" / "x.strikes").write_text('{"count": 9}')


@pytest.mark.parametrize(
    "damage", [_short_beacon, _odd_beacon, _folders_for_files, _files_for_folders, _no_folder, _corrupt_statuses]
)
def test_garbage_among_the_signals_stops_nobody(var: Path, damage: Damage) -> None:
    damage(var / "run")
    for desk in serves(var, "notes", "other"):
        assert desk.client.get(f"{LIVE}/status").json()["workers"]
        assert desk.post("/toggle/notes")["state"] == "done"
        assert status(desk) == 404
        assert desk.client.get(f"{LIVE}/health").status_code == 200


def test_what_was_moved_aside_is_named_and_can_be_deleted(var: Path) -> None:
    _folders_for_files(var / "run")
    started(var, "notes")
    assert sum("was moved aside" in text for _, _, text in findings(var)) == 6
    _mend(var)
    assert findings(var) == []


# ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("column", ["manifest", "contributions", "grants", "extra", "state"])
@pytest.mark.parametrize("value", ["{", "", "[1", "17"])
def test_an_unreadable_row_is_named_and_written_anew(var: Path, column: str, value: str) -> None:
    sql(var, f"UPDATE hotbay_live SET {column} = ? WHERE plugin = 'notes'", value)
    named = [text for _, level, text in findings(var) if level == "error"]
    assert any("notes: its row in the database is not readable" in text for text in named)
    started(var, "notes", "other")
    assert [item for item in findings(var) if item[1] == "error"] == []


def test_an_unreadable_row_without_an_image_is_named_and_can_be_uninstalled(var: Path) -> None:
    sql(var, "UPDATE hotbay_live SET manifest = '{' WHERE plugin = 'notes'")
    shutil.rmtree(live_image(var))
    shutil.rmtree(var / "modules")
    (var / "plugins" / "notes" / "README.md").write_text("changed")
    for desk in serves(var, "other", watch=False):
        assert status(desk) == 503
        (row,) = [row for row in desk.get("/installed")["addons"] if row["id"] == "notes"]
        assert "not readable: manifest" in row["problem"]
        assert desk.client.delete("/api/v1/marketplace/uninstall/notes?data=keep").status_code == 200
    assert not any("not readable" in text for _, _, text in findings(var))


def test_an_unreadable_wish_is_no_wish(var: Path) -> None:
    sql(var, "INSERT INTO hotbay_candidates (plugin, data) VALUES ('notes', '{')")
    started(var, "notes", "other")


def test_unreadable_settings_keep_their_plugin_from_serving_and_nobody_else(var: Path) -> None:
    sql(var, "INSERT INTO hotbay_settings (plugin, data, secrets) VALUES ('notes', '{', '{}')")
    for desk in serves(var, "other"):
        assert status(desk) in (500, 503)
        assert status(desk, "other") == 200
