"""Small plugins for tests: a tree of files, a package's folder, an image, a context, waiting with a deadline."""

from __future__ import annotations

import asyncio
import json
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from hotbay.activate import Image
from hotbay.activate.context import PluginContext, Resources, no_engine
from hotbay.errors import NotFound
from hotbay.model import Version
from hotbay_sdk.manifest import parse

PATIENCE = 20.0
HELLO = """
    from fastapi import APIRouter
    router = APIRouter(prefix="/{id}")
    @router.get("/version")
    async def version():
        return {{"version": "{version}"}}
"""


def write_tree(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files (path → dedented text) below a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    return folder


def hello(plugin: str = "shop", version: str = "1.0.0") -> str:
    """The text of a `routes.py` that answers its version at `/{plugin}/version`."""
    return textwrap.dedent(HELLO).format(id=plugin, version=version)


def package(folder: Path, plugin: str = "shop", version: str = "1.0.0", files: Any = None, **manifest: Any) -> Path:
    """A package's folder: its manifest and the files of its `backend/` (default: `hello`)."""
    document = {"id": plugin, "name": plugin.title(), "version": version, **manifest}
    backend = {"routes.py": hello(plugin, version)} if files is None else files
    backend = {"__init__.py": "", **backend}
    write_tree(folder, {f"backend/{name}": text for name, text in backend.items()})
    (folder / "metadata.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


def image(folder: Path) -> Image:
    """What a runtime loads, straight from a package's folder."""
    manifest = parse((folder / "metadata.json").read_bytes())
    return Image(Version(manifest.id, manifest.version, "0" * 64, f"image-{manifest.version}"), folder, manifest)


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """What would run for ever runs while the block does."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class LonelyHub:
    """A worker with nobody else in it; remembers what was emitted."""

    def __init__(self) -> None:
        self.emitted: list[tuple[str, dict[str, Any]]] = []

    async def emit(self, event: str, payload: dict[str, Any]) -> None:
        self.emitted.append((event, payload))

    async def filter(self, name: str, value: Any, info: dict[str, Any]) -> Any:
        return [name, value, info]

    async def serve_call(self, service: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        raise NotFound(f"{service} {args} {kwargs}")


def resources(data: Path, **changes: Any) -> Resources:
    """What a context is made from, on the running loop, without a database."""
    values: dict[str, Any] = {
        "plugin": "shop",
        "version": "1.0.0",
        "number": 1,
        "data": data / "data",
        "engine": no_engine,
        "hub": LonelyHub(),
        "settings": {},
        "loop": asyncio.get_running_loop(),
    }
    return Resources(**{**values, **changes})


def context(data: Path, **changes: Any) -> PluginContext:
    """A context on the running loop."""
    return PluginContext(resources(data, **changes))


def client(app: Any) -> httpx.AsyncClient:
    """A client that speaks to an ASGI application; its exceptions come through."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://host")


async def until(true: Callable[[], Any], what: str = "") -> Any:
    """Poll until `true()` is; fails after a generous deadline."""
    deadline = time.monotonic() + PATIENCE
    while not (answer := true()):
        assert time.monotonic() < deadline, f"never became true: {what or true}"
        await asyncio.sleep(0.01)
    return answer
