"""What a package shows of itself: its README, and pictures that are pictures, whatever else lies beside them."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest

from console.desks import MARKET, Desk, tree
from hotbay.console import showcase
from hotbay.package import pack

# The smallest PNG: one transparent pixel.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
LINK = "/addons/notes/screenshots/"


def offer(desk: Desk, folder: Path, files: dict[str, bytes], kind: Any = "zip") -> Path:
    source = tree(folder / "notes", version="2.0.0")
    for name, data in files.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(data)
    return pack(source, desk.hotbay.settings.packages, kind=kind)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_pictures_of_an_offer_and_of_what_is_installed(desk: Desk, tmp_path: Path, kind: str) -> None:
    offer(desk, tmp_path, {"screenshots/2.png": PIXEL, "screenshots/1.webp": b"RIFF"}, kind)
    assert desk.get("/addons/notes")["screenshots"] == ["1.webp", "2.png"]
    desk.install()
    for file in desk.hotbay.settings.packages.iterdir():
        file.unlink()
    assert desk.get("/addons/notes")["screenshots"] == ["1.webp", "2.png"]
    found = desk.client.get(MARKET + LINK + "2.png")
    assert (found.status_code, found.content, found.headers["content-type"]) == (200, PIXEL, "image/png")
    assert found.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert found.headers["x-content-type-options"] == "nosniff"


def test_what_is_no_picture_is_not_shown(desk: Desk, tmp_path: Path) -> None:
    large = b"\x89PNG" + os.urandom(showcase.PICTURE_BYTES)
    odd = {"page.html": b"<b>", "image.svg": b"<svg/>", "deep/one.png": PIXEL, "large.png": large, ".png": PIXEL}
    offer(desk, tmp_path, {f"screenshots/{name}": data for name, data in odd.items()})
    assert desk.get("/addons/notes")["screenshots"] == ["large.png"]
    for name in (*odd, "none.png", "..%2Fmetadata.json", "%2e%2e/README.md"):
        assert desk.client.get(MARKET + LINK + name).status_code == 404, name


def test_many_are_too_many(desk: Desk, tmp_path: Path) -> None:
    offer(desk, tmp_path, {f"screenshots/{number}.png": PIXEL for number in range(showcase.PICTURES + 5)})
    assert len(desk.get("/addons/notes")["screenshots"]) == showcase.PICTURES


def test_the_readme_is_cut_and_never_refused(desk: Desk, tmp_path: Path) -> None:
    offer(desk, tmp_path, {"README.md": b"caf\xe9 " + b"x" * showcase.README_BYTES})
    found = desk.get("/addons/notes")["readme"]
    assert found.startswith("caf\N{REPLACEMENT CHARACTER} x") and len(found) == showcase.README_BYTES


def test_a_damaged_package_shows_nothing(desk: Desk, tmp_path: Path) -> None:
    file = offer(desk, tmp_path, {"screenshots/1.png": PIXEL})
    desk.install()
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
    assert desk.get("/addons/notes")["installed"] is True
