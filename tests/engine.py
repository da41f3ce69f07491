"""A host's engine in this process: the real registry, writer and follower on the test's loop, without a server."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from hotbay.activate import Limits
from hotbay.activate.inprocess import InProcess
from hotbay.follow import Follower
from hotbay.frameworks import FrameworkHost
from hotbay.model import Kind
from hotbay.offline import OfflineHost, context_maker, open_host
from hotbay.outcome import Outcome
from hotbay.package import pack
from hotbay.request import Request
from hotbay.serve import Serving
from hotbay.settings import Settings
from plugs import client, package


class Worker:
    """A follower that is an ASGI application: plugins answer, everything else is 404."""

    def __init__(self, host: OfflineHost, routes: tuple[str, ...] = ()) -> None:
        self.follower = Follower(host.settings, host.store, host.images, lambda: routes, host.vault.read)
        self.framework = FrameworkHost(None)
        make = context_maker(host.settings, host.store, host.vault, self.follower)
        limits = Limits(host.settings.start_seconds, host.settings.health_seconds)
        self.follower.maker.runtime = InProcess(self.framework, make, host.settings.api_prefix, limits)
        self.follower.claims = host.catalog.claims

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.follower.dispatcher.serve(scope, receive, send, self.framework.not_found)

    async def get(self, path: str) -> httpx.Response:
        """The answer to one request."""
        async with client(self) as http:
            return await http.get(path)

    async def version(self, plugin: str = "shop") -> str:
        """What the plugin of `plugs.hello` says it is; the status if it does not answer."""
        answer = await self.get(f"/api/v1/{plugin}/version")
        return answer.json()["version"] if answer.status_code == 200 else str(answer.status_code)

    @property
    def servings(self) -> list[Serving]:
        """What serves here."""
        return list(self.follower.dispatcher.table.servings.values())

    def serving(self, plugin: str = "shop") -> Serving | None:
        """What serves a plugin here."""
        return self.follower.dispatcher.table.servings.get(plugin)

    def generation(self, plugin: str = "shop") -> Any:
        """The loaded generation of a plugin here."""
        found = self.serving(plugin)
        return found.generation if found is not None else None


# Closed at the end of each test: on 3.13 a connection that nobody closes is a warning, hence an error somewhere later.
OPENED: list[Engine] = []


class Engine:
    """One host's state and its workers."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        values: dict[str, Any] = {"home": folder / "home", "watch_seconds": 0.05, "ack_seconds": 20.0}
        self.host = open_host(Settings(**values | {"drain_seconds": 20.0} | options))
        self._numbers = itertools.count()
        OPENED.append(self)

    def folder_of(self, plugin: str = "shop", version: str = "1.0.0", files: Any = None, **manifest: Any) -> Path:
        """The folder of a new package."""
        return package(self.folder / f"source{next(self._numbers)}", plugin, version, files, **manifest)

    def archive(self, plugin: str = "shop", version: str = "1.0.0", files: Any = None, **manifest: Any) -> Path:
        """A new package."""
        return pack(self.folder_of(plugin, version, files, **manifest), self.folder / f"packed{next(self._numbers)}")

    async def run(self, kind: Kind, plugin: str = "shop", **wish: Any) -> Outcome:
        """One operation, as another thread does it."""
        return await asyncio.to_thread(self.host.applier.run, Request(kind, plugin, **wish))

    async def install(
        self, plugin: str = "shop", version: str = "1.0.0", files: Any = None, **manifest: Any
    ) -> Outcome:
        """Install, or upgrade to, a package made on the spot."""
        kind = Kind.UPGRADE if self.host.store.find_live(plugin) else Kind.INSTALL
        return await self.run(kind, plugin, file=self.archive(plugin, version, files, **manifest))

    @asynccontextmanager
    async def worker(self, routes: tuple[str, ...] = ()) -> AsyncIterator[Worker]:
        """A worker for the block."""
        made = Worker(self.host, routes)
        await made.follower.start()
        try:
            yield made
        finally:
            left = [found for item in made.servings if (found := item.generation) is not None]
            await made.follower.stop()
            for generation in left:  # A real worker's process ends here.
                await generation.unload()
