"""A small host under uvicorn in a thread, with packages to install, and an administrator's client."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException

from console.shapes import Shapes
from hotbay import Hotbay
from hotbay.model import Kind
from hotbay.offline import open_host
from hotbay.package import pack
from hotbay.request import Request

MARKET = "/api/v1/marketplace"
LIVE = "/api/v1/hotbay"
ADMIN = {"authorization": "Bearer root"}
ROUTES = """
from fastapi import APIRouter
from hotbay_sdk import context

router = APIRouter(prefix="/notes")
ctx = context(__name__)


@router.get("/version")
def version():
    ctx.log.info("asked for the version")
    return {"version": ctx.version, "greeting": ctx.settings.greeting}
"""
SETTINGS = """
from pydantic import BaseModel, Field, SecretStr


class Settings(BaseModel):
    greeting: str = "hello"
    many: int = Field(3, ge=1, le=9)
    key: SecretStr | None = None
"""


def user(authorization: str = Header("")) -> dict[str, str]:
    """Who is logged in: `Bearer NAME`."""
    name = authorization.removeprefix("Bearer ").strip()
    if not name:
        raise HTTPException(401, "log in first", {"WWW-Authenticate": "Bearer"})
    return {"email": f"{name}@example.com"}


def admin(found: dict[str, str] = Depends(user)) -> dict[str, str]:
    """Only root."""
    if found["email"] != "root@example.com":
        raise HTTPException(403, "admins only")
    return found


def tree(folder: Path, plugin: str = "notes", version: str = "1.0.0", **changes: Any) -> Path:
    """A package's folder: `files` adds or replaces files, the rest goes into the manifest."""
    files = changes.pop("files", {})
    manifest = {
        "id": plugin,
        "name": plugin.title(),
        "version": version,
        "description": "Keeps notes",
        "category": "Office",
        "icon": "N",
        "frontend": {"routes": [f"/{plugin}"]},
        **changes,
    }
    base = {
        "metadata.json": json.dumps(manifest),
        "README.md": f"# {plugin} {version}\n",
        "backend/__init__.py": "",
        "backend/routes.py": ROUTES.replace("/notes", f"/{plugin}"),
        "backend/plugin.py": SETTINGS,
        "migrations/up.sql": f"CREATE TABLE {plugin}_rows (id INTEGER PRIMARY KEY, text TEXT);\n",
        "migrations/down.sql": f"DROP TABLE {plugin}_rows;\n",
    }
    for name, text in (base | files).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


class Desk:
    """A host, its state's folder, and a way to pack for it. `client` is an administrator."""

    def __init__(self, folder: Path, host: Any, hotbay: Hotbay, url: str) -> None:
        self.folder, self.host, self.hotbay, self.url = folder, host, hotbay, url
        self.shapes = Shapes(hotbay.api.app.openapi())
        checked: Any = {"response": [self.shapes.check]}
        self.client = httpx.Client(base_url=url, headers=ADMIN, timeout=30, event_hooks=checked)
        self._count = 0

    def pack(self, plugin: str = "notes", version: str = "1.0.0", *, out: Path | None = None, **changes: Any) -> Path:
        """A package in the local source, or in `out`."""
        self._count += 1
        source = tree(self.folder / "trees" / str(self._count) / plugin, plugin, version, **changes)
        return pack(source, out or self.hotbay.settings.packages)

    def get(self, path: str, status: int = 200, **query: Any) -> Any:
        """GET below the marketplace, as JSON."""
        return _json(self.client.get(MARKET + path, params=query), status)

    def post(self, path: str, body: Any = None, status: int = 200, **query: Any) -> Any:
        """POST below the marketplace, as JSON."""
        return _json(self.client.post(MARKET + path, json=body, params=query), status)

    def install(self, plugin: str = "notes", status: int = 200, **body: Any) -> Any:
        """Install."""
        return self.post("/install", {"addon_id": plugin, **body}, status)

    def outside(self, kind: Kind, plugin: str = "notes", **wishes: Any) -> Any:
        """An operation of another process, as far as this one can tell."""
        host = open_host(self.hotbay.settings, actor="outside")
        try:
            return host.applier.run(Request(kind, plugin, **wishes))
        finally:
            host.close()


def _json(response: httpx.Response, status: int) -> Any:
    assert response.status_code == status, response.text
    if status >= 400:
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["status"] == status
    return response.json()


@contextmanager
def serving(app: Any) -> Iterator[tuple[uvicorn.Server, str]]:
    """Serve an application on a free port; the server and its address."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", log_config=None, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive() and time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)
        yield server, f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive(), "the server did not stop"


@contextmanager
def opened(folder: Path, host: Any = None, *, check: Any = admin, **options: Any) -> Iterator[Desk]:
    """A host that serves; by default FastAPI, with `admin`."""
    host = FastAPI() if host is None else host
    options = {"lease_seconds": 0.3, "watch_seconds": 0.1, "ack_seconds": 2.0} | options
    hotbay = Hotbay(host, admin=check, home=folder / "var", **options)
    app = host if isinstance(host, FastAPI) or hasattr(host, "router") else hotbay
    with serving(app) as (_, url):
        desk = Desk(folder, host, hotbay, url)
        try:
            yield desk
        finally:
            desk.client.close()
            hotbay.store.close()


def until(what: Any, seconds: float = 15.0) -> Any:
    """Ask until the answer is truthy."""
    deadline = time.monotonic() + seconds
    while not (answer := what()):
        assert time.monotonic() < deadline, f"still {answer!r}"
        time.sleep(0.02)
    return answer
