"""Real servers for the system tests: the billing panel, or a small host, with two uvicorn workers on loopback."""

from __future__ import annotations

import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from hotbay import settings as configuration
from hotbay.model import Kind
from hotbay.offline import OfflineHost, open_host
from hotbay.outcome import Outcome
from hotbay.presence import Status
from hotbay.request import Request

ROOT = Path(__file__).parents[2]
BILLING = ROOT / "examples" / "billing"
PASSWORD = "correct horse battery"

SMALL_HOST = """
from fastapi import FastAPI, Request
from hotbay import Hotbay

app = FastAPI()

@app.get("/api/v1/ping")
def ping():
    return {"pong": True}

def admin(request: Request):
    return request.headers.get("x-admin")

hotbay = Hotbay(app, admin=admin)

@app.post("/api/v1/emit/{event}")
async def emit(event: str):
    await hotbay.emit(event, number=1)
    return await hotbay.filter("number", 1)
"""


def until(what: Callable[[], Any], seconds: float = 45.0) -> Any:
    """Ask until the answer is truthy; its last answer in the failure."""
    deadline = time.monotonic() + seconds
    while True:
        answer = what()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"still {answer!r} after {seconds} s"
        time.sleep(0.02)


class Server:
    """A host in processes of its own. `home` is its state, `url` its address."""

    def __init__(self, folder: Path, *, app: str, app_dir: Path, workers: int = 2, **env: str) -> None:
        self.home = folder / "var"
        self.database = self.home / "host.db"
        self.modules = self.home / "modules"
        self.modules.mkdir(parents=True)
        self.app, self.app_dir, self.workers = app, app_dir, workers
        self.env = os.environ | {
            "HOTBAY_HOME": str(self.home),
            "HOTBAY_DATABASE_URL": f"sqlite:///{self.database}",
            "HOTBAY_APP_DIR": str(app_dir),
            "DEMO_PASSWORD": PASSWORD,
            **env,
        }
        self.log = (folder / "server.log").open("wb")
        self.log_path = folder / "server.log"
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self._offline: OfflineHost | None = None

    def start(self) -> Server:
        """Start it and wait until every worker serves."""
        command = [sys.executable, "-m", "uvicorn", self.app, "--app-dir", str(self.app_dir), "--port", str(self.port)]
        command += ["--workers", str(self.workers), "--timeout-graceful-shutdown", "5"]
        self.process = subprocess.Popen(command, env=self.env, cwd=self.home, stdout=self.log, stderr=self.log)
        until(lambda: self.up() and len(self.statuses()) == self.workers, 100)
        return self

    def up(self) -> bool:
        """True when the server answers."""
        assert self.process is not None
        assert self.process.poll() is None, self.log_path.read_text()
        with suppress(httpx.TransportError):
            return self.get("/openapi.json").status_code == 200
        return False

    def stop(self) -> None:
        """Stop it in order; kill what does not stop."""
        if self._offline is not None:
            self._offline.close()
        if self.process is not None and self.process.poll() is None:
            for pid in self.pids():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                for pid in [*self.pids(), self.process.pid]:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                self.process.wait(5)
        self.log.close()

    @property
    def host(self) -> OfflineHost:
        """The host's state, for an actor outside its server."""
        if self._offline is None:
            settings = configuration.load(
                home=self.home,
                database_url=f"sqlite:///{self.database}",
                app_dir=self.app_dir,
                ack_seconds=2.0,
                local_packages=self.modules,
                drain_seconds=float(self.env.get("HOTBAY_DRAIN_SECONDS", "10")),
                start_seconds=float(self.env.get("HOTBAY_START_SECONDS", "30")),
            )
            self._offline = open_host(settings, actor="test")
        return self._offline

    def run(self, kind: Kind, plugin: str = "", **wishes: Any) -> Outcome:
        """An operation, from outside the server."""
        return self.host.applier.run(Request(kind, plugin, **wishes))

    def statuses(self) -> list[Status]:
        """What the workers say."""
        return self.host.applier.workers.statuses()

    def pids(self) -> set[int]:
        """The workers' process ids."""
        return {status.pid for status in self.statuses()}

    def get(self, path: str, **options: Any) -> httpx.Response:
        """One request on a connection of its own, so that any worker may get it."""
        return httpx.get(self.url + path, timeout=60, **options)

    def codes(self, path: str, times: int = 24) -> set[int]:
        """The status codes of many requests, each on its own connection."""
        return {self.get(path).status_code for _ in range(times)}

    def from_every_worker(self, path: str = "/api/v1/probe") -> dict[int, Any]:
        """Ask until every worker has answered; answers by process id. The plugin answers with its `pid`."""
        wanted, found = self.pids(), {}

        def ask() -> bool:
            response = self.get(path)
            assert response.status_code == 200, response.text
            found[response.json()["pid"]] = response.json()
            return set(found) >= wanted

        until(ask, 60)
        return found

    def tables(self) -> set[str]:
        """The names of all tables."""
        import sqlite3

        connection = sqlite3.connect(self.database)
        try:
            return {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        finally:
            connection.close()

    def registry(self) -> dict[str, Any]:
        """What addon_registry.json says."""
        addons: dict[str, Any] = json.loads((self.home / "plugins" / "addon_registry.json").read_text())["addons"]
        return addons


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A small host with two workers, and little patience for plugins that hang."""
    (tmp_path / "small_host.py").write_text(SMALL_HOST)
    made = Server(tmp_path, app="small_host:app", app_dir=tmp_path, HOTBAY_START_SECONDS="3", HOTBAY_DRAIN_SECONDS="2")
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture
def billing(tmp_path: Path) -> Iterator[Server]:
    """The billing panel with two workers and the first-party packages to install."""
    made = Server(tmp_path, app="app.main:app", app_dir=BILLING)
    try:
        runpy.run_path(str(ROOT / "plugins" / "build.py"))["build_all"](made.modules)
        yield made.start()
    finally:
        made.stop()
