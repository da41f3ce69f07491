"""A plugin whose loading kills or hangs its host, in real servers: it is left out, named, and can be tried again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from hotbay.errors import OperationFailed
from hotbay.model import Kind
from hotbay.package import pack
from hotbay.suspects import Suspects
from system.conftest import SMALL_HOST, Server, until
from system.packages import packed, probe, write

pytestmark = pytest.mark.timeout(400)

# What it does when it is imported stands in a file that the test writes.
BOMB = """
import ctypes
import os
import pathlib
import time

from fastapi import APIRouter

fuse = pathlib.Path(os.environ["HOTBAY_HOME"], "fuse")
wish = fuse.read_text() if fuse.exists() else ""
with pathlib.Path(os.environ["HOTBAY_HOME"], "imports").open("a") as stream:
    stream.write(f"{os.getpid()} {wish}\\n")
if wish == "exit":
    os._exit(7)
if wish == "segfault":
    ctypes.string_at(0)
while wish == "loop":
    pass
if wish == "sleep":
    time.sleep(60)

router = APIRouter(prefix="/bomb")


@router.get("")
def tick():
    return {"pid": os.getpid()}
"""


def bomb(folder: Path, version: str = "1.0.0", *, eager: bool = True) -> Path:
    manifest = {"id": "bomb", "name": "Bomb", "version": version}
    manifest |= {"backend": {"routes": ["/api/v1/bomb/*"]}, "activation": ["startup"] if eager else ["request"]}
    text = {"metadata.json": json.dumps(manifest), "backend/__init__.py": "", "backend/routes.py": BOMB}
    return write(folder, text)


class Host(Server):
    """A server whose plugin can be armed, and which may die."""

    def arm(self, wish: str) -> None:
        (self.home / "fuse").write_text(wish)

    def imports(self) -> list[str]:
        """One line for each time that the bomb was imported."""
        file = self.home / "imports"
        return file.read_text().splitlines() if file.exists() else []

    def offer(self, tmp_path: Path, version: str = "1.0.0", **how: Any) -> Path:
        return packed(bomb(tmp_path / f"bomb-{version}", version, **how), self.modules)

    def stocked(self, tmp_path: Path) -> None:
        """Serve once, install the bomb and the probe, and end."""
        self.offer(tmp_path)
        packed(probe(tmp_path / "probe"), self.modules)
        self.start()
        for plugin in ("bomb", "probe"):
            self.run(Kind.INSTALL, plugin)
        self.halt()

    def run(self, kind: Kind, plugin: str = "", **wishes: Any) -> Any:
        """An operation that waits for workers that are slow, instead of trying the plugin in the test's own process."""
        applier = self.host.applier
        applier.settings = applier.settings.model_copy(update={"ack_seconds": 60.0})
        return super().run(kind, plugin, **wishes)

    def again(self) -> None:
        """Start it without waiting for it to serve."""
        command = [sys.executable, "-m", "uvicorn", self.app, "--app-dir", str(self.app_dir), "--port", str(self.port)]
        command += ["--workers", str(self.workers)] if self.workers > 1 else []
        self.process = subprocess.Popen(command, env=self.env, cwd=self.home, stdout=self.log, stderr=self.log)

    def dies(self) -> int:
        """Its exit code."""
        assert self.process is not None
        return self.process.wait(90)

    def halt(self) -> None:
        """End the process as a service manager does."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(60)

    def cli(self, *args: str) -> Any:
        """What `hotbay … --json` says."""
        command = [sys.executable, "-m", "hotbay.cli", *args, "--json"]
        done = subprocess.run(command, env=self.env, cwd=self.home, capture_output=True, text=True, check=False)
        return json.loads(done.stdout)

    def ping(self) -> bool:
        with suppress(httpx.TransportError):
            return self.get("/api/v1/ping").status_code == 200
        return False


def made(tmp_path: Path, workers: int) -> Host:
    (tmp_path / "small_host.py").write_text(SMALL_HOST)
    # Long enough for a busy machine: what kills is noticed by the death, and only what hangs by the time.
    env = {"HOTBAY_START_SECONDS": "30", "HOTBAY_DRAIN_SECONDS": "2"}
    return Host(tmp_path, app="small_host:app", app_dir=tmp_path, workers=workers, **env)


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[Host]:
    """One process, which nobody starts again when it dies."""
    host = made(tmp_path, 1)
    yield host
    host.stop()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Host]:
    """Two workers, which uvicorn starts again when they die."""
    host = made(tmp_path, 2)
    yield host
    host.stop()


ADMIN = {"x-admin": "ann"}


@pytest.mark.parametrize(("wish", "code"), [("exit", 7), ("segfault", -signal.SIGSEGV)])
def test_what_kills_the_host_twice_is_left_out_at_the_third_start(
    lone: Host, tmp_path: Path, wish: str, code: int
) -> None:
    lone.stocked(tmp_path)
    lone.arm(wish)
    for _ in range(2):
        lone.again()
        assert lone.dies() == code
    before = len(lone.imports())
    lone.again()
    until(lone.ping, 90)
    assert lone.get("/api/v1/probe").json()["version"] == "1.0.0"
    refused = lone.get("/api/v1/bomb")
    assert (refused.status_code, refused.json()["code"]) == (503, "left-out")
    assert len(lone.imports()) == before
    _is_named_everywhere(lone)
    lone.arm("")
    assert lone.cli("activate", "bomb")["state"] == "done"
    assert lone.get("/api/v1/bomb").status_code == 200
    assert {row["id"]: row["problem"] for row in lone.cli("list")["installed"]} == {"bomb": "", "probe": ""}
    lone.halt()
    lone.again()
    until(lone.ping, 90)
    assert lone.get("/api/v1/bomb").status_code == 200


def _is_named_everywhere(host: Host) -> None:
    text = "left out: loading bomb 1.0.0 killed the process twice"
    assert text.removeprefix("left out: ") in host.log_path.read_text()
    assert text in (host.home / "logs" / "bomb.log").read_text()
    rows = {row["id"]: row for row in host.get("/api/v1/marketplace/installed", headers=ADMIN).json()["addons"]}
    assert text in rows["bomb"]["problem"] and rows["probe"]["problem"] == ""
    audit = host.get("/api/v1/marketplace/audit?plugin=bomb", headers=ADMIN).json()["entries"][0]
    assert (audit["actor"], audit["action"]) == ("boot guard", "leave out")
    assert text in {row["id"]: row["problem"] for row in host.cli("list")["installed"]}["bomb"]
    assert text in host.cli("info", "bomb")["installed"]["problem"]
    assert any(text in item["message"] for item in host.cli("doctor")["findings"] if item["level"] == "error")


def test_one_death_is_forgiven(lone: Host, tmp_path: Path) -> None:
    """Somebody's kill -9 while a healthy plugin is being loaded."""
    lone.offer(tmp_path)
    lone.start()
    lone.run(Kind.INSTALL, "bomb")
    lone.halt()
    for _ in range(3):
        lone.arm("sleep")
        seen = len(lone.imports())
        lone.again()
        until(lambda seen=seen: len(lone.imports()) > seen)
        assert lone.process is not None
        lone.process.kill()
        lone.dies()
        lone.arm("")
        lone.again()
        until(lone.ping, 90)
        assert lone.get("/api/v1/bomb").status_code == 200
        lone.halt()


def test_an_import_that_never_ends_twice_is_not_begun_a_third_time(lone: Host, tmp_path: Path) -> None:
    lone.offer(tmp_path, eager=False)
    lone.start()
    lone.run(Kind.INSTALL, "bomb")
    lone.halt()
    lone.arm("loop")
    lone.env["HOTBAY_START_SECONDS"] = "2"
    lone.again()
    until(lone.ping, 90)

    def left_out() -> bool:
        return bool(lone.get("/api/v1/bomb").json()["code"] == "left-out")

    until(left_out, 90)
    assert len(lone.imports()) == 3
    assert "never ended twice" in {row["id"]: row["problem"] for row in lone.cli("list")["installed"]}["bomb"]
    assert lone.ping()
    assert lone.process is not None
    lone.process.kill()  # Its threads spin: a thread can't be ended.


@pytest.mark.parametrize("wish", ["exit", "segfault"])
def test_an_upgrade_that_kills_a_worker_is_undone_and_not_tried_again(pair: Host, tmp_path: Path, wish: str) -> None:
    pair.offer(tmp_path)
    pair.start()
    pair.run(Kind.INSTALL, "bomb")
    pair.offer(tmp_path, "2.0.0")
    pair.arm(wish)
    began = len(pair.imports())
    with pytest.raises(OperationFailed, match="killed the process"):
        pair.run(Kind.UPGRADE, "bomb")
    assert len(pair.imports()) - began <= 2
    pair.arm("")
    until(lambda: pair.ping() and len(pair.statuses()) == 2, 90)
    assert pair.codes("/api/v1/bomb") == {200}
    (row,) = pair.cli("list")["installed"]
    assert (row["version"], row["problem"]) == ("1.0.0", "")
    assert pair.run(Kind.UPGRADE, "bomb").plan.after is not None  # A wish of its own is carried out.
    assert Suspects(pair.home / "run" / "loading").all() == []


def test_with_one_worker_going_first_only_that_one_dies(pair: Host, tmp_path: Path) -> None:
    pair.env["HOTBAY_LOAD_ONE_FIRST"] = "1"
    pair.offer(tmp_path)
    pair.start()
    pair.run(Kind.INSTALL, "bomb")
    before, seen = pair.pids(), len(pair.imports())
    assert seen == 2
    pair.offer(tmp_path, "2.0.0")
    pair.arm("segfault")
    with pytest.raises(OperationFailed, match="killed the process"):
        pair.run(Kind.UPGRADE, "bomb")
    assert len(pair.imports()) - seen == 1
    until(lambda: len(pair.statuses()) == 2, 90)
    assert len(pair.pids() & before) == 1
    assert pair.codes("/api/v1/bomb") == {200}


def test_an_install_through_the_api_that_kills_its_worker_is_undone(pair: Host, tmp_path: Path) -> None:
    pair.start()
    pair.offer(tmp_path)
    pair.arm("exit")
    with suppress(httpx.TransportError):
        answer = httpx.post(
            pair.url + "/api/v1/marketplace/install", json={"addon_id": "bomb"}, headers=ADMIN, timeout=90
        )
        assert answer.status_code >= 400

    def closed() -> Any:
        rows = pair.get("/api/v1/marketplace/operations", headers=ADMIN).json()["operations"] if pair.ping() else []
        return [row for row in rows if row["state"] != "running"]

    (operation,) = until(closed, 90)
    assert operation["state"] in ("undone", "failed")
    assert "loading bomb 1.0.0 killed the process" in operation["detail"]
    until(lambda: pair.ping() and len(pair.statuses()) == 2, 90)
    time.sleep(1.0)
    assert len(pair.imports()) <= 2
    assert pair.cli("list")["installed"] == []


def test_a_folder_that_kills_every_worker_stops_being_tried(pair: Host, tmp_path: Path) -> None:
    pair.start()
    pair.arm("exit")
    bomb(tmp_path / "bomb").rename(pair.home / "plugins" / "bomb")

    def refused() -> Any:
        return [item for item in pair.cli("list")["refused"] if "left out" in item["problem"]]

    (item,) = until(refused, 90)
    assert "loading bomb 1.0.0 killed the process twice" in item["problem"]
    until(lambda: pair.ping() and len(pair.statuses()) == 2, 90)
    seen = len(pair.imports())
    for pid in pair.pids():
        os.kill(pid, signal.SIGKILL)
    until(lambda: pair.ping() and len(pair.statuses()) == 2, 90)
    time.sleep(1.0)
    assert len(pair.imports()) == seen


def test_safe_mode_starts_without_plugins_and_lets_one_be_taken_out(lone: Host, tmp_path: Path) -> None:
    lone.stocked(tmp_path)
    lone.arm("exit")
    seen = len(lone.imports())
    lone.env["HOTBAY_SAFE_MODE"] = "1"
    lone.again()
    until(lone.ping, 90)
    answer = lone.get("/api/v1/probe")
    assert (answer.status_code, answer.json()["code"]) == (503, "safe-mode")
    assert lone.get("/api/v1/hotbay/status", headers=ADMIN).json()["safe_mode"] is True
    assert lone.get("/api/v1/marketplace/installed", headers=ADMIN).json()["safe_mode"] is True
    assert lone.cli("list")["safe_mode"] is True
    assert any("safe mode" in item["message"] for item in lone.cli("doctor")["findings"])
    assert lone.cli("activate", "bomb")["code"] == "refused"
    toggled = httpx.post(lone.url + "/api/v1/marketplace/toggle/bomb", json={"enabled": False}, headers=ADMIN)
    assert toggled.status_code == 200, toggled.text
    assert "safe mode" in lone.cli("activate", "bomb")["detail"]
    assert lone.cli("uninstall", "bomb", "--data", "keep")["state"] == "done"
    assert len(lone.imports()) == seen
    lone.halt()
    del lone.env["HOTBAY_SAFE_MODE"]
    lone.again()
    until(lone.ping, 90)
    assert lone.get("/api/v1/probe").status_code == 200
    assert lone.get("/api/v1/hotbay/status", headers=ADMIN).json()["safe_mode"] is False


def test_serve_has_a_switch_for_safe_mode(lone: Host, tmp_path: Path) -> None:
    pack(bomb(tmp_path / "bomb"), lone.modules)
    lone.cli("install", "bomb")
    lone.arm("exit")
    command = [sys.executable, "-m", "hotbay.cli", "serve", "small_host:app", "--safe-mode", "--port", str(lone.port)]
    lone.process = subprocess.Popen(command, env=lone.env, cwd=lone.home, stdout=lone.log, stderr=lone.log)
    until(lone.ping, 90)
    assert lone.get("/api/v1/hotbay/status", headers=ADMIN).json()["safe_mode"] is True
    assert lone.get("/api/v1/bomb").status_code == 503


def test_errors_in_all_workers_count_together_and_one_of_them_acts(tmp_path: Path) -> None:
    (tmp_path / "small_host.py").write_text(SMALL_HOST)
    # More than one worker sees of them, and too many for those that come after the verdict to be judged again.
    env = {"HOTBAY_ERROR_POLICY": "rollback", "HOTBAY_ERROR_REQUESTS": "24", "HOTBAY_ERROR_WINDOW": "30"}
    env["HOTBAY_ERROR_BUDGET"] = "0.05"  # Who looks for the other worker asks often, and each answer counts.
    host = Host(tmp_path, app="small_host:app", app_dir=tmp_path, workers=2, **env)
    try:
        for version in ("1.0.0", "2.0.0"):
            packed(probe(tmp_path / version, version), host.modules)
        host.start()
        host.run(Kind.INSTALL, "probe", version="1.0.0")
        host.run(Kind.UPGRADE, "probe")
        host.from_every_worker()
        for _ in range(12):
            host.codes("/api/v1/probe/boom", 2)
        # Not by asking the plugin: its good answers would make the bad ones a smaller part.
        until(lambda: host.cli("list")["installed"][0]["version"] == "1.0.0", 60)

        def judged() -> Any:
            """The rows change first; the verdict is written when the operation has ended."""
            entries = host.get("/api/v1/marketplace/audit?plugin=probe", headers=ADMIN).json()["entries"]
            return entries if entries[0]["actor"] == "error budget" and "judge" in entries[0]["action"] else None

        assert [(item["actor"], item["action"]) for item in until(judged, 30)[:2]] == [
            ("error budget", "judge: rollback"),
            ("error budget", "rollback"),
        ]
        found = host.cli("metrics")
        assert found["workers"] == 2
        (row,) = [item for item in found["plugins"] if item["plugin"] == "probe"]
        assert row["failures"]["exception"] == 24
        assert {item["version"] for item in host.from_every_worker().values()} == {"1.0.0"}
    finally:
        host.stop()
