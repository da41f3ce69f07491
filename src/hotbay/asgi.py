"""The edge to ASGI hosts: one mount, one lifespan. `Hotbay(app)` makes a FastAPI, Starlette or any ASGI app a host."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Match, NoMatchFound

from hotbay import settings as configuration
from hotbay import store
from hotbay.activate import Generation, Limits, Receive, Scope, Send, patches, remains
from hotbay.activate.inprocess import InProcess
from hotbay.apply import Applier
from hotbay.budget import ACTOR as BUDGET
from hotbay.budget import Budgets, Judge
from hotbay.catalog import Catalog
from hotbay.confirm import Confirmations, Confirmer
from hotbay.confirmations import ACTOR as CONFIRM
from hotbay.console.api import Api, build_api
from hotbay.console.assets import AssetFiles
from hotbay.console.events import Feed
from hotbay.console.leaving import ends_with_server, server_leaving
from hotbay.console.pages import Pages
from hotbay.documents import Documents
from hotbay.errands import follow_catalog, write_receipts
from hotbay.errors import HotbayError, LeaseHeld
from hotbay.facts import HOST_ROUTES, gather
from hotbay.follow import Follower
from hotbay.frameworks import FrameworkHost, host_route_paths, merged_openapi
from hotbay.heal import restore_rows
from hotbay.images import Images
from hotbay.jobs import Jobs
from hotbay.licenses import Licenses
from hotbay.logs import PluginLogs
from hotbay.model import Live
from hotbay.notary import Notary
from hotbay.offline import OfflineHost, context_maker
from hotbay.outcome import Progress
from hotbay.pools import limit_pools
from hotbay.presence import Workers
from hotbay.publishers import Publishers
from hotbay.rescue import keep_rescuing
from hotbay.rubbish import clear_rubbish
from hotbay.settings import Settings
from hotbay.stalls import Stalls
from hotbay.store import Store
from hotbay.table import Claim, route_path
from hotbay.vault import Vault
from hotbay.verdict import pronounce
from hotbay.watch import Watch
from hotbay.workshop import LocalWorkshop
from hotbay.wrapped import HostFirst

log = logging.getLogger("hotbay")
_DECLINED = "hotbay.declined"
_SERVING = "hotbay.serving"
_LEAVING_SECONDS = 0.25


class PluginRoute(BaseRoute):
    """Hotbay's one route in a Starlette or FastAPI router, kept last: the host's routes always win."""

    def __init__(self, hotbay: Hotbay) -> None:
        self.hotbay = hotbay

    def matches(self, scope: Any) -> tuple[Match, Any]:
        """A match when a plugin answers the path, and nothing of the host stands behind this route."""
        if not self.hotbay.started or _DECLINED in scope or scope["type"] == "lifespan":
            return Match.NONE, {}
        routes = self.hotbay.app.router.routes
        if routes[-1] is not self:
            if not isinstance(routes[-1], PluginRoute):
                routes.append(PluginRoute(self.hotbay))
            return Match.NONE, {}
        path = route_path(scope)
        serving = self.hotbay.follower.dispatcher.current(path)
        if serving is not None:
            return Match.FULL, {_SERVING: serving}
        return (Match.FULL, {}) if self.hotbay.wants(path) or self.hotbay.shows(scope) else (Match.NONE, {})

    def handle(self, scope: Any, receive: Any, send: Any) -> Any:
        """Answer with a plugin: with the one that `matches` found, unless something awaited in between."""
        serving = scope.pop(_SERVING, None)
        if serving is not None and not serving.retired and not serving.held:
            return serving.run(scope, receive, send)
        return self.hotbay.dispatch(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """The path of an active and loaded plugin's route by its name. Raises NoMatchFound."""
        servings = self.hotbay.follower.dispatcher.table.servings.values() if self.hotbay.started else ()
        for serving in servings:
            generation = serving.generation
            with suppress(NoMatchFound):
                found: URLPath | None = None if generation is None else generation.locate(name, **path_params)
                if found is not None:
                    return found
        raise NoMatchFound(name, path_params)


class Hotbay:
    """Makes an application a host of plugins.

    `admin` decides who may administrate: for FastAPI a dependency, else a callable that gets the request and answers
    who it is; both raise or answer None to refuse. `user` says in the same ways who is signed in, whoever that is; it
    decides what of plugins' pages a visitor is shown. `console` is where the console's pages are (None: nowhere), and
    `frontend` a folder with the host's own pages for it. Settings come from `hotbay.toml` and the environment; keyword
    arguments win over both. For applications that are neither FastAPI nor Starlette, use the Hotbay object itself as
    the application. Raises InvalidConfig.
    """

    def __init__(
        self,
        app: Any,
        *,
        admin: Callable[..., Any] | None = None,
        user: Callable[..., Any] | None = None,
        console: str | None = "/admin",
        frontend: Path | None = None,
        config: Path | None = None,
        **options: Any,
    ):
        self.app = app
        self.admin = admin
        self.user = user
        self.settings: Settings = configuration.load(config, **options)
        self.store = Store(self.settings.database_path)
        self.images = Images(self.settings.images)
        self.vault = Vault(self.store, self.settings.home / "secret.key")
        self.licenses = Licenses(self.store, self.vault)
        self.publishers = Publishers(self.store)
        self.host = FrameworkHost(app)
        self.catalog = Catalog(self.settings)
        self.documents = Documents(self.settings.documents)
        self.pages = Pages(self.settings, console, frontend)
        self.catalog.shop = "" if self.pages.root is None else f"{self.pages.root.rstrip('/')}/marketplace"
        self.assets = AssetFiles(self.settings)
        self.started = False
        self.follower: Follower
        self.notary: Notary
        self.feed: Feed
        self._framed = isinstance(app, Starlette)
        self._wrapped = None if self._framed else HostFirst(app, self)
        self.api = build_api(self)
        self._own = (self.api, self.pages, self.assets)
        self._roots = tuple(root for part in self._own for root in part.roots)
        if self._framed:
            self._enter(app)

    def _enter(self, app: Starlette) -> None:
        app.router.routes.append(PluginRoute(self))
        inner = app.router.lifespan_context

        @asynccontextmanager
        async def lifespan(host: Any) -> AsyncIterator[Any]:
            async with AsyncExitStack() as stack:
                state = await stack.enter_async_context(inner(host))
                await stack.enter_async_context(self.running())
                yield state

        app.router.lifespan_context = lifespan
        app.state.hotbay = self
        if hasattr(app, "openapi"):
            self._document(app)

    def _document(self, app: Any) -> None:
        """The host's OpenAPI document shows the active plugins' routes, and no others."""
        own = app.openapi

        def openapi() -> dict[str, Any]:
            parts = [] if not self.started else list(self.openapi_parts())
            return merged_openapi(own(), parts)

        app.openapi = openapi

    def openapi_parts(self) -> list[tuple[str, dict[str, Any]]]:
        """The active plugins' parts of the OpenAPI document."""
        servings = self.follower.dispatcher.table.servings.values()
        return [(item.plugin, self.documents.of(item.live.image, item.generation)) for item in servings]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Be the application, for hosts that are not Starlette; Starlette hosts are served as they are."""
        if self._wrapped is None:
            await self.app(scope, receive, send)
        else:
            await self._wrapped(scope, receive, send)

    # ── life ──────────────────────────────────────────────────────────────────────────────────────────────────

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow the registry for the block. Entered by the host's lifespan."""
        await self._start()
        try:
            yield
        finally:
            await self._stop()

    async def _start(self) -> None:
        self._prepare_logs()
        clear_rubbish(self.settings.run)
        self.follower = Follower(
            self.settings, self.store, self.images, lambda: host_route_paths(self.app), self.vault.read
        )
        limits = Limits(self.settings.start_seconds, self.settings.health_seconds)
        make = context_maker(self.settings, self.store, self.vault, self.follower)
        self.follower.maker.runtime = InProcess(self.host, make, self.settings.api_prefix, limits)
        self.workshop = LocalWorkshop(self.host, make, self.settings)
        self.follower.claims, self.follower.struck = self.claims, self._struck
        self.notary = Notary(self.settings, self.store, Workers(self.settings.run))
        self.feed = Feed(self)
        self.follower.dispatcher.shows = self.pages.shows
        await asyncio.to_thread(self.pages.prepare, str(getattr(self.app, "title", "") or "Hotbay"))
        self.follower.on_change += [self.feed.changed, self._keep_documents]
        await asyncio.to_thread(self._declare)
        await asyncio.to_thread(self._recover)
        await asyncio.to_thread(self.api.prepare)
        patches.remember()
        limit_pools(self.settings.memory_pools)
        remains.freeze(more=True)  # Before the first plugin is loaded.
        await self.follower.start()
        self.started = True
        if self.settings.stall_seconds:
            self.follower.stalls = Stalls(self.settings.stall_seconds)
            self.follower.stalls.start()
        self.jobs = Jobs(self.follower)
        self.jobs.start()
        self.watch = Watch(self.settings, self.applier("folder"))
        self.watch.start()
        judging = partial(self.applier, BUDGET, self.feed.publish)
        budgets = Budgets(self.settings, self.store, self.follower.workers, judging)
        self.judge = Judge(budgets)
        self.judge.start()
        reverting = partial(self.applier, CONFIRM, self.feed.publish)
        confirmations = Confirmations(self.settings, self.store, self.follower.workers, reverting)
        self.confirmer = Confirmer(self.follower, confirmations)
        self.confirmer.start()
        self.feed.start()
        self.follower.keep(self._load_undocumented(), "hotbay documents")
        self.follower.keep(self._leave_with_server(), "hotbay leaving")
        self.follower.keep(follow_catalog(self.catalog, self.follower.reclaim), "hotbay catalog")
        self.follower.keep(write_receipts(self.notary), "hotbay receipts")
        self.follower.keep(keep_rescuing(self.applier("recovery")), "hotbay rescue")

    def _recover(self) -> None:
        """Undo or finish what was cut off, and leave out what killed or hung this host before."""
        applier = self.applier("recovery")
        applier.recover_at_start()
        with suppress(LeaseHeld), applier.lease.hold(0, kind="recovery", plugin="all plugins", actor="recovery"):
            restore_rows(self.store, self.settings)
        for strikes in pronounce(self.store, self.follower.suspects):
            log.error("%s %s is left out: %s", strikes.plugin, strikes.version, strikes)
        if self.settings.safe_mode:
            log.warning("safe mode: no plugin is loaded; deactivate or uninstall what is to blame, then start without")

    def _struck(self) -> None:
        self.follower.keep(asyncio.to_thread(pronounce, self.store, self.follower.suspects), "hotbay verdict")

    async def _leave_with_server(self) -> None:
        """A server waits for open answers before it tells us that it stops: plugins' streams must end before that."""
        leaving = server_leaving()
        while not leaving():  # noqa: ASYNC110 - the server's flag is no event
            await asyncio.sleep(_LEAVING_SECONDS)
        for serving in self.follower.dispatcher.table.servings.values():
            if serving.generation is not None:
                serving.generation.close()

    async def _stop(self) -> None:
        self.started = False
        await self.api.drain()
        self.feed.stop()
        await self.watch.stop()
        await self.judge.stop()
        await self.confirmer.stop()
        await self.jobs.stop()
        await self.documents.keep(self._undocumented(), delay=0.0)
        if self.follower.stalls is not None:
            await asyncio.to_thread(self.follower.stalls.stop)
        goes_on = not ends_with_server()
        await self.follower.stop(unload=goes_on)
        if goes_on:
            remains.thaw()
        self.logs.close()
        self.store.close()  # Its pool opens anew when it is asked again.

    def _declare(self) -> None:
        """Write the host's routes into the registry, so that the command line can see conflicts too."""
        routes = [*host_route_paths(self.app), *self.host_api_paths()]
        if self.store.get_meta(HOST_ROUTES) != routes:
            with self.store.write() as connection:
                store.set_meta(connection, HOST_ROUTES, routes)

    def host_api_paths(self) -> list[str]:
        """The paths of Hotbay's own API."""
        return [f"{self.settings.api_prefix}/marketplace/*", f"{self.settings.api_prefix}/hotbay/*", "/hotbay/*"]

    def _prepare_logs(self) -> None:
        self.logs = PluginLogs(self.settings.logs)
        self.logs.install()

    # ── what a request asks ───────────────────────────────────────────────────────────────────────────────────

    def wants(self, path: str) -> bool:
        """True when Hotbay's API or a plugin answers the path."""
        return self._owner(path) is not None or self.follower.dispatcher.wants(path)

    def _owner(self, path: str) -> Api | Pages | AssetFiles | None:
        # Most requests are for others; one comparison in C says so.
        if not path.startswith(self._roots):
            return None
        return next((part for part in self._own if part.owns(path)), None)

    def shows(self, scope: Scope) -> bool:
        """True when the console has a page for what nobody answers."""
        return self.pages.shows(scope)

    async def dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that `wants` was true for."""
        path = route_path(scope)
        own = self._owner(path)
        if own is not None:
            await own(scope, receive, send)
        else:
            await self.follower.dispatcher.serve(scope, receive, send, self._host)

    async def _host(self, scope: Scope, receive: Receive, send: Send) -> None:
        """No plugin answers after all: a host that routes goes on as if we were not there (405, redirects, 404)."""
        if self.pages.shows(scope):
            await self.pages(scope, receive, send)
        elif self._framed:
            await self.app.router({**scope, _DECLINED: True}, receive, send)
        else:
            await self.host.not_found(scope, receive, send)

    def _keep_documents(self) -> None:
        """Write the documents of newly loaded plugins down, off the loop and off the way of the switch."""
        missing = self._undocumented()
        if missing:
            self.follower.keep(self.documents.keep(missing), "hotbay documents")

    def _undocumented(self) -> dict[str, Generation]:
        servings = self.follower.dispatcher.table.servings.values()
        fresh = {item.live.image: item.generation for item in servings if item.generation is not None}
        return {image: found for image, found in fresh.items() if not self.documents.has(image)}

    async def _load_undocumented(self) -> None:
        """A server that was killed right after an install kept no document: only loading the plugin makes one."""
        for serving in [] if self.settings.safe_mode else list(self.follower.dispatcher.table.servings.values()):
            if not self.documents.has(serving.live.image):
                with suppress(HotbayError):
                    await serving.ready()

    def claims(self, rows: Mapping[str, Live]) -> tuple[Claim, ...]:
        """Paths of plugins that are known and not active."""
        return self.catalog.claims(rows)

    # ── what the host asks ────────────────────────────────────────────────────────────────────────────────────

    async def emit(self, event: str, **payload: Any) -> None:
        """Tell the plugins that something happened. A plugin that fails is logged and stops nobody."""
        if self.started:
            await self.follower.emit(event, payload)

    async def filter(self, name: str, value: Any, *, strict: bool = False, **info: Any) -> Any:
        """Let the plugins change a value. `strict` passes a filter's exception on, for decisions about safety."""
        if not self.started:
            return value
        return await self.follower.filter(name, value, info, strict=strict)

    async def serve_call(self, service: str, *args: Any, **kwargs: Any) -> Any:
        """Call a plugin's published service; raises NotFound."""
        return await self.follower.serve_call(service, args, kwargs)

    def applier(self, actor: str, progress: Callable[[Progress], None] = lambda progress: None) -> Applier:
        """The writer, acting for somebody."""
        return Applier(
            self.settings,
            self.store,
            sources=self.catalog.source,
            facts=lambda: gather(self.store),
            workshop=self.workshop,
            actor=actor,
            progress=progress,
        )

    async def change_settings(
        self, plugin: str, changes: dict[str, Any], *, replace: bool = False, actor: str = "host"
    ) -> dict[str, Any]:
        """Validate and store a plugin's settings; all workers take them at once. Answers what may be shown.

        Raises NotFound, or InvalidSettings with every wrong field; then nothing is changed. Both are audited.
        """
        return await asyncio.to_thread(self.offline(actor).change_settings, plugin, changes, replace=replace)

    def offline(self, actor: str) -> OfflineHost:
        """The host's state as the command line sees it."""
        applier = self.applier(actor)
        return OfflineHost(self.settings, self.store, self.images, self.vault, self.catalog, applier, self.workshop)
