"""The chatbot in a real host: the billing panel under uvicorn, the plugin's tables behind the real guard."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import itertools
import json
import logging
import sqlite3
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
from serving import fresh_billing, served
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from hotbay.guard import Grant, plugin_engine
from hotbay.migrate import Migrator
from hotbay.migrations import read_migrations
from hotbay_sdk.plugin import bind

PLUGIN = Path(__file__).parents[2] / "plugins" / "ai_chatbot"
PASSWORD = "correct horse"
_numbers = itertools.count(1)


@dataclass
class Tables:
    """The plugin's door to the database, as the host gives it."""

    engine: Engine

    @contextmanager
    def session(self) -> Iterator[Session]:
        with Session(self.engine) as session, session.begin():
            yield session


@dataclass
class Given:
    """A context as a host binds it, with the ends in a test's hands."""

    database: Tables
    settings: Any
    data: Path
    id: str = "ai_chatbot"
    version: str = "1.1.0"
    generation: int = 1
    closing: bool = False
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("test.ai_chatbot"))
    emitted: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    def spawn(self, work: Coroutine[Any, Any, Any], name: str = "") -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work, name=name or None)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def emit(self, event: str, **payload: Any) -> None:
        self.emitted.append((event, payload))


@dataclass
class Loaded:
    """The backend, imported under a private name."""

    name: str
    context: Given

    def module(self, name: str) -> ModuleType:
        return importlib.import_module(f"{self.name}.{name}")


@contextmanager
def loaded(plugin: Path, database: Path, version: str = "1.1.0") -> Iterator[Loaded]:
    """Import the plugin's backend as a generation and forget it afterwards."""
    name = f"generation_{next(_numbers)}"
    engine = plugin_engine(database, grant_of(plugin))
    context = Given(Tables(engine), None, database.parent, version=version)
    bind(name, context)  # type: ignore[arg-type]
    try:
        context.settings = _import_package(name, plugin / "backend").Settings()
        yield Loaded(name, context)
    finally:
        bind(name, None)
        engine.dispose()
        for module in [m for m in sys.modules if m == name or m.startswith(name + ".")]:
            del sys.modules[module]


def _import_package(name: str, folder: Path) -> ModuleType:
    found = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    found.loader.exec_module(module)
    return module


def grant_of(plugin: Path) -> Grant:
    """What the manifest makes the plugin's own."""
    manifest = json.loads((plugin / "metadata.json").read_text("utf-8"))
    return Grant("ai_chatbot", tables=frozenset(manifest["database"]["tables"]))


def migrate(plugin: Path, database: Path, after: int = 0) -> None:
    """Run the plugin's migrations with a higher number than `after`, as the host does."""
    wanted = [migration for migration in read_migrations(plugin) if migration.number > after]
    with Migrator(database, grant_of(plugin)).transaction() as transaction:
        transaction.apply(wanted)


@dataclass
class Chat:
    """The host that runs the chatbot, as a test sees it."""

    address: str
    plugin: Loaded
    database: Path

    @property
    def url(self) -> str:
        return self.address + "/api/v1/chat"

    def start(self, client: httpx.Client, **more: str) -> Guest:
        data = {"name": "Ada", "email": "ada@example.com", **more}
        answer = client.post(f"{self.url}/sessions", json=data)
        assert answer.status_code == 201, answer.text
        body = answer.json()
        return Guest(client, f"{self.url}/sessions/{body['session']['id']}", body["token"], body)

    def set(self, **values: Any) -> None:
        """Change settings live."""
        kind = type(self.plugin.context.settings)
        self.plugin.context.settings = kind(**values)

    def sql(self, statement: str, *values: Any) -> list[Any]:
        db = sqlite3.connect(self.database, timeout=10)
        try:
            with db:
                return db.execute(statement, values).fetchall()
        finally:
            db.close()


@dataclass
class Guest:
    """A guest with a chat."""

    client: httpx.Client
    url: str
    token: str
    started: dict[str, Any]

    @property
    def headers(self) -> dict[str, str]:
        return {"X-Chat-Token": self.token}

    @property
    def id(self) -> str:
        return str(self.started["session"]["id"])

    def get(self, path: str = "", **query: Any) -> Any:
        answer = self.client.get(self.url + path, headers=self.headers, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, data: dict[str, Any] | None = None) -> httpx.Response:
        return self.client.post(self.url + path, headers=self.headers, json=data or {})

    def say(self, text: str) -> Any:
        answer = self.post("/messages", {"text": text})
        assert answer.status_code == 201, answer.text
        return answer.json()


@contextmanager
def chat_host(folder: Path) -> Iterator[Chat]:
    """The billing panel with the chatbot's routes."""
    database = folder / "billing.db"
    factory = fresh_billing(database)
    importlib.import_module("app.setup").prepare()
    migrate(PLUGIN, database)
    with loaded(PLUGIN, database) as plugin:
        app = factory.create_app()
        app.include_router(plugin.module("routes").router, prefix="/api/v1")
        with served(app) as address:
            yield Chat(address, plugin, database)


def sse(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    """The events of a stream, as a browser reads them; a retry or comment alone is given with its field."""
    event: dict[str, str] = {}
    for line in lines:
        if not line:
            if event:
                yield event
            event = {}
            continue
        name, _, value = line.partition(":")
        event[name or "comment"] = value.removeprefix(" ")
