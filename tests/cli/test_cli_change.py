"""Operations from the command line, on real packages, with no server running."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path

import pytest
from terminal import Terminal, repository

from hotbay.package import pack, sha256_file
from hotbay.presence import Lease


def test_a_plugins_life_in_processes_of_their_own(terminal: Terminal) -> None:
    terminal.offer(version="1.0.0")
    done = terminal.spawn("--verbose", "install", "shop")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("install shop 1.0.0: done in ")
    assert [line.split()[1] for line in done.stderr.splitlines()] == [
        "stage:", "shelve:", "expand:", "start:", "switch:", "publish:",
    ]  # fmt: skip
    assert terminal.state() == {"shop": ("1.0.0", "active")}
    assert (terminal.home / "plugins" / "shop" / "metadata.json").is_file()
    terminal.offer(version="1.1.0")
    done = terminal.spawn("upgrade", "shop")
    assert (done.returncode, done.stderr) == (0, "")
    assert terminal.state() == {"shop": ("1.1.0", "active")}
    assert terminal.spawn("uninstall", "shop").returncode == 0
    assert terminal.state() == {}
    assert terminal.tables() == set()
    assert not (terminal.home / "plugins" / "shop").exists()


def test_the_answer_is_one_document(terminal: Terminal) -> None:
    terminal.offer()
    found = terminal.json("install", "shop")
    assert (found["kind"], found["plugin"], found["version"], found["state"]) == ("install", "shop", "1.0.0", "done")
    assert [step["verb"] for step in found["steps"]][:2] == ["stage", "shelve"]
    assert terminal.json("operation", str(found["operation"]))["actor"].startswith("cli:")


def test_activate_deactivate_rollback(terminal: Terminal) -> None:
    terminal.offer(version="1.0.0")
    terminal.run("install", "shop", "--inactive")
    assert terminal.state() == {"shop": ("1.0.0", "inactive")}
    terminal.run("activate", "shop")
    terminal.offer(version="1.1.0")
    terminal.offer(version="1.2.0")
    terminal.run("upgrade", "shop", "--version", "1.1.0")
    terminal.run("upgrade", "shop")
    assert terminal.state() == {"shop": ("1.2.0", "active")}
    terminal.run("rollback", "shop")
    assert terminal.state() == {"shop": ("1.1.0", "active")}
    terminal.run("rollback", "shop", "--version", "1.0.0")
    terminal.run("deactivate", "shop")
    assert terminal.state() == {"shop": ("1.0.0", "inactive")}
    assert terminal.tables() == {"shop_rows"}


def test_from_a_file_and_from_a_folder(terminal: Terminal, tmp_path: Path) -> None:
    terminal.run("install", str(terminal.plugin(version="1.0.0")))
    assert terminal.state() == {"shop": ("1.0.0", "active")}
    terminal.run("pack", str(terminal.plugin(version="1.1.0")), "-o", str(tmp_path / "out"), "--tar")
    file = tmp_path / "out" / "shop_v1.1.0.tar.gz"
    assert "installed already" in terminal.run("install", str(file), code=5).stderr
    terminal.run("upgrade", str(file))
    assert terminal.state() == {"shop": ("1.1.0", "active")}
    assert terminal.json("plan", "uninstall", str(file), code=2)["mend"] == "write shop"
    assert "there is no package" in terminal.run("install", "./nothing.zip", code=4).stderr
    bad = tmp_path / "bad.zip"
    bad.write_bytes(b"no archive")
    terminal.run("install", str(bad), code=3)


def test_a_folder_of_the_same_name_does_not_hide_the_source(terminal: Terminal) -> None:
    (terminal.folder / "shop").mkdir()
    assert "write ./shop if you mean the folder" in terminal.run("install", "shop", code=4).stderr
    terminal.offer()
    terminal.run("install", "shop")
    assert terminal.state() == {"shop": ("1.0.0", "active")}


def test_the_hash_is_demanded(terminal: Terminal) -> None:
    file = terminal.offer()
    assert terminal.json("install", "shop", "--sha256", "0" * 64, code=6)["code"] == "not-verified"
    assert terminal.state() == {}
    terminal.run("install", "shop", "--sha256", sha256_file(file))


def test_data_is_exported_and_restored(terminal: Terminal) -> None:
    terminal.offer()
    terminal.run("install", "shop")
    _add_row(terminal)
    done = terminal.json("uninstall", "shop")
    assert Path(done["export"], "data.db").is_file()
    assert terminal.tables() == set()
    terminal.run("install", "shop", "--restore", "latest")
    assert _count(terminal) == 3
    told = terminal.run("uninstall", "shop").stdout
    assert "`hotbay install --restore` brings it back" in told
    terminal.run("install", "shop", "--restore", done["export"])
    assert _count(terminal) == 3


def test_data_is_kept_or_purged(terminal: Terminal) -> None:
    terminal.offer()
    terminal.run("install", "shop")
    _add_row(terminal)
    terminal.run("uninstall", "shop", "--data", "keep")
    assert terminal.tables() == {"shop_rows"}
    terminal.run("install", "shop")
    assert _count(terminal) == 3
    assert "--yes" in terminal.json("uninstall", "shop", "--data", "purge", code=2)["mend"]
    assert "--yes" in terminal.run("uninstall", "shop", "--data", "purge", typed="shop\n", code=2).stderr
    assert terminal.state() == {"shop": ("1.0.0", "active")}
    terminal.run("uninstall", "shop", "--data", "purge", "--yes")
    assert terminal.tables() == set()
    assert list((terminal.home / "exports").glob("*")) == []


def _add_row(terminal: Terminal) -> None:
    connection = sqlite3.connect(terminal.home / "hotbay.db")
    with connection:
        connection.execute("INSERT INTO shop_rows VALUES (77)")
    connection.close()


def _count(terminal: Terminal) -> int:
    connection = sqlite3.connect(terminal.home / "hotbay.db")
    found = int(connection.execute("SELECT count(*) FROM shop_rows").fetchone()[0])
    connection.close()
    return found


def test_a_plan_shows_what_is_read_and_what_does_not_only_add(terminal: Terminal) -> None:
    terminal.offer(version="1.0.0")
    terminal.run("install", "shop")
    later = terminal.plugin(version="1.1.0", database={"reads": ["invoices"]}, permissions=["mail.send"])
    (later / "migrations" / "0002_less.contract.sql").write_text("\nDROP TABLE shop_rows;")
    told = terminal.run("plan", "upgrade", str(later)).stdout
    assert "  permission: mail.send (new)\n  reads: table invoices of the host (new)\n" in told
    assert "0002_less.contract.sql, line 2: drops table shop_rows" in told
    assert "[drops-table]; runs after the switch" in told
    found = terminal.json("plan", "upgrade", str(later))
    assert (found["reads"], found["added"]) == (["invoices"], {"permissions": ["mail.send"], "reads": ["invoices"]})
    assert [(item["code"], item["line"]) for item in found["findings"]] == [("drops-table", 2)]
    (later / "migrations" / "0002_less.contract.sql").rename(later / "migrations" / "0002_less.up.sql")
    refused = terminal.json("plan", "upgrade", str(later), code=5)
    assert (refused["code"], refused["problems"][0]["code"]) == ("not-additive", "drops-table")
    assert terminal.json("check", str(later))["warnings"][-1]["code"] == "drops-table"


def test_an_owed_contract_is_told(terminal: Terminal) -> None:
    terminal.offer(version="1.0.0")
    terminal.run("install", "shop")
    later = terminal.plugin(version="1.1.0")
    (later / "migrations" / "0002_x.contract.sql").write_text("INSERT INTO shop_rows VALUES (1);")
    told = terminal.run("upgrade", str(later)).stdout
    assert "warning: the contract scripts have not run: migrations/0002_x.contract.sql" in told
    assert "hotbay doctor --mend all" in told
    assert "contracts:owed:shop" in {item["id"] for item in terminal.json("doctor")["findings"]}


def test_a_plan_changes_nothing(terminal: Terminal) -> None:
    terminal.offer()
    before = terminal.json("operations")
    told = terminal.run("plan", "install", "shop").stdout
    assert told.splitlines()[0] == "install shop 1.0.0"
    assert "run migrations 0001_rows" in told
    assert [step["verb"] for step in terminal.json("plan", "install", "shop")["steps"]][-1] == "publish"
    assert terminal.json("operations") == before
    terminal.run("install", "shop")
    assert "warning: rows of shop_rows are lost" in terminal.run("plan", "uninstall", "shop", "--data", "purge").stdout
    terminal.run("plan", "rollback", "shop", code=4)
    terminal.run("plan", "dance", "shop", code=2)
    assert terminal.state() == {"shop": ("1.0.0", "active")}


def test_requirements(terminal: Terminal) -> None:
    terminal.offer("base")
    terminal.offer("shop", requires=["base>=1"])
    assert "--with-requirements" in terminal.run("install", "shop", code=5).stderr
    assert "--with-requirements" in terminal.run("plan", "install", "shop", code=5).stderr
    told = terminal.run("plan", "install", "shop", "--with-requirements").stdout
    assert "warning: before that: install base 1.0.0" in told
    assert terminal.state() == {}
    terminal.run("install", "shop", "--with-requirements")
    assert set(terminal.state()) == {"base", "shop"}
    assert "shop" in terminal.run("deactivate", "base", code=5).stderr
    terminal.run("deactivate", "base", "--force")
    assert terminal.state()["base"] == ("1.0.0", "inactive")


def test_a_failure_names_step_and_reason_and_leaves_nothing(terminal: Terminal) -> None:
    folder = terminal.plugin()
    (folder / "backend" / "routes.py").write_text("raise RuntimeError('no luck')\n")
    found = terminal.json("install", str(folder), code=9)
    assert (found["code"], found["step"]) == ("activation-failed", "start")
    assert "no luck" in found["detail"] and "backend/routes.py:1" in found["detail"]
    assert terminal.state() == {} and terminal.tables() == set()
    assert terminal.json("operation", str(found["operation"]))["state"] == "failed"


def test_an_operation_in_progress_is_named(terminal: Terminal) -> None:
    terminal.offer()
    with Lease(terminal.home / "run" / "lease").hold(0, kind="upgrade", plugin="other", actor="cli:ada"):
        began = time.monotonic()
        done = terminal.run("install", "shop", "--wait", "0.1", code=7)
        assert time.monotonic() - began < 20
    assert "upgrade of other is in progress" in done.stderr and "cli:ada" in done.stderr
    terminal.run("install", "shop", "--wait", "-1", code=2)


def test_remote_needs_a_repository(terminal: Terminal) -> None:
    terminal.offer()
    assert "PLUGIN_SERVER_URL" in terminal.run("install", "shop", "--remote", code=2).stderr


def test_remote_installs_from_the_repository(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal.offer(version="1.0.0")
    package = pack(terminal.plugin(version="1.1.0"), tmp_path)
    place = tmp_path / "site" / "download" / "shop" / "1.1.0"
    place.parent.mkdir(parents=True)
    package.rename(place)
    entry = {"id": "shop", "version": "1.1.0", "name": "Shop", "sha256": sha256_file(place)}
    (tmp_path / "site" / "manifest.json").write_text(json.dumps({"plugins": [entry]}))
    with repository(tmp_path / "site") as address:
        monkeypatch.setenv("PLUGIN_SERVER_URL", address)
        assert terminal.run("plan", "install", "shop", "--remote").stdout.startswith("install shop 1.1.0")
        terminal.run("install", "shop")
        terminal.run("upgrade", "shop", "--remote")
        assert terminal.state() == {"shop": ("1.1.0", "active")}
        assert terminal.json("list")["installed"][0]["source"] == f"{address}download/shop/1.1.0"
        place.write_bytes(place.read_bytes() + b"x")
        terminal.run("uninstall", "shop")
        assert terminal.json("install", "shop", "--remote", code=6)["code"] == "not-verified"
