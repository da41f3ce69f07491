"""How a plugin's FastAPI router is called after the table has matched its path: straight to the route.

FastAPI keeps an included router as one route of its own kind (since 0.138), matches every request twice and passes
through three coroutines before the route's application runs. Here the request is matched once, in order, and handed to
the application that FastAPI built for that route, which has its dependencies, limits and response model. Everything
that is not a plain match of path and method (405, redirects, mounts, WebSockets) goes FastAPI's own way, and so does
everything if FastAPI's insides look different from what is expected here.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import WebSocketRoute

_SCOPE, _CONTEXT, _ROUTER = "fastapi", "effective_route_context", "included_router"
_NONE: dict[str, Any] = {}
_NEEDED = ("app", "endpoint", "methods", "original_route", "param_convertors", "path_format", "path_regex")


def straight(outer: APIRouter) -> Any:
    """An ASGI application for a router into which one router was included."""
    only: Any = outer.routes[0] if len(outer.routes) == 1 else None
    if not hasattr(only, "effective_candidates") or list(only.effective_low_priority_routes()):
        return outer
    routes, _ = _routes_of(only)
    return _Straight(only, routes) if routes else only.handle


def _routes_of(included: Any) -> tuple[list[_Route], bool]:
    """The routes in FastAPI's order, and False when something among them must be left to FastAPI.

    What stands behind such a thing is not listed: it might answer first.
    """
    if getattr(getattr(included, "include_context", None), "form_limits", True):
        return [], False  # FastAPI writes these limits into the scope on its own way.
    found: list[_Route] = []
    for candidate in included.effective_candidates():
        if hasattr(candidate, "effective_candidates"):
            inner, whole = _routes_of(candidate)
            found += inner
            if not whole:
                return found, False
        elif _usual(candidate):
            found.append(_Route(candidate, included))
        elif not isinstance(getattr(candidate, "starlette_route", None), WebSocketRoute):
            return found, False
    return found, True


def _usual(candidate: Any) -> bool:
    original: Any = getattr(candidate, "original_route", None)
    kind: Any = type(original)
    if not isinstance(original, APIRoute) or kind.matches is not APIRoute.matches or kind.handle is not APIRoute.handle:
        return False
    return all(getattr(candidate, name, None) is not None for name in _NEEDED)


class _Route:
    """What a match needs of FastAPI's context of one route."""

    __slots__ = ("app", "context", "convertors", "endpoint", "exact", "included", "match", "methods", "original")

    def __init__(self, context: Any, included: Any) -> None:
        self.context = context
        self.included = included
        self.original = context.original_route
        self.app = context.app
        self.endpoint = context.endpoint
        self.methods = frozenset(context.methods)
        self.convertors = dict(context.param_convertors)
        self.match: Any = context.path_regex.match
        self.exact = context.path_format if context.path_regex.pattern == _literal(context.path_format) else ""

    def values(self, path: str) -> dict[str, Any] | None:
        """The converted parameters of a path that matches."""
        found = self.match(path)
        if found is None:
            return None
        return {name: self.convertors[name].convert(value) for name, value in found.groupdict().items()}


def _particular(scope: Any) -> bool:
    """True for what FastAPI looks at more closely than by path and method."""
    return scope["type"] != "http" or bool(scope.get("root_path")) or scope.get("fastapi.telemetry") is not None


def _literal(path: str) -> str:
    return f"^{re.escape(path)}$"


class _Straight:
    """The application: finds the route and calls it."""

    def __init__(self, only: Any, routes: list[_Route]) -> None:
        self._only = only
        self._routes = routes
        self._exact = {(path, method): route for path, method, route in self._unambiguous()}

    def _unambiguous(self) -> list[tuple[str, str, _Route]]:
        """Literal paths whose first matching route is known now."""
        found = [(route.exact, method, route) for route in self._routes if route.exact for method in route.methods]
        return [(path, method, route) for path, method, route in found if self._first(path, method)[0] is route]

    def _first(self, path: str, method: str) -> tuple[_Route | None, dict[str, Any]]:
        for route in self._routes:
            if method in route.methods:
                values = route.values(path)
                if values is not None:
                    return route, values
        return None, _NONE

    def __call__(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        route, values = (None, _NONE) if _particular(scope) else self._find(scope["path"], scope["method"])
        if route is None:
            handled: Awaitable[None] = self._only.handle(scope, receive, send)
            return handled
        return self._selected(route, values, scope, receive, send)

    def _find(self, path: str, method: str) -> tuple[_Route | None, dict[str, Any]]:
        route = self._exact.get((path, method))
        return (route, _NONE) if route is not None else self._first(path, method)

    def _selected(self, route: _Route, values: dict[str, Any], scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        scope["endpoint"] = route.endpoint
        scope["route"] = route.original
        scope["path_params"] = {**scope.get("path_params", _NONE), **values}
        inner = scope.setdefault(_SCOPE, {})
        inner[_ROUTER], inner[_CONTEXT] = route.included, route.context
        answered: Awaitable[None] = route.app(scope, receive, send)
        return answered
