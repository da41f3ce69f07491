"""What a generation is given: the SDK's `Context` for plugins that run in this process."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from hotbay.activate.bus import call
from hotbay.errors import StateError

log = logging.getLogger("hotbay.activate")


class Hub(Protocol):
    """The worker, as far as plugins see it."""

    async def emit(self, event: str, payload: dict[str, Any]) -> None:
        """Deliver an event in this worker."""

    async def filter(self, name: str, value: Any, info: dict[str, Any]) -> Any:
        """Run a value through the filters of this worker."""

    async def serve_call(self, service: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a published service of the generation that serves now."""


@dataclass(frozen=True)
class Unread:
    """Stored settings that are read at their first use: reading fails when a secret's key is lost."""

    read: Callable[[], dict[str, Any]]


@dataclass
class Resources:
    """What a context is made from; `settings` may be Unread."""

    plugin: str
    version: str
    number: int
    data: Path
    engine: Callable[[], Engine]
    hub: Hub
    settings: Any
    loop: asyncio.AbstractEventLoop


class ConfinedDatabase:
    """The plugin's own engine, made at its first use and disposed of with the generation."""

    def __init__(self, make: Callable[[], Engine]) -> None:
        self._make = make
        self._engine: Engine | None = None
        self._making = threading.Lock()

    @property
    def engine(self) -> Engine:
        """The confined SQLAlchemy engine. The first requests come in several threads: it is made once."""
        with self._making:
            if self._engine is None:
                self._engine = self._make()
            return self._engine

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session in a transaction that ends with the block."""
        with Session(self.engine) as session, session.begin():
            yield session

    def dispose(self) -> list[Any]:
        """Close all connections; safe to repeat. Answers what only the collector can free: the engine, and the
        statements that it knew, which are in cycles with the plugin's tables."""
        with self._making:
            engine, self._engine = self._engine, None
        if engine is None:
            return []
        engine.dispose()
        known = _statements(engine)
        engine.clear_compiled_cache()  # Its keys hold the plugin's tables and models.
        return [engine, known]


def _statements(engine: Engine) -> dict[Any, Any]:
    """What is in the cache of an engine; copied at once, as a request that outlived its deadline may still write."""
    data = getattr(getattr(engine, "_compiled_cache", None), "_data", None)
    return data.copy() if isinstance(data, dict) else {}


class PluginContext:
    """Implements `hotbay_sdk.Context` in this process."""

    def __init__(self, resources: Resources) -> None:
        self.id = resources.plugin
        self.version = resources.version
        self.generation = resources.number
        self.log = logging.getLogger(f"hotbay.plugin.{resources.plugin}")
        self._resources = resources
        self._settings = resources.settings
        self._database = ConfinedDatabase(resources.engine)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._undo: list[Callable[[], Any]] = []
        self._left: list[Any] = []
        self._closing = asyncio.Event()

    @property
    def data(self) -> Path:
        """The plugin's own folder; made when it is first asked for."""
        self._resources.data.mkdir(parents=True, exist_ok=True)
        return self._resources.data

    @property
    def settings(self) -> Any:
        """The validated settings. Raises what reading them raises, if nobody has."""
        return self.read_settings()

    def read_settings(self) -> Any:
        """Read the stored settings unless that was done. Raises StateError when a secret can't be decrypted."""
        if isinstance(self._settings, Unread):
            self._settings = self._settings.read()
        return self._settings

    def replace_settings(self, value: Any) -> None:
        """Put new settings in place, whole."""
        self._settings = value

    @property
    def database(self) -> ConfinedDatabase:
        """The plugin's own door to the database."""
        return self._database

    @property
    def closing(self) -> bool:
        """True when long-lived responses should end."""
        return self._closing.is_set()

    def close(self) -> None:
        """Ask long-lived responses to end; on the loop only."""
        self._closing.set()

    def reopen(self) -> None:
        """The generation stays after all; on the loop only."""
        self._closing.clear()

    async def closed(self) -> None:
        """Wait until long-lived responses should end."""
        await self._closing.wait()

    def spawn(self, work: Coroutine[Any, Any, Any], name: str = "") -> Any:
        """Run a tracked task, from the loop or from a thread."""
        loop = self._resources.loop
        try:
            inside = asyncio.get_running_loop() is loop
        except RuntimeError:
            inside = False
        if inside:
            return self._track(work, name)
        loop.call_soon_threadsafe(self._track, work, name)
        return None

    def _track(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        task = self._resources.loop.create_task(work, name=f"{self.id}:{name or 'task'}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.log.error("task %s failed", task.get_name(), exc_info=task.exception())

    def on_close(self, undo: Callable[[], Any]) -> None:
        """Register an undo."""
        self._undo.append(undo)

    def service(self, name: str) -> Callable[..., Awaitable[Any]]:
        """A callable for another plugin's service; await its result."""

        async def ask(*args: Any, **kwargs: Any) -> Any:
            return await self._resources.hub.serve_call(name, args, kwargs)

        return ask

    async def emit(self, event: str, **payload: Any) -> None:
        """Emit an event in this worker."""
        await self._resources.hub.emit(event, payload)

    async def filter(self, name: str, value: Any, **info: Any) -> Any:
        """Filter a value in this worker."""
        return await self._resources.hub.filter(name, value, info)

    async def release(self) -> None:
        """Cancel the tasks, run the undos backwards, close the database; a failing undo is logged."""
        self._closing.set()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=5.0)
        while self._undo:
            undo = self._undo.pop()
            try:
                await call(undo)
            except Exception:
                self.log.exception("undo %r failed", undo)
        self._left += await asyncio.to_thread(self._database.dispose)

    def take_left(self) -> list[Any]:
        """What `release` let go of and only the collector can free; once."""
        left, self._left = self._left, []
        return left


def no_engine() -> Engine:
    """Stands where a host has no database for plugins."""
    raise StateError("this host has no database for plugins", mend="set database_url in hotbay.toml")
