"""What the API says of its answers: every one has a shape, and one that is not as it is described is told."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from console.desks import MARKET, Desk

# What is no JSON, or has no body.
OTHERS = {"get /api/v1/hotbay/events", "get /api/v1/hotbay/metrics", "delete /api/v1/marketplace/license/{addon_id}"}
OTHERS |= {"get /api/v1/marketplace/addons/{addon_id}/screenshots/{name}"}


def test_every_answer_has_a_shape(desk: Desk) -> None:
    document = desk.hotbay.api.app.openapi()
    bare = set()
    for path, methods in document["paths"].items():
        for method, about in methods.items():
            schema = about["responses"].get("200", {}).get("content", {}).get("application/json", {}).get("schema", {})
            if "$ref" not in schema:
                bare.add(f"{method} {path}")
    assert bare == OTHERS


def answer(desk: Desk, body: Any) -> None:
    request = httpx.Request("GET", f"{desk.url}{MARKET}/license/notes")
    desk.shapes.check(httpx.Response(200, json=body, request=request))


def test_an_answer_that_is_not_as_described_is_told(desk: Desk) -> None:
    answer(desk, {"addon_id": "notes", "set": True})
    for wrong in (
        {"addon_id": "notes"},
        {"addon_id": "notes", "set": 1},
        {"addon_id": "notes", "set": True, "key": "x"},
    ):
        with pytest.raises(AssertionError, match="license/notes"):
            answer(desk, wrong)


def test_what_an_administrator_looks_at_is_checked(desk: Desk) -> None:
    desk.install()
    for path in ("/addons", "/addons/notes", "/installed", "/operations", "/operations/1", "/audit", "/backups"):
        desk.get(path)
        assert f"get {MARKET}{path.replace('notes', '{addon_id}').replace('1', '{number}')} 200" in desk.shapes.seen
