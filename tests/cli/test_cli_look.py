"""Verbs that look and tell: list, info, audit, operations, operation, logs, settings."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest
from terminal import Terminal, command, environment

from hotbay.cli.past import grow, tail
from hotbay.cli.values import typed


def test_list_tells_what_is_and_what_could_be(terminal: Terminal) -> None:
    terminal.offer(version="1.0.0")
    terminal.offer(version="1.10.0")
    terminal.offer(version="1.9.0")
    terminal.run("install", "shop", "--version", "1.9.0")
    found = terminal.json("list")
    assert [(row["version"], row["upgrade"]) for row in found["installed"]] == [("1.9.0", "1.10.0")]
    assert [row["version"] for row in found["available"]] == ["1.10.0", "1.9.0", "1.0.0"]
    always = {"source", "source_problem", "safe_mode"}
    assert set(terminal.json("list", "--installed")) == always | {"installed", "refused"}
    assert set(terminal.json("list", "--available")) == always | {"available"}
    lines = terminal.run("list").stdout.splitlines()
    assert lines[0].split() == ["INSTALLED", "VERSION", "STATE", "UPGRADE", "NAME", "PROBLEM"]
    assert lines[1].split() == ["shop", "1.9.0", "active", "1.10.0", "Shop"]
    assert [line.split()[1:3] for line in lines[4:]] == [["1.10.0", "Shop"], ["1.9.0", "installed"], ["1.0.0", "Shop"]]


@pytest.mark.parametrize(
    ("options", "fits"),
    [
        ((), {"desk", "mail", "shop"}),
        (("--search", "SENDS letters"), {"mail"}),
        (("--search", "sends nothing"), set()),
        (("--category", "support"), {"desk", "mail"}),
        (("--free",), {"desk", "mail"}),
        (("--paid",), {"shop"}),
        (("--runtime", "isolated"), {"desk"}),
        (("--runtime", "inprocess"), {"mail", "shop"}),
        (("--not-installed",), {"desk", "shop"}),
        (("--category", "Support", "--not-installed", "--free"), {"desk"}),
    ],
)
def test_the_filters_of_the_marketplace(shelf: Terminal, options: tuple[str, ...], fits: set[str]) -> None:
    found = shelf.json("list", *options)
    assert {row["id"] for row in found["available"]} == fits
    assert {row["id"] for row in found["installed"]} == fits & {"mail"}
    assert set(shelf.json("list", "--available", *options)).isdisjoint({"installed"})


@pytest.fixture
def shelf(terminal: Terminal) -> Terminal:
    """Three plugins are offered, one of them is installed."""
    terminal.offer("mail", category="Support", description="Sends letters.")
    terminal.offer("desk", category="support", backend={"runtime": "isolated"})
    terminal.offer("shop", category="sales", price=20)
    terminal.run("install", "mail")
    return terminal


def test_what_is_offered_says_by_what_it_was_chosen(shelf: Terminal) -> None:
    (desk,) = shelf.json("list", "--available", "--runtime", "isolated")["available"]
    assert {name: desk[name] for name in ("category", "price", "runtime")} == {
        "category": "support", "price": 0, "runtime": "isolated",
    }  # fmt: skip
    assert "No offered plugin fits." in shelf.run("list", "--search", "nothing").stdout


def test_a_repository_that_is_down_hides_nothing_that_is_installed(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal.offer()
    terminal.run("install", "shop")
    monkeypatch.setenv("PLUGIN_SOURCE", "remote")
    monkeypatch.setenv("PLUGIN_SERVER_URL", "http://127.0.0.1:9/")
    done = terminal.run("list")
    assert "shop" in done.stdout and "could not be read" in done.stderr
    assert terminal.json("list")["source_problem"]
    assert terminal.json("list", "--available", code=8)["code"] == "source-error"


def test_a_refused_folder_is_listed(terminal: Terminal) -> None:
    from hotbay.settings import load
    from hotbay.store import Store, put_refusal

    store = Store(load(terminal.config).database_path)
    with store.write() as connection:
        put_refusal(connection, "broken", "0" * 64, "no valid Python\nmore")
    store.close()
    assert terminal.json("list")["refused"][0]["id"] == "broken"
    assert "no valid Python" in terminal.run("list").stdout


def test_info_tells_all_of_a_plugin(terminal: Terminal) -> None:
    terminal.offer(description="Sells things.", permissions=["filesystem.write"])
    before = terminal.json("info", "shop")
    assert (before["installed"], [one["version"] for one in before["available"]]) == (None, ["1.0.0"])
    assert "not installed" in terminal.run("info", "shop").stdout
    terminal.run("install", "shop")
    found = terminal.json("info", "shop")["installed"]
    assert (found["tables"], found["migrations"]) == (["shop_rows"], ["0001_rows"])
    assert found["routes"] == ["GET /api/v1/shop/version"]
    assert (found["grants"], found["workers"]) == (["filesystem.write"], [])
    assert [row["version"] for row in found["versions"]] == ["1.0.0"]
    told = terminal.run("info", "shop").stdout
    assert "Sells things." in told and "GET /api/v1/shop/version" in told


def test_audit_and_operations_tell_the_past(terminal: Terminal) -> None:
    terminal.offer()
    terminal.offer("other")
    terminal.run("install", "shop")
    terminal.run("install", "shop", code=5)
    terminal.run("install", "other")
    results = [(row["plugin"], row["result"]) for row in terminal.json("audit")["audit"]]
    assert results == [("other", "done"), ("shop", "refused: refused"), ("shop", "done")]
    assert len(terminal.json("audit", "shop", "-n", "1")["audit"]) == 1
    assert [row["id"] for row in terminal.json("operations")["operations"]] == [2, 1]
    assert [row["id"] for row in terminal.json("operations", "shop")["operations"]] == [1]
    told = terminal.run("operation", "1").stdout
    assert "install shop 1.0.0" in told and "run migrations 0001_rows" in told
    assert [row["state"] for row in terminal.json("operation", "1")["steps"]] == ["done"] * 6
    terminal.run("operation", "99", code=4)
    terminal.run("operation", "x", code=2)
    assert "refused: refused" in terminal.run("audit").stdout
    assert "install other 1.0.0" in terminal.run("operations").stdout


# ── logs ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_logs_shows_the_last_lines(terminal: Terminal) -> None:
    terminal.offer()
    assert "no log" in terminal.run("logs", "shop", code=4).stderr
    terminal.run("install", "shop")
    assert terminal.run("logs", "shop").stdout == ""
    file = terminal.home / "logs" / "shop.log"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"one\ntwo \xff\x1b[2J\nthree")
    assert terminal.run("logs", "shop").stdout == "one\ntwo �\\x1b[2J\nthree\n"
    assert terminal.json("logs", "shop", "-n", "1")["lines"] == ["three"]
    terminal.run("logs", "shop", "-f", "--json", code=2)
    secret = terminal.home / "secret.log"
    secret.write_text("secret")
    terminal.run("logs", "../secret", code=4)


def test_logs_follows_what_is_written(terminal: Terminal) -> None:
    file = terminal.home / "logs" / "shop.log"
    file.parent.mkdir()
    file.write_text("old\n")
    process = subprocess.Popen(
        command(["logs", "shop", "-f"]), cwd=terminal.folder, env=environment(), text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "old\n"
    with file.open("a") as stream:
        stream.write("new\n")
    assert process.stdout.readline() == "new\n"
    process.send_signal(2)
    _, said = process.communicate(timeout=90)
    assert process.returncode == 130 and "Traceback" not in said


def test_following_survives_rotation_and_half_lines(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    file.write_text("a\nb\nc\n")
    lines, place = tail(file, 2)
    assert lines == ["b", "c"]
    follower = grow(file, place)
    with file.open("a") as stream:
        stream.write("d\nhal")
    assert next(follower) == "d"
    with file.open("a") as stream:
        stream.write("f\n")
    assert next(follower) == "half"
    file.rename(tmp_path / "x.log.1")
    file.write_text("after, and longer than all that was there before\n")
    assert next(follower).startswith("after, and")
    file.write_text("cut\n")
    time.sleep(0.01)
    assert next(follower) == "cut"
    assert tail(tmp_path / "none.log", 5) == ([], 0)


# ── settings ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_settings_are_shown_and_changed(terminal: Terminal) -> None:
    terminal.offer()
    terminal.run("install", "shop")
    assert terminal.json("settings", "shop")["settings"] == {"word": "plain", "number": 3, "names": [], "nick": None}
    found = terminal.json("settings", "shop", "word=007", "number=5", 'names=["a", "b"]', "nick=5")
    assert found["settings"] == {"word": "007", "number": 5, "names": ["a", "b"], "nick": "5"}
    assert found["changed"] == ["names", "nick", "number", "word"]
    terminal.run("settings", "shop", "--unset", "word", "--unset", "nick")
    assert terminal.json("settings", "shop")["settings"]["word"] == "plain"
    assert "007" not in terminal.run("settings", "shop").stdout


def test_wrong_settings_change_nothing(terminal: Terminal) -> None:
    terminal.offer()
    terminal.run("install", "shop")
    found = terminal.json("settings", "shop", "number=12", "word=new", code=2)
    assert (found["code"], [item["field"] for item in found["problems"]]) == ("invalid-settings", ["number"])
    assert terminal.json("settings", "shop", "color=red", code=2)["problems"][0]["field"] == "color"
    terminal.run("settings", "shop", "word", code=2)
    terminal.run("settings", "nobody", code=4)
    assert terminal.json("settings", "shop")["settings"]["word"] == "plain"


def test_secrets_come_by_stdin_and_never_back(terminal: Terminal) -> None:
    terminal.offer()
    terminal.run("install", "shop")
    found = terminal.json("settings", "shop", "token=hush", code=2)
    assert "--secret token" in found["problems"][0]["mend"]
    done = terminal.run("settings", "shop", "--secret", "token", typed="hush-hush\n")
    assert "hush" not in done.stdout + done.stderr and "********" in done.stdout
    assert terminal.json("settings", "shop")["settings"]["token"] == "********"
    assert b"hush-hush" not in (terminal.home / "hotbay.db").read_bytes()
    assert "no value for token" in terminal.run("settings", "shop", "--secret", "token", code=2).stderr
    terminal.run("settings", "shop", "--unset", "token")
    assert "token" not in terminal.json("settings", "shop")["settings"]


def test_a_licence_key_comes_by_stdin_and_never_back(terminal: Terminal) -> None:
    assert terminal.json("license", "shop") == {"plugin": "shop", "license": False}
    done = terminal.run("license", "shop", "--set", typed="AAAA-1234\n")
    assert done.stdout == "There is a licence key for shop.\n"
    assert b"AAAA-1234" not in (terminal.home / "hotbay.db").read_bytes()
    assert terminal.json("license", "shop", "--remove") == {"plugin": "shop", "license": False}
    assert "no value for licence key" in terminal.run("license", "shop", "--set", code=2).stderr


def test_values_get_the_type_that_the_schema_wants() -> None:
    schema = json.loads("""{"$defs": {"Mode": {"enum": ["a"], "type": "string"}}, "properties": {
        "text": {"type": "string"}, "mode": {"$ref": "#/$defs/Mode"}, "maybe": {"anyOf": [{"type": "string"},
        {"type": "null"}]}, "count": {"type": "integer"}, "on": {"type": "boolean"}, "any": {}}}""")
    given = {"text": "5", "mode": "1", "maybe": "true", "count": "5", "on": "true", "any": "[1]", "unknown": "x y"}
    found = {name: typed(text, schema, name) for name, text in given.items()}
    assert found == {
        "text": "5", "mode": "1", "maybe": "true", "count": 5, "on": True, "any": [1], "unknown": "x y",
    }  # fmt: skip


def test_files_and_tables_of_a_plugin(terminal: Terminal) -> None:
    terminal.offer()
    terminal.run("install", "shop")
    found = terminal.json("files", "shop")
    assert "backend/routes.py" in [one["name"] for one in found["code"]["files"]]
    assert "backend/routes.py" in terminal.run("files", "shop").stdout
    assert [(one["name"], one["rows"]) for one in terminal.json("tables", "shop")["tables"]] == [("shop_rows", 2)]
    assert "shop_rows" in terminal.run("tables", "shop").stdout
    assert terminal.json("metrics", "shop")["total"]["requests"] == 0
    assert terminal.run("metrics", "shop").stdout.startswith("WHEN")
    for verb in ("files", "tables", "metrics"):
        terminal.run(verb, "other", code=4)
