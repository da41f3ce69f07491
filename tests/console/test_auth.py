"""Who may: the host's own check, natively; nobody else; and no pages of other sites."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse

from console.desks import LIVE, MARKET, admin, opened
from hotbay.console.auth import name_of

STATUS = f"{LIVE}/status"
AUDIT = f"{MARKET}/audit"


def ask(url: str, method: str = "GET", path: str = STATUS, **headers: str) -> httpx.Response:
    return httpx.request(method, url + path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def actor(url: str, **headers: str) -> str:
    """The name that the audit would have: of a refused operation."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    httpx.post(f"{url}{MARKET}/install", json={"addon_id": "nobody"}, headers=headers)
    entries: list[dict[str, str]] = httpx.get(url + AUDIT, headers=headers).json()["entries"]
    return entries[0]["actor"]


# ── FastAPI: the host's dependency ──────────────────────────────────────────────────────────────────────────────


def test_guests_get_401_customers_403_administrators_in(tmp_path: Path) -> None:
    with opened(tmp_path) as desk:
        guest = ask(desk.url)
        assert (guest.status_code, guest.json()["code"]) == (401, "unauthorized")
        assert guest.headers["www-authenticate"] == "Bearer"
        assert guest.headers["content-type"] == "application/problem+json"
        customer = ask(desk.url, authorization="Bearer carl")
        assert (customer.status_code, customer.json()["code"], customer.json()["detail"]) == (
            403,
            "forbidden",
            "admins only",
        )
        assert ask(desk.url, authorization="Bearer root").status_code == 200
        assert actor(desk.url, authorization="Bearer root") == "root@example.com"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/addons"), ("GET", "/addons/notes"), ("GET", "/installed"), ("POST", "/install"),
        ("POST", "/install-remote"), ("DELETE", "/uninstall/notes"), ("POST", "/toggle/notes"),
        ("POST", "/upgrade/notes"), ("POST", "/rollback/notes"), ("POST", "/upload"), ("POST", "/plan"),
        ("POST", "/upload/plan"),
        ("GET", "/backups"), ("POST", "/backups/notes"), ("POST", "/restore/notes"), ("DELETE", "/backups/1"),
        ("GET", "/operations"), ("GET", "/operations/1"), ("GET", "/settings/notes"), ("PUT", "/settings/notes"),
        ("PATCH", "/settings/notes"), ("GET", "/audit"), ("GET", "/logs/notes"), ("GET", "/../hotbay/events"),
        ("GET", "/../hotbay/status"), ("GET", "/../hotbay/openapi.json"), ("GET", "/no/such/path"),
    ],
)  # fmt: skip
def test_no_path_is_open_to_guests(guarded: str, method: str, path: str) -> None:
    target = f"{LIVE}{path.removeprefix('/../hotbay')}" if path.startswith("/..") else MARKET + path
    assert ask(guarded, method, target).status_code == 401
    assert ask(guarded, method, target, authorization="Bearer carl").status_code == 403


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with opened(tmp_path_factory.mktemp("guarded")) as desk:
        yield desk.url


def test_nothing_of_a_body_is_read_for_a_stranger(guarded: str) -> None:
    response = httpx.post(f"{guarded}{MARKET}/install", content=b"{", headers={"content-type": "application/json"})
    assert response.status_code == 401


def test_overrides_of_the_host_count(tmp_path: Path) -> None:
    app = FastAPI()
    with opened(tmp_path, app) as desk:
        app.dependency_overrides[admin] = lambda: {"username": "tester"}
        assert actor(desk.url) == "tester"
        app.dependency_overrides = {}
        assert ask(desk.url).status_code == 401


def test_a_dependency_is_finished_before_the_request_goes_on(tmp_path: Path) -> None:
    """Its `yield` would else hold a database session open for as long as an operation or a stream takes."""
    order: list[str] = []

    async def session() -> AsyncIterator[SimpleNamespace]:
        order.append("open")
        yield SimpleNamespace(admin="ada")
        order.append("closed")

    def check(request: Request, db: SimpleNamespace = Depends(session)) -> Any:
        assert request.app is app
        return SimpleNamespace(id=7, name=db.admin)

    app = FastAPI()
    with opened(tmp_path, app, check=check) as desk:
        own = desk.hotbay.store.rev
        desk.hotbay.store.rev = lambda: (order.append("inside"), own())[1]  # type: ignore[method-assign]
        assert ask(desk.url).status_code == 200
        assert order[:3] == ["open", "closed", "inside"]
        assert actor(desk.url) == "ada"


def refusing(status: int) -> Any:
    def check() -> None:
        raise HTTPException(status, "so it is")

    return check


@pytest.mark.parametrize(
    ("raised", "answered"), [(404, 403), (302, 403), (403, 403), (401, 401), (429, 429), (503, 503)]
)
def test_what_the_host_raises(tmp_path: Path, raised: int, answered: int) -> None:
    with opened(tmp_path, check=refusing(raised)) as desk:
        response = ask(desk.url)
        assert (response.status_code, response.json()["detail"]) == (answered, "so it is")


def none() -> None:
    return None


def needs_header(x_token: str = Header()) -> str:
    return x_token


@pytest.mark.parametrize("check", [none, lambda: False, needs_header])
def test_no_identity_is_no_admission(tmp_path: Path, check: Any) -> None:
    with opened(tmp_path, check=check) as desk:
        response = ask(desk.url)
        assert (response.status_code, response.json()["code"]) == (403, "forbidden")


def test_without_a_check_nobody_may_and_is_told_why(tmp_path: Path) -> None:
    with opened(tmp_path, check=None) as desk:
        response = ask(desk.url, authorization="Bearer root")
        assert response.status_code == 403
        assert "admin=" in response.json()["mend"]


def test_a_check_that_breaks_tells_nothing(tmp_path: Path) -> None:
    def check() -> None:
        raise RuntimeError("the password is swordfish")

    with opened(tmp_path, check=check) as desk:
        response = ask(desk.url)
        assert (response.status_code, response.json()["code"]) == (500, "error")
        assert "swordfish" not in response.text


def test_the_hosts_own_exceptions_are_answered_by_the_host(tmp_path: Path) -> None:
    class LoginFirst(Exception):
        pass

    def check() -> None:
        raise LoginFirst

    async def answer(request: Any, error: Any) -> PlainTextResponse:
        return PlainTextResponse("please log in", 401)

    app = FastAPI()
    app.add_exception_handler(LoginFirst, answer)
    with opened(tmp_path, app, check=check) as desk:
        assert ask(desk.url).text == "please log in"


# ── other hosts: a function of the request ──────────────────────────────────────────────────────────────────────


def by_header(request: Any) -> Any:
    return request.headers.get("x-admin")


async def by_header_async(request: Any) -> Any:
    if "x-admin" not in request.headers:
        raise HTTPException(401, "who are you?")
    return SimpleNamespace(username=request.headers["x-admin"])


async def plain(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application without any framework."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b"mine"})


@pytest.mark.parametrize("host", [Starlette, lambda: plain])
@pytest.mark.parametrize(("check", "refusal"), [(by_header, 403), (by_header_async, 401)])
def test_hosts_without_fastapi_give_a_function(tmp_path: Path, host: Any, check: Any, refusal: int) -> None:
    with opened(tmp_path, host(), check=check) as desk:
        assert ask(desk.url).status_code == refusal
        assert ask(desk.url, x_admin="ada").status_code == 200
        assert actor(desk.url, x_admin="ada") == "ada"


# ── other sites ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def cookie_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    def check(request: Request) -> str:
        return "ada"  # as a cookie would say, which browsers send with every request

    with opened(tmp_path_factory.mktemp("cookies"), check=check) as desk:
        yield desk.url


@pytest.mark.parametrize(
    ("headers", "good"),
    [
        ({}, True),
        ({"sec_fetch_site": "same-origin"}, True),
        ({"sec_fetch_site": "none"}, True),
        ({"sec_fetch_site": "same-site"}, False),
        ({"sec_fetch_site": "cross-site"}, False),
        ({"sec_fetch_site": "cross-site", "authorization": "Bearer token"}, True),
        ({"sec_fetch_site": "cross-site", "authorization": "Basic YTpi"}, False),
        ({"sec_fetch_site": "cross-site", "authorization": "Bearer"}, False),
        ({"origin": "SELF"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://[broken"}, False),
        ({"origin": "SELF", "sec_fetch_site": "cross-site"}, False),
    ],
)
def test_changes_need_the_same_origin(cookie_host: str, headers: dict[str, str], good: bool) -> None:
    headers = {name: cookie_host if value == "SELF" else value for name, value in headers.items()}
    response = ask(cookie_host, "POST", f"{MARKET}/toggle/nobody", **headers)
    expected = (404, "not-found") if good else (403, "cross-site")
    assert (response.status_code, response.json()["code"]) == expected


def test_reading_needs_no_proof_of_origin(cookie_host: str) -> None:
    assert ask(cookie_host, sec_fetch_site="cross-site", origin="https://evil.example").status_code == 200


@pytest.mark.parametrize(
    ("who", "name"),
    [
        (None, ""),
        (False, ""),
        ("", ""),
        ({}, ""),
        (True, "admin"),
        ("ada", "ada"),
        ({"email": "a@b.c", "id": 1}, "a@b.c"),
        ({"id": 1}, "1"),
        (SimpleNamespace(username="ada", id=1), "ada"),
        (SimpleNamespace(email=None, id=9), "9"),
        ("two\nlines\x00", "two lines"),
        ("x" * 500, "x" * 200),
    ],
)
def test_names_for_the_audit(who: Any, name: str) -> None:
    assert name_of(who) == name
