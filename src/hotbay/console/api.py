"""The HTTP API of the marketplace, for administrators: an application of its own below the host's routes."""

from __future__ import annotations

from hmac import compare_digest
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from hotbay.console import changes, configure, history, keeping, live, market, plugin, problems, publishers, receipts
from hotbay.console.auth import build_check, refuse_cross_site
from hotbay.console.registry import PublicRegistry
from hotbay.console.runner import Runner
from hotbay.console.viewers import Viewers
from hotbay.errors import HotbayError
from hotbay.frameworks import host_route_paths
from hotbay.table import route_path

if TYPE_CHECKING:
    from hotbay.asgi import Hotbay

_ACTOR, _ANSWERED = "hotbay.actor", "hotbay.answered"
# What the host's framework wrote into the scope while it looked for a route concerns the host only.
_HOSTS = frozenset({"app", "router", "endpoint", "route", "path_params", "starlette.exception_handlers"})


class Api:
    """An ASGI application below `{api_prefix}/marketplace` and `{api_prefix}/hotbay`."""

    def __init__(self, hotbay: Hotbay) -> None:
        prefix = hotbay.settings.api_prefix
        self.roots = (f"{prefix}/marketplace", f"{prefix}/hotbay")
        self.runner = Runner(hotbay)
        self.app = _application(hotbay, self.runner)
        self._token = hotbay.settings.metrics_token.get_secret_value()
        self._check = build_check(hotbay.admin, hotbay.app)
        viewers = Viewers(self._check, build_check(hotbay.user, hotbay.app))
        self._public = PublicRegistry(hotbay, viewers)

    def owns(self, path: str) -> bool:
        """True for the paths of this API (below the host's root path)."""
        return any(path == root or path.startswith(root + "/") for root in self.roots)

    def prepare(self) -> None:
        """Let FastAPI make of the routes what it else makes on the loop, for the first request: 50 ms and more."""
        host_route_paths(self.app)

    async def drain(self, seconds: float = 5.0) -> int:
        """Wait for operations in progress before the server leaves; answers how many are left to recovery."""
        return await self.runner.drain(seconds)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request: first who asks, then what is asked. Nothing of a body is read before."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008, "reason": "no WebSocket here"})
            return
        try:
            answer = await self._admitted(scope, receive)
        except Exception as error:
            if _is_hosts(scope, error):
                raise
            answer = _answer(Request(scope), error)
        if isinstance(answer, str):
            await self._inside(scope, answer, receive, send)
        else:
            await answer(scope, receive, send)

    async def _admitted(self, scope: Any, receive: Any) -> Response | str:
        """The answer to what everybody may ask; else the name of the administrator who asks. Raises otherwise."""
        path = route_path(scope)
        if self._public.answers(scope["method"], path):
            return await self._public.answer(scope, receive, path)
        refuse_cross_site(Request(scope))
        return self._scraper(scope) or await self._check(scope, receive)

    def _scraper(self, scope: Any) -> str:
        """Who reads the metrics with the token of the settings; nobody for anything else."""
        token = self._token.encode()
        if not token or scope["method"] != "GET" or route_path(scope) != f"{self.roots[1]}/metrics":
            return ""
        given = Request(scope).headers.get("authorization", "").removeprefix("Bearer ").encode()
        return "metrics" if compare_digest(given, token) else ""

    async def _inside(self, scope: Any, actor: str, receive: Any, send: Any) -> None:
        own = {name: scope[name] for name in scope if name not in _HOSTS and not name.startswith("fastapi")}
        own[_ACTOR] = actor
        try:
            await self.app(own, receive, send)
        except Exception:
            if _ANSWERED not in own:
                raise


def _application(hotbay: Hotbay, runner: Runner) -> FastAPI:
    app = FastAPI(title="Hotbay", version=version("hotbay"), docs_url=None, redoc_url=None, openapi_url=None)
    app.state.hotbay, app.state.runner = hotbay, runner
    prefix = hotbay.settings.api_prefix
    for part in (market, plugin, changes, keeping, history, receipts, configure, publishers):
        app.include_router(part.router, prefix=f"{prefix}/marketplace")
    app.include_router(live.router, prefix=f"{prefix}/hotbay")
    app.add_exception_handler(HotbayError, _on_error)
    app.add_exception_handler(HTTPException, _on_error)
    app.add_exception_handler(RequestValidationError, _on_error)
    app.add_exception_handler(Exception, _on_unknown)
    return app


async def _on_error(request: Request, error: Exception) -> Response:
    return _answer(request, error)


async def _on_unknown(request: Request, error: Exception) -> Response:
    """Starlette raises it again after this answer; the mark tells `_inside` that it is dealt with."""
    request.scope[_ANSWERED] = True
    return _answer(request, error)


def _answer(request: Request, error: Exception) -> Response:
    if isinstance(error, HotbayError):
        return problems.of_hotbay(error)
    if isinstance(error, HTTPException):
        return problems.of_http(error)
    if isinstance(error, RequestValidationError):
        return problems.of_validation(error)
    return problems.of_unknown(request, error)


def _is_hosts(scope: Any, error: Exception) -> bool:
    """True for an exception of the host's admin check that the host has a handler of its own for."""
    if isinstance(error, HotbayError | HTTPException):
        return False
    handlers, _ = scope.get("starlette.exception_handlers", ({}, {}))
    return any(kind in handlers for kind in type(error).__mro__)


def build_api(hotbay: Hotbay) -> Api:
    """The API of one host; `hotbay` has its settings, store and admin check already."""
    return Api(hotbay)
