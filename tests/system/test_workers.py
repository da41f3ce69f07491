"""Several workers: nobody serves a mixed or stale version, nobody fails, whoever is stopped, killed or started."""

from __future__ import annotations

import os
import signal
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from hotbay.model import Kind
from system.conftest import SMALL_HOST, Server, until
from system.crowd import Crowd
from system.packages import packed, probe, with_table

WHERE = "/api/v1/probe"


@pytest.fixture
def running(server: Server, tmp_path: Path) -> Server:
    """A host that serves the probe 1.0.0 and has 2.0.0 to offer."""
    packed(probe(tmp_path / "one", "1.0.0", jobs=True), server.modules)
    packed(probe(tmp_path / "two", "2.0.0", jobs=True), server.modules)
    server.run(Kind.INSTALL, "probe", version="1.0.0")
    return server


class Load(Crowd):
    """Steady requests from threads; what was answered, and when."""

    def __init__(self, server: Server, path: str, people: int = 4) -> None:
        self.answers: list[tuple[float, float, int, Any]] = []
        self.failures: list[str] = []
        self._server, self._path = server, path
        super().__init__(people)

    def come(self) -> None:
        """One request after the other."""
        with httpx.Client(base_url=self._server.url, timeout=30) as client:
            while not self.over:
                began = time.monotonic()
                try:
                    response = client.get(self._path)
                    body = response.json()
                except (httpx.TransportError, ValueError) as error:
                    self.failures.append(repr(error))
                else:
                    self.answers.append((began, time.monotonic(), response.status_code, body))


def test_no_request_fails_and_no_answer_is_stale_after_the_switch_is_acknowledged(running: Server) -> None:
    done: list[tuple[float, str]] = []
    with Load(running, WHERE) as load:
        for _ in range(6):
            running.run(Kind.UPGRADE, "probe")
            done.append((time.monotonic(), "2.0.0"))
            running.run(Kind.ROLLBACK, "probe")
            done.append((time.monotonic(), "1.0.0"))
    assert load.failures == []
    assert {status for _, _, status, _ in load.answers} == {200}
    assert all(body["version"] == body["late"] for _, _, _, body in load.answers)
    assert {body["version"] for _, _, _, body in load.answers} == {"1.0.0", "2.0.0"}
    for (moment, version), (following, _) in pairwise(done):
        between = [body["version"] for began, ended, _, body in load.answers if began > moment and ended < following]
        # The next operation switches somewhere in this interval: once, and for all workers at once.
        changes = sum(1 for one, other in pairwise(between) if one != other)
        assert not between or between[0] == version
        assert changes <= 8  # Four clients, whose answers cross each other once.


def test_a_request_in_flight_ends_on_the_generation_on_which_it_began(running: Server) -> None:
    answers: list[Any] = []
    slow = threading.Thread(target=lambda: answers.append(running.get(WHERE + "/slow?seconds=2").json()))
    slow.start()
    time.sleep(0.5)
    running.run(Kind.UPGRADE, "probe")
    assert running.get(WHERE).json()["version"] == "2.0.0"
    slow.join()
    assert answers == [{"version": "1.0.0", "late": "1.0.0"}]


def test_a_stopped_worker_blocks_nobody_and_serves_nothing_stale(running: Server) -> None:
    stopped, living = sorted(running.pids())
    os.kill(stopped, signal.SIGSTOP)
    try:
        outcome = running.run(Kind.UPGRADE, "probe")
        switch = next(step for step in outcome.steps if step["verb"] == "switch")
        assert len(switch["record"]["done"]) == 1
        assert len(switch["record"]["late"]) == 1
        assert outcome.seconds < 15
    finally:
        os.kill(stopped, signal.SIGCONT)
    found = running.from_every_worker()
    assert {pid: answer["version"] for pid, answer in found.items()} == {stopped: "2.0.0", living: "2.0.0"}


def test_a_killed_worker_comes_back_with_the_new_version(running: Server) -> None:
    victim, living = sorted(running.pids())
    os.kill(victim, signal.SIGKILL)
    running.run(Kind.UPGRADE, "probe")
    until(lambda: len(running.pids()) == 2 and victim not in running.pids(), 30)
    found = running.from_every_worker()
    assert living in found
    assert {answer["version"] for answer in found.values()} == {"2.0.0"}


def test_a_websocket_and_a_stream_of_the_old_generation_are_closed_politely(running: Server) -> None:
    address = running.url.replace("http", "ws") + "/api/v1/probe/ws"
    with connect(address) as socket, httpx.stream("GET", running.url + WHERE + "/ticks", timeout=30) as stream:
        socket.send("a")
        assert socket.recv() == "1.0.0 a"
        lines = stream.iter_lines()
        assert next(lines).startswith("data: 1.0.0")
        running.run(Kind.UPGRADE, "probe")
        assert [line for line in lines if line][-1] == "data: closing"
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=30)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
    with connect(address) as socket:
        socket.send("b")
        assert socket.recv() == "2.0.0 b"


def test_a_stream_that_does_not_listen_gets_its_end_at_the_deadline(tmp_path: Path, running: Server) -> None:
    with httpx.stream("GET", running.url + WHERE + "/stubborn", timeout=30) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "data: 1.0.0"
        running.run(Kind.UPGRADE, "probe")
        *events, hint = [line for line in lines if line]  # And then a regular end: httpx raises otherwise.
        assert set(events) == {"data: 1.0.0"}
        assert hint.startswith("retry: ")


def test_jobs_run_on_one_worker_and_end_with_their_generation(running: Server) -> None:
    beats = running.home / "data" / "probe" / "beats.txt"
    until(lambda: beats.exists() and len(beats.read_text().splitlines()) > 5)
    assert len({line.split()[0] for line in beats.read_text().splitlines()}) == 1
    running.run(Kind.UPGRADE, "probe")
    until(lambda: beats.read_text().splitlines()[-1].endswith("2.0.0"))
    until(lambda: all(not status.of("probe").get("leaving") for status in running.statuses()))
    mark = len(beats.read_text().splitlines())
    until(lambda: len(beats.read_text().splitlines()) > mark + 5)
    assert {line.split()[1] for line in beats.read_text().splitlines()[mark:]} == {"2.0.0"}
    running.run(Kind.DEACTIVATE, "probe")
    quiet = beats.read_text()
    time.sleep(0.5)
    assert beats.read_text() == quiet


def test_events_and_filters_reach_the_plugin_while_it_is_active(running: Server) -> None:
    emit = running.url + "/api/v1/emit/probed"
    events = running.home / "data" / "probe" / "events.txt"
    assert httpx.post(emit).json() == 11
    assert events.read_text() == "1.0.0 1\n"
    running.run(Kind.UPGRADE, "probe")
    assert httpx.post(emit).json() == 11
    assert events.read_text().endswith("2.0.0 1\n")
    running.run(Kind.DEACTIVATE, "probe")
    assert httpx.post(emit).json() == 1
    assert events.read_text().count("\n") == 2


def test_a_plugins_exception_is_its_own_500_with_an_id(running: Server) -> None:
    response = running.get(WHERE + "/boom")
    assert response.status_code == 500
    assert "secret" not in response.text
    log = (running.home / "logs" / "probe.log").read_text()
    assert response.json()["error_id"] in log
    assert "a secret detail" in log
    assert running.get("/api/v1/ping").status_code == 200


def test_after_a_restart_everything_is_as_before_and_loaded_when_first_used(tmp_path: Path) -> None:
    (tmp_path / "small_host.py").write_text(SMALL_HOST)
    first = Server(tmp_path, app="small_host:app", app_dir=tmp_path)
    try:
        packed(with_table(tmp_path / "one"), first.modules)
        first.start()
        first.run(Kind.INSTALL, "probe")
        assert first.from_every_worker().keys() == first.pids()
        assert first.process is not None
        first.process.terminate()
        first.process.wait(20)
        first.start()
        assert {status.of("probe").get("loaded") for status in first.statuses()} == {False}
        assert "/api/v1/probe" in first.get("/openapi.json").json()["paths"]
        assert first.from_every_worker().keys() == first.pids()
        until(lambda: {status.of("probe").get("loaded") for status in first.statuses()} == {True})
    finally:
        first.stop()


@pytest.mark.parametrize("verb", ["stage", "expand", "start", "switch"])
def test_an_actor_that_is_killed_leaves_the_old_or_the_new_state(server: Server, tmp_path: Path, verb: str) -> None:
    """The actor dies just before a step or just after it; the next operation recovers first."""
    packed(with_table(tmp_path / "one"), server.modules)
    server.run(Kind.INSTALL, "probe")
    more = "CREATE TABLE probe_more (id INTEGER PRIMARY KEY);\n"
    folder = with_table(tmp_path / "two", "2.0.0")
    (folder / "migrations" / "0002_more.up.sql").write_text(more)
    packed(folder, server.modules)
    for when in ("before", "after"):
        code = _kill_in(server, verb, when)
        assert code == -signal.SIGKILL
        server.host.applier.recover_at_start()
        row = server.host.store.get_live("probe")
        new = verb == "switch" and when == "after"
        assert row.version == ("2.0.0" if new else "1.0.0")
        assert ("probe_more" in server.tables()) == new
        assert {item["version"] for item in server.from_every_worker().values()} == {row.version}
        assert server.registry()["probe"]["version"] == row.version
        names = {path.name for path in (server.home / "plugins").iterdir()}
        assert names == {"addon_registry.json", "probe"}
        assert set(server.host.applier.images.all()) == {item["image"] for item in server.host.store.history("probe")}


def _kill_in(server: Server, verb: str, when: str) -> int:
    import subprocess
    import sys

    script = f"""
import os, signal
from hotbay import settings
from hotbay.request import Request
from hotbay.model import Kind
from hotbay.offline import open_host
from hotbay.steps import STEPS

step = STEPS[{verb!r}]
real = step.do
def do(bench, params):
    if {when!r} == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    real(bench, params)
    os.kill(os.getpid(), signal.SIGKILL)
step.do = do
open_host(settings.load(local_packages={str(server.modules)!r})).applier.run(Request(Kind.UPGRADE, "probe"))
"""
    return subprocess.run([sys.executable, "-c", script], env=server.env, cwd=server.home, check=False).returncode


def test_a_server_that_is_stopped_ends_the_plugins_streams(running: Server) -> None:
    assert running.process is not None
    with httpx.stream("GET", running.url + WHERE + "/ticks", timeout=30) as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith("data: 1.0.0")
        running.process.terminate()
        assert [line for line in lines if line][-1] == "data: closing"
    assert running.process.wait(15) is not None


def test_a_stopped_worker_keeps_the_columns_of_the_version_before(running: Server, tmp_path: Path) -> None:
    """Its contract script is owed until the worker is back; then one of the workers runs it."""

    def columns() -> list[str]:
        with running.host.store.read() as connection:
            return [row[1] for row in connection.exec_driver_sql("PRAGMA table_info(probe_notes)")]

    running.run(Kind.UPGRADE, "probe", file=packed(with_table(tmp_path / "three", "3.0.0"), tmp_path / "packed"))
    later = with_table(tmp_path / "four", "4.0.0")
    (later / "migrations" / "0002_body.up.sql").write_text("ALTER TABLE probe_notes ADD COLUMN body TEXT;")
    (later / "migrations" / "0002_body.contract.sql").write_text("ALTER TABLE probe_notes DROP COLUMN text;")
    stopped, _ = sorted(running.pids())
    os.kill(stopped, signal.SIGSTOP)
    try:
        outcome = running.run(Kind.UPGRADE, "probe", file=packed(later, tmp_path / "packed"))
        assert "may still run the version before" in outcome.notes["owed"]
        assert columns() == ["id", "text", "body"]
    finally:
        os.kill(stopped, signal.SIGCONT)
    assert {answer["version"] for answer in running.from_every_worker().values()} == {"4.0.0"}
    until(lambda: columns() == ["id", "body"], 30)
