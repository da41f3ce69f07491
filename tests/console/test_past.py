"""Operations with their steps, the audit, logs and their growth."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import httpx
import pytest

from console.desks import ADMIN, MARKET, Desk, until
from hotbay.console import history


def test_operations_the_newest_first_with_their_steps(desk: Desk) -> None:
    desk.install()
    desk.post("/toggle/notes")
    rows = desk.get("/operations")["operations"]
    assert [(row["kind"], row["state"], row["actor"]) for row in rows] == [
        ("deactivate", "done", "root@example.com"),
        ("install", "done", "root@example.com"),
    ]
    assert (rows[1]["title"], rows[1]["before"], rows[1]["after"]) == ("install notes 1.0.0", None, "1.0.0")
    assert "manifest" not in str(rows)
    assert len(desk.get("/operations", limit=1)["operations"]) == 1
    assert desk.get("/operations", plugin="shop")["operations"] == []
    found = desk.get(f"/operations/{rows[1]['id']}")
    assert [step["state"] for step in found["steps"]] == ["done"] * len(found["steps"])
    assert found["steps"][0]["summary"].startswith("unpack")
    assert all(step["seconds"] >= 0 for step in found["steps"])
    assert found["result"]["version"] == "1.0.0"
    assert desk.get("/operations/999", 404)["code"] == "not-found"
    assert desk.get("/operations/x", 422)["code"] == "bad-input"


def test_the_audit_has_refusals_too(desk: Desk) -> None:
    desk.install()
    desk.install(status=409)
    desk.install("nobody", 404)
    entries = desk.get("/audit")["entries"]
    assert [(row["plugin"], row["result"]) for row in entries] == [
        ("nobody", "refused: not-found"),
        ("notes", "refused: refused"),
        ("notes", "done"),
    ]
    assert len(desk.get("/audit", plugin="notes")["entries"]) == 2
    assert len(desk.get("/audit", limit=1)["entries"]) == 1


def test_logs_show_the_last_lines(desk: Desk) -> None:
    desk.install()
    assert desk.get("/logs/notes")["lines"] == []
    for _ in range(3):
        httpx.get(desk.url + "/api/v1/notes/version").raise_for_status()
    lines = until(lambda: len(found := desk.get("/logs/notes")["lines"]) == 3 and found)
    assert all(line.endswith("asked for the version") for line in lines)
    assert desk.get("/logs/notes", lines=1)["lines"] == lines[-1:]
    assert desk.get("/logs/notes", lines=0)["lines"] == []
    assert desk.get("/logs/nobody", 404)["code"] == "not-found"
    for path in ("/logs/..%2f..%2fsecret", "/logs/Notes", "/logs/%2e%2e"):
        assert desk.client.get(MARKET + path).status_code in (404, 422)


def test_logs_are_followed(desk: Desk) -> None:
    desk.install()
    logger = logging.getLogger("hotbay.plugin.notes")
    logger.warning("before")
    seen: list[str] = []

    def listen() -> None:
        with httpx.stream("GET", f"{desk.url}{MARKET}/logs/notes?follow=true", headers=ADMIN, timeout=20) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            for line in response.iter_lines():
                if line.startswith("data: "):
                    seen.append(line.split()[-1])
                if seen[-1:] == ["after"]:
                    return

    thread = threading.Thread(target=listen)
    thread.start()
    until(lambda: seen == ["before"])
    logger.warning("after")
    thread.join(10)
    assert seen == ["before", "after"]


def test_the_tail_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "x.log"
    assert history.tail(file, 5) == ([], (0, 0))
    file.write_bytes(b"one\ntwo\n\xff\nhalf")
    lines, end = history.tail(file, 2)
    assert lines == ["two", "\ufffd"]
    with file.open("ab") as stream:
        stream.write(b" whole\nmore\n")
    grown, end = history._grown(file, end)
    assert grown == b"half whole\nmore\n"
    assert history._grown(file, end)[0] == b""
    file.write_bytes(b"cut\n")
    assert history._grown(file, end)[0] == b"cut\n"
    monkeypatch.setattr(history, "_TAIL_BYTES", 8)
    file.write_bytes(b"a long line\nend\n")
    assert history.tail(file, 9)[0] == ["ine", "end"]
    file.unlink()
    assert history._grown(file, end) == (b"", (0, 0))
