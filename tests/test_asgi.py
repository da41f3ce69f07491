"""`Hotbay(app)`: the host's routes, middleware and documents, and the plugins beside them."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import NoMatchFound, Route

from hotbay import Hotbay
from hotbay.activate import remains
from hotbay.errors import InvalidConfig
from hotbay.model import Kind
from hotbay.package import pack
from hotbay.request import Request
from plugs import client, hello, package, until


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    """A host freezes the heap at its start; later tests must see garbage collected."""
    yield
    gc.unfreeze()


class Site:
    """A host that runs, and what its visitors and its administrator do."""

    def __init__(self, app: Any, hotbay: Hotbay, folder: Path) -> None:
        self.app, self.hotbay, self.folder = app, hotbay, folder
        self.count = 0

    async def get(self, path: str, root_path: str = "", **headers: str) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, root_path=root_path)
        async with httpx.AsyncClient(transport=transport, base_url="http://host") as http:
            return await http.get(path, headers=headers)

    async def run(self, kind: Kind, plugin: str = "shop", **wish: Any) -> None:
        await asyncio.to_thread(self.hotbay.applier("test").run, Request(kind, plugin, **wish))

    async def install(self, plugin: str = "shop", version: str = "1.0.0", files: Any = None, **manifest: Any) -> None:
        self.count += 1
        folder = package(self.folder / f"source{self.count}", plugin, version, files, **manifest)
        kind = Kind.UPGRADE if self.hotbay.store.find_live(plugin) else Kind.INSTALL
        await self.run(kind, plugin, file=pack(folder, self.folder / f"packed{self.count}"))


Open = Callable[..., AbstractAsyncContextManager[Site]]


@pytest.fixture
def open_site(tmp_path: Path) -> Open:
    """Makes an application a host and runs its lifespan for a block."""

    @asynccontextmanager
    async def open_(app: Any, **options: Any) -> AsyncIterator[Site]:
        given = {"watch": False, "jobs": False, "drain_seconds": 20.0, "ack_seconds": 20.0}
        hotbay = Hotbay(app, home=tmp_path / "home", **{**given, **options})
        try:
            async with app.router.lifespan_context(app):
                yield Site(app, hotbay, tmp_path)
        finally:
            hotbay.logs.close()
            hotbay.store.close()

    return open_


def shop_host(**options: Any) -> FastAPI:
    """A FastAPI host with a few routes of its own."""
    app = FastAPI(**options)
    router = APIRouter(prefix="/api/v1")

    @app.get("/home")
    def home() -> str:
        return "host"

    @app.post("/only-post")
    def only_post() -> str:
        return "host"

    @router.get("/customers/")
    def customers() -> str:
        return "host"

    app.include_router(router)
    return app


async def test_three_lines_make_a_host(open_site: Open) -> None:
    async with open_site(shop_host()) as site:
        assert (await site.get("/home")).json() == "host"
        assert (await site.get("/api/v1/shop/version")).status_code == 404
        await site.install()
        assert (await site.get("/api/v1/shop/version")).json() == {"version": "1.0.0"}
        await site.install(version="2.0.0")
        assert (await site.get("/api/v1/shop/version")).json() == {"version": "2.0.0"}
        await site.run(Kind.UNINSTALL)
        assert (await site.get("/api/v1/shop/version")).status_code == 404
        assert (await site.get("/home")).json() == "host"


@pytest.mark.parametrize("timing", [False, True])
async def test_routes_are_found_by_their_names(open_site: Open, timing: bool) -> None:
    """`request.url_for` in a plugin, and in the host for a plugin's routes; gone with the plugin."""
    app = shop_host()
    link = """
from fastapi import Request
@router.get('/link', name='shop-link')
def link(request: Request): return str(request.url_for('shop-link'))
"""
    async with open_site(app, server_timing=timing) as site:
        await site.install(files={"routes.py": hello() + link})
        assert ("server-timing" in (await site.get("/api/v1/shop/link")).headers) is timing
        assert (await site.get("/api/v1/shop/link")).json().endswith("/api/v1/shop/link")
        assert app.url_path_for("shop-link") == "/api/v1/shop/link"
        await site.run(Kind.UNINSTALL)
        for name in ("shop-link", "no-such-name"):
            with pytest.raises(NoMatchFound):
                app.url_path_for(name)


async def test_routes_that_the_host_adds_later_win_too(open_site: Open) -> None:
    app = shop_host()
    async with open_site(app) as site:
        await site.install(files={"routes.py": hello() + "\n@router.get('/{rest:path}')\ndef rest(): return 'plugin'"})
        assert (await site.get("/api/v1/shop/late")).json() == "plugin"

        @app.get("/api/v1/shop/late")
        def late() -> str:
            return "host"

        for _ in range(3):
            assert (await site.get("/api/v1/shop/late")).json() == "host"
            assert (await site.get("/api/v1/shop/version")).json() == {"version": "1.0.0"}
        assert (await site.get("/api/v1/shop/other")).json() == "plugin"


async def test_a_mounted_application_of_the_host_that_answers_everything_wins(open_site: Open) -> None:
    app = shop_host()
    async with open_site(app) as site:
        await site.install()
        app.mount("/", Starlette(routes=[Route("/{path:path}", lambda request: PlainTextResponse("host"))]))
        assert (await site.get("/api/v1/shop/version")).text == "host"


async def test_the_hosts_own_answers_stay_while_the_registry_changes(open_site: Open) -> None:
    """In the moment after a change a worker does not know yet which paths are plugins'."""
    async with open_site(shop_host()) as site:
        await site.install()
        beacon = site.hotbay.follower.beacon
        wanted = {"/home": 200, "/api/v1/customers": 307, "/only-post": 405, "/nothing": 404}
        for path, status in wanted.items():
            assert (await site.get(path)).status_code == status, "when nothing changes"
        for path, status in wanted.items():
            beacon.bump()
            assert (await site.get(path)).status_code == status, f"{path} right after a change"


async def test_the_hosts_middleware_applies_to_plugins(open_site: Open) -> None:
    app = shop_host()

    async def stamp(request: Any, go_on: Any) -> Any:
        answer = await go_on(request)
        answer.headers["x-host"] = "seen"
        return answer

    app.add_middleware(BaseHTTPMiddleware, dispatch=stamp)
    async with open_site(app) as site:
        await site.install()
        answer = await site.get("/api/v1/shop/version")
        assert (answer.json(), answer.headers["x-host"]) == ({"version": "1.0.0"}, "seen")


async def test_the_document_shows_exactly_the_active_plugins_routes(open_site: Open) -> None:
    app = shop_host()
    own = {"/home", "/only-post", "/api/v1/customers/"}

    async def shown(site: Site) -> set[str]:
        return set((await site.get("/openapi.json")).json()["paths"])

    async with open_site(app) as site:
        assert await shown(site) == own
        await site.install()
        await site.install("mail", files={"routes.py": hello("mail")})
        assert await shown(site) == own | {"/api/v1/shop/version", "/api/v1/mail/version"}
        await site.run(Kind.DEACTIVATE)
        assert await shown(site) == own | {"/api/v1/mail/version"}
        await site.run(Kind.ACTIVATE)
        assert await shown(site) == own | {"/api/v1/shop/version", "/api/v1/mail/version"}
        await site.run(Kind.UNINSTALL, "mail")
        await site.run(Kind.UNINSTALL, "shop")
        assert await shown(site) == own


async def test_the_document_follows_an_upgrade(open_site: Open) -> None:
    async with open_site(shop_host()) as site:
        await site.install()
        await site.get("/openapi.json")
        await site.install(version="2.0.0", files={"routes.py": hello() + "\n@router.get('/new')\ndef new(): ..."})
        assert "/api/v1/shop/new" in (await site.get("/openapi.json")).json()["paths"]


async def test_a_known_plugin_that_is_not_active_is_named(open_site: Open) -> None:
    claims = {"backend": {"routes": ["/api/v1/shop/*"]}, "frontend": {"routes": ["/shop"]}}
    async with open_site(shop_host()) as site:
        await site.install(**claims)
        assert (await site.get("/api/v1/shop/version")).status_code == 200
        await site.run(Kind.DEACTIVATE)
        answer = await site.get("/api/v1/shop/version")
        assert (answer.status_code, answer.json()["code"]) == (404, "plugin-not-active")
        assert "activate shop" in answer.json()["mend"]
        page = await site.get("/shop", accept="text/html")
        assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "Shop" in page.text
        await site.run(Kind.UNINSTALL)
        assert "plugin-not-active" not in (await site.get("/api/v1/shop/version")).text


async def test_a_plugin_that_is_offered_and_not_installed_is_named(open_site: Open, tmp_path: Path) -> None:
    folder = package(tmp_path / "offered", "mail", backend={"routes": ["/api/v1/mail/*"]})
    pack(folder, tmp_path / "home" / "modules")
    async with open_site(shop_host()) as site:
        await until(lambda: site.hotbay.follower.dispatcher.table.claimed("/api/v1/mail/inbox"), "the package is read")
        answer = await site.get("/api/v1/mail/inbox")
        assert answer.json()["code"] == "plugin-not-active"
        assert "install mail" in answer.json()["mend"]


async def test_what_a_host_froze_is_seen_again_when_it_has_stopped(open_site: Open) -> None:
    hosts = remains._frozen.hosts
    async with open_site(shop_host()):
        assert (remains._frozen.hosts, remains._frozen.more) == (hosts + 1, True)
    assert remains._frozen.hosts == hosts


async def test_it_is_known_whether_a_plugin_is_in_the_process(open_site: Open) -> None:
    others = set(remains._frozen.plugins)
    async with open_site(shop_host()) as site:
        await site.install()
        assert len(remains._frozen.plugins - others) == 1, "from its first plugin on nothing more is frozen"
        await site.run(Kind.UNINSTALL)
        assert remains._frozen.plugins == others, "until it is gone"


async def test_below_a_root_path(open_site: Open) -> None:
    async with open_site(shop_host()) as site:
        await site.install()
        assert (await site.get("/panel/api/v1/shop/version", root_path="/panel")).json() == {"version": "1.0.0"}
        assert (await site.get("/panel/home", root_path="/panel")).json() == "host"


async def test_what_is_installed_serves_after_a_restart(open_site: Open) -> None:
    async with open_site(shop_host()) as site:
        await site.install()
    async with open_site(shop_host()) as site:
        assert "/api/v1/shop/version" in (await site.get("/openapi.json")).json()["paths"]
        assert (await site.get("/api/v1/shop/version")).json() == {"version": "1.0.0"}


async def test_the_hosts_lifespan_is_around_the_plugins_and_its_state_is_kept(open_site: Open) -> None:
    log: list[str] = []

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[dict[str, int]]:
        log.append(f"up {app.state.hotbay.started}")
        yield {"pool": 7}
        log.append(f"down {app.state.hotbay.started}")

    app = shop_host(lifespan=lifespan)
    async with open_site(app):
        log.append(f"run {app.state.hotbay.started}")
    assert log == ["up False", "run True", "down False"]


async def test_before_its_lifespan_the_host_answers_alone(tmp_path: Path) -> None:
    app = shop_host()
    hotbay = Hotbay(app, home=tmp_path / "home")
    async with client(app) as http:
        assert (await http.get("/home")).json() == "host"
        assert (await http.get("/api/v1/shop/version")).status_code == 404
        assert (await http.get("/openapi.json")).status_code == 200
    assert await hotbay.filter("total", 5) == 5
    await hotbay.emit("order.created")
    hotbay.store.close()


async def test_events_filters_and_services_for_the_host(open_site: Open) -> None:
    hooks = """
        from hotbay_sdk import context, filters, on, service
        @on("order.created")
        def created(number): (context(__name__).data / "seen").write_text(str(number))
        @filters("total")
        def total(value, tax): return value + tax
        @service("price")
        def price(item): return item * 2
    """
    async with open_site(shop_host()) as site:
        await site.install(files={"hooks.py": hooks})
        await site.hotbay.emit("order.created", number=5, other="left out")
        assert (site.hotbay.settings.data / "shop" / "seen").read_text() == "5"
        assert await site.hotbay.filter("total", 10, tax=2) == 12
        assert await site.hotbay.serve_call("shop.price", "ab") == "abab"


async def test_settings_change_live(open_site: Open) -> None:
    model = "from pydantic import BaseModel\nclass Settings(BaseModel):\n    rate: int = 1\n"
    routes = """
        from fastapi import APIRouter
        from hotbay_sdk import context
        router = APIRouter(prefix="/shop")
        @router.get("/rate")
        def rate(): return context(__name__).settings.rate
    """
    async with open_site(shop_host()) as site:
        await site.install(files={"settings.py": model, "routes.py": routes})
        assert (await site.get("/api/v1/shop/rate")).json() == 1
        assert await site.hotbay.change_settings("shop", {"rate": 5}) == {"rate": 5}
        assert (await site.get("/api/v1/shop/rate")).json() == 5


async def test_a_plugins_websocket(open_site: Open) -> None:
    text = """
        from fastapi import APIRouter, WebSocket
        router = APIRouter(prefix="/shop")
        @router.websocket("/live/{name}")
        async def live(socket: WebSocket, name: str):
            await socket.accept()
            await socket.send_text(name)
            await socket.close()
    """
    async with open_site(shop_host()) as site:
        await site.install(files={"routes.py": text})
        sent: list[Any] = []
        inbox: asyncio.Queue[Any] = asyncio.Queue()
        inbox.put_nowait({"type": "websocket.connect"})
        path = "/api/v1/shop/live/ann"
        scope = {"type": "websocket", "path": path, "headers": [], "query_string": b"", "subprotocols": []}

        async def send(message: Any) -> None:
            sent.append(message)

        await site.app(scope, inbox.get, send)
        assert [message["type"] for message in sent] == ["websocket.accept", "websocket.send", "websocket.close"]
        assert sent[1]["text"] == "ann"


async def test_a_starlette_host(open_site: Open) -> None:
    app = Starlette(routes=[Route("/home", lambda request: PlainTextResponse("host"))])
    async with open_site(app) as site:
        await site.install()
        assert (await site.get("/home")).text == "host"
        assert (await site.get("/api/v1/shop/version")).json() == {"version": "1.0.0"}
        assert (await site.get("/nothing")).status_code == 404


async def test_any_asgi_host_is_wrapped(tmp_path: Path) -> None:
    async def bare(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await PlainTextResponse("host", 200 if scope["path"] == "/home" else 404)(scope, receive, send)

    hotbay = Hotbay(bare, home=tmp_path / "home", watch=False, jobs=False)
    async with hotbay.running():
        site = Site(hotbay, hotbay, tmp_path)
        await site.install()
        assert (await site.get("/home")).text == "host"
        assert (await site.get("/api/v1/shop/version")).json() == {"version": "1.0.0"}
        nothing = await site.get("/nothing")
        assert (nothing.status_code, nothing.text) == (404, "host")
    hotbay.logs.close()
    hotbay.store.close()


async def test_the_plugins_folder_is_watched(open_site: Open, tmp_path: Path) -> None:
    async with open_site(shop_host(), watch=True, watch_seconds=0.05) as site:
        package(tmp_path / "home" / "plugins" / "shop")
        await until(lambda: site.hotbay.store.find_live("shop"))
        assert (await site.get("/api/v1/shop/version")).json() == {"version": "1.0.0"}


def test_wrong_settings_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="drain_seconds"):
        Hotbay(FastAPI(), home=tmp_path / "home", drain_seconds=-1)
