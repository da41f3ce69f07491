"""The API as a whole: its paths, its description, its failures, below a root path."""

from __future__ import annotations

from pathlib import Path

import fastapi.routing
import httpx
import pytest
from fastapi import FastAPI

from console.desks import ADMIN, LIVE, MARKET, Desk, admin, serving, until
from hotbay import Hotbay


def test_status_names_workers_and_versions(desk: Desk) -> None:
    desk.install()
    found = desk.client.get(f"{LIVE}/status").json()
    assert (found["epoch"], found["rev"]) == desk.hotbay.store.rev()
    assert [worker["worker"] for worker in found["workers"]] == [found["worker"]]
    assert found["workers"][0]["plugins"]["notes"]["version"] == "1.0.0"
    assert set(found["versions"]) == {"hotbay", "python"}


def test_the_api_describes_itself_and_stays_out_of_the_hosts_document(desk: Desk) -> None:
    document = desk.client.get(f"{LIVE}/openapi.json").json()
    assert {f"{MARKET}/install", f"{MARKET}/addons/{{addon_id}}", f"{LIVE}/events"} <= set(document["paths"])
    assert not any(path.startswith(MARKET) for path in httpx.get(f"{desk.url}/openapi.json").json()["paths"])


def test_no_request_waits_for_what_is_made_of_the_routes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host, made = FastAPI(), list[object]()
    Hotbay(host, admin=admin, home=tmp_path / "var")
    make = fastapi.routing.create_model_field
    monkeypatch.setattr(fastapi.routing, "create_model_field", lambda **given: made.append(given) or make(**given))
    with serving(host) as (_, url):
        assert made
        made.clear()
        assert httpx.get(f"{url}{MARKET}/installed", headers=ADMIN).status_code == 200
    assert made == []


def test_unknown_paths_and_methods_are_problems(desk: Desk) -> None:
    for method, path, status, code in (
        ("GET", "/nothing", 404, "not-found"),
        ("PUT", "/install", 405, "method-not-allowed"),
        ("GET", "/addons/Not-An-Id", 422, "bad-input"),
    ):
        response = desk.client.request(method, MARKET + path)
        assert (response.status_code, response.json()["code"]) == (status, code)
        assert response.headers["content-type"] == "application/problem+json"


def test_a_mistake_of_ours_has_a_number_and_no_internals(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.hotbay.store.all_live = lambda: 1 / 0  # type: ignore[assignment,method-assign,return-value]
    response = desk.client.get(f"{MARKET}/installed")
    assert (response.status_code, response.json()["code"]) == (500, "error")
    assert "division" not in response.text
    assert response.json()["id"] in caplog.text
    assert caplog.text.count("ZeroDivisionError: ") == 1


def test_the_roots_are_ours_and_their_neighbours_are_not(desk: Desk) -> None:
    api = desk.hotbay.api
    assert all(api.owns(path) for path in (MARKET, f"{MARKET}/", f"{LIVE}/events"))
    assert not any(api.owns(path) for path in ("/", "/api/v1", f"{MARKET}s", "/api/v1/notes", f"/x{MARKET}"))


def test_below_a_root_path_addresses_keep_it(desk: Desk, tmp_path: Path) -> None:
    outer, inner = FastAPI(), FastAPI()
    outer.mount("/panel", inner)
    hotbay = Hotbay(inner, admin=admin, home=tmp_path / "below")
    outer.router.lifespan_context = lambda app: inner.router.lifespan_context(inner)
    desk.pack(out=hotbay.settings.packages)
    with serving(outer) as (_, url), httpx.Client(base_url=url, headers=ADMIN, timeout=20) as client:
        assert client.get(f"/panel{MARKET}/addons").json()["total"] == 1
        body = {"addon_id": "notes"}
        accepted = client.post(f"/panel{MARKET}/install", json=body, params={"wait": "false"})
        assert accepted.status_code == 202
        assert accepted.json()["href"].startswith(f"/panel{MARKET}/operations/")
        assert client.get(accepted.headers["location"]).status_code == 200
        until(lambda: client.get(accepted.headers["location"]).json()["state"] == "done")
    hotbay.store.close()
