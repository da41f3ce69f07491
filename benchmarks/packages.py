"""Packages that exist only to be measured."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness import HOSTS
from hotbay.package import pack

HELLO = '''
"""Says which process answers."""

import os

from fastapi import APIRouter

router = APIRouter(prefix="/{plugin}")


@router.get("/pid")
async def pid() -> dict[str, int]:
    """The worker's process id."""
    return {{"pid": os.getpid()}}
'''


DEPOT = '''
"""Says which version and which process answers, and takes uploads."""

import hashlib
import os

from fastapi import APIRouter, Request

router = APIRouter(prefix="/depot")
SELF = {{"version": "{version}", "pid": os.getpid()}}


@router.get("")
async def who() -> dict[str, object]:
    """Who answers. The second version is read from another module, at the request."""
    from depot.late import VERSION

    return {{**SELF, "late": VERSION}}


@router.post("/upload")
async def upload(request: Request) -> dict[str, object]:
    """The hash of a body that comes piece by piece."""
    seen = hashlib.sha256()
    async for piece in request.stream():
        seen.update(piece)
    return {{**SELF, "late": SELF["version"], "sha256": seen.hexdigest()}}
'''


def metadata(plugin: str, version: str = "1.0.0", **more: Any) -> dict[str, Any]:
    """A manifest."""
    return {
        "id": plugin,
        "name": plugin.replace("_", " ").title(),
        "version": version,
        "author": "benchmarks",
        "description": "Exists only to be measured.",
        "category": "benchmark",
        "backend": {"routes": [f"/api/v1/{plugin}/*"]},
        **more,
    }


def write_tree(folder: Path, manifest: dict[str, Any], files: dict[str, str]) -> Path:
    """A plugin's tree: `metadata.json` and files by their path."""
    for name, text in {"metadata.json": json.dumps(manifest, indent=2), **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def hello_tree(folder: Path, plugin: str = "hello") -> Path:
    """The smallest plugin with a route: `GET /api/v1/{plugin}/pid`."""
    files = {"backend/__init__.py": "", "backend/routes.py": HELLO.format(plugin=plugin)}
    return write_tree(folder, metadata(plugin), files)


def build_hello(into: Path, plugin: str = "hello") -> Path:
    """Pack it."""
    with TemporaryDirectory() as temporary:
        return pack(hello_tree(Path(temporary) / plugin, plugin), _made(into))


def build_depot(into: Path, version: str) -> Path:
    """Pack the plugin `depot` in some version."""
    files = {
        "backend/__init__.py": "",
        "backend/late.py": f"VERSION = {version!r}\n",
        "backend/routes.py": DEPOT.format(version=version),
    }
    manifest = metadata("depot", version, backend={"routes": ["/api/v1/depot/*"]})
    with TemporaryDirectory() as temporary:
        return pack(write_tree(Path(temporary) / "depot", manifest, files), _made(into))


def build_sample(into: Path) -> Path:
    """Pack `hosts/sample_routes.py`, the routes that the plain host of overhead.py includes, as the plugin `sample`."""
    with TemporaryDirectory() as temporary:
        tree = write_tree(Path(temporary) / "sample", metadata("sample"), {"backend/__init__.py": ""})
        shutil.copy(HOSTS / "sample_routes.py", tree / "backend" / "routes.py")
        return pack(tree, _made(into))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


PANE = """
export const AddonConfig = {{
  routes: [{{ path: '/support/pane', component: () => import('./pages/Page'), requireAdmin: true }}],
  components: {{ Widget: () => import('./components/Widget') }},
  navigationItems: [{{ parent: 'Support', name: 'Pane {version}', href: '/support/pane', icon: 'TicketIcon' }}],
  widgets: [{{ slot: 'homepage.widgets', component: 'Widget' }}],
}};
"""
PANE_PART = """
export default function {name}({{ plugin }}) {{
  return <p className="{css}">Pane {{plugin.version}}</p>;
}}
"""


def build_pane(into: Path, version: str) -> Path:
    """Pack a plugin whose menu entry, page and widget say its version; its frontend is compiled here."""
    files = {
        "backend/__init__.py": "",
        "frontend/addon.config.ts": PANE.format(version=version),
        "frontend/pages/Page.tsx": PANE_PART.format(name="Page", css="pane-page") + f"// {version}\n",
        "frontend/components/Widget.tsx": PANE_PART.format(name="Widget", css="pane-widget") + f"// {version}\n",
    }
    browser = {"routes": ["/support/pane"], "components": ["Widget"]}
    with TemporaryDirectory() as temporary:
        tree = write_tree(Path(temporary) / "pane", metadata("pane", version, backend={}, frontend=browser), files)
        return pack(tree, _made(into))
