"""A random worker of the billing panel is killed at a random moment of a random operation; uvicorn starts another.

After each: the operation's state is exactly the old or the new one, every worker serves it, nobody who came after an
operation's end saw another version, and no request failed but those that the killed worker had. The seed is printed;
HOTBAY_KILLS_SEED repeats it, HOTBAY_KILLS says how many kills (`make torture` wants more than the tests do).
"""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hotbay import journal
from hotbay.errors import HotbayError
from hotbay.model import Kind, Rows
from system.conftest import BILLING, Server, until
from system.crowd import Crowd
from system.packages import packed, with_table, write

KILLS = int(os.environ.get("HOTBAY_KILLS", "5"))
SEED = int(os.environ.get("HOTBAY_KILLS_SEED", "0")) or random.randrange(1, 10**6)
PATH = "/api/v1/probe"
MORE = "CREATE TABLE probe_more (id INTEGER PRIMARY KEY);\n"
MARGIN = 0.02


@dataclass(frozen=True)
class State:
    """What is installed: a version, or "" for nothing."""

    version: str = ""
    active: bool = False

    def next(self) -> dict[Kind, State]:
        """What may be done, and what comes of it."""
        if not self.version:
            return {Kind.INSTALL: State("1.0.0", True)}
        if not self.active:
            return {Kind.ACTIVATE: State(self.version, True), Kind.UNINSTALL: State()}
        way, other = (Kind.UPGRADE, "2.0.0") if self.version == "1.0.0" else (Kind.ROLLBACK, "1.0.0")
        return {way: State(other, True), Kind.DEACTIVATE: State(self.version), Kind.UNINSTALL: State()}

    @property
    def answer(self) -> str:
        """What a visitor sees: the version, or 404."""
        return self.version if self.active else "404"


WISHES: dict[Kind, dict[str, Any]] = {Kind.INSTALL: {"version": "1.0.0"}, Kind.ROLLBACK: {"rows": Rows.MERGE}}


@dataclass(frozen=True)
class Visit:
    """One request: when it began and ended, and what came of it (a version, a status, or an error's name)."""

    began: float
    ended: float
    answer: str


class Visitors(Crowd):
    """They ask all the time, each time on a connection of its own, so that any worker may get it."""

    def __init__(self, port: int, people: int = 2) -> None:
        self.visits: list[Visit] = []
        self._port = port
        super().__init__(people)

    def come(self) -> None:
        """One visit after the other."""
        while not self.over:
            began = time.monotonic()
            answer = self._ask()
            self.visits.append(Visit(began, time.monotonic(), answer))
            time.sleep(0.005)

    def _ask(self) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            with closing(connection):
                connection.request("GET", PATH)
                answer = connection.getresponse()
                body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
        if answer.status != 200:
            return str(answer.status)
        said = json.loads(body)
        return str(said["version"]) if said["version"] == said["late"] else f"torn: {said}"


class World:
    """The panel, its visitors, and what ought to be."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.random = random.Random(SEED)
        self.state = State()
        self.notes: set[str] = set()
        self.seconds: dict[Kind, float] = {}
        self.kills: list[tuple[float, float]] = []
        self.known: list[tuple[float, str]] = [(time.monotonic(), self.state.answer)]
        self.done: list[str] = []

    def operate(self) -> None:
        """One operation and, meanwhile, one kill."""
        kind, new = self.random.choice(list(self.state.next().items()))
        delay = self.random.uniform(0, 1.2 * self.seconds.get(kind, 0.4))
        victim = self.random.choice(sorted(self.server.pids()))
        killer = threading.Timer(delay, self._kill, [victim])
        self.known.append((time.monotonic(), "changing"))
        began = time.monotonic()
        killer.start()
        try:
            self.server.run(kind, "probe", **WISHES.get(kind, {}))
        except HotbayError as error:
            self.done.append(f"{kind}: {error}")
        else:
            self.done.append(f"{kind}: done")
            self.state, self.seconds[kind] = new, time.monotonic() - began
        self.known.append((time.monotonic(), self.state.answer))
        killer.join()
        until(lambda: victim not in self.server.pids() and len(self.server.pids()) == self.server.workers, 60)

    def _kill(self, pid: int) -> None:
        began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        with suppress(FileNotFoundError):  # Gone when it is a zombie, or nobody any more.
            while "State:\tZ" not in Path(f"/proc/{pid}/status").read_text():
                time.sleep(0.001)
        self.kills.append((began, time.monotonic()))

    def check(self) -> None:
        """Exactly the state that the operation says, everywhere."""
        if self.state.active:
            said = self.server.from_every_worker(PATH)
            assert {item["version"] for item in said.values()} == {self.state.version}
        else:
            assert self.server.codes(PATH, 8) == {404}
        store, version = self.server.host.store, self.state.version
        row = store.find_live("probe")
        assert State(row.version, row.active) == self.state if row is not None else not version
        assert store.all_candidates() == {}
        assert not journal.cut_off(store)
        assert {name for name in self.server.tables() if name.startswith("probe_")} == {
            *(["probe_notes"] if version else []),
            *(["probe_more"] if version == "2.0.0" else []),
        }
        folders = {path.name for path in (self.server.home / "plugins").iterdir() if path.is_dir()}
        assert folders == ({"probe" if self.state.active else "_probe"} if version else set())
        assert {name: item["version"] for name, item in self.server.registry().items()} == (
            {"probe": version} if version else {}
        )
        self._check_notes()

    def _check_notes(self) -> None:
        """What was written is there, until the table goes; then write something."""
        if not self.state.version:
            self.notes.clear()
            return
        with closing(sqlite3.connect(self.server.database, timeout=30)) as connection, connection:
            found = {text for (text,) in connection.execute("SELECT text FROM probe_notes")}
            assert found == self.notes
            self.notes.add(f"note {len(self.done)}")
            connection.execute("INSERT INTO probe_notes (text) VALUES (?)", (f"note {len(self.done)}",))

    def judge(self, visits: list[Visit]) -> None:
        """What visitors saw: nothing but the state that was known, and no failure without a death."""
        spans = [*pairwise(self.known), (self.known[-1], (float("inf"), ""))]
        for visit in visits:
            met = {answer for (since, answer), (until_, _) in spans if visit.began < until_ and visit.ended > since}
            if "changing" in met:
                met |= {"1.0.0", "2.0.0", "404"}
            if visit.answer not in met:
                assert self._died(visit), (visit, met)

    def _died(self, visit: Visit) -> bool:
        """True when its connection may have been the killed worker's."""
        broken = not visit.answer[:1].isdigit() and not visit.answer.startswith("torn")
        return broken and any(visit.began <= end + MARGIN and visit.ended >= began for began, end in self.kills)


@pytest.fixture
def panel(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path, app="app.main:app", app_dir=BILLING, HOTBAY_ACK_SECONDS="20", HOTBAY_DRAIN_SECONDS="2")
    packed(with_table(tmp_path / "one", "1.0.0"), made.modules)
    two = write(with_table(tmp_path / "two", "2.0.0"), {"migrations/0002_more.up.sql": MORE})
    packed(write(two, {"migrations/0002_more.down.sql": "DROP TABLE probe_more;\n"}), made.modules)
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.mark.timeout(120 + 30 * KILLS)
def test_a_worker_that_dies_in_an_operation_leaves_nothing_torn_and_fails_nobody_else(panel: Server) -> None:
    print(f"HOTBAY_KILLS_SEED={SEED}")
    world = World(panel)
    with Visitors(panel.port) as visitors:
        for _ in range(KILLS):
            world.operate()
            print(world.done[-1])
            world.check()
    world.judge(visitors.visits)
    assert len(world.kills) == KILLS
    assert len(visitors.visits) > 10 * KILLS
