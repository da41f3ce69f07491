"""What Hotbay needs to know of Starlette and FastAPI: making routers callable, their paths, the OpenAPI document."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Mount, Route, Router, WebSocketRoute

from hotbay import model
from hotbay.activate import Mounted
from hotbay.errors import ActivationFailed
from hotbay.straight import Straight, own_notes, straight


class FrameworkHost:
    """Implements `activate.Host` for FastAPI, Starlette and other ASGI hosts."""

    def __init__(self, app: Any) -> None:
        self._app = app if isinstance(app, FastAPI) else None
        self._starlette = isinstance(app, Starlette)

    def mount(self, thing: Any, prefix: str) -> Mounted:
        """Make a router or application callable. Raises ActivationFailed when it is neither."""
        if isinstance(thing, APIRouter):
            return self._mount_router(thing, prefix)
        if isinstance(thing, Router):
            routes = tuple(route for item in thing.routes for route in paths_of(item))
            return Mounted(thing, routes, locate=thing.url_path_for)
        if callable(thing):
            return _mount_app(thing, prefix)
        raise ActivationFailed(
            f"{type(thing).__name__} is neither a router nor an ASGI application",
            mend="define `router = APIRouter()` in routes.py, or an ASGI `app`",
        )

    def _mount_router(self, router: APIRouter, prefix: str) -> Mounted:
        """The plugin's routes in a router of their own, inside the host's middleware and exception handlers."""
        found = self._included(router, prefix)
        if prefix and found.routes and all(route.path.startswith(f"{prefix}{prefix}/") for route in found.routes):
            return self._included(router, "")  # The plugin wrote the host's prefix itself.
        return found

    def _included(self, router: APIRouter, prefix: str) -> Mounted:
        outer = APIRouter(dependency_overrides_provider=self._app)
        outer.include_router(router, prefix=prefix)
        app = straight(outer, self._app) if self._app is not None else _complete(outer)
        found = (
            app.routes if isinstance(app, Straight) else (route for item in outer.routes for route in paths_of(item))
        )
        return Mounted(app, tuple(found), (), lambda: _document(outer), app.url_path_for)

    def collect(self, register: Callable[[Any], Any]) -> Any:
        """Seed 002: `register_routes(app)` gets a router, which has `include_router` and the route decorators."""
        router = APIRouter()
        register(router)
        return router

    def release(self) -> None:
        """Nothing of the frameworks holds a generation but caches that `activate.caches` empties."""

    async def not_found(self, scope: Any, receive: Any, send: Any) -> None:
        """The host's own answer to a path that nobody answers."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        elif self._starlette:
            raise HTTPException(404)
        else:
            from hotbay.answers import respond_json

            await respond_json(send, 404, {"status": 404, "code": "not-found", "detail": "Not Found"})


def _document(router: APIRouter) -> dict[str, Any]:
    document = get_openapi(title="", version="", routes=router.routes)
    return {key: document[key] for key in ("paths", "components") if key in document}


def _complete(router: APIRouter) -> Any:
    """A FastAPI application around a plugin's router, where the host is none."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(router)
    return app


def _mount_app(app: Any, prefix: str) -> Mounted:
    base = prefix.rstrip("/")

    async def below(scope: Any, receive: Any, send: Any) -> None:
        child = dict(scope)
        own_notes(child)
        child["root_path"] = scope.get("root_path", "") + base
        child["app_root_path"] = scope.get("app_root_path", scope.get("root_path", ""))
        await app(child, receive, send)

    return Mounted(below, (), (base,))


def paths_of(route: Any) -> Iterable[model.Route]:
    """The paths of a route, a mount, or what FastAPI makes of an included router."""
    inner = getattr(route, "starlette_route", None)
    if inner is not None:
        yield from paths_of(inner)
    elif hasattr(route, "effective_candidates"):
        for item in route.effective_candidates():
            yield from paths_of(item)
    elif isinstance(route, Mount):
        yield model.Route(f"{route.path}/{{path:path}}")
    elif getattr(route, "path", None) is not None:
        methods = getattr(route, "methods", None) or ()
        original = getattr(route, "original_route", route)
        socket = isinstance(original, WebSocketRoute) or (not methods and not isinstance(original, Route))
        yield model.Route(route.path, tuple(sorted(methods)), socket)


def host_route_paths(app: Any) -> tuple[str, ...]:
    """The path templates of the host's own routes; none where the host can't be asked."""
    routes: list[BaseRoute] = list(getattr(getattr(app, "router", None), "routes", ()))
    found = [path.path for route in routes for path in paths_of(route)]
    return tuple(dict.fromkeys(path for path in found if path))


def merged_openapi(own: dict[str, Any], parts: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """The host's document with the plugins' paths and schemas; a schema whose name is taken gets the plugin's id."""
    if not parts:
        return own
    document = copy.deepcopy(own)
    paths = document.setdefault("paths", {})
    for plugin, found in parts:
        part = _renamed(plugin, found, document.get("components", {}).get("schemas", {}))
        paths.update(part.get("paths", {}))
        for kind, items in part.get("components", {}).items():
            document.setdefault("components", {}).setdefault(kind, {}).update(items)
    return document


def _renamed(plugin: str, part: dict[str, Any], taken: dict[str, Any]) -> dict[str, Any]:
    schemas = part.get("components", {}).get("schemas", {})
    clashes = {name: f"{plugin}__{name}" for name in schemas if name in taken and taken[name] != schemas[name]}
    if not clashes:
        return part
    references = {f"#/components/schemas/{old}": f"#/components/schemas/{new}" for old, new in clashes.items()}
    renamed: dict[str, Any] = _replace(part, references)
    found = renamed["components"]["schemas"]
    renamed["components"]["schemas"] = {clashes.get(name, name): value for name, value in found.items()}
    return renamed


def _replace(thing: Any, references: dict[str, str]) -> Any:
    """A copy with the references renamed: in `$ref`, and in the mappings of discriminators."""
    if isinstance(thing, dict):
        return {key: _replace(value, references) for key, value in thing.items()}
    if isinstance(thing, list):
        return [_replace(item, references) for item in thing]
    return references.get(thing, thing) if isinstance(thing, str) else thing
