"""Who may administrate: the host's own check, and no changes by pages of other sites."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from inspect import isawaitable
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, FastAPI, params
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette._utils import is_async_callable
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from hotbay.console.problems import CrossSite
from hotbay.errors import Forbidden

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
METHODS = [*sorted(SAFE), "DELETE", "PATCH", "POST", "PUT"]
# Browsers send these by themselves, to any site's request: they prove nothing about who wanted it.
_AMBIENT = frozenset({"basic", "digest", "negotiate", "ntlm"})
_NAMES = ("email", "username", "name", "id")
_FOUND = "hotbay.gate"
_LONGEST = 200

Check = Callable[[dict[str, Any], Any], Awaitable[str]]


def refuse_cross_site(request: Request) -> None:
    """Let a change pass only when a page of this very site, or no browser at all, asks for it. Raises CrossSite."""
    if request.method in SAFE or _carries_token(request):
        return
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        good = site in ("same-origin", "none")
    else:
        good = origin is None or _netloc(origin) == request.headers.get("host", "").lower()
    if not good:
        raise CrossSite(
            "another site's page may not change anything here",
            mend="use the console of this host, or send an Authorization header with a token",
        )


def _carries_token(request: Request) -> bool:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return bool(token.strip()) and scheme.lower() not in _AMBIENT


def _netloc(origin: str) -> str:
    with suppress(ValueError):
        return urlsplit(origin).netloc.lower() or "none"
    return "none"


def build_check(admin: Any, host: Any) -> Check:
    """A function of (scope, receive) that answers the administrator's name.

    The host's check runs to its end, its dependencies' `yield` included, before anything else begins: a database
    session of the host is not kept open for as long as an operation or a stream of events lasts.
    Raises Forbidden, and HTTPException for 401, 429 and failures of the host.
    """
    if admin is None:
        return _nobody
    return _dependency(admin, host) if isinstance(host, FastAPI) else _function(admin)


async def _nobody(scope: dict[str, Any], receive: Any) -> str:
    raise Forbidden(
        "this host has named nobody who may administrate plugins",
        mend="say who may: Hotbay(app, admin=require_admin)",
    )


def _dependency(admin: Any, host: FastAPI) -> Check:
    """FastAPI itself solves the dependency, with the host's overrides."""
    dependency: Any = admin if isinstance(admin, params.Depends) else Depends(admin)
    router = APIRouter(dependency_overrides_provider=host)

    async def gate(request: Request, who: Any = dependency) -> Response:
        # Named here, while the host's database session is still open.
        request.scope[_FOUND].append(name_of(who))
        return Response()

    router.add_api_route("/{hotbay_path:path}", gate, methods=METHODS, response_class=Response, response_model=None)
    stacked = AsyncExitStackMiddleware(router)

    async def check(scope: dict[str, Any], receive: Any) -> str:
        found: list[str] = []
        # Without handlers the exceptions come here, instead of being answered in the host's way.
        own = {**scope, _FOUND: found, "starlette.exception_handlers": ({}, {})}
        try:
            await stacked(own, receive, _swallow)
        except RequestValidationError:
            raise _refused("the request lacks what the host's admin check needs") from None
        except HTTPException as error:
            raise _judged(error) from None
        return _accepted(found[0] if found else "")

    return check


async def _swallow(message: Any) -> None:
    """The gate's own empty answer goes nowhere."""


def _function(admin: Callable[..., Any]) -> Check:
    """A function of the request, sync or async."""

    async def check(scope: dict[str, Any], receive: Any) -> str:
        request = Request(scope, receive)
        try:
            who = await admin(request) if is_async_callable(admin) else await run_in_threadpool(admin, request)
            if isawaitable(who):
                who = await who
        except HTTPException as error:
            raise _judged(error) from None
        return _accepted(name_of(who))

    return check


def _judged(error: HTTPException) -> Exception:
    """401 asks for a login, 429 and 5xx are no judgement; every other refusal is 403."""
    if error.status_code in (401, 429) or error.status_code >= 500:
        return error
    return _refused(error.detail if isinstance(error.detail, str) and error.detail else "")


def _refused(detail: str = "") -> Forbidden:
    return Forbidden(
        detail or "only administrators may do this", mend="log in as somebody whom the host's admin check accepts"
    )


def _accepted(name: str) -> str:
    if not name:
        raise _refused()
    return name


def name_of(who: Any) -> str:
    """The name of an identity for the audit; empty for None, False and whatever else is empty, which refuse."""
    if not who:
        return ""
    if who is True:
        return "admin"
    values = [] if isinstance(who, str) else [_member(who, name) for name in _NAMES]
    value = next((item for item in values if isinstance(item, str | int) and str(item)), who)
    text = "".join(char if char.isprintable() else " " for char in str(value))
    return text.strip()[:_LONGEST] or "admin"


def _member(who: Any, name: str) -> Any:
    return who.get(name) if isinstance(who, Mapping) else getattr(who, name, None)
