"""Plugins' files as browsers get them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest

from console.desks import LIVE, Desk, opened, until
from console.fronts import front


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A host with `notes` 1.0.0, which has a frontend, installed."""
    with opened(tmp_path) as made:
        made.pack(**front("N" * 2000))
        made.install()
        yield made


def notes(desk: Desk) -> Any:
    return desk.client.get(f"{LIVE}/registry").json()["plugins"][0]


def fetch(desk: Desk, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    return httpx.request(method, desk.url + path, headers={"accept-encoding": "identity"} | headers)


def test_files_are_served_for_ever_with_the_right_types(desk: Desk) -> None:
    found = notes(desk)
    kinds = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
    for name in found["integrity"]:
        answer = fetch(desk, found["base"] + name)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == kinds[Path(name).suffix]
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
        assert not answer.headers.get("set-cookie")


def test_head_etag_and_compression(desk: Desk) -> None:
    found = notes(desk)
    path = found["base"] + found["contributions"]["pages"][0]["module"]
    whole = fetch(desk, path)
    head = fetch(desk, path, "HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == whole.headers["content-length"] == str(len(whole.content))
    same = fetch(desk, path, **{"if-none-match": f'W/{whole.headers["etag"]}, "x"'})
    assert (same.status_code, same.content) == (304, b"")
    assert fetch(desk, path, **{"if-none-match": '"x"'}).status_code == 200
    packed = fetch(desk, path, **{"accept-encoding": "br, gzip;q=0.8"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == whole.content
    assert int(packed.headers["content-length"]) < len(whole.content)
    assert fetch(desk, path, "POST").status_code == 405


def test_nothing_else_is_served(desk: Desk) -> None:
    found = notes(desk)
    base, name = found["base"], found["contributions"]["pages"][0]["module"]
    secret = desk.hotbay.settings.assets / "notes" / "secret-ABCDEFGH.js"
    secret.write_text("1")
    bad = [base, base + "x-ABCDEFGH.js", f"{base}{name}/", f"{base}./{name}", f"{base}../secret-ABCDEFGH.js"]
    bad += [f"/hotbay/assets/notes/{name}", f"/hotbay/assets/other/{found['digest']}/{name}"]
    bad += [f"{base}%2e%2e/secret-ABCDEFGH.js", f"{base}..%2fsecret-ABCDEFGH.js", "/hotbay/assets/../../hotbay.db"]
    bad += [f"{base}{name}%00", f"/hotbay/assets/%2e%2e/{found['digest']}/{name}", "/hotbay/assets/"]
    bad += [f"/hotbay/assets/notes/{found['digest'].upper()}0/{name}", f"{base}bundle.json"]
    for path in bad:
        # Sent as it is: httpx would tidy it.
        with closing(HTTPConnection(desk.url.removeprefix("http://"), timeout=10)) as connection:
            connection.putrequest("GET", path, skip_accept_encoding=True)
            connection.endheaders()
            assert connection.getresponse().status == 404, path


def test_tabs_that_were_open_find_the_version_that_they_know(desk: Desk) -> None:
    before = notes(desk)
    path = before["base"] + before["contributions"]["pages"][0]["module"]
    for number in (1, 2, 3):
        desk.pack(version=f"1.{number}.0", **front(f"N{number}"))
        desk.post("/upgrade/notes")
    assert notes(desk)["digest"] != before["digest"]
    assert fetch(desk, path).status_code == 200
    desk.client.delete("/api/v1/marketplace/uninstall/notes")
    until(lambda: fetch(desk, path).status_code == 404)


def test_a_host_that_wants_no_frontends_has_none(tmp_path: Path) -> None:
    with opened(tmp_path, frontends=False) as desk:
        desk.pack(**front())
        desk.install()
        assert notes(desk)["contributions"]["pages"] == []
        assert not desk.hotbay.settings.assets.exists()
