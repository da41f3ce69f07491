"""The billing host with two workers, served for real, with the chatbot and packages for these tests to install."""

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
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx

from browser.framed import PLUGIN as STRANGER
from browser.framed import pack_stranger
from browser.notes import EDITIONS, PLUGIN, tree, write
from hotbay.package import pack
from hotbay.signature import PublisherKey

ROOT = Path(__file__).parents[2]
BILLING = ROOT / "examples" / "billing"
PASSWORD = "correct horse"
ADMIN, CUSTOMER = "admin@example.com", "customer@example.com"
API = "/api/v1"


@dataclass
class Site:
    """A served host, and an administrator's client."""

    folder: Path
    client: httpx.Client
    environment: dict[str, str]
    log: IO[bytes]
    server: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        return str(self.client.base_url).rstrip("/")

    def start(self) -> None:
        """Serve, on the same port as before; answers when both workers do."""
        command = [sys.executable, "-m", "uvicorn", "app.main:app", "--app-dir", str(BILLING), "--host", "127.0.0.1"]
        command += ["--port", str(self.client.base_url.port), "--workers", "2"]
        command += ["--timeout-graceful-shutdown", "5", "--log-level", "warning"]
        self.server = subprocess.Popen(command, env=self.environment, stdout=self.log, stderr=subprocess.STDOUT)
        _ready(self.server, self.client, self.folder)

    def stop(self) -> None:
        """Serve no more. Harmless when nothing is served."""
        if self.server is not None:
            self.server.terminate()
            self.server.wait(20)
            self.server = None

    def hotbay(self, *words: str) -> None:
        """A command on the host's machine."""
        command = [sys.executable, "-m", "hotbay.cli", *words]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def offer(self, plugin: str, version: str, files: dict[str, str], **manifest: Any) -> None:
        """Pack one more package into the folder that the marketplace shows."""
        about = {"id": plugin, "name": plugin.replace("_", " ").title(), "version": version, "price": 0} | manifest
        folder = self.folder / "trees" / version / plugin
        write(folder, files | {"metadata.json": json.dumps(about)})
        pack(folder, self.folder / "modules")

    def registry(self) -> dict[str, Any]:
        """What a browser of the administrator would be told."""
        answer: dict[str, Any] = self.client.get(f"{API}/hotbay/registry").raise_for_status().json()
        return answer

    def plugin_log(self, plugin: str) -> str:
        """The end of a plugin's log, as the server kept it."""
        answer = self.client.get(f"{API}/marketplace/logs/{plugin}").raise_for_status()
        return "\n".join(answer.json()["lines"])

    def remove(self) -> None:
        """Leave no plugin for the next test."""
        for row in self.client.get(f"{API}/marketplace/installed").json()["addons"]:
            self.uninstall(row["id"])

    def uninstall(self, plugin: str = PLUGIN) -> None:
        """Behind the browser's back, with its data."""
        path = f"{API}/marketplace/uninstall/{plugin}"
        self.client.delete(path, params={"data": "purge"}).raise_for_status()

    def install(self, version: str = "1.0.0", plugin: str = PLUGIN) -> None:
        """Behind the browser's back."""
        body = {"addon_id": plugin, "version": version}
        self.client.post(f"{API}/marketplace/install", json=body).raise_for_status()

    def trust(self, key: PublisherKey) -> None:
        """Behind the browser's back."""
        body = {"name": key.publisher, "key": key.text}
        self.client.post(f"{API}/marketplace/publishers", json=body).raise_for_status()

    def distrust(self, key: PublisherKey) -> None:
        """Behind the browser's back; whoever was not trusted is not either then."""
        self.client.delete(f"{API}/marketplace/publishers/{key.keyid}")

    def upgrade(self, version: str, plugin: str = PLUGIN) -> None:
        """Behind the browser's back."""
        self.client.post(f"{API}/marketplace/upgrade/{plugin}", json={"version": version}).raise_for_status()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(folder: Path) -> Iterator[Site]:
    """Two workers of `examples/billing` under uvicorn."""
    for version in EDITIONS:
        pack(tree(folder / "trees" / version / PLUGIN, version), folder / "modules")
    for version in ("1.0.0", "1.1.0"):
        pack_stranger(folder / "trees" / version / STRANGER, version, folder / "modules")
    runpy.run_path(str(ROOT / "plugins" / "build.py"))["build_all"](folder / "modules")
    environment = os.environ | {
        "DEMO_PASSWORD": PASSWORD,
        "HOTBAY_CONFIG": str(BILLING / "hotbay.toml"),
        "HOTBAY_HOME": str(folder / "var"),
        "HOTBAY_DATABASE_URL": f"sqlite:///{folder / 'billing.db'}",
        "HOTBAY_LOCAL_PACKAGES": str(folder / "modules"),
        "HOTBAY_FRONTEND_FRAMES": STRANGER,
    }
    (folder / "var").mkdir()
    subprocess.run([sys.executable, "-m", "app.setup"], cwd=BILLING, env=environment, check=True)
    with (
        (folder / "server.log").open("wb") as log,
        httpx.Client(base_url=f"http://127.0.0.1:{free_port()}", timeout=60) as client,
    ):
        site = Site(folder, client, environment, log)
        try:
            site.start()
            yield site
        finally:
            site.stop()


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
