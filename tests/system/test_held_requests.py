"""While a plugin's rows are backed up and put back, its event handlers write nothing: what a visitor was told is there.

Two real workers, one real database. The host's own routes emit; a plugin's handlers write what they hear.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import httpx
import pytest

from hotbay.model import Kind, Rows
from system.conftest import Server
from system.crowd import Crowd
from system.packages import manifest, packed, write

HOST = """
from fastapi import FastAPI, Request
from hotbay import Hotbay

app = FastAPI()

def admin(request: Request):
    return request.headers.get("x-admin")

hotbay = Hotbay(app, admin=admin)

@app.post("/visit/{number}")
async def visit(number: int):
    said = []
    await hotbay.emit("visited", number=number, said=said)
    return said
"""
HOOKS = """
from sqlalchemy import text
from hotbay_sdk import context, on

ctx = context(__name__)

def note(number, half):
    with ctx.database.session() as session:
        session.execute(text("INSERT INTO probe_visits (number, half) VALUES (:number, :half)"),
                        {"number": number, "half": half})

@on("visited")
def heard(number, said):
    note(number, "first")
    note(number, "second")
    said.append(ctx.version)
"""
VISITS = "CREATE TABLE probe_visits (id INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER, half TEXT);\n"
# Rows enough for a backup and a restore to take a while.
FULL = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
    "INSERT INTO probe_visits (number, half) SELECT -i, 'old' FROM n;\n"
)
MORE = "CREATE TABLE probe_more (id INTEGER PRIMARY KEY);\n"


def notebook(folder: Path, version: str) -> Path:
    """The probe, which writes two rows for each visit; 2.0.0 has a table more."""
    files = {
        "metadata.json": json.dumps(manifest(version)),
        "backend/__init__.py": "",
        "backend/hooks.py": HOOKS,
        "migrations/0001_visits.up.sql": VISITS + FULL,
        "migrations/0001_visits.down.sql": "DROP TABLE probe_visits;\n",
    }
    if version == "2.0.0":
        files |= {"migrations/0002_more.up.sql": MORE, "migrations/0002_more.down.sql": "DROP TABLE probe_more;\n"}
    return write(folder, files)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "visited.py").write_text(HOST)
    made = Server(tmp_path, app="visited:app", app_dir=tmp_path)
    try:
        for version in ("1.0.0", "2.0.0"):
            packed(notebook(tmp_path / version, version), made.modules)
        yield made.start()
    finally:
        made.stop()


class Visitors(Crowd):
    """They visit all the time; `told` are the numbers that the plugin said it had noted, by its version."""

    def __init__(self, server: Server, people: int = 4) -> None:
        self.told: dict[int, str] = {}
        self.failures: list[str] = []
        self._server, self._numbers = server, count(1)
        super().__init__(people)

    def come(self) -> None:
        """One visit after the other."""
        with httpx.Client(base_url=self._server.url, timeout=60) as client:
            while not self.over:
                number = next(self._numbers)
                answer = client.post(f"/visit/{number}")
                if answer.status_code != 200:
                    self.failures.append(answer.text)
                elif answer.json():
                    self.told[number] = answer.json()[0]

    def more(self, version: str, many: int = 5) -> None:
        """Wait for some more that a version noted."""
        deadline, before = time.monotonic() + 30, list(self.told.values()).count(version)
        while list(self.told.values()).count(version) < before + many:
            assert time.monotonic() < deadline, (version, Counter(self.told.values()), self.failures)
            time.sleep(0.01)


def noted(server: Server) -> Counter[int]:
    """How many rows each visit has."""
    with closing(sqlite3.connect(server.database)) as connection:
        found = connection.execute("SELECT number, count(*) FROM probe_visits WHERE number > 0 GROUP BY number")
        return Counter(dict(found.fetchall()))


def test_no_row_of_an_event_handler_is_lost_or_torn_by_going_back(host: Server) -> None:
    host.run(Kind.INSTALL, "probe", version="1.0.0")
    with Visitors(host) as visitors:
        for _ in range(3):
            visitors.more("1.0.0")
            host.run(Kind.UPGRADE, "probe")
            visitors.more("2.0.0")
            host.run(Kind.ROLLBACK, "probe", rows=Rows.MERGE, accept_loss=True)
        visitors.more("1.0.0")
        host.run(Kind.UNINSTALL, "probe")
    assert visitors.failures == []
    host.run(Kind.INSTALL, "probe", version="1.0.0", restore="latest")
    found = noted(host)
    assert {number: found[number] for number in visitors.told if found[number] != 2} == {}
    assert {number for number, rows in found.items() if rows != 2} == set(), "half a visit"
