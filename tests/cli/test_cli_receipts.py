"""The verb `receipt`: show, list, verify, key."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from terminal import Terminal

from hotbay.history import NOTE, prune_history
from hotbay.receipt import HostKey, public_pem
from hotbay.settings import load
from hotbay.store import Store, set_meta


@pytest.fixture
def used(terminal: Terminal) -> Terminal:
    """A host on which three operations were done, the last of which failed."""
    terminal.offer()
    terminal.run("install", "shop")
    terminal.run("deactivate", "shop")
    broken = terminal.plugin(version="2.0.0")
    (broken / "backend" / "routes.py").write_text("1 / 0\n")
    terminal.run("upgrade", str(broken), code=9)
    return terminal


def change(terminal: Terminal, number: int, how: Callable[[dict[str, Any]], None]) -> None:
    """Change a receipt in the database."""
    with closing(sqlite3.connect(terminal.home / "hotbay.db")) as connection:
        (text,) = connection.execute("SELECT signed FROM hotbay_receipts WHERE number = ?", (number,)).fetchone()
        signed = json.loads(text)
        how(signed)
        connection.execute("UPDATE hotbay_receipts SET signed = ? WHERE number = ?", (json.dumps(signed), number))
        connection.commit()


def test_show_and_list(used: Terminal) -> None:
    signed = used.json("receipt", "show", "1")
    assert (signed["receipt"]["kind"], signed["receipt"]["state"]) == ("install", "done")
    words = used.run("receipt", "show", "1").stdout
    assert "install shop 1.0.0" in words
    assert "switch" in words
    assert "ZeroDivisionError" in used.run("receipt", "show", "3").stdout
    listed = used.json("receipt", "list")["receipts"]
    assert [(item["operation"], item["state"]) for item in listed] == [(3, "failed"), (2, "done"), (1, "done")]
    assert len(used.json("receipt", "list", "-n", "1")["receipts"]) == 1
    assert used.json("receipt", "list", "nobody")["receipts"] == []
    assert [line.split()[0] for line in used.run("receipt", "list", "shop").stdout.splitlines()[1:]] == ["3", "2", "1"]
    assert used.json("receipt", "show", "99", code=4)["code"] == "not-found"


def test_verify_a_number_a_file_and_all(used: Terminal, tmp_path: Path) -> None:
    name = used.json("receipt", "key")["key"]
    assert used.json("receipt", "verify", "2") == {"verified": [2], "key": name}
    assert used.json("receipt", "verify") == {"verified": [1, 2, 3], "key": name}
    file = tmp_path / "receipt.json"
    file.write_text(used.run("receipt", "show", "2", "--json").stdout)
    assert used.json("receipt", "verify", str(file)) == {"verified": [2], "key": name}
    assert "operation 2, deactivate shop" in used.run("receipt", "verify", str(file)).stdout
    assert "3 receipts" in used.run("receipt", "verify").stdout
    assert used.json("receipt", "verify", "99", code=4)["code"] == "not-found"
    assert used.json("receipt", "verify", "nothing.json", code=4)["code"] == "not-found"


def test_a_changed_file_is_not_verified(used: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "receipt.json"
    text = used.run("receipt", "show", "2", "--json").stdout
    for old, new in (('"deactivate"', '"activate"'), ('"operation": 2', '"operation": 3'), ("false", "true")):
        assert old in text
        file.write_text(text.replace(old, new, 1))
        assert used.json("receipt", "verify", str(file), code=6)["code"] == "not-verified"
    file.write_text("nonsense")
    assert used.json("receipt", "verify", str(file), code=2)["code"] == "bad-input"


def test_changed_missing_and_reordered_rows_are_not_verified(used: Terminal) -> None:
    change(used, 2, lambda signed: signed["receipt"].update(actor="nobody"))
    for target in (("2",), ("3",), ()):
        assert used.json("receipt", "verify", *target, code=6)["code"] == "not-verified"
    assert used.json("receipt", "verify", "1")["verified"] == [1]
    with closing(sqlite3.connect(used.home / "hotbay.db")) as connection:
        connection.execute("DELETE FROM hotbay_receipts WHERE number = 2")
        connection.commit()
    found = used.json("receipt", "verify", code=6)
    assert found["problems"][0]["rule"] == "receipt 2 is missing"
    assert "is missing" in used.json("receipt", "verify", "3", code=6)["detail"]


def test_what_was_pruned_is_verified_by_its_anchor_and_seen_without_it(used: Terminal) -> None:
    settings = load(used.config)
    registry = Store(settings.database_path)
    small = settings.model_copy(update={"history_max": 1})
    assert prune_history(small, registry, HostKey(used.home / "receipts.key")) == 2
    assert used.json("receipt", "verify")["verified"] == [3]
    assert used.json("receipt", "verify", "3")["verified"] == [3]
    with registry.write() as connection:
        set_meta(connection, NOTE, None)
    registry.close()
    for target in ((), ("3",)):
        assert used.json("receipt", "verify", *target, code=6)["code"] == "not-verified"


def test_whoever_has_the_key_can_verify_anywhere(used: Terminal, tmp_path: Path, monkeypatch: Any) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "receipt.json").write_text(used.run("receipt", "show", "1", "--json").stdout)
    (elsewhere / "host.pem").write_text(used.run("receipt", "key").stdout)
    (elsewhere / "other.pem").write_text(public_pem(HostKey(elsewhere / "other.key").public))
    (elsewhere / "hotbay.toml").write_text("")
    there = Terminal.__new__(Terminal)
    there.config = elsewhere / "none.toml"
    monkeypatch.chdir(elsewhere)
    file = str(elsewhere / "receipt.json")
    there.config.write_text("home = 5")  # No host is needed.
    assert there.json("receipt", "verify", file, "--key", "host.pem")["verified"] == [1]
    assert there.json("receipt", "verify", file, "--key", "other.pem", code=6)["code"] == "not-verified"
    assert there.json("receipt", "verify", file, "--key", "receipt.json", code=2)["code"] == "bad-input"


def test_the_receipt_of_an_operation_whose_command_was_killed_is_written_when_it_is_asked_for(used: Terminal) -> None:
    with closing(sqlite3.connect(used.home / "hotbay.db")) as connection:
        connection.execute("DELETE FROM hotbay_receipts WHERE number = 3")
        connection.commit()
    assert used.json("receipt", "show", "3")["receipt"]["error"]["code"] == "activation-failed"
    assert used.json("receipt", "verify")["verified"] == [1, 2, 3]


def test_only_its_owner_reads_the_key(used: Terminal) -> None:
    assert (used.home / "receipts.key").stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in used.run("receipt", "key").stdout
