"""Routers and applications as a host mounts them: answers, paths, OpenAPI documents, the host's own paths."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, WebSocket
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, Router, WebSocketRoute

from hotbay.activate import Mounted
from hotbay.errors import ActivationFailed
from hotbay.frameworks import FrameworkHost, host_route_paths, merged_openapi
from plugs import client


async def get(app: Any, path: str) -> httpx.Response:
    async with client(app) as http:
        return await http.get(path)


def paths(mounted: Mounted) -> list[str]:
    return [route.path for route in mounted.routes]


def items() -> APIRouter:
    router = APIRouter(prefix="/shop", tags=["shop"])

    @router.get("/items/{number}")
    def item(number: int) -> dict[str, int]:
        return {"number": number}

    @router.post("/items")
    def add() -> str:
        return "added"

    @router.websocket("/live")
    async def live(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    return router


HOSTS = {"fastapi": FastAPI(), "starlette": Starlette(), "bare": lambda scope, receive, send: None}


# ── mounting ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", HOSTS)
async def test_a_router_is_served_below_the_prefix_in_every_host(kind: str) -> None:
    mounted = FrameworkHost(HOSTS[kind]).mount(items(), "/api/v1")
    app = FastAPI()
    app.router.routes.append(Mount("", mounted.app))
    answer = await get(app, "/api/v1/shop/items/5")
    assert answer.json() == {"number": 5}
    assert (await get(app, "/api/v1/shop/items/five")).status_code == 422
    assert [(route.path, route.methods, route.websocket) for route in mounted.routes] == [
        ("/api/v1/shop/items/{number}", ("GET",), False),
        ("/api/v1/shop/items", ("POST",), False),
        ("/api/v1/shop/live", (), True),
    ]


def test_a_router_that_has_the_prefix_itself_does_not_get_it_twice() -> None:
    router = APIRouter(prefix="/api/v1/shop")
    router.add_api_route("/x", lambda: 1)
    assert paths(FrameworkHost(None).mount(router, "/api/v1")) == ["/api/v1/shop/x"]


def test_a_path_that_only_begins_alike_does_not_have_the_prefix() -> None:
    router = APIRouter(prefix="/api/v10")
    router.add_api_route("/x", lambda: 1)
    assert paths(FrameworkHost(None).mount(router, "/api/v1")) == ["/api/v1/api/v10/x"]


def test_routers_in_routers_are_listed_with_their_whole_paths() -> None:
    outer = APIRouter(prefix="/shop")
    inner = APIRouter(prefix="/deep")
    inner.include_router(items(), prefix="/deeper")
    outer.include_router(inner)
    assert paths(FrameworkHost(FastAPI()).mount(outer, "/api"))[0] == "/api/shop/deep/deeper/shop/items/{number}"


async def test_an_application_is_mounted_with_its_root_path() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse(f"{scope['root_path']}|{scope['path']}")(scope, receive, send)

    mounted = FrameworkHost(None).mount(app, "/store/")
    assert (mounted.routes, mounted.mounts, mounted.openapi) == ((), ("/store",), None)
    assert (await get(mounted.app, "/store/a")).text == "/store|/store/a"


async def test_a_whole_fastapi_application_and_its_docs_are_mounted() -> None:
    inner = FastAPI()
    inner.include_router(items())
    mounted = FrameworkHost(FastAPI()).mount(inner, "/store")
    assert (await get(mounted.app, "/store/shop/items/7")).json() == {"number": 7}
    assert (await get(mounted.app, "/store/openapi.json")).json()["servers"] == [{"url": "/store"}]


async def test_a_starlette_router_has_its_own_paths() -> None:
    async def page(request: Any) -> PlainTextResponse:
        return PlainTextResponse("page")

    async def live(socket: Any) -> None: ...

    router = Router([Route("/shop/page", page), WebSocketRoute("/shop/ws", live), Mount("/shop/files", app=page)])
    mounted = FrameworkHost(Starlette()).mount(router, "/api/v1")
    assert paths(mounted) == ["/shop/page", "/shop/ws", "/shop/files/{path:path}"]
    assert [route.websocket for route in mounted.routes] == [False, True, False]
    assert (await get(mounted.app, "/shop/page")).text == "page"


@pytest.mark.parametrize("thing", [None, 5, "router"])
def test_what_is_neither_router_nor_application_is_refused(thing: Any) -> None:
    with pytest.raises(ActivationFailed, match=type(thing).__name__) as caught:
        FrameworkHost(None).mount(thing, "/x")
    assert "routes.py" in caught.value.mend


def test_mounting_leaves_the_hosts_application_alone() -> None:
    app = FastAPI()
    before = (list(app.router.routes), app.router.lifespan_context)
    FrameworkHost(app).mount(items(), "/api/v1")
    assert (list(app.router.routes), app.router.lifespan_context) == before


async def test_register_routes_gets_something_that_collects() -> None:
    host = FrameworkHost(FastAPI())

    def register(app: Any) -> None:
        app.include_router(items(), prefix="/api/v1")

        @app.get("/direct")
        def direct() -> str:
            return "d"

    mounted = host.mount(host.collect(register), "")
    assert paths(mounted)[0] == "/api/v1/shop/items/{number}"
    assert "/direct" in paths(mounted)


def user() -> str:
    return "real"


async def test_the_hosts_dependency_overrides_are_honoured() -> None:
    app = FastAPI()
    router = APIRouter()

    @router.get("/who")
    def who(name: str = Depends(user)) -> str:
        return name

    mounted = FrameworkHost(app).mount(router, "")
    holder = FastAPI()
    holder.router.routes.append(Mount("", mounted.app))
    assert (await get(holder, "/who")).json() == "real"
    app.dependency_overrides[user] = lambda: "override"
    assert (await get(holder, "/who")).json() == "override"


@pytest.mark.parametrize("kind", ["starlette", "bare"])
async def test_where_the_host_is_no_fastapi_its_errors_are_answered_all_the_same(kind: str) -> None:
    router = APIRouter()

    @router.get("/no")
    def no(request: Request) -> None:
        raise HTTPException(418, "tea")

    mounted = FrameworkHost(HOSTS[kind]).mount(router, "/api")
    answer = await get(mounted.app, "/api/no")
    assert (answer.status_code, answer.json()) == (418, {"detail": "tea"})


# ── OpenAPI ───────────────────────────────────────────────────────────────────────────────────────────────────────


def described(plugin: str, **fields: Any) -> dict[str, Any]:
    """The document of a plugin with one schema named Item."""

    class Item(BaseModel):
        __annotations__ = fields

    router = APIRouter(prefix=f"/{plugin}")
    router.add_api_route("/item", lambda: None, response_model=list[Item], methods=["GET"])
    mounted = FrameworkHost(FastAPI()).mount(router, "")
    assert mounted.openapi is not None
    return mounted.openapi()


OWN = {
    "openapi": "3.1.0",
    "paths": {"/host": {"get": {"x": {"$ref": "#/components/schemas/Item"}}}},
    "components": {"schemas": {"Item": {"type": "object", "title": "the host's"}}, "securitySchemes": {"a": {}}},
}


def item_reference(document: dict[str, Any], path: str) -> str:
    schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    return str(schema["items"]["$ref"])


def test_a_document_has_paths_and_components_only() -> None:
    assert set(described("shop", n=int)) == {"paths", "components"}


def test_without_plugins_the_hosts_document_is_as_it_is() -> None:
    assert merged_openapi(OWN, []) is OWN


def test_schemas_of_the_same_name_are_told_apart() -> None:
    merged = merged_openapi(OWN, [("shop", described("shop", n=int)), ("mail", described("mail", s=str))])
    schemas = merged["components"]["schemas"]
    assert schemas["Item"]["title"] == "the host's"
    assert set(schemas) == {"Item", "shop__Item", "mail__Item"}
    assert item_reference(merged, "/shop/item") == "#/components/schemas/shop__Item"
    assert item_reference(merged, "/mail/item") == "#/components/schemas/mail__Item"
    assert set(schemas["mail__Item"]["properties"]) == {"s"}
    assert set(merged["paths"]) == {"/host", "/shop/item", "/mail/item"}
    assert merged["components"]["securitySchemes"] == {"a": {}}


def test_equal_schemas_stay_one() -> None:
    merged = merged_openapi({"paths": {}}, [("shop", described("shop", n=int)), ("mail", described("mail", n=int))])
    assert set(merged["components"]["schemas"]) == {"Item"}


def test_merging_changes_neither_the_hosts_document_nor_the_plugins() -> None:
    import copy

    own, part = copy.deepcopy(OWN), described("shop", n=int)
    kept = copy.deepcopy(part)
    merged_openapi(own, [("shop", part)])
    assert (own, part) == (OWN, kept)


def test_a_property_that_is_called_ref_is_no_reference() -> None:
    part = {"paths": {}, "components": {"schemas": {"Item": {"properties": {"$ref": {"type": "string"}}}}}}
    merged = merged_openapi(OWN, [("shop", part)])
    assert merged["components"]["schemas"]["shop__Item"] == {"properties": {"$ref": {"type": "string"}}}


def test_a_discriminators_mapping_is_renamed_too() -> None:
    union = {"discriminator": {"mapping": {"item": "#/components/schemas/Item"}, "propertyName": "kind"}}
    part = {"paths": {"/x": union}, "components": {"schemas": {"Item": {"type": "object"}}}}
    merged = merged_openapi(OWN, [("shop", part)])
    assert merged["paths"]["/x"]["discriminator"]["mapping"] == {"item": "#/components/schemas/shop__Item"}


# ── the host's paths ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_hosts_paths_with_routers_and_mounts() -> None:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_api_route("/home", lambda: 1, methods=["GET"])
    app.add_api_route("/home", lambda: 1, methods=["POST"])
    app.include_router(items(), prefix="/api")
    app.mount("/static", Starlette())
    assert host_route_paths(app) == (
        "/home",
        "/api/shop/items/{number}",
        "/api/shop/items",
        "/api/shop/live",
        "/static/{path:path}",
    )


def test_routes_that_are_added_to_an_included_router_later_are_seen() -> None:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    router = APIRouter(prefix="/late")
    app.include_router(router)
    before = host_route_paths(app)
    router.add_api_route("/x", lambda: 1)
    app.add_api_route("/added", lambda: 1)
    assert "/added" in host_route_paths(app)
    assert before == ()


def test_a_host_that_can_not_be_asked_has_no_paths() -> None:
    assert host_route_paths(HOSTS["bare"]) == ()
    assert host_route_paths(object()) == ()


@pytest.mark.parametrize("kind", ["fastapi", "bare"])
async def test_not_found_is_the_hosts_own(kind: str) -> None:
    host = FrameworkHost(HOSTS[kind])
    app: Any = host.not_found
    if kind == "fastapi":
        app = FastAPI(exception_handlers={404: lambda request, error: PlainTextResponse("lost", 404)})
        app.router.routes.append(Mount("", host.not_found))
    answer = await get(app, "/x")
    assert answer.status_code == 404
    assert (answer.text == "lost") == (kind == "fastapi")
