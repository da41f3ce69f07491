"""Live events for administrators: snapshots of the registry and the progress of operations, as server-sent events.

The registry is the truth and tells of every worker's doings; what this worker does itself is told at once. Nothing is
read while nobody listens.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from starlette.responses import Response, StreamingResponse

from hotbay.confirmations import Confirmation, all_confirmations
from hotbay.console.leaving import server_leaving
from hotbay.console.progress import Ladder, read_progress
from hotbay.model import Live
from hotbay.outcome import Progress

if TYPE_CHECKING:
    from hotbay.asgi import Hotbay

log = logging.getLogger("hotbay.console")
_POLL_SECONDS = 0.2
_PAUSE_SECONDS = 0.05
_KEEP_ALIVE_SECONDS = 15.0
_LOOK_SECONDS = 0.5
_RETRY = "retry: 1000\n\n"
_ALIVE = ": keep-alive\n\n"
# Streams end after a while, so that the host's admin check is asked again when the browser comes back.
_LONGEST_SECONDS = 600.0
_QUEUE = 64


def event(name: str, data: str, number: str = "") -> str:
    """One server-sent event."""
    lines = [f"event: {name}", *(f"data: {line}" for line in data.split("\n"))]
    return "\n".join([*([f"id: {number}"] if number else []), *lines]) + "\n\n"


def stream(events: AsyncIterator[str]) -> Response:
    """An answer that sends events as they come."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


@dataclass(frozen=True)
class Snapshot:
    """The registry at one revision, as text to send."""

    epoch: str
    rev: int
    text: str

    @property
    def number(self) -> str:
        """What `Last-Event-ID` brings back."""
        return f"{self.epoch}:{self.rev}"

    def newer_than(self, other: Snapshot | None) -> bool:
        """True when it should be sent after the other one."""
        return other is None or other.epoch != self.epoch or other.rev < self.rev


class View(Protocol):
    """The registry as one listener may see it."""

    @property
    def operations(self) -> bool:
        """True for who may see the steps of operations."""

    def snapshot(self) -> Snapshot:
        """The registry now. Reads the database."""


class Subscriber:
    """One listener. What it does not fetch in time is dropped; it gets a fresh snapshot instead."""

    def __init__(self, whole: bool = True) -> None:
        self.whole = whole  # Takes what administrators see; the others read what they may see themselves.
        self.queue: asyncio.Queue[Snapshot | str] = asyncio.Queue(_QUEUE)
        self.behind = False

    def offer(self, item: Snapshot | str) -> None:
        """Give it something to send."""
        try:
            self.queue.put_nowait(item)
        except asyncio.QueueFull:
            self.behind = True
            while not self.queue.empty():
                self.queue.get_nowait()
            self.queue.put_nowait(item)


class Feed:
    """What this worker tells its subscribers. Belongs to one event loop; `publish` may be called from any thread."""

    def __init__(self, hotbay: Hotbay) -> None:
        self.hotbay = hotbay
        self.operations = True  # The administrators' view is its own.
        self._ended = asyncio.Event()
        self._wake = asyncio.Event()
        self._leaving: Callable[[], bool] = lambda: False
        self._subscribers: set[Subscriber] = set()
        self._latest: Snapshot | None = None
        self._told = 0.0
        self._ladder = Ladder()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    # ── life ──────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Begin, on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._leaving = server_leaving()
        self._task = asyncio.create_task(self._run(), name="hotbay events")

    def stop(self) -> None:
        """End every stream, so that the server's shutdown is not held up."""
        self._ended.set()
        self._wake.set()
        if self._task is not None:
            self._task.cancel()

    @property
    def ended(self) -> bool:
        """True when streams should end."""
        return self._ended.is_set() or self._leaving()

    async def ticks(self, seconds: float) -> AsyncIterator[None]:
        """Something every `seconds`, until streams should end."""
        deadline = time.monotonic() + _LONGEST_SECONDS
        while not self.ended and time.monotonic() < deadline:
            yield
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._ended.wait()

    # ── what happens ──────────────────────────────────────────────────────────────────────────────────────────

    def changed(self) -> None:
        """This worker's table changed: look now, not at the next time."""
        self._wake.set()

    def publish(self, progress: Progress) -> None:
        """An operation of this worker got further. Any thread may call it; it never fails."""
        if self._loop is not None:
            with suppress(RuntimeError):  # The loop was closed meanwhile: nobody listens any more.
                self._loop.call_soon_threadsafe(self._tell, progress)

    def _tell(self, progress: Progress) -> None:
        """Pass on what was not told before: the registry tells of this worker's operations, too."""
        if self._subscribers and self._ladder.climbs(progress):
            self._broadcast(progress_event(progress))

    def _broadcast(self, item: Snapshot | str) -> None:
        for subscriber in self._subscribers:
            subscriber.offer(item)

    async def _run(self) -> None:
        while not self._ended.is_set():
            await self._wake.wait()
            self._wake.clear()
            while self._subscribers and not self._ended.is_set():
                try:
                    await self._look()
                except Exception:
                    log.exception("the registry could not be read for the live events; trying again")
                with suppress(TimeoutError):
                    async with asyncio.timeout(_POLL_SECONDS):
                        await self._wake.wait()
                    # However often the table changes, it is not told more often than this; the first change after a
                    # pause is told at once, because somebody looks at a page.
                    await asyncio.sleep(self._told + _PAUSE_SECONDS - time.monotonic())
                self._wake.clear()
            self._ladder.forget()

    async def _look(self) -> None:
        # What pages show comes first: somebody waits for the menu entry, nobody for the next line of the journal.
        mark = Snapshot(*await asyncio.to_thread(self.hotbay.store.rev), text="")
        if mark.newer_than(self._latest):
            await self._tell_registry(mark)
        reading = await asyncio.to_thread(read_progress, self.hotbay.store, self._ladder.since())
        for progress in self._ladder.news(reading):
            self._broadcast(progress_event(progress))

    async def _tell_registry(self, mark: Snapshot) -> None:
        """Browsers' pages before administrators' details, which take longer to read."""
        self._told = time.monotonic()
        for subscriber in self._subscribers:
            if not subscriber.whole:
                subscriber.offer(mark)
        if any(subscriber.whole for subscriber in self._subscribers):
            mark = await asyncio.to_thread(self.snapshot)
            for subscriber in self._subscribers:
                if subscriber.whole:
                    subscriber.offer(mark)
        self._latest = mark

    def snapshot(self) -> Snapshot:
        """The registry now. Reads the database; the rows may be newer than the revision, never older."""
        epoch, rev = self.hotbay.store.rev()
        rows = self.hotbay.store.all_live()
        waiting = all_confirmations(self.hotbay.store)
        plugins = [plugin_json(row, waiting.get(plugin)) for plugin, row in rows.items()]
        body = {"epoch": epoch, "rev": rev, "safe_mode": self.hotbay.settings.safe_mode, "plugins": plugins}
        return Snapshot(epoch, rev, json.dumps(body, separators=(",", ":")))

    # ── who listens ───────────────────────────────────────────────────────────────────────────────────────────

    async def subscribe(self, last_event_id: str = "", view: View | None = None) -> AsyncIterator[str]:
        """The events for one listener, until streams should end. `last_event_id` is the snapshot that it has.

        Without a view it sees what administrators see.
        """
        with self._listening(Subscriber(whole=view is None)) as subscriber:
            yield _RETRY
            async for text in self._for(subscriber, last_event_id, view or self):
                yield text

    async def steps(self) -> AsyncIterator[str]:
        """The steps of operations for one listener who has the registry from elsewhere, until streams should end."""
        with self._listening(Subscriber(whole=False)) as subscriber:
            yield _RETRY
            async for item in self._items(subscriber):
                if isinstance(item, str):
                    yield item

    @contextmanager
    def _listening(self, subscriber: Subscriber) -> Iterator[Subscriber]:
        self._subscribers.add(subscriber)
        self._wake.set()
        try:
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)

    async def _items(self, subscriber: Subscriber) -> AsyncIterator[Snapshot | str]:
        """What is offered to it, and now and then a comment, so that nobody takes the connection for dead."""
        quiet = 0.0
        deadline = time.monotonic() + _LONGEST_SECONDS
        while not self.ended and time.monotonic() < deadline:
            item: Snapshot | str | None = None
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    item = await subscriber.queue.get()
            quiet = quiet + _LOOK_SECONDS if item is None else 0.0
            if item is None and quiet >= _KEEP_ALIVE_SECONDS:
                item, quiet = _ALIVE, 0.0
            if item is not None:
                yield item

    async def _for(self, subscriber: Subscriber, last_event_id: str, view: View) -> AsyncIterator[str]:
        sent = await asyncio.to_thread(view.snapshot)
        if sent.number != last_event_id:
            yield event("snapshot", sent.text, sent.number)
        async for item in self._items(subscriber):
            if subscriber.behind:
                subscriber.behind = False
                sent = await asyncio.to_thread(view.snapshot)
                yield event("snapshot", sent.text, sent.number)
            elif isinstance(item, str):
                if view.operations or item is _ALIVE:
                    yield item
            elif item.newer_than(sent):
                sent = item if view is self else await asyncio.to_thread(view.snapshot)
                yield event("snapshot", sent.text, sent.number)


def progress_event(progress: Progress) -> str:
    """A step of an operation as an event. It has no id: only snapshots can be taken up again."""
    return event("operation", json.dumps(asdict(progress), separators=(",", ":")))


def plugin_json(row: Live, confirmation: Confirmation | None = None) -> dict[str, Any]:
    """What a browser needs of a plugin to show its pages and menu entries, and to load its assets; and whether it is
    to be confirmed."""
    manifest = row.manifest
    return {
        "id": row.plugin,
        "name": manifest.get("name", row.plugin),
        "version": row.version,
        "state": row.state.value,
        "enabled": row.active,
        "revision": row.revision,
        "image": row.image,
        "icon": manifest.get("icon", ""),
        "frontend": manifest.get("frontend"),
        "menu": manifest.get("menu"),
        "settings_rev": row.settings_rev,
        "has_settings": row.contributions.settings_schema is not None,
        "problem": row.problem,
        "confirmation": confirmation.to_json() if confirmation is not None else None,
    }
