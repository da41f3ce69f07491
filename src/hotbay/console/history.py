"""What happened: operations with their steps, the audit, and the plugins' logs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from hotbay import journal
from hotbay.console.desk import AddonId, Host, Limit
from hotbay.console.events import Feed, event, stream
from hotbay.console.shapes import answers
from hotbay.console.shapes.operations import Audit, OperationDetail, Operations
from hotbay.console.shapes.plugin import LogLines
from hotbay.errors import NotFound

router = APIRouter(tags=["history"])
_TAIL_BYTES = 1024 * 1024
_LOOK_SECONDS = 0.5
Lines = Annotated[int, Query(ge=0, le=5000)]


@router.get("/operations", **answers(Operations))
def operations(hotbay: Host, plugin: str = "", limit: Limit = 50) -> Response:
    """Operations, the newest first."""
    rows = journal.list_operations(hotbay.store, plugin=plugin, limit=limit)
    return JSONResponse({"operations": [operation_json(row) for row in rows]})


@router.get("/operations/{number}", **answers(OperationDetail))
def operation(number: int, hotbay: Host) -> Response:
    """One operation with its plan, steps, result and error, and how the workers left the old generation.

    `unload` has each worker's proof; it is None until the receipt is written: some seconds after the
    old generation's last request.
    """
    row = journal.get_operation(hotbay.store, number)
    planned = row["plan"].get("steps", [])
    steps = [_step_json(step, planned) for step in row["steps"]]
    told = {"steps": steps, "result": row["result"], "error": row["error"], "unload": hotbay.notary.unload(number)}
    return JSONResponse(operation_json(row) | told)


def operation_json(row: dict[str, Any]) -> dict[str, Any]:
    """An operation without its steps. `before` and `after` are versions, None where there is none."""
    plan = row["plan"]
    names = ("id", "kind", "plugin", "actor", "state", "switched", "created_at", "finished_at")
    return {name: row[name] for name in names} | {
        "operation": row["id"],
        "title": plan.get("title", ""),
        "before": (plan.get("before") or {}).get("version"),
        "after": (plan.get("after") or {}).get("version"),
        "detail": (row["error"] or {}).get("detail", ""),
    }


def _step_json(step: dict[str, Any], planned: list[dict[str, Any]]) -> dict[str, Any]:
    names = ("seq", "verb", "state", "seconds", "error")
    about = planned[step["seq"]] if step["seq"] < len(planned) else {}
    told = {"summary": about.get("summary", ""), "words": about.get("words", [])}
    return {name: step[name] for name in names} | told | {"record": journal.slim(step["record"] or {})}


@router.get("/audit", **answers(Audit))
def audit(hotbay: Host, plugin: str = "", limit: Limit = 100) -> Response:
    """Who did what, when, with what result; the newest first."""
    return JSONResponse({"entries": hotbay.store.audit_entries(plugin, limit)})


@router.get("/logs/{addon_id}", **answers(LogLines))
async def logs(addon_id: AddonId, hotbay: Host, lines: Lines = 200, follow: bool = False) -> Response:
    """The last lines of a plugin's log; with `follow` as a stream of events `line` that goes on."""
    file = hotbay.settings.logs / f"{addon_id}.log"
    known = await asyncio.to_thread(lambda: file.is_file() or hotbay.store.find_live(addon_id) is not None)
    if not known:
        raise NotFound(f"there is no log of {addon_id!r}", mend="only installed plugins have one")
    text, end = await asyncio.to_thread(tail, file, lines)
    if follow:
        return stream(_followed(hotbay.feed, file, text, end))
    return JSONResponse({"addon_id": addon_id, "lines": text})


async def _followed(feed: Feed, file: Path, first: list[str], end: tuple[int, int]) -> AsyncIterator[str]:
    for line in first:
        yield event("line", line)
    partial = b""
    async for _ in feed.ticks(_LOOK_SECONDS):
        fresh, end = await asyncio.to_thread(_grown, file, end)
        *whole, partial = (partial + fresh).split(b"\n")
        partial = partial[-_TAIL_BYTES:]
        for raw in whole:
            yield event("line", raw.decode("utf-8", errors="replace"))


def tail(file: Path, count: int) -> tuple[list[str], tuple[int, int]]:
    """The last lines of a file (of its last MiB), and where it ended: inode and size."""
    try:
        with file.open("rb") as source:
            info = os.fstat(source.fileno())
            source.seek(max(0, info.st_size - _TAIL_BYTES))
            data = source.read(info.st_size - source.tell())
    except FileNotFoundError:
        return [], (0, 0)
    # What follows the last line break is a line that is being written: `_grown` will bring it whole.
    whole, _, rest = data.rpartition(b"\n")
    found = whole.decode("utf-8", errors="replace").split("\n") if whole else []
    return found[-count:] if count else [], (info.st_ino, info.st_size - len(rest))


def _grown(file: Path, end: tuple[int, int]) -> tuple[bytes, tuple[int, int]]:
    """What came after `end`; a file that was replaced or cut is read from its start."""
    try:
        with file.open("rb") as source:
            info = os.fstat(source.fileno())
            start = end[1] if info.st_ino == end[0] and info.st_size >= end[1] else 0
            source.seek(max(start, info.st_size - _TAIL_BYTES))
            data = source.read(_TAIL_BYTES)
            return data, (info.st_ino, source.tell())
    except FileNotFoundError:
        return b"", (0, 0)
