"""Commit-confirm over HTTP: asked for, shown, confirmed, and what goes back by itself, told live."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from console.desks import LIVE, MARKET, Desk, opened, until
from hotbay.model import Kind


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A host with notes 1.0.0 installed and 2.0.0 offered."""
    with opened(tmp_path, lease_seconds=10.0) as made:
        made.pack()
        made.install()
        made.pack(version="2.0.0")
        yield made


def confirmation(desk: Desk) -> Any:
    return desk.get("/installed")["addons"][0]["confirmation"]


def test_an_upgrade_waits_is_shown_and_is_confirmed(desk: Desk) -> None:
    assert confirmation(desk) is None
    plan = desk.post("/plan", {"kind": "upgrade", "addon_id": "notes", "confirm_within": "10m"})
    assert "not confirmed within 600 s: back to 1.0.0" in plan["text"]
    body = {"confirm_within": "10m", "keep_new_rows": True}
    done = desk.post("/upgrade/notes", body)
    assert (done["confirmation"]["seconds"], done["confirmation"]["keep_new_rows"]) == (600.0, True)
    for shown in (confirmation(desk), desk.get("/addons/notes")["live"]["confirmation"]):
        assert (shown["state"], shown["version"], shown["actor"]) == ("pending", "2.0.0", "root@example.com")
        assert 0 < shown["seconds_left"] <= 600
    (waiting,) = desk.get("/confirmations")["confirmations"]
    assert (waiting["plugin"], waiting["name"], waiting["before_version"]) == ("notes", "Notes", "1.0.0")
    assert desk.post("/upgrade/notes", status=409)["code"] == "unconfirmed"
    assert desk.post("/confirm/notes")["state"] == "confirmed"
    assert desk.get("/confirmations") == {"confirmations": []}
    assert desk.post("/confirm/notes")["reason"] == "by root@example.com"
    assert confirmation(desk)["state"] == "confirmed"
    desk.outside(Kind.ROLLBACK, accept_loss=True)
    assert desk.post("/confirm/notes", status=404)["code"] == "not-found"


def test_nobody_confirms_and_it_is_told_live(desk: Desk) -> None:
    desk.post("/upgrade/notes", {"confirm_within": 1})
    with desk.client.stream("GET", f"{LIVE}/events") as answer:
        events = told(answer)
        back = next(item for item in events if item.get("kind") == "rollback")
        snapshot = next(
            row for item in events for row in item.get("plugins", ()) if row["confirmation"]["state"] == "reverted"
        )
    assert back["reason"] == "nobody confirmed it within 1 s"
    assert (snapshot["version"], snapshot["confirmation"]["reason"]) == ("1.0.0", back["reason"])
    assert desk.client.get("/api/v1/notes/version").json()["version"] == "1.0.0"
    late = desk.post("/confirm/notes", status=409)
    assert (late["code"], "was reverted" in late["detail"]) == ("too-late", True)
    (operation,) = [item for item in desk.get("/operations")["operations"] if item["kind"] == "rollback"]
    assert operation["actor"] == "commit-confirm"


def told(answer: httpx.Response) -> Iterator[Any]:
    """The data of all events."""
    return (json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: {"))


def test_an_install_that_nobody_confirms_goes(desk: Desk) -> None:
    desk.pack("other")
    assert desk.install("other", confirm_within="1s")["confirmation"]["kind"] == "install"
    until(lambda: [row["id"] for row in desk.get("/installed")["addons"]] == ["notes"])


def test_an_upload_can_be_confirmed(desk: Desk, tmp_path: Path) -> None:
    package = desk.pack(version="3.0.0", out=tmp_path)
    files = {"file": (package.name, package.read_bytes())}
    answer = desk.client.post(f"{MARKET}/upload", files=files, params={"confirm_within": "5m"})
    assert answer.json()["confirmation"]["seconds"] == 300.0
    assert desk.client.post(f"{MARKET}/upload", files=files, params={"keep_new_rows": True}).status_code == 422


@pytest.mark.parametrize("within", ["soon", -1, 0.5, "31d", [], "1" * 40])
def test_a_time_that_is_none_is_named(desk: Desk, within: Any) -> None:
    said = desk.post("/upgrade/notes", {"confirm_within": within}, 422)
    assert any("confirm_within" in problem["field"] for problem in said["problems"])
    assert confirmation(desk) is None
