"""The billing host with two workers, served for real, with the chatbot and a package for these tests to install."""

from __future__ import annotations

import json
import os
import runpy
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import httpx

from hotbay.package import pack

ROOT = Path(__file__).parents[2]
BILLING = ROOT / "examples" / "billing"
PLUGIN = "live_notes"
PASSWORD = "correct horse"
ADMIN, CUSTOMER = "admin@example.com", "customer@example.com"
API = "/api/v1"

CONFIG = """
    export const AddonConfig = {
      routes: [{ path: '/support/notes', component: () => import('./pages/NotesPage'), requireAdmin: true }],
      components: { NotesWidget: () => import('./components/NotesWidget') },
      navigationItems: [
        { parent: 'Support', name: 'Live Notes', href: '/support/notes', icon: 'ChatBubbleLeftRightIcon' },
      ],
      widgets: [{ slot: 'homepage.widgets', component: 'NotesWidget' }],
      commands: [{ id: 'notes', title: 'Answer notes', href: '/support/notes' }],
    };
"""
PAGE = """
    import { useHotState } from '@hotbay/sdk';
    import { PageHeader, TextInput } from '@hotbay/ui';

    export default function NotesPage({ plugin }) {
      const [text, setText] = useHotState('draft', '');
      if (text === 'crash') throw new Error('the page broke');
      return (
        <>
          <PageHeader title="Live Notes" about={`Version ${plugin.version}`} />
          <TextInput label="Answer" value={text} onChange={(event) => setText(event.currentTarget.value)} />
        </>
      );
    }
"""
WIDGET = """
    import './widget.css';
    export default function NotesWidget() {
      return <button type="button" className="note-bubble">Write a note</button>;
    }
"""
ROUTES = """
    from fastapi import APIRouter

    router = APIRouter(prefix="/notes")


    @router.get("/all")
    def every():
        return []
"""


def tree(folder: Path, version: str) -> Path:
    """The package's folder."""
    manifest = {
        "id": "live_notes",
        "name": "Live Notes",
        "version": version,
        "description": "Notes on what customers say",
        "author": "Test",
        "category": "communication",
        "price": 0,
        "icon": "PencilSquareIcon",
        "changelog": f"{version}: better",
        "backend": {"routes": ["/api/v1/notes/*"]},
        "frontend": {"routes": ["/support/notes"], "components": ["NotesWidget"]},
        "permissions": ["api.register_routes"],
    }
    files = {
        "metadata.json": json.dumps(manifest),
        "README.md": "# Live Notes\n\nNotes on *customers*.\n",
        "backend/__init__.py": "",
        "backend/routes.py": dedent(ROUTES),
        "frontend/addon.config.ts": dedent(CONFIG),
        "frontend/pages/NotesPage.tsx": dedent(PAGE),
        "frontend/components/NotesWidget.tsx": dedent(WIDGET),
        "frontend/components/widget.css": ".note-bubble { position: fixed; right: 24px; bottom: 24px }",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@dataclass
class Site:
    """A served host, and an administrator's client."""

    url: str
    folder: Path
    client: httpx.Client

    def remove(self) -> None:
        """Leave no plugin for the next test."""
        for row in self.client.get(f"{API}/marketplace/installed").json()["addons"]:
            path = f"{API}/marketplace/uninstall/{row['id']}"
            self.client.delete(path, params={"data": "purge"}).raise_for_status()

    def install(self, version: str = "1.0.0") -> None:
        """Install behind the browser's back."""
        body = {"addon_id": PLUGIN, "version": version}
        self.client.post(f"{API}/marketplace/install", json=body).raise_for_status()

    def upgrade(self) -> None:
        """To the highest version."""
        self.client.post(f"{API}/marketplace/upgrade/{PLUGIN}", json={}).raise_for_status()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(folder: Path) -> Iterator[Site]:
    """Two workers of `examples/billing` under uvicorn."""
    for version in ("1.0.0", "1.1.0"):
        pack(tree(folder / "trees" / version / PLUGIN, version), folder / "modules")
    runpy.run_path(str(ROOT / "plugins" / "build.py"))["build_all"](folder / "modules")
    port = free_port()
    environment = os.environ | {
        "DEMO_PASSWORD": PASSWORD,
        "HOTBAY_CONFIG": str(BILLING / "hotbay.toml"),
        "HOTBAY_HOME": str(folder / "var"),
        "HOTBAY_DATABASE_URL": f"sqlite:///{folder / 'billing.db'}",
        "HOTBAY_LOCAL_PACKAGES": str(folder / "modules"),
    }
    (folder / "var").mkdir()
    subprocess.run([sys.executable, "-m", "app.setup"], cwd=BILLING, env=environment, check=True)
    command = [sys.executable, "-m", "uvicorn", "app.main:app", "--app-dir", str(BILLING), "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", "2", "--timeout-graceful-shutdown", "5", "--log-level", "warning"]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                _ready(server, client, folder)
                yield Site(str(client.base_url).rstrip("/"), folder, client)
        finally:
            server.terminate()
            server.wait(20)


def _ready(server: subprocess.Popen[bytes], client: httpx.Client, folder: Path) -> None:
    """Wait until both workers serve, then log the client in."""
    deadline = time.monotonic() + 60
    while True:
        assert server.poll() is None and time.monotonic() < deadline, (folder / "server.log").read_text()
        try:
            answer = client.post(f"{API}/auth/login", json={"email": ADMIN, "password": PASSWORD})
            if answer.status_code == 200:
                client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
                client.cookies.clear()
                if len(client.get(f"{API}/hotbay/status").json()["workers"]) == 2:
                    return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
