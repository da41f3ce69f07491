"""What is under way when a plugin is changed is finished, or closed politely at the deadline; on real sockets."""

from __future__ import annotations

import hashlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from hotbay.model import DataPolicy, Kind, Rows
from hotbay.notary import Notary
from hotbay.receipt import verify
from system.conftest import SMALL_HOST, Server, until
from system.packages import manifest, packed, write

FLOW = "/api/v1/flow"
SAID = "CREATE TABLE flow_said (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT);\n"
ROUTES = """
import asyncio
import hashlib

from fastapi import APIRouter, Header, Request, WebSocket
from fastapi.responses import StreamingResponse
from hotbay_sdk import context

router = APIRouter(prefix="/flow")
ctx = context(__name__)
VERSION = "{version}"


@router.get("/version")
def version():
    return VERSION


@router.post("/upload")
async def upload(request: Request):
    seen, size = hashlib.sha256(), 0
    async for piece in request.stream():
        seen.update(piece)
        size += len(piece)
    return {{"version": VERSION, "sha256": seen.hexdigest(), "size": size}}


@router.get("/long")
async def long(seconds: float):
    async def lines():
        for number in range(int(seconds * 10)):
            yield f"{{VERSION}} {{number}}\\n"
            await asyncio.sleep(0.1)

    return StreamingResponse(lines(), media_type="text/plain")


@router.post("/say")
def say(text: str):
    with ctx.database.session() as session:
        done = session.connection().exec_driver_sql("INSERT INTO flow_said (text) VALUES (?)", (text,))
        session.commit()
        return done.lastrowid


@router.get("/events")
async def events(stubborn: bool = False, last_event_id: str = Header("0")):
    def after(number):
        with ctx.database.session() as session:
            asked = "SELECT id, text FROM flow_said WHERE id > ? ORDER BY id"
            return session.connection().exec_driver_sql(asked, (number,)).all()

    async def lines():
        last = int(last_event_id)
        yield f": {{VERSION}}\\n\\n"
        while stubborn or not ctx.closing:
            for last, text in await asyncio.to_thread(after, last):
                yield f"id: {{last}}\\ndata: {{text}}\\n\\n"
            await asyncio.sleep(0.02)

    return StreamingResponse(lines(), media_type="text/event-stream")


@router.websocket("/ws")
async def ws(socket: WebSocket):
    await socket.accept()
    while True:
        await socket.send_text(VERSION + " " + await socket.receive_text())
"""


def flow(folder: Path, version: str) -> Path:
    """A plugin with uploads, long answers, numbered events and a WebSocket."""
    claims = {"id": "flow", "name": "Flow", "backend": {"routes": [FLOW + "/*"]}, "frontend": {}}
    return write(
        folder,
        {
            "metadata.json": json.dumps(manifest(version, **claims)),
            "backend/__init__.py": "",
            "backend/routes.py": ROUTES.format(version=version),
            "migrations/0001_said.up.sql": SAID,
            "migrations/0001_said.down.sql": "DROP TABLE flow_said;\n",
        },
    )


def served(tmp_path: Path, drain_seconds: float) -> Iterator[Server]:
    (tmp_path / "small_host.py").write_text(SMALL_HOST)
    made = Server(
        tmp_path,
        app="small_host:app",
        app_dir=tmp_path,
        HOTBAY_DRAIN_SECONDS=str(drain_seconds),
        HOTBAY_RECEIPT_SECONDS="0.2",
    )
    try:
        made.start()
        for version in ("1.0.0", "2.0.0"):
            packed(flow(tmp_path / version, version), made.modules)
        made.run(Kind.INSTALL, "flow", version="1.0.0")
        yield made
    finally:
        made.stop()


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Server]:
    """A host that waits longer for requests than any of these takes."""
    yield from served(tmp_path, 30.0)


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Server]:
    """A host that waits one second."""
    yield from served(tmp_path, 1.0)


@pytest.fixture
def beside() -> Iterator[Callable[..., Future[Any]]]:
    """Calls a function in a thread."""
    with ThreadPoolExecutor(32) as pool:
        yield pool.submit


def upload(server: Server, pieces: int, pause: float) -> Any:
    """A body that is sent piece by piece with pauses, over a socket of its own: status and answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    body = [bytes([number % 256]) * 8192 for number in range(pieces)]

    def slowly() -> Iterator[bytes]:
        for piece in body:
            yield piece
            time.sleep(pause)

    headers = {"content-length": str(8192 * pieces)}
    try:
        connection.request("POST", FLOW + "/upload", body=slowly(), headers=headers)
        answer = connection.getresponse()
        told = json.loads(answer.read())
    finally:
        connection.close()
    if answer.status == 200:
        assert told["sha256"] == hashlib.sha256(b"".join(body)).hexdigest()
    return answer.status, told


def long(server: Server, seconds: float) -> list[str]:
    """The lines of a long answer; raises when it ends too early."""
    return server.get(f"{FLOW}/long?seconds={seconds}").text.splitlines()


def under_way(server: Server, count: int) -> Any:
    """Wait until so many requests are in flight."""

    def counted() -> bool:
        server.host.applier.workers.signal()
        return sum(status.of("flow").get("in_flight", 0) for status in server.statuses()) >= count

    return until(counted)


def change(server: Server, kind: Kind) -> Any:
    wishes = {"data": DataPolicy.PURGE} if kind is Kind.UNINSTALL else {}
    return server.run(kind, "flow", **wishes)


# ── finished ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_uploads_and_ten_seconds_of_an_answer_are_finished_by_the_version_that_began_them(
    patient: Server, beside: Callable[..., Future[Any]]
) -> None:
    uploads = [beside(upload, patient, 20, 0.1) for _ in range(6)]
    longs = [beside(long, patient, 10.0) for _ in range(4)]
    under_way(patient, 10)
    patient.run(Kind.UPGRADE, "flow")
    assert patient.get(FLOW + "/version").json() == "2.0.0"
    assert not any(item.done() for item in longs)
    assert [item.result() for item in longs] == [[f"1.0.0 {number}" for number in range(100)]] * 4
    for item in uploads:
        status, told = item.result()
        assert (status, told["version"], told["size"]) == (200, "1.0.0", 20 * 8192)


@pytest.mark.parametrize("kind", [Kind.DEACTIVATE, Kind.UNINSTALL])
def test_they_are_finished_when_the_plugin_leaves_for_good(
    patient: Server, beside: Callable[..., Future[Any]], kind: Kind
) -> None:
    uploads = [beside(upload, patient, 15, 0.1) for _ in range(4)]
    longs = [beside(long, patient, 2.0) for _ in range(4)]
    under_way(patient, 8)
    outcome = change(patient, kind)
    assert patient.get(FLOW + "/version").status_code == 404
    assert [item.result()[0] for item in uploads] == [200] * 4
    assert [len(item.result()) for item in longs] == [20] * 4
    receipt = receipt_of(patient, outcome.operation)
    assert sum(item["passage"]["waited"].get("http", 0) for item in receipt["workers"]) >= 4
    assert [item["passage"]["closed"] for item in receipt["workers"]] == [{}, {}]


def receipt_of(server: Server, operation: int) -> dict[str, Any]:
    """The verified receipt that a worker of the server wrote."""
    notary: Notary = server.host.applier.notary
    until(lambda: operation not in notary.pending(), 40)
    return verify(notary.find(operation), notary.key.public)


# ── closed at the deadline ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", [Kind.UPGRADE, Kind.DEACTIVATE, Kind.UNINSTALL])
def test_at_the_deadline_each_is_closed_in_its_own_way(
    strict: Server, beside: Callable[..., Future[Any]], kind: Kind
) -> None:
    loading, cut = beside(upload, strict, 30, 0.1), beside(long, strict, 30.0)
    address = strict.url.replace("http", "ws") + FLOW + "/ws"
    events = beside(lambda: strict.get(FLOW + "/events?stubborn=1").text)
    with connect(address) as socket:
        socket.send("a")
        assert socket.recv() == "1.0.0 a"
        under_way(strict, 4)
        outcome = change(strict, kind)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=30)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1012, "the plugin was changed")
    assert events.result().startswith(": 1.0.0\n\n")
    assert events.result().splitlines()[-2].startswith("retry: ")
    with pytest.raises(httpx.RemoteProtocolError):  # Not taken for the whole answer.
        cut.result()
    status, told = loading.result()
    assert (status, told["code"]) == (503, "drained")
    receipt = receipt_of(strict, outcome.operation)
    closed_by_kind = [item["passage"]["closed"] for item in receipt["workers"]]
    assert sum(item.get("websocket", 0) for item in closed_by_kind) == 1
    assert sum(item.get("http", 0) for item in closed_by_kind) == 3


# ── events ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Listener:
    """A browser's EventSource: comes back with the number of the last event that it has."""

    def __init__(self, server: Server, path: str) -> None:
        self.seen: list[tuple[int, str]] = []
        self.versions: list[str] = []
        self.retries = 0
        self.stop = threading.Event()
        self._server, self._path = server, path

    def listen(self) -> None:
        while not self.stop.is_set():
            headers = {"last-event-id": str(self.seen[-1][0])} if self.seen else {}
            try:
                with httpx.stream("GET", self._server.url + self._path, headers=headers, timeout=30) as answer:
                    assert answer.status_code == 200
                    self._read(answer)
            except httpx.RemoteProtocolError:
                raise AssertionError("the stream was broken off") from None
            time.sleep(0.02)

    def _read(self, answer: httpx.Response) -> None:
        event: dict[str, str] = {}
        for line in answer.iter_lines():
            name, _, value = line.partition(":")
            if line.startswith(": "):
                self.versions.append(line[2:])
            elif line:
                event[name] = value.strip()
            elif "retry" in event:
                self.retries += 1
                event = {}
            elif event:
                self.seen.append((int(event["id"]), event["data"]))
                event = {}
            if self.stop.is_set():
                return


@pytest.mark.parametrize("stubborn", [False, True])
def test_numbered_events_go_on_with_the_next_generation_and_none_is_lost(
    strict: Server, beside: Callable[..., Future[Any]], stubborn: bool
) -> None:
    """`stubborn` streams do not end by themselves: they are ended at the deadline, with a hint to come back."""
    listeners = [Listener(strict, f"{FLOW}/events?stubborn={stubborn}") for _ in range(3)]
    running = [beside(item.listen) for item in listeners]
    said: list[str] = []
    stop = threading.Event()

    def talk() -> None:
        with httpx.Client(base_url=strict.url, timeout=30) as client:
            while not stop.is_set():
                text = f"message {len(said)}"
                client.post(FLOW + "/say", params={"text": text}).raise_for_status()
                said.append(text)
                time.sleep(0.005)

    talking = beside(talk)
    until(lambda: all(item.versions for item in listeners))
    for kind, version in ((Kind.UPGRADE, "2.0.0"), (Kind.ROLLBACK, "1.0.0"), (Kind.UPGRADE, "2.0.0")):
        strict.run(kind, "flow", rows=Rows.KEEP)  # What is said meanwhile stays.
        until(lambda wanted=version: all(item.versions[-1] == wanted for item in listeners))
    stop.set()
    talking.result()
    until(lambda: all(len(item.seen) >= len(said) for item in listeners))
    for item in listeners:
        item.stop.set()
    beside(lambda: httpx.post(strict.url + FLOW + "/say", params={"text": "end"}, timeout=30))
    for future in running:
        future.result()
    assert len(said) > 20
    for item in listeners:
        assert [text for _, text in item.seen][: len(said)] == said
        assert [number for number, _ in item.seen] == sorted({number for number, _ in item.seen})
        assert item.versions == ["1.0.0", "2.0.0", "1.0.0", "2.0.0"]
        assert item.retries == (3 if stubborn else 0)
