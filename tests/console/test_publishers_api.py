"""Trusted publishers over HTTP: for administrators only; and what the marketplace says of who made a package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from console.desks import MARKET, Desk, opened
from hotbay.signature import sidecar
from signing import envelope, payload, publisher, put, signed

ADA, EVE = publisher(), publisher("Eve")
VERIFIED = {"state": "verified", "publisher": "Ada", "keyid": ADA.public.keyid}
UNSIGNED = {"state": "unsigned", "publisher": "", "keyid": ""}
PATH = f"{MARKET}/publishers"


def trust(desk: Desk, key: Any = ADA, status: int = 200) -> Any:
    return desk.post("/publishers", {"name": key.publisher, "key": key.public.text}, status)


def distrust(desk: Desk, keyid: str) -> httpx.Response:
    return desk.client.delete(f"{PATH}/{keyid}")


def test_keys_come_and_go(desk: Desk) -> None:
    assert desk.get("/publishers") == {"publishers": [], "required": False}
    found = trust(desk)
    (row,) = found["publishers"]
    assert (row["name"], row["keyid"], row["key"]) == ("Ada", ADA.public.keyid, ADA.public.text)
    assert row["actor"] == "root@example.com"
    assert trust(desk) == found == desk.get("/publishers")
    entry = desk.get("/audit")["entries"][0]
    assert (entry["actor"], entry["action"], entry["result"]) == ("root@example.com", "publisher", "trusted")
    assert distrust(desk, ADA.public.keyid).json()["publishers"] == []
    assert distrust(desk, ADA.public.keyid).status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "Eve", "key": ADA.public.text}, 409, "refused"),
        ({"name": " Ada", "key": EVE.public.text}, 422, "bad-input"),
        ({"name": "Eve", "key": "ed25519:AAAA"}, 422, "bad-input"),
        ({"name": "Eve", "key": "x" * 2000}, 422, "bad-input"),
        ({"name": "Eve"}, 422, "bad-input"),
        ({"name": "Eve", "key": EVE.public.text, "more": 1}, 422, "bad-input"),
    ],
)
def test_what_is_refused(desk: Desk, body: Any, status: int, code: str) -> None:
    trust(desk)
    assert desk.post("/publishers", body, status)["code"] == code
    assert len(desk.get("/publishers")["publishers"]) == 1
    assert distrust(desk, "abcd1234").status_code == 422


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_only_administrators_see_or_change_them(desk: Desk, method: str) -> None:
    trust(desk, EVE)
    url = desk.url + PATH + (f"/{EVE.public.keyid}" if method == "DELETE" else "")
    body = {"name": "Ada", "key": ADA.public.text} if method == "POST" else None
    for headers, status in (({}, 401), ({"authorization": "Bearer carl"}, 403)):
        answer = httpx.request(method, url, headers=headers, json=body)
        assert answer.status_code == status
        assert EVE.public.keyid not in answer.text
    assert [row["name"] for row in desk.get("/publishers")["publishers"]] == ["Eve"]


def by_cookie(request: Request) -> str | None:
    """Whose session it is."""
    return request.cookies.get("session")


def test_another_sites_page_can_not_change_them(tmp_path: Path) -> None:
    """With the administrator's cookie, as a browser would send it along."""
    with opened(tmp_path, check=by_cookie) as desk:
        desk.client.headers.pop("authorization")
        cookies = {"cookie": "session=root", "origin": "https://evil.example", "sec-fetch-site": "cross-site"}
        body = {"name": "Ada", "key": ADA.public.text}
        for answer in (
            desk.client.post(PATH, json=body, headers=cookies),
            desk.client.delete(f"{PATH}/{ADA.public.keyid}", headers=cookies),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "cross-site")
        own = {"cookie": "session=root", "origin": desk.url}
        assert desk.client.get(PATH, headers=own).json()["publishers"] == []
        assert desk.client.post(PATH, json=body, headers=own).status_code == 200


# ── the marketplace ─────────────────────────────────────────────────────────────────────────────────────────────


def package(desk: Desk, version: str = "1.0.0") -> Path:
    return desk.hotbay.settings.packages / f"notes_v{version}.zip"


def line(desk: Desk) -> Any:
    (found,) = desk.get("/addons")["addons"]
    return found["trust"]


def test_the_marketplace_says_who_made_it(desk: Desk) -> None:
    assert line(desk) == UNSIGNED
    signed(package(desk), ADA)
    assert line(desk) == VERIFIED | {"state": "unknown"}
    trust(desk)
    assert line(desk) == VERIFIED
    desk.pack(version="1.1.0")
    found = desk.get("/addons/notes")
    assert [(one["version"], one["trust"]["state"]) for one in found["packages"]] == [
        ("1.1.0", "unsigned"),
        ("1.0.0", "verified"),
    ]
    assert (found["trust"], line(desk)) == (UNSIGNED, UNSIGNED), "what an install would choose"
    desk.install(version="1.0.0")
    assert (line(desk), desk.get("/addons/notes")["live"]["trust"]) == (VERIFIED, VERIFIED)
    assert desk.get("/installed")["addons"][0]["trust"] == VERIFIED
    distrust(desk, ADA.public.keyid).raise_for_status()
    assert line(desk)["state"] == desk.get("/installed")["addons"][0]["trust"]["state"] == "unknown"


def test_a_forged_signature_is_a_problem_of_the_source(desk: Desk) -> None:
    trust(desk)
    trust(desk, EVE)
    forged = envelope(payload(package(desk), "Ada"), EVE).replace(EVE.public.keyid.encode(), ADA.public.keyid.encode())
    other = envelope(payload(package(desk), version="0.9.0"), ADA)
    misnamed = envelope(payload(package(desk), "Ada"), EVE)
    for content in (forged, other, misnamed, b"nonsense", b""):
        put(package(desk), content)
        found = desk.get("/addons")
        assert found["addons"][0]["trust"] == UNSIGNED | {"state": "invalid"}
        (problem,) = found["problems"]
        assert problem["file"] == str(sidecar(package(desk)))
        assert desk.install(status=422)["code"] == "not-verified"
    assert desk.get("/installed")["addons"] == []


def test_plans_and_upgrades_say_whom_they_leave(desk: Desk) -> None:
    trust(desk)
    signed(package(desk), ADA)
    plan = desk.post("/plan", {"kind": "install", "addon_id": "notes"})["plan"]
    assert plan["trust"] == VERIFIED | {"was": ""}
    desk.install()
    desk.pack(version="1.1.0")
    plan = desk.post("/plan", {"kind": "upgrade", "addon_id": "notes"})["plan"]
    assert plan["trust"] == UNSIGNED | {"was": "Ada"}
    refused = desk.post("/upgrade/notes", {}, 409)
    assert (refused["code"], refused["publisher"]) == ("other-publisher", "Ada")
    assert desk.post("/upgrade/notes", {"accept_publisher": True})["version"] == "1.1.0"
    assert "trust" not in desk.post("/plan", {"kind": "rollback", "addon_id": "notes"})["plan"]


# ── uploads ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Desk]:
    """A host that takes signed packages only, and trusts Ada."""
    with opened(tmp_path, require_signature=True) as made:
        trust(made)
        yield made


def send(desk: Desk, archive: Path, signature: bytes | None, **query: Any) -> httpx.Response:
    files: list[Any] = [("file", ("a.zip", archive.read_bytes()))]
    files += [] if signature is None else [("signature", ("a.zip.sig.json", signature))]
    return desk.client.post(f"{MARKET}/upload", files=files, params=query)


def test_an_upload_brings_its_signature(strict: Desk, tmp_path: Path) -> None:
    archive = strict.pack("shop", out=tmp_path / "out")
    good = envelope(payload(archive), ADA)
    for bad in (None, b"", b"{}", envelope(payload(archive, "Eve"), EVE), good + b" " * 20_000):
        answer = send(strict, archive, bad)
        assert (answer.status_code, answer.json()["code"]) == (422, "not-verified")
    assert strict.get("/publishers")["required"] is True
    assert send(strict, archive, good).json()["version"] == "1.0.0"
    assert strict.get("/installed")["addons"][0]["trust"] == VERIFIED
    assert list((strict.hotbay.settings.home / "uploads").iterdir()) == []


def test_an_upload_of_another_publisher_wants_a_word(desk: Desk, tmp_path: Path) -> None:
    trust(desk)
    signed(package(desk), ADA)
    desk.install()
    archive = desk.pack(version="1.1.0", out=tmp_path / "out")
    assert send(desk, archive, None).json()["code"] == "other-publisher"
    assert send(desk, archive, None, accept_publisher="true").json()["version"] == "1.1.0"


def test_two_packages_are_one_too_many(desk: Desk, tmp_path: Path) -> None:
    archive = desk.pack("shop", out=tmp_path / "out").read_bytes()
    for names in (("file", "other"), ("signature", "signature"), ("signature",)):
        files = [(name, ("a", archive)) for name in names]
        assert desk.client.post(f"{MARKET}/upload", files=files).json()["code"] == "bad-input"
