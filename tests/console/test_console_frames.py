"""The page that frontends run in which the host does not trust."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from console.desks import LIVE, MARKET, Desk, opened
from console.fronts import front
from hotbay.console.built import Built
from signing import publisher, signed


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A host that trusts nobody, with `notes` installed."""
    with opened(tmp_path, frontend_frames="all") as made:
        made.pack(**front())
        made.install()
        yield made


def test_the_page_is_connected_to_nothing_and_holds_nothing(desk: Desk) -> None:
    answer = httpx.get(desk.url + "/hotbay/frame", headers={"cookie": "session=x"})
    assert answer.status_code == 200
    policy = {part.split()[0]: part.split()[1:] for part in answer.headers["content-security-policy"].split("; ")}
    assert policy["default-src"] == policy["connect-src"] == policy["form-action"] == policy["base-uri"] == ["'none'"]
    assert policy["sandbox"] == ["allow-scripts"]
    assert policy["frame-ancestors"] == ["'self'"]
    assert policy["script-src"] == ["'self'", Built().import_map_hash]
    assert policy["img-src"] == ["data:", "blob:"]
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers
    boot = re.search(r'id="hotbay-boot">(.*?)</script>', answer.text)
    assert boot is not None
    assert set(json.loads(boot[1])) == {"api", "console", "brand"}
    assert httpx.head(desk.url + "/hotbay/frame").content == b""
    assert httpx.post(desk.url + "/hotbay/frame").status_code == 404


def test_its_nonce_is_used_once(desk: Desk) -> None:
    one, two = (httpx.get(desk.url + "/hotbay/frame") for _ in range(2))
    nonce = re.search(r"'nonce-([^']+)'", one.headers["content-security-policy"])
    assert nonce is not None
    assert f'nonce="{nonce[1]}"' in one.text
    assert nonce[1] not in two.text


def test_an_opaque_origin_may_have_what_never_changes_and_nothing_else(desk: Desk) -> None:
    names = set(re.findall(r'"(/hotbay/shell/[^"]+)"', httpx.get(desk.url + "/hotbay/frame").text))
    (notes,) = desk.client.get(f"{LIVE}/registry").json()["plugins"]
    names |= {notes["base"] + name for name in notes["integrity"]}
    for name in names:
        answer = httpx.get(desk.url + name, headers={"origin": "null"})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*"), name
        assert "access-control-allow-credentials" not in answer.headers
    for path in ("/hotbay/frame", f"{LIVE}/registry", "/api/v1/notes/version", "/admin", "/hotbay/shell/none.js"):
        answer = httpx.get(desk.url + path, headers={"origin": "null", "accept": "text/html"})
        assert "access-control-allow-origin" not in answer.headers, path


def test_the_registry_says_who_is_framed_and_what_it_may_ask(desk: Desk) -> None:
    (notes,) = desk.client.get(f"{LIVE}/registry").json()["plugins"]
    assert not notes["trusted"]
    assert {"path": "/api/v1/notes/version", "methods": ["GET"]} in notes["reach"]
    assert all(page["framed"] for page in notes["contributions"]["pages"])


def test_a_host_that_frames_nobody_has_no_such_page(tmp_path: Path) -> None:
    with opened(tmp_path) as desk:
        assert httpx.get(desk.url + "/hotbay/frame").status_code == 404


def test_where_the_unverified_are_framed_it_depends_on_who_made_it(tmp_path: Path) -> None:
    ada = publisher()
    with opened(tmp_path, frontend_frames="unverified") as desk:

        def trusted() -> bool:
            (notes,) = desk.client.get(f"{LIVE}/registry").json()["plugins"]
            assert all(bool(page.get("framed")) is not notes["trusted"] for page in notes["contributions"]["pages"])
            return bool(notes["trusted"])

        assert httpx.get(desk.url + "/hotbay/frame").status_code == 200
        archive = desk.pack(**front())
        desk.install()
        assert not trusted(), "nobody signed it"
        desk.client.delete(f"{MARKET}/uninstall/notes").raise_for_status()
        signed(archive, ada)
        desk.post("/publishers", {"name": ada.publisher, "key": ada.public.text})
        desk.install()
        assert trusted()
        desk.client.delete(f"{MARKET}/publishers/{ada.public.keyid}").raise_for_status()
        assert not trusted(), "and what is installed is judged by whom the host trusts now"
