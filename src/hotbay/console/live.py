"""What goes on right now: live events, the state of the workers, and this API's own description."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from hotbay.console.desk import Actor, Host, MendBody
from hotbay.console.events import stream
from hotbay.console.shapes import answers, host
from hotbay.doctor import ERROR, examine, mend
from hotbay.journal import slim
from hotbay.metrics import KIND, render
from hotbay.presence import Status
from hotbay.readings import readings

router = APIRouter(tags=["live"])


@router.get("/events", response_model=None)
async def events(hotbay: Host, last_event_id: Annotated[str, Header()] = "", snapshots: bool = True) -> Response:
    """Server-sent events: `snapshot` of the registry at each change, `operation` for each step of any operation.

    With `snapshots=false` the steps alone.
    """
    return stream(hotbay.feed.subscribe(last_event_id) if snapshots else hotbay.feed.steps())


@router.get("/status", **answers(host.Status))
def status(hotbay: Host) -> Response:
    """The registry's revision, who serves, and who writes."""
    epoch, rev = hotbay.store.rev()
    lease = hotbay.applier("status").lease
    body = {
        "epoch": epoch,
        "rev": rev,
        "worker": hotbay.follower.worker,
        "safe_mode": hotbay.settings.safe_mode,
        "workers": [_worker(item) for item in hotbay.follower.workers.statuses()],
        "lease": lease.holder() or None,
        "versions": {"hotbay": version("hotbay"), "python": platform.python_version()},
        "api_prefix": hotbay.settings.api_prefix,
        "source": hotbay.settings.plugin_source,
    }
    return JSONResponse(body)


@router.get("/health", **answers(host.Health))
def health(hotbay: Host) -> Response:
    """What `hotbay doctor` finds: each with a level, words, and what mends it. Takes a while: it reads every image."""
    findings = [finding.to_json() for finding in examine(hotbay.settings)]
    return JSONResponse({"ok": all(item["level"] != ERROR for item in findings), "findings": findings})


@router.post("/health/mend", **answers(host.Mended))
def mend_findings(body: MendBody, hotbay: Host, actor: Actor) -> Response:
    """Mend findings by their ids, or `all` that need no decision; answers what was done, and what was found then."""
    wanted = None if body.findings == "all" else body.findings
    made = mend(hotbay.applier(actor), wanted)
    findings = [finding.to_json() for finding in examine(hotbay.settings)]
    ok = not made.failed and all(item["level"] != ERROR for item in findings)
    return JSONResponse({"ok": ok, **made.to_json(), "findings": findings})


@router.get("/metrics", response_model=None)
def metrics(hotbay: Host) -> Response:
    """What all workers measured, in Prometheus' text format; for administrators, and for whoever has the token."""
    return PlainTextResponse(render(readings(hotbay.follower.workers)), media_type=KIND)


def _worker(item: Status) -> dict[str, Any]:
    said = asdict(item)
    return said | {"plugins": {plugin: _slim(about) for plugin, about in said["plugins"].items()}}


def _slim(about: dict[str, Any]) -> dict[str, Any]:
    prepared = about.get("prepared")
    if prepared:
        about = about | {"prepared": slim(prepared)}
    return about


@router.get("/openapi.json", include_in_schema=False)
def openapi(request: Request) -> Response:
    """This API's OpenAPI document."""
    return JSONResponse(request.app.openapi())
