"""Calling a route straight gives the answer that FastAPI gives on its own way, to the header."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, File, Form, HTTPException, Request, UploadFile, WebSocket
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, NoMatchFound, Route

from hotbay.frameworks import paths_of
from hotbay.straight import Straight, straight
from plugs import client


class Upper(APIRoute):
    """A route that handles requests its own way: it must never be passed by."""

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse("upper")(scope, receive, send)


class Item(BaseModel):
    name: str
    price: float = 1.0


def seen(request: Request) -> dict[str, Any]:
    """What a route can ask of where it is."""
    scope = request.scope
    return {
        "path": scope["route"].path,
        "endpoint": scope["endpoint"].__name__,
        "params": {key: str(value) for key, value in scope["path_params"].items()},
    }


def allowed(request: Request) -> str:
    if request.headers.get("x-key") != "open":
        raise HTTPException(403, "locked")
    return "open"


def shop() -> APIRouter:
    router = APIRouter(prefix="/shop")

    @router.get("/new")
    def early(request: Request) -> dict[str, Any]:
        return seen(request)

    @router.get("/{name}")
    def named_one(name: str, request: Request) -> dict[str, Any]:
        return seen(request)

    @router.get("/late")
    def late() -> str:
        return "never: /{name} stands before"

    @router.post("/late")
    def late_post(item: Item) -> Item:
        return item

    @router.get("/numbers/{number:int}")
    def number(number: int, request: Request) -> dict[str, Any]:
        return seen(request)

    @router.put("/numbers/{number}")
    def put(number: int, note: str = Body(embed=True), key: str = Depends(allowed)) -> dict[str, Any]:
        return {"number": number, "note": note, "key": key}

    @router.get("/files/{path:path}")
    def files(path: str) -> str:
        return path

    @router.post("/form")
    def form(title: str = Form(), file: UploadFile = File()) -> dict[str, Any]:
        return {"title": title, "size": file.size}

    @router.websocket("/live")
    async def live(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("hello")
        await socket.close()

    @router.get("/behind/socket")
    def behind() -> str:
        return "behind a websocket"

    inner = APIRouter(prefix="/inner", dependencies=[Depends(allowed)])

    @inner.get("/deep/{name}")
    def deep(name: str) -> str:
        return name

    router.include_router(inner)

    @router.get("/after/inner")
    def after() -> str:
        return "after"

    @router.get("/broken/{kind}")
    def broken(kind: str) -> str:
        raise HTTPException(418, kind) if kind == "http" else RuntimeError(kind)

    return router


def strange() -> APIRouter:
    """A router with things that must be left to FastAPI, and routes behind them."""
    router = APIRouter(prefix="/strange")
    router.add_api_route("/first", lambda: "first")
    own = APIRouter(route_class=Upper)
    own.add_api_route("/own", lambda: "never", methods=["GET"], name="own")
    router.include_router(own)
    router.routes.append(Route("/plain", lambda request: PlainTextResponse("plain")))
    router.routes.append(Mount("/mounted", routes=[Route("/x", lambda request: PlainTextResponse("mounted"))]))
    router.add_api_route("/last", lambda: "last")
    return router


def adding() -> APIRouter:
    """Inclusions that add more than a prefix, one inside the other."""
    router = APIRouter(prefix="/adding")
    tenant = APIRouter()
    tenant.add_api_route("/name", lambda tenant: tenant)
    router.include_router(tenant, prefix="/of/{tenant}")
    plain = APIRouter()
    plain.add_api_route("/text", lambda: "text")
    router.include_router(plain, prefix="/plain", default_response_class=PlainTextResponse)
    small = APIRouter()

    @small.post("/body")
    async def body(item: Item) -> Item:
        return item

    locked = APIRouter()
    locked.add_api_route("/door", lambda: "inside")
    router.include_router(locked, dependencies=[Depends(allowed)])
    middle = APIRouter(prefix="/middle")
    middle.include_router(small, prefix="/small")
    router.include_router(middle, max_body_size=30)
    return router


def outer(router: APIRouter, prefix: str = "/api", provider: Any = None) -> APIRouter:
    found = APIRouter(dependency_overrides_provider=provider)
    found.include_router(router, prefix=prefix)
    return found


def hosts(router: Any) -> tuple[FastAPI, FastAPI]:
    """FastAPI's own way, and ours."""
    own, ours = FastAPI(), FastAPI()
    own.include_router(router(), prefix="/api")
    ours.router.routes.append(Mount("", straight(outer(router(), provider=ours), ours)))
    return own, ours


async def both(router: Any, method: str, path: str, **how: Any) -> tuple[httpx.Response, httpx.Response]:
    answers = []
    for app in hosts(router):
        async with client(app) as http:
            answers.append(await http.request(method, path, **how))
    return answers[0], answers[1]


ASKED = [
    ("GET", "/api/shop/new", {}),
    ("GET", "/api/shop/late", {}),
    ("GET", "/api/shop/a%20b", {}),
    ("POST", "/api/shop/late", {"json": {"name": "x"}}),
    ("POST", "/api/shop/late", {"json": {"price": "x"}}),
    ("POST", "/api/shop/late", {"content": b"{"}),
    ("GET", "/api/shop/numbers/5", {}),
    ("GET", "/api/shop/numbers/five", {}),
    ("PUT", "/api/shop/numbers/5", {"json": {"note": "n"}, "headers": {"x-key": "open"}}),
    ("PUT", "/api/shop/numbers/5", {"json": {"note": "n"}}),
    ("DELETE", "/api/shop/numbers/5", {}),
    ("PATCH", "/api/shop/new", {}),
    ("HEAD", "/api/shop/new", {}),
    ("GET", "/api/shop/files/a/b/c", {}),
    ("GET", "/api/shop/files/", {}),
    ("POST", "/api/shop/form", {"data": {"title": "t"}, "files": {"file": b"12345"}}),
    ("GET", "/api/shop/behind/socket", {}),
    ("GET", "/api/shop/inner/deep/x", {"headers": {"x-key": "open"}}),
    ("GET", "/api/shop/inner/deep/x", {}),
    ("GET", "/api/shop/after/inner", {}),
    ("GET", "/api/shop/broken/http", {}),
    ("GET", "/api/shop/none/of/these", {}),
    ("GET", "/api/adding/of/acme/name", {}),
    ("GET", "/api/adding/plain/text", {}),
    ("GET", "/api/adding/door", {}),
    ("GET", "/api/adding/door", {"headers": {"x-key": "open"}}),
    ("POST", "/api/adding/middle/small/body", {"json": {"name": "x"}}),
    ("POST", "/api/adding/middle/small/body", {"json": {"name": "x" * 40}}),
    ("PUT", "/api/adding/middle/small/body", {}),
    ("GET", "/api/strange/first", {}),
    ("GET", "/api/strange/own", {}),
    ("GET", "/api/strange/plain", {}),
    ("GET", "/api/strange/mounted/x", {}),
    ("GET", "/api/strange/last", {}),
    ("POST", "/api/strange/last", {}),
]


@pytest.mark.parametrize(("method", "path", "how"), ASKED, ids=[f"{asked[0]} {asked[1]}" for asked in ASKED])
async def test_the_answer_is_fastapis(method: str, path: str, how: dict[str, Any]) -> None:
    own, ours = await both(
        {"shop": shop, "adding": adding, "strange": strange}[path.split("/")[2]], method, path, **how
    )
    assert isinstance(straight(outer(adding()), FastAPI()), Straight)
    own_json = own.json() if "json" in own.headers.get("content-type", "") and own.content else own.text
    our_json = ours.json() if "json" in ours.headers.get("content-type", "") and ours.content else ours.text
    allow = [set(answer.headers.get("allow", "").split(", ")) for answer in (own, ours)]
    kinds = [answer.headers.get("content-type") for answer in (own, ours)]
    assert (own.status_code, own_json, allow[0], kinds[0]) == (ours.status_code, our_json, allow[1], kinds[1])


async def test_the_common_routes_are_called_straight_and_a_socket_is_served() -> None:
    host = FastAPI()
    app = straight(outer(shop()), host)
    known = set(app._exact)
    assert {("/api/shop/new", "GET"), ("/api/shop/late", "POST"), ("/api/shop/after/inner", "GET")} <= known
    assert ("/api/shop/late", "GET") not in known, "/{name} stands before it"
    host.router.routes.append(Mount("", app))
    assert [message["type"] for message in await talk(host, "/api/shop/live")] == [
        "websocket.accept",
        "websocket.send",
        "websocket.close",
    ]


async def talk(app: Any, path: str) -> list[dict[str, Any]]:
    """What a WebSocket is told."""
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    scope = {"type": "websocket", "path": path, "headers": [], "query_string": b"", "subprotocols": []}
    await app(scope, receive, send)
    return said


def test_a_router_with_something_unusual_is_left_to_fastapi() -> None:
    assert isinstance(straight(outer(shop()), FastAPI()), Straight)
    assert not isinstance(straight(outer(strange()), FastAPI()), Straight)


def test_the_paths_are_those_that_fastapi_has() -> None:
    router = outer(shop())
    own = sorted((route.path, route.methods, route.websocket) for item in router.routes for route in paths_of(item))
    app = straight(outer(shop()), FastAPI())
    assert sorted((route.path, route.methods, route.websocket) for route in app.routes) == own


def test_a_route_is_found_by_its_name() -> None:
    app = straight(outer(shop()), FastAPI())
    assert app.url_path_for("number", number=7) == "/api/shop/numbers/7"
    assert app.url_path_for("files", path="a/b") == "/api/shop/files/a/b"
    assert app.url_path_for("deep", name="x") == "/api/shop/inner/deep/x"
    assert app.url_path_for("live").protocol == "websocket"
    for wrong in ({"number": 7, "more": 1}, {}):
        with pytest.raises(NoMatchFound):
            app.url_path_for("number", **wrong)
    assert straight(outer(strange()), FastAPI()).url_path_for("own") == "/api/strange/own"


@pytest.mark.parametrize("path", ["/api/adding/plain/text", "/api/strange/own"])
async def test_the_servers_scope_does_not_keep_what_was_called(path: str) -> None:
    """A generation gets a shallow copy; a server keeps the original until the connection's next request."""
    host = FastAPI()
    router = adding() if "adding" in path else strange()
    app = straight(outer(router), host)
    notes: dict[str, Any] = {}
    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b"", "fastapi": notes}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message["type"])

    sent: list[str] = []
    async with AsyncExitStack() as stack:
        await app({**scope, "fastapi_middleware_astack": stack}, receive, send)
    assert sent[0] == "http.response.start"
    assert notes == {}


def test_nothing_is_built_twice_for_a_plain_inclusion() -> None:
    router, inner = APIRouter(prefix="/shop"), APIRouter(prefix="/inner")
    inner.add_api_route("/x", lambda: 1)
    router.include_router(inner)
    included = outer(router)
    app = straight(included, FastAPI())
    assert [route.path for route in app.routes] == ["/api/shop/inner/x"]
    assert included.routes[0]._effective_candidates == []


async def test_exceptions_of_a_route_reach_who_called_it() -> None:
    own, ours = hosts(shop)
    for app in (own, ours):
        async with client(app) as http:
            with pytest.raises(RuntimeError, match="odd"):
                await http.get("/api/shop/broken/odd")


async def test_overridden_dependencies_of_the_host_hold() -> None:
    host = FastAPI()
    host.router.routes.append(Mount("", straight(outer(shop(), provider=host), host)))
    host.dependency_overrides[allowed] = lambda: "overridden"
    async with client(host) as http:
        answer = await http.put("/api/shop/numbers/5", json={"note": "n"})
    assert answer.json()["key"] == "overridden"


async def test_a_router_with_limits_for_forms_goes_fastapis_way() -> None:
    router = APIRouter(prefix="/shop", form_limits={"max_fields": 1})

    @router.post("/form")
    async def form(a: str = Form()) -> str:
        return a

    host = FastAPI()
    host.router.routes.append(Mount("", straight(outer(router), host)))
    async with client(host) as http:
        assert (await http.post("/api/shop/form", data={"a": "1"})).json() == "1"
        assert (await http.post("/api/shop/form", data={"a": "1", "b": "2"})).status_code == 400


async def test_below_a_root_path_the_answer_is_the_same() -> None:
    host = FastAPI()
    host.router.routes.append(Mount("", straight(outer(shop()), host)))
    transport = httpx.ASGITransport(host, root_path="/proxy")
    async with httpx.AsyncClient(transport=transport, base_url="http://host") as http:
        for path in ("/api/shop/numbers/5", "/proxy/api/shop/numbers/5"):
            assert (await http.get(path)).json()["params"] == {"number": "5"}


def test_a_router_of_an_older_fastapi_is_called_as_it_is() -> None:
    flat = APIRouter()
    flat.add_api_route("/x", lambda: 1)
    assert straight(flat, FastAPI()) is flat
