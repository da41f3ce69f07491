"""Live events: snapshots at connect and at each change, operations of any worker, and an end when the server leaves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from console.desks import ADMIN, LIVE, MARKET, Desk, serving, tree, until
from hotbay import Hotbay
from hotbay.console import events
from hotbay.console.events import Feed, Snapshot, Subscriber, event
from hotbay.model import Kind
from hotbay.outcome import Progress
from hotbay.package import pack


class Listener:
    """An EventSource as a browser has it, in a thread."""

    def __init__(self, url: str, last: str = "", query: str = "") -> None:
        self.queues: dict[str, queue.Queue[tuple[str, Any]]] = {"snapshot": queue.Queue(), "operation": queue.Queue()}
        self.ended = threading.Event()
        self.comments: list[str] = []
        self.opened = threading.Event()
        headers = ADMIN | ({"last-event-id": last} if last else {})
        self.thread = threading.Thread(target=self._run, args=(f"{url}{LIVE}/events{query}", headers), daemon=True)
        self.thread.start()
        assert self.opened.wait(10)

    def _run(self, url: str, headers: dict[str, str]) -> None:
        fields: dict[str, str] = {}
        with httpx.stream("GET", url, headers=headers, timeout=60) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            assert response.headers["cache-control"] == "no-store"
            for line in response.iter_lines():
                self.opened.set()
                if line.startswith((":", "retry")):
                    self.comments.append(line)
                elif line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif fields:
                    self.queues[fields["event"]].put((fields.get("id", ""), json.loads(fields["data"])))
                    fields = {}
        self.ended.set()

    def next(self, name: str, seconds: float = 10.0) -> tuple[str, Any]:
        """The next event of that name: its id and data."""
        return self.queues[name].get(timeout=seconds)

    def operation(self, number: int | None = None) -> list[dict[str, Any]]:
        """What is told of the next operation, to its end."""
        found: list[dict[str, Any]] = []
        while not found or found[-1]["verb"] or found[-1]["state"] == "running":
            _, data = self.next("operation")
            if number in (None, data["operation"]):
                found.append(data)
        return found


def test_a_snapshot_at_connect_and_one_for_each_change(desk: Desk) -> None:
    listener = Listener(desk.url)
    number, first = listener.next("snapshot")
    assert listener.comments == ["retry: 1000"]
    assert first["plugins"] == []
    assert number == f"{first['epoch']}:{first['rev']}"
    desk.install()
    until(lambda: (now := listener.next("snapshot")[1])["plugins"] and now)
    desk.post("/toggle/notes")
    number, last = until(lambda: (now := listener.next("snapshot"))[1]["plugins"][0]["state"] == "inactive" and now)
    plugin = last["plugins"][0]
    assert (plugin["id"], plugin["version"], plugin["frontend"]["routes"]) == ("notes", "1.0.0", ["/notes"])
    assert plugin["image"] == desk.hotbay.store.get_live("notes").image
    assert last["rev"] > first["rev"]


def test_revisions_never_go_back_and_none_comes_twice(desk: Desk) -> None:
    listener = Listener(desk.url)
    desk.install()
    for _ in range(6):
        desk.post("/toggle/notes")
    final = desk.hotbay.store.rev()[1]
    revisions = [listener.next("snapshot")[1]["rev"]]
    while revisions[-1] < final:
        revisions.append(listener.next("snapshot")[1]["rev"])
    assert revisions == sorted(set(revisions))


def test_who_has_the_newest_snapshot_gets_none(desk: Desk) -> None:
    desk.install()
    number, _ = Listener(desk.url).next("snapshot")
    again = Listener(desk.url, number)
    with pytest.raises(queue.Empty):
        again.next("snapshot", 0.6)
    desk.post("/toggle/notes")
    assert again.next("snapshot")[1]["rev"] > int(number.split(":")[1])
    assert Listener(desk.url, "elsewhere:999").next("snapshot")


def test_each_step_of_an_operation_is_told_once_and_in_order(desk: Desk) -> None:
    listener = Listener(desk.url)
    done = desk.install()
    told = listener.operation()
    assert (told[0]["verb"], told[0]["state"], told[0]["summary"]) == ("", "running", "install notes 1.0.0")
    assert (told[-1]["verb"], told[-1]["state"]) == ("", "done")
    assert {item["operation"] for item in told} == {done["operation"]}
    pairs = [(item["verb"], item["state"]) for item in told]
    assert len(pairs) == len(set(pairs))
    finished = [verb for verb, state in pairs if state == "done" and verb]
    assert finished == [step["verb"] for step in done["steps"]]
    assert all(item["total"] == len(done["steps"]) for item in told)


def test_who_wants_no_snapshots_gets_the_steps_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Browsers have the registry from a stream of their own; nobody reads it whole for them."""
    monkeypatch.setattr(desk.hotbay.feed, "snapshot", lambda: pytest.fail("it was read"))
    listener = Listener(desk.url, query="?snapshots=false")
    done = desk.install()
    told = listener.operation()
    assert (told[-1]["operation"], told[-1]["state"]) == (done["operation"], "done")
    assert listener.queues["snapshot"].empty()


def test_operations_of_others_are_told_too(desk: Desk) -> None:
    listener = Listener(desk.url)
    listener.next("snapshot")
    time.sleep(0.5)
    desk.outside(Kind.INSTALL)
    told = listener.operation()
    assert (told[0]["kind"], told[0]["plugin"], told[-1]["state"]) == ("install", "notes", "done")
    finished = [item["verb"] for item in told if item["state"] == "done" and item["verb"]]
    assert finished[0] == "stage"
    assert "switch" in finished
    assert until(lambda: (now := listener.next("snapshot")[1])["plugins"] and now)["plugins"][0]["id"] == "notes"


def test_a_failure_is_told_with_what_was_undone(desk: Desk) -> None:
    desk.pack(version="2.0.0", files={"backend/routes.py": "1 / 0\n"})
    listener = Listener(desk.url)
    desk.install(status=422)
    told = listener.operation()
    assert (told[-1]["verb"], told[-1]["state"]) == ("", "failed")
    assert ("stage", "undone") in [(item["verb"], item["state"]) for item in told]


def test_many_listeners_hear_the_same(desk: Desk) -> None:
    listeners = [Listener(desk.url) for _ in range(5)]
    desk.install()
    stories = [[(item["verb"], item["state"]) for item in listener.operation()] for listener in listeners]
    assert all(story == stories[0] for story in stories)


def test_nothing_is_read_while_nobody_listens(desk: Desk) -> None:
    reads: list[int] = []
    own = desk.hotbay.store.rev
    desk.hotbay.store.rev = lambda: (reads.append(1), own())[1]  # type: ignore[method-assign]
    desk.install()
    time.sleep(0.5)
    quiet = len(reads)
    time.sleep(0.6)
    assert len(reads) == quiet
    listener = Listener(desk.url)
    listener.next("snapshot")
    until(lambda: len(reads) > quiet + 3)


def test_who_leaves_is_forgotten(desk: Desk) -> None:
    with httpx.stream("GET", f"{desk.url}{LIVE}/events", headers=ADMIN):
        until(lambda: len(desk.hotbay.feed._subscribers) == 1)
    until(lambda: not desk.hotbay.feed._subscribers)


def test_streams_stay_alive_and_end_after_their_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_KEEP_ALIVE_SECONDS", 0.5)
    monkeypatch.setattr(events, "_LONGEST_SECONDS", 2.0)
    listener = Listener(desk.url)
    assert listener.ended.wait(10)
    assert listener.comments.count(": keep-alive") >= 1


@contextmanager
def lone_server(folder: Path) -> Iterator[tuple[Any, str]]:
    from fastapi import FastAPI

    app = FastAPI()
    hotbay = Hotbay(app, admin=lambda: "ada", home=folder / "var", watch=False)
    pack(tree(folder / "notes"), hotbay.settings.packages)
    with serving(app) as found:
        yield found
    hotbay.store.close()


def test_a_server_that_is_asked_to_stop_is_not_held_up(tmp_path: Path) -> None:
    """uvicorn waits without a limit for open answers before it tells the application that it leaves."""
    with lone_server(tmp_path) as (server, url):
        listener = Listener(url)
        listener.next("snapshot")
        began = time.monotonic()
        server.should_exit = True
        assert listener.ended.wait(10)
        assert time.monotonic() - began < 5


# ── pieces ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_event_as_text() -> None:
    assert event("line", "a\nb", "7") == "id: 7\nevent: line\ndata: a\ndata: b\n\n"
    assert event("line", "") == "event: line\ndata: \n\n"


def test_snapshots_know_which_is_newer() -> None:
    one = Snapshot("a", 1, "")
    assert one.newer_than(None)
    assert Snapshot("a", 2, "").newer_than(one)
    assert not one.newer_than(one)
    assert not one.newer_than(Snapshot("a", 2, ""))
    assert Snapshot("b", 0, "").newer_than(one)


async def test_a_slow_listener_gets_a_fresh_snapshot_instead_of_a_backlog(tmp_path: Path) -> None:
    hotbay = Hotbay(object(), home=tmp_path)
    feed = Feed(hotbay)
    feed.start()
    try:
        stream = feed.subscribe()
        assert await anext(stream) == "retry: 1000\n\n"
        assert (await anext(stream)).startswith("id: ")
        for number in range(events._QUEUE * 3 + 5):
            feed._tell(Progress(number + 1, "install", "notes", "", "running", 0, 1))
        assert (await anext(stream)).startswith("id: ")
        later = await anext(stream)
        assert later.startswith("event: operation")
        assert json.loads(later.splitlines()[1].removeprefix("data: "))["operation"] > events._QUEUE
        await stream.aclose()  # type: ignore[attr-defined]
        assert not feed._subscribers
    finally:
        feed.stop()
        hotbay.store.close()


async def test_pages_are_told_before_administrators_details_are_read(tmp_path: Path) -> None:
    """Reading all details and the journal takes ten times as long as what a visitor's page needs."""
    hotbay = Hotbay(object(), home=tmp_path)
    feed = Feed(hotbay)
    visitor, administrator, order = Subscriber(whole=False), Subscriber(), []
    feed.snapshot = lambda: order.append(visitor.queue.qsize()) or Snapshot("e", 1, "all")  # type: ignore
    feed._subscribers |= {administrator, visitor}
    await feed._look()
    assert order == [1]
    assert (visitor.queue.get_nowait().text, administrator.queue.get_nowait().text) == ("", "all")  # type: ignore
    hotbay.store.close()


async def test_visitors_alone_cost_no_reading_of_details(tmp_path: Path) -> None:
    hotbay = Hotbay(object(), home=tmp_path)
    feed = Feed(hotbay)
    feed.snapshot = lambda: 1 / 0  # type: ignore
    feed._subscribers.add(Subscriber(whole=False))
    await feed._look()
    hotbay.store.close()


async def test_who_wants_the_steps_alone_costs_no_reading_and_gets_no_snapshot(tmp_path: Path) -> None:
    hotbay = Hotbay(object(), home=tmp_path)
    feed = Feed(hotbay)
    feed.snapshot = lambda: 1 / 0  # type: ignore
    stream = feed.steps()
    assert await anext(stream) == "retry: 1000\n\n"
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    await feed._look()
    feed._tell(Progress(1, "install", "notes", "", "running", 0, 1))
    assert (await waiting).startswith("event: operation")
    await stream.aclose()  # type: ignore[attr-defined]
    assert not feed._subscribers
    hotbay.store.close()


async def test_a_connection_on_which_nothing_happens_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hotbay = Hotbay(object(), home=tmp_path)
    monkeypatch.setattr(events, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(events, "_KEEP_ALIVE_SECONDS", 0.03)
    for stream in (Feed(hotbay).steps(), Feed(hotbay).subscribe("", View())):
        found = [text async for text, _ in azip(stream, range(5)) if not text.startswith("id: ")]
        assert set(found[1:]) == {": keep-alive\n\n"}
        await stream.aclose()  # type: ignore[attr-defined]
    hotbay.store.close()


class View:
    """The registry for somebody who may see nothing of operations."""

    operations = False

    def snapshot(self) -> Snapshot:
        return Snapshot("e", 1, "{}")


async def azip(stream: Any, numbers: Iterable[int]) -> AsyncIterator[tuple[str, int]]:
    for number in numbers:
        yield await anext(stream), number


def test_an_overflow_drops_the_backlog() -> None:
    subscriber = Subscriber()
    for number in range(events._QUEUE + 1):
        subscriber.offer(str(number))
    assert subscriber.behind
    assert subscriber.queue.qsize() == 1


async def test_publishing_before_the_start_or_after_the_end_does_no_harm(tmp_path: Path) -> None:
    hotbay = Hotbay(object(), home=tmp_path)
    feed = Feed(hotbay)
    item = Progress(1, "install", "notes", "", "running", 0, 1)
    feed.publish(item)
    feed.start()
    feed.stop()
    feed.publish(item)
    assert feed.ended
    assert [text async for text in feed.subscribe()][:1] == ["retry: 1000\n\n"]
    hotbay.store.close()


# ── two workers, as processes ───────────────────────────────────────────────────────────────────────────────────

PANEL = """
from console.desks import admin
from fastapi import FastAPI
from hotbay import Hotbay

app = FastAPI()
hotbay = Hotbay(app, admin=admin)
"""


@contextmanager
def two_workers(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    (folder / "panel.py").write_text(PANEL)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    paths = os.pathsep.join([str(folder), str(Path(__file__).parents[1])])
    env = os.environ | {"HOTBAY_HOME": str(folder / "var"), "PYTHONPATH": paths}
    command = [sys.executable, "-m", "uvicorn", "panel:app", "--workers", "2", "--port", port]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=env, cwd=folder, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            until(lambda: _workers(url) == 2, 60)
            yield process, url
        finally:
            process.terminate()
            process.wait(20)


def _workers(url: str) -> int:
    with contextlib.suppress(httpx.TransportError):
        return len(httpx.get(f"{url}{LIVE}/status", headers=ADMIN).json()["workers"])
    return 0


def test_listeners_of_every_worker_hear_and_let_the_server_go(tmp_path: Path) -> None:
    pack(tree(tmp_path / "notes"), tmp_path / "var" / "modules")
    with two_workers(tmp_path) as (process, url):
        listeners = [Listener(url) for _ in range(6)]
        body = {"addon_id": "notes"}
        answer = httpx.post(f"{url}{MARKET}/install", json=body, headers=ADMIN, timeout=30)
        assert answer.status_code == 200
        for listener in listeners:
            told = listener.operation()
            assert (told[0]["plugin"], told[-1]["state"]) == ("notes", "done")
            assert until(lambda one=listener: (now := one.next("snapshot")[1])["plugins"] and now)
        began = time.monotonic()
        process.terminate()
        assert process.wait(15) is not None
        assert time.monotonic() - began < 8
        assert all(listener.ended.wait(5) for listener in listeners)
