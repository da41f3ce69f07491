"""A plugin's exception is the plugin's 500 with an id, logged under its name: in all kinds of routes and hosts."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from console.desks import LIVE, Desk, opened, until

ROUTES = """
import asyncio
import time
from fastapi import APIRouter, BackgroundTasks, Depends, HTTPException
from fastapi.responses import StreamingResponse

router = APIRouter(prefix="/notes")


@router.get("/sync")
def sync():
    raise RuntimeError("a secret detail")


@router.get("/async")
async def asynchronous():
    raise KeyError("a secret detail")


def dependency():
    raise ZeroDivisionError("a secret detail")


@router.get("/dependency")
def depends(found=Depends(dependency)):
    return found


async def closing():
    yield 1
    raise RuntimeError("a secret detail")


@router.get("/response", response_model=int)
def response():
    return "a secret detail"


@router.get("/group")
async def group():
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(asynchronous())


@router.get("/http")
def http():
    raise HTTPException(418, "short and stout")


@router.get("/hosts")
def hosts():
    raise LookupError("the host knows what to do")


@router.get("/after")
def after(tasks: BackgroundTasks):
    tasks.add_task(sync)
    return "fine"


@router.get("/stream")
def stream():
    def parts():
        yield "begun"
        raise RuntimeError("a secret detail")
    return StreamingResponse(parts())


@router.get("/hold")
async def hold():
    time.sleep(0.6)
    return "at last"
"""


def host(*, debug: bool) -> FastAPI:
    app = FastAPI(debug=debug)

    @app.exception_handler(LookupError)
    async def known(request: Request, error: Exception) -> JSONResponse:
        if isinstance(error, KeyError):
            raise error
        return JSONResponse({"host": "knows"}, 409)

    @app.exception_handler(Exception)
    async def anything(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"host": "is broken"}, 500)

    return app


@pytest.fixture(params=[False, True], ids=["plain", "debug"], scope="module")
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A host with handlers of its own, also in debug mode."""
    with opened(tmp_path_factory.mktemp("host"), host(debug=request.param), metrics_token="t" * 16) as made:
        made.pack(files={"backend/routes.py": ROUTES})
        made.install()
        yield made


@pytest.mark.parametrize("path", ["sync", "async", "dependency", "response", "group"])
def test_it_is_the_plugins_500_with_an_id(desk: Desk, path: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = desk.client.get(f"/api/v1/notes/{path}")
    assert answer.status_code == 500, answer.text
    body = answer.json()
    assert (body["code"], body["plugin"]) == ("plugin-error", "notes")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text and "Traceback" not in answer.text
    (record,) = [item for item in caplog.records if body["error_id"] in item.getMessage()]
    assert record.name == "hotbay.plugin.notes" and record.exc_info is not None
    logged = (desk.hotbay.settings.logs / "notes.log").read_text()
    assert body["error_id"] in logged and "Traceback" in logged


def test_what_is_no_accident_is_answered_as_the_plugin_wants(desk: Desk) -> None:
    answer = desk.client.get("/api/v1/notes/http")
    assert (answer.status_code, answer.json()) == (418, {"detail": "short and stout"})


def test_the_hosts_handlers_for_exceptions_of_its_own_are_asked_first(desk: Desk) -> None:
    answer = desk.client.get("/api/v1/notes/hosts")
    assert (answer.status_code, answer.json()) == (409, {"host": "knows"})


def test_after_the_answer_it_is_logged_only(desk: Desk) -> None:
    log = desk.hotbay.settings.logs / "notes.log"
    before = log.read_text().count("Traceback") if log.exists() else 0
    answer = desk.client.get("/api/v1/notes/after")
    assert (answer.status_code, answer.json()) == (200, "fine")
    until(lambda: log.read_text().count("Traceback") > before)


def test_in_the_middle_of_an_answer_the_client_sees_a_broken_end(desk: Desk) -> None:
    import httpx

    with pytest.raises(httpx.RemoteProtocolError):
        desk.client.get("/api/v1/notes/stream")


# ── and all of it is measured ───────────────────────────────────────────────────────────────────────────────────


def samples(desk: Desk, **headers: str) -> dict[str, float]:
    text = desk.client.get(f"{LIVE}/metrics", headers=headers).text
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def of(found: dict[str, float], name: str, **labels: str) -> float:
    def fits(key: str) -> bool:
        return key.startswith(name + "{") and all(f'{label}="{text}"' in key for label, text in labels.items())

    return sum(value for key, value in found.items() if fits(key))


def test_metrics_count_requests_failures_and_who_held_the_loop(desk: Desk) -> None:
    before = samples(desk)
    for path in ("sync", "async", "http"):
        desk.client.get(f"/api/v1/notes/{path}")
    assert desk.client.get("/api/v1/notes/hold").json() == "at last"

    def held() -> Any:
        return of(samples(desk), "hotbay_plugin_loop_held_total", plugin="notes")

    until(held)
    found = samples(desk)
    name = "hotbay_plugin_requests_total"
    assert of(found, name, plugin="notes") - of(before, name, plugin="notes") == 4
    name = "hotbay_plugin_failures_total"
    assert of(found, name, kind="exception") - of(before, name, kind="exception") == 2
    assert of(found, "hotbay_plugin_generations_total", plugin="notes") >= 1
    assert of(found, "hotbay_plugin_loop_held_seconds_total", plugin="notes") >= 0.2
    assert found["hotbay_workers"] == 1
    assert "plugin notes held the loop" in (desk.hotbay.settings.logs / "notes.log").read_text()


def test_metrics_are_for_administrators_and_for_who_has_the_token(desk: Desk) -> None:
    path = f"{LIVE}/metrics"
    for text in ("", "Bearer somebody", f"Bearer {'u' * 16}", "t" * 15):
        assert desk.client.get(path, headers={"authorization": text}).status_code in (401, 403), text
    token = {"authorization": f"Bearer {'t' * 16}"}
    answer = desk.client.get(path, headers=token)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert desk.client.get(f"{LIVE}/status", headers=token).status_code in (401, 403)
    assert desk.client.post(path, headers=token).status_code in (401, 403)
