"""The command line and a real server with two workers, on the same state."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from terminal import Terminal, command, environment

PATH = "/api/v1/shop/version"


@contextmanager
def serving(terminal: Terminal, workers: int = 2) -> Iterator[httpx.Client]:
    """`hotbay serve`, from another folder, until the block ends; then it must stop cleanly."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    args = ["--config", str(terminal.config), "serve", "--port", str(port), "--workers", str(workers), "--json"]
    with (terminal.folder / "server.log").open("w") as log:
        process = subprocess.Popen(command(args), cwd="/", env=environment(), stdout=subprocess.PIPE, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            _wait(terminal, client, workers)
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)
    assert json.loads(out)["port"] == port, "nothing but the one document goes to stdout"
    assert process.returncode in (0, -signal.SIGTERM), (terminal.folder / "server.log").read_text()


def _wait(terminal: Terminal, client: httpx.Client, workers: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if client.get("/host").status_code == 200 and len(pids(terminal)) == workers:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError((terminal.folder / "server.log").read_text())


def pids(terminal: Terminal) -> set[int]:
    """The workers that are there, as `info` and `doctor` see them."""
    from hotbay.presence import Workers

    return {status.pid for status in Workers(terminal.home / "run").statuses()}


class Visitor(threading.Thread):
    """Asks for the plugin's page on fresh connections (so on any worker) all the time, and notes the answers."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self.address = address
        self.leaving = threading.Event()
        self.seen: list[str] = []

    def run(self) -> None:
        while not self.leaving.is_set():
            self.seen.append(look(self.address))
            time.sleep(0.01)

    def leave(self) -> list[str]:
        """What was answered, without repetitions."""
        self.leaving.set()
        self.join(10)
        return [answer for before, answer in zip(["", *self.seen], self.seen, strict=False) if answer != before]


def ask(address: str) -> tuple[int, dict[str, Any]]:
    """Status and body, on a connection of its own, so that any worker may answer."""
    url = httpx.URL(address)
    connection = http.client.HTTPConnection(url.host, url.port, timeout=10)
    try:
        connection.request("GET", url.path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def look(address: str) -> str:
    """The version that answers, or the status."""
    status, body = ask(address)
    return str(body["version"]) if status == 200 else str(status)


def test_visitors_see_a_plugin_appear_change_and_vanish(terminal: Terminal) -> None:
    terminal.offer(version="1.0.0")
    terminal.offer(version="1.1.0")
    with serving(terminal) as client:
        address = str(client.base_url.join(PATH))
        before = pids(terminal)
        visitor = Visitor(address)
        visitor.start()
        assert terminal.spawn("install", "shop", "--version", "1.0.0").returncode == 0
        assert {look(address) for _ in range(12)} == {"1.0.0"}
        assert PATH in client.get("/openapi.json").json()["paths"]
        terminal.run("upgrade", "shop")
        assert {look(address) for _ in range(12)} == {"1.1.0"}
        terminal.run("rollback", "shop")
        assert {look(address) for _ in range(12)} == {"1.0.0"}
        terminal.run("uninstall", "shop")
        assert {look(address) for _ in range(12)} == {"404"}
        seen = visitor.leave()
        # No answer fails, and none goes back to what was before.
        assert seen == ["404", "1.0.0", "1.1.0", "1.0.0", "404"]
        assert PATH not in client.get("/openapi.json").json()["paths"]
        assert client.get("/host").json() == {"host": "here"}
        assert pids(terminal) == before and len(before) == 2


def test_a_broken_upgrade_changes_nothing_for_visitors(terminal: Terminal) -> None:
    terminal.offer(version="1.0.0")
    bad = terminal.plugin(version="2.0.0")
    (bad / "backend" / "routes.py").write_text("raise RuntimeError('no luck')\n")
    with serving(terminal) as client:
        address = str(client.base_url.join(PATH))
        terminal.run("install", "shop")
        visitor = Visitor(address)
        visitor.start()
        assert "no luck" in terminal.run("upgrade", str(bad), code=9).stderr
        assert visitor.leave() == ["1.0.0"]
        assert terminal.state() == {"shop": ("1.0.0", "active")}


def test_settings_reach_every_worker_and_the_workers_are_told_of(terminal: Terminal) -> None:
    terminal.offer()
    with serving(terminal) as client:
        address = str(client.base_url.join(PATH))
        terminal.run("install", "shop")
        assert ask(address)[1]["word"] == "plain"
        terminal.run("settings", "shop", "word=fancy")
        assert {ask(address)[1]["word"] for _ in range(12)} == {"fancy"}
        found = terminal.json("info", "shop")["installed"]["workers"]
        assert {item["pid"] for item in found} == pids(terminal)
        assert {item["version"] for item in found} == {"1.0.0"}
        assert "1.0.0, loaded" in terminal.run("info", "shop").stdout
        levels = {item["check"]: item for item in terminal.json("doctor")["findings"]}
        assert levels["workers"]["message"] == "2 worker(s) serve"


def test_what_was_done_while_the_server_was_down_is_served(terminal: Terminal) -> None:
    terminal.offer()
    with serving(terminal, workers=1):
        terminal.run("install", "shop")
    terminal.run("settings", "shop", "word=offline")
    terminal.run("deactivate", "shop")
    with serving(terminal, workers=1) as client:
        assert client.get(PATH).status_code == 404
        terminal.run("activate", "shop")
        assert client.get(PATH).json() == {"version": "1.0.0", "rows": 2, "word": "offline"}


def test_a_stopped_worker_is_told_of_and_not_waited_for(terminal: Terminal) -> None:
    terminal.offer()
    with serving(terminal):
        stopped = min(pids(terminal))
        os.kill(stopped, signal.SIGSTOP)
        try:
            told = terminal.run("install", "shop").stdout
            assert "did not answer" in told
            found = terminal.json("doctor")["findings"]
            assert f"worker {stopped} is stopped" in [item["message"] for item in found]
        finally:
            os.kill(stopped, signal.SIGCONT)
