"""Receipts over the API: written by the server itself a moment after the operation."""

from __future__ import annotations

from pathlib import Path

import httpx

from console.desks import opened, until
from hotbay.receipt import read_public, verify


def test_the_server_writes_them_and_tells_its_key(tmp_path: Path) -> None:
    with opened(tmp_path, receipt_seconds=2.0) as desk, httpx.Client(base_url=desk.url) as visitor:
        desk.pack()
        number = desk.install()["operation"]
        for _ in range(3):
            visitor.get("/api/v1/notes/version").raise_for_status()
        early = desk.get(f"/operations/{number}/receipt", 404)
        assert (early["code"], early["pending"]) == ("not-found", True)
        (signed,) = until(lambda: desk.get("/receipts", plugin="notes")["receipts"])
        told = desk.get("/receipts/key")
        found = verify(signed, read_public(told["pem"]))
        assert told["key"] == signed["key"]
        assert desk.get(f"/operations/{number}/receipt") == signed
        assert (found["operation"], found["actor"]) == (number, "root@example.com")
        assert (found["requests"]["after"]["requests"], found["requests"]["after"]["failed"]) == (3, 0)
        assert [item["state"] for item in found["workers"]] == ["there"]
        assert desk.get("/receipts", plugin="other")["receipts"] == []
        assert "pending" not in desk.get("/operations/999/receipt", 404)


def test_operations_from_outside_and_failed_ones_have_receipts(tmp_path: Path) -> None:
    from hotbay.model import Kind

    with opened(tmp_path, receipt_seconds=0.0) as desk:
        desk.pack()
        desk.outside(Kind.INSTALL)
        desk.pack(version="2.0.0", files={"backend/routes.py": "1 / 0\n"})
        desk.post("/upgrade/notes", {}, 422)
        found = until(lambda: len(rows := desk.get("/receipts")["receipts"]) == 2 and rows)
        assert [(item["receipt"]["actor"], item["receipt"]["state"]) for item in found] == [
            ("root@example.com", "failed"),
            ("outside", "done"),
        ]
