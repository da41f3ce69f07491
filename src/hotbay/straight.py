"""How a plugin's FastAPI router is called after the table has matched its path: straight to the route.

FastAPI keeps an included router as one route of its own kind (since 0.138), builds everything that it knows of a route
a second time for the inclusion, matches every request twice and passes through three coroutines before the route's
application runs. A plugin's router is included with nothing but a prefix, so the application that FastAPI built first
does the same, and is called here after one match, in FastAPI's order of routes. An inclusion that adds more than a
prefix (dependencies, limits) is built by FastAPI and its applications are called; what has no known way of matching
(mounts, own classes of routes) leaves the whole router to FastAPI, and so do insides that are not as expected here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from typing import Any

from fastapi import APIRouter
from fastapi.datastructures import DefaultPlaceholder
from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette.datastructures import URLPath
from starlette.routing import NoMatchFound, Route, WebSocketRoute, compile_path

from hotbay import model
from hotbay.table import route_path

_SCOPE, _CONTEXT, _ROUTER = "fastapi", "effective_route_context", "included_router"
_USUAL: tuple[type[Any], ...] = (APIRoute, APIWebSocketRoute, Route, WebSocketRoute)
_INSIDES = ("effective_candidates", "effective_low_priority_routes", "include_context", "original_router")
_NONE: dict[str, Any] = {}


class _Unknown(Exception):
    """Something among the routes must be left to FastAPI."""


def straight(outer: APIRouter, host: Any) -> Any:
    """An application for a router into which one router was included: a `Straight`, or FastAPI's own."""
    only: Any = outer.routes[0] if len(outer.routes) == 1 else None
    if any(not hasattr(only, name) for name in _INSIDES) or only.effective_low_priority_routes():
        return outer
    try:
        return Straight(only, list(_walk(only)), host)
    except _Unknown:
        return _Whole(only)


class _Whole:
    """A router that is left to FastAPI: its one inclusion is called, without a first match that would find only it."""

    def __init__(self, only: Any) -> None:
        self.url_path_for = only.url_path_for
        self._handle = only.handle

    def __call__(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        own_notes(scope)
        handled: Awaitable[None] = self._handle(scope, receive, send)
        return handled


class _Found:
    """A route as it is called: what matches, and what runs."""

    __slots__ = (
        "app",
        "convertors",
        "endpoint",
        "form",
        "match",
        "methods",
        "path",
        "route",
        "scope",
        "socket",
    )

    def __init__(self, route: Any, path: str, made: Any, scope: dict[str, Any]) -> None:
        """`made` has what FastAPI built: the route itself, or its context in an inclusion."""
        regex, self.form, self.convertors = compile_path(path)
        self.match: Any = regex.match
        self.path = path
        self.route = route
        self.app = made.app
        self.endpoint = made.endpoint
        self.methods = frozenset(getattr(made, "methods", None) or ())
        self.socket = isinstance(route, WebSocketRoute)
        self.scope = scope

    def values(self, path: str) -> dict[str, Any] | None:
        """The converted parameters of a path that matches."""
        found = self.match(path)
        if found is None:
            return None
        return {name: self.convertors[name].convert(value) for name, value in found.groupdict().items()}

    def located(self, values: dict[str, Any]) -> URLPath:
        """The path with its parameters filled in."""
        texts = {name: convertor.to_string(values[name]) for name, convertor in self.convertors.items()}
        return URLPath(self.form.format(**texts), "websocket" if self.socket else "http")

    def takes(self, method: str) -> bool:
        """True for a method that the route answers; a WebSocket's is empty."""
        return self.socket is (not method) and (not self.methods or method in self.methods)


def _walk(included: Any) -> Iterator[_Found]:
    """The routes in FastAPI's order. Raises _Unknown."""
    if not _plain(included.include_context):
        yield from _built(included)
        return
    for route in included.original_router.routes:
        if hasattr(route, "include_context"):
            yield from _walk(_branch(included, route))
        elif type(route) in _USUAL:
            yield _Found(route, included.include_context.path_for(route), route, _NONE)
        else:
            raise _Unknown


def _plain(context: Any) -> bool:
    """True for an inclusion that adds nothing to what a route does but a fixed prefix."""
    defaults = (context.default_response_class, context.strict_content_type)
    added = context.dependencies or context.form_limits or context.max_body_size is not None or "{" in context.prefix
    return not added and all(isinstance(item, DefaultPlaceholder) for item in defaults)


def _branch(included: Any, inner: Any) -> Any:
    """A router inside an included one, as FastAPI combines the two."""
    context = included.include_context.combine(inner.include_context)
    return type(inner)(original_router=inner.original_router, include_context=context)


def _built(included: Any) -> Iterator[_Found]:
    """The routes as FastAPI builds them for an inclusion that adds something. Raises _Unknown."""
    if included.include_context.form_limits:
        raise _Unknown  # FastAPI writes these into the scope on its own way.
    for candidate in included.effective_candidates():
        if hasattr(candidate, "effective_candidates"):
            yield from _built(candidate)
        elif type(candidate.original_route) is APIRoute:
            yield _Found(candidate.original_route, candidate.path, candidate, {_ROUTER: included, _CONTEXT: candidate})
        else:
            raise _Unknown


class Straight:
    """The application: finds the route and calls it."""

    def __init__(self, only: Any, routes: list[_Found], host: Any) -> None:
        self._only = only
        self._host = host
        self._found = routes
        self._exact = {(path, method): found for path, method, found in self._unambiguous()}

    @property
    def routes(self) -> Iterator[model.Route]:
        """The paths that are answered."""
        return (model.Route(item.path, tuple(sorted(item.methods)), item.socket) for item in self._found)

    def url_path_for(self, name: str, /, **values: Any) -> URLPath:
        """The path of the first route of that name with exactly these parameters. Raises NoMatchFound."""
        for item in self._found:
            if getattr(item.route, "name", None) == name and set(values) == set(item.convertors):
                return item.located(values)
        raise NoMatchFound(name, values)

    def _unambiguous(self) -> list[tuple[str, str, _Found]]:
        """Literal paths whose first matching route is known now."""
        literal = [item for item in self._found if "{" not in item.path]
        listed = [(item.path, method, item) for item in literal for method in item.methods or {""}]
        return [(path, method, item) for path, method, item in listed if self._first(path, method)[0] is item]

    def _first(self, path: str, method: str) -> tuple[_Found | None, dict[str, Any]]:
        for item in self._found:
            if item.takes(method):
                values = item.values(path)
                if values is not None:
                    return item, values
        return None, _NONE

    def __call__(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        if scope.get("fastapi.telemetry") is not None or self._host.dependency_overrides:
            return self._own_way(scope, receive, send)
        path, method = route_path(scope), scope.get("method", "")
        found, values = self._exact.get((path, method)), _NONE
        if found is None:
            found, values = self._first(path, method)
            if found is None:
                return self._refuse(path, scope, receive, send)
        _enter(found, values, scope)
        answered: Awaitable[None] = found.app(scope, receive, send)
        return answered

    def _own_way(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        own_notes(scope)
        handled: Awaitable[None] = self._only.handle(scope, receive, send)
        return handled

    def _refuse(self, path: str, scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        """405 by the first route that has the path, as FastAPI does; else whatever FastAPI says."""
        for item in self._found:
            values = item.values(path) if not item.socket and scope["type"] == "http" else None
            if values is not None:
                _enter(item, values, scope)
                refused: Awaitable[None] = item.route.handle(scope, receive, send)
                return refused
        return self._own_way(scope, receive, send)


def _enter(found: _Found, values: dict[str, Any], scope: Any) -> None:
    """Say in the scope which route answers, as routers do."""
    scope["endpoint"] = found.endpoint
    scope["route"] = found.route
    scope["path_params"] = {**scope.get("path_params", _NONE), **values}
    if found.scope:
        own_notes(scope)
        scope[_SCOPE].update(found.scope)


def own_notes(scope: Any) -> None:
    """Give a scope FastAPI's notes for its own.

    A generation gets a copy of the server's scope, because the server keeps that while a connection is idle; the notes
    inside are a dictionary that both would share, and FastAPI writes its routes into it.
    """
    scope[_SCOPE] = dict(scope.get(_SCOPE, _NONE))
