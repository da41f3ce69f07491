"""What `hotbay doctor` finds, and what it mends."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from terminal import Terminal

from hotbay import journal
from hotbay.presence import Lease
from hotbay.settings import load
from hotbay.store import Store


@pytest.fixture
def host(terminal: Terminal) -> Terminal:
    """A sound host with one active plugin."""
    terminal.offer()
    terminal.run("install", "shop")
    return terminal


def findings(host: Terminal, *args: str, code: int = 0) -> list[dict[str, Any]]:
    """All that is not well."""
    found: dict[str, Any] = host.json("doctor", *args, code=code)
    assert found["ok"] is (code == 0)
    return [item for item in found["findings"] if item["level"] != "ok"]


def one(host: Terminal, code: int = 0) -> tuple[str, str, str]:
    """The only finding."""
    (found,) = findings(host, code=code)
    return found["check"], found["level"], found["message"]


def database(host: Terminal) -> sqlite3.Connection:
    return sqlite3.connect(host.home / "hotbay.db")


def test_a_sound_host_has_no_findings(host: Terminal) -> None:
    assert findings(host) == []
    assert host.run("doctor").stdout.splitlines()[-1] == "0 error(s), 0 warning(s)"


def test_a_host_that_never_ran_is_looked_at_and_not_touched(terminal: Terminal) -> None:
    assert one(terminal)[:2] == ("database", "warning")
    assert sorted(path.name for path in terminal.home.iterdir()) == ["modules"]


def test_wrong_settings_are_a_finding(terminal: Terminal) -> None:
    terminal.config.write_text("nonsense = 1\n")
    check, level, message = one(terminal, code=11)
    assert (check, level) == ("settings", "error") and "nonsense" in message


def test_a_damaged_database(host: Terminal) -> None:
    path = host.home / "hotbay.db"
    connection = database(host)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.close()
    data = bytearray(path.read_bytes())
    data[4096 * 2 : 4096 * 6] = b"\xaa" * 4096 * 4
    path.write_bytes(data)
    check, level, _ = one(host, code=11)
    assert (check, level) == ("database", "error")


def test_images_missing_changed_and_unreferenced(host: Terminal) -> None:
    images = host.home / "images"
    (image,) = images.iterdir()
    (images / ("f" * 64)).mkdir()
    assert one(host)[:2] == ("images", "warning")
    (image / "backend" / "routes.py").write_text("changed = True\n")
    found = {(item["level"], item["plugin"]) for item in findings(host, code=11)}
    assert found == {("warning", ""), ("error", "shop")}
    host.json("doctor", "--mend", "all", code=11)
    assert [path.name for path in images.iterdir()] == [image.name]
    shutil.rmtree(image)
    assert "is missing" in one(host, code=11)[2]


def test_folders_that_disagree_with_the_registry(host: Terminal) -> None:
    plugins = host.home / "plugins"
    (plugins / "shop").rename(plugins / "_shop")
    assert "called _shop, but it is active" in one(host)[2]
    (plugins / "_shop").rename(plugins / "shop")
    (plugins / "shop" / "backend" / "new.py").write_text("x = 1\n")
    assert "another content" in one(host)[2]
    shutil.rmtree(plugins / "shop")
    assert "its folder is missing" in one(host)[2]


def test_new_and_strange_folders(host: Terminal) -> None:
    shutil.copytree(host.plugin("other"), host.home / "plugins" / "other")
    (host.home / "plugins" / "Photos").mkdir()
    messages = sorted(item["message"].rpartition("/")[2] for item in findings(host))
    assert messages == ["Photos is no plugin", "other is not installed yet"]


def test_addon_registry_json_is_written_anew(host: Terminal) -> None:
    file = host.home / "plugins" / "addon_registry.json"
    good = json.loads(file.read_text())
    file.write_text(json.dumps({"addons": {"ghost": {"version": "1"}}}))
    assert one(host)[0] == "addon_registry.json"
    assert "ghost, shop" in one(host)[2]
    host.run("doctor", "--mend", "all")
    assert json.loads(file.read_text()) == good
    assert findings(host) == []


def test_a_cut_off_operation_is_closed_only_when_nobody_is_at_it(host: Terminal) -> None:
    registry = Store(load(host.config).database_path)
    plan = journal.get_operation(registry, 1)["plan"] | {"kind": "deactivate", "steps": []}
    with registry.write() as connection:
        journal.open_operation(connection, kind="deactivate", plugin="shop", actor="x", plan=plan, verbs=[])
    registry.close()
    with Lease(host.home / "run" / "lease").hold(0, kind="deactivate", plugin="shop", actor="x"):
        assert findings(host) == []
    assert one(host, code=11) == ("operations", "error", "operation 2: deactivate of shop was cut off")
    assert "closed operation 2" in host.run("doctor", "--mend", "all").stdout
    assert host.json("operation", "2")["state"] == "undone"
    assert findings(host) == []


def test_an_operation_that_can_not_be_closed_says_why(host: Terminal) -> None:
    registry = Store(load(host.config).database_path)
    with registry.write() as connection:
        journal.open_operation(connection, kind="deactivate", plugin="shop", actor="x", plan={}, verbs=[])
    registry.close()
    assert one(host, code=11)[2] == "operation 2: deactivate of shop was cut off"
    host.run("doctor", "--mend", "all", code=11)
    said = "operation 2: deactivate of shop was cut off and can't be closed: KeyError: 'kind'"
    assert one(host, code=11)[2] == said


def test_tables_missing_kept_and_left_behind(host: Terminal) -> None:
    host.plugin("listed", database={"tables": ["my_list"]})
    folder = host.plugin("listed", database={"tables": ["my_list"]})
    (folder / "migrations" / "0001_rows.up.sql").write_text("CREATE TABLE my_list (a); CREATE TABLE listed_rows (a);")
    (folder / "migrations" / "0001_rows.down.sql").write_text("DROP TABLE my_list; DROP TABLE listed_rows;")
    host.run("install", str(folder))
    assert findings(host) == []
    _sql(host, "ALTER TABLE my_list RENAME TO elsewhere")
    assert one(host, code=11)[2] == "the tables my_list of listed are missing"
    _sql(host, "ALTER TABLE elsewhere RENAME TO my_list")
    host.run("uninstall", "listed", "--data", "keep")
    told = host.run("doctor").stdout
    assert "its data is kept: listed_rows, my_list" in told and findings(host) == []
    _sql(host, "DELETE FROM hotbay_ledger WHERE plugin = 'listed'")
    assert one(host)[2] == "listed_rows, my_list belonged to listed, which is not installed"


def test_a_longer_id_keeps_its_tables_to_itself(host: Terminal) -> None:
    for plugin in ("ai", "ai_chat"):
        host.offer(plugin)
        host.run("install", plugin)
    host.run("uninstall", "ai", "--data", "purge", "--yes")
    assert host.tables() == {"shop_rows", "ai_chat_rows"}
    assert findings(host) == []


def test_what_holds_data_is_mended_by_its_name_alone(host: Terminal) -> None:
    host.run("uninstall", "shop", "--data", "keep")
    _sql(host, "DELETE FROM hotbay_ledger")
    (found,) = findings(host)
    assert (found["id"], found["choice"], found["fixable"]) == ("tables:orphaned:shop", True, False)
    assert host.json("doctor", "--mend", "all")["mended"] == [] and host.tables() == {"shop_rows"}
    said = host.run("doctor", "--mend", "tables:orphaned:shop").stdout
    assert "mended: exported what was left of shop" in said
    assert host.tables() == set() and findings(host) == []
    assert host.json("doctor", "--mend", "tables:orphaned:shop", code=4)["code"] == "not-found"


def _sql(host: Terminal, statement: str) -> None:
    connection = database(host)
    with connection:
        connection.execute(statement)
    connection.close()


def test_traces_of_dead_processes_are_cleared(host: Terminal) -> None:
    run = host.home / "run"
    os.mkfifo(run / "w-99-dead.fifo")
    (run / "w-99-dead.json").write_text("{}")
    os.mkfifo(run / "a-99-dead.fifo")
    (host.home / "staging" / f"{os.getpid()}-at-work").mkdir()
    (host.home / "staging" / "half").mkdir()
    (host.home / "staging" / f"{2**22 + 1}-of-the-dead").mkdir()
    found = findings(host)
    assert sorted(item["check"] for item in found) == ["staging"] * 2 + ["workers"] * 3
    assert all(item["fixable"] for item in found)
    host.run("doctor", "--fix")
    assert findings(host) == []
    assert not list(run.glob("*dead*"))
    assert [path.name for path in (host.home / "staging").iterdir()] == [f"{os.getpid()}-at-work"]


def test_secrets_and_their_key(host: Terminal) -> None:
    host.run("settings", "shop", "--secret", "token", typed="hush\n")
    key = host.home / "secret.key"
    assert findings(host) == []
    key.chmod(0o644)
    assert "read by others" in one(host, code=11)[2]
    host.run("doctor", "--mend", "all")
    assert key.stat().st_mode & 0o777 == 0o600
    good = key.read_bytes()
    key.write_bytes(b"A" * 43 + b"=")
    assert "can't be decrypted" in one(host, code=11)[2]
    key.unlink()
    assert "is missing, shop has secrets" in one(host, code=11)[2]
    key.write_bytes(good)


def test_a_plugin_that_does_not_serve_and_a_broken_package(host: Terminal) -> None:
    _sql(host, "UPDATE hotbay_live SET problem = 'no luck'")
    assert one(host, code=11)[2] == "shop does not serve: no luck"
    _sql(host, "UPDATE hotbay_live SET problem = ''")
    (host.modules / "bad.zip").write_bytes(b"nothing")
    check, level, message = one(host)
    assert (check, level) == ("source", "warning") and "bad.zip" in message


def test_a_folder_that_can_not_be_written_to(host: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write everywhere, so the system's own answer is put in its place."""
    real = os.access
    images = host.home / "images"
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != images and real(path, mode))
    check, level, message = one(host, code=11)
    assert (check, level) == ("folders", "error") and str(images) in message


def test_little_room_on_the_disk(host: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(host.home)
    for free, level, code in ((10 * 1024**2, "error", 11), (200 * 1024**2, "warning", 0)):
        monkeypatch.setattr(shutil, "disk_usage", lambda path, free=free: usage._replace(free=free))
        assert one(host, code=code)[:2] == ("disk", level)
