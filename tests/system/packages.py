"""Small real packages for the system tests: a probe in several versions, and broken ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hotbay.package import pack

ROUTES = """
import asyncio
import os

from fastapi import APIRouter, WebSocket
from fastapi.responses import StreamingResponse
from hotbay_sdk import context

from probe.version import NUMBER

router = APIRouter(prefix="/probe")
ctx = context(__name__)


@router.get("")
def where():
    from probe.lazy import NUMBER as late

    return {"pid": os.getpid(), "version": NUMBER, "late": late, "generation": ctx.generation}


@router.post("/echo")
async def echo(body: dict):
    return {"version": NUMBER, **body}


@router.get("/slow")
async def slow(seconds: float = 1.0):
    await asyncio.sleep(seconds)
    from probe.lazy import NUMBER as late

    return {"version": NUMBER, "late": late}


@router.get("/ticks")
async def ticks():
    async def lines():
        number = 0
        while not ctx.closing:
            yield f"data: {NUMBER} {number}\\n\\n"
            number += 1
            await asyncio.sleep(0.05)
        yield "event: bye\\ndata: closing\\n\\n"

    return StreamingResponse(lines(), media_type="text/event-stream")


@router.get("/stubborn")
async def stubborn():
    async def lines():
        while True:
            yield f"data: {NUMBER}\\n\\n"
            await asyncio.sleep(0.05)

    return StreamingResponse(lines(), media_type="text/event-stream")


@router.websocket("/ws")
async def ws(socket: WebSocket):
    await socket.accept()
    while True:
        await socket.send_text(NUMBER + " " + await socket.receive_text())


@router.get("/boom")
def boom():
    raise RuntimeError("a secret detail")
"""

JOBS = """
import os
from hotbay_sdk import context, every, filters, on, service

ctx = context(__name__)


@every(0.1)
def beat():
    with (ctx.data / "beats.txt").open("a") as stream:
        stream.write(f"{os.getpid()} {ctx.version}\\n")


@on("probed")
def heard(number):
    with (ctx.data / "events.txt").open("a") as stream:
        stream.write(f"{ctx.version} {number}\\n")


@filters("number")
def more(value):
    return value + 10
"""


def manifest(version: str, **more: Any) -> dict[str, Any]:
    """A manifest of the probe."""
    base = {
        "id": "probe",
        "name": "Probe",
        "version": version,
        "author": "Hotbay",
        "description": "Says which worker and version answers",
        "backend": {"routes": ["/api/v1/probe/*"]},
        "frontend": {"routes": ["/tools/probe"]},
    }
    return base | more


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write a tree of text files."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def probe(folder: Path, version: str = "1.0.0", *, jobs: bool = False, **more: Any) -> Path:
    """The probe's folder."""
    files = {
        "metadata.json": json.dumps(manifest(version, **more)),
        "backend/__init__.py": "",
        "backend/version.py": f"NUMBER = {version!r}\n",
        "backend/lazy.py": f"NUMBER = {version!r}\n",
        "backend/routes.py": ROUTES,
    }
    if jobs:
        files["backend/jobs.py"] = JOBS
    return write(folder, files)


def with_table(folder: Path, version: str = "1.0.0", **more: Any) -> Path:
    """The probe with a table."""
    probe(folder, version, **more)
    up = "CREATE TABLE probe_notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL);\n"
    return write(
        folder, {"migrations/0001_notes.up.sql": up, "migrations/0001_notes.down.sql": "DROP TABLE probe_notes;\n"}
    )


def packed(folder: Path, out: Path) -> Path:
    """The folder as a package in a local source."""
    return pack(folder, out)


BROKEN: dict[str, dict[str, str]] = {
    "syntax error": {"backend/routes.py": "def broken(:\n"},
    "import error": {"backend/routes.py": "import no_such_module_anywhere\n"},
    "raises at import": {"backend/routes.py": "1 / 0\n"},
    "bad SQL": {"migrations/0002_bad.up.sql": "CREATE TABLE probe_more (id INTEGER);\nCREATE TABEL probe_x (id);\n"},
    "foreign table": {"migrations/0002_bad.up.sql": "DROP TABLE hotbay_live;\n"},
    "unhealthy": {"backend/plugin.py": "def health(context):\n    return False\n"},
    "failing health": {"backend/plugin.py": "def health(context):\n    raise RuntimeError('no pulse')\n"},
    "failing start": {"backend/plugin.py": "async def start(context):\n    raise RuntimeError('no ignition')\n"},
    "hanging start": {
        "backend/plugin.py": "import asyncio\nasync def start(context):\n    await asyncio.sleep(3600)\n"
    },
    "hanging import": {"backend/plugin.py": "import time\ntime.sleep(3600)\n"},
    "wrong manifest": {"metadata.json": '{"id": "probe", "version": "two"}'},
    "unclaimed route": {
        "backend/routes.py": "from fastapi import APIRouter\nrouter = APIRouter()\n@router.get('/elsewhere')\n"
        "def elsewhere():\n    return 1\n"
    },
    "missing dependency": {
        "metadata.json": json.dumps(manifest("2.0.0") | {"backend": {"dependencies": ["nosuch>=1"]}})
    },
}
