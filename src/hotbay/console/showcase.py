"""What a package shows of itself: its README, and pictures in its folder `screenshots`. Reads only.

Of the newest package of the local folder, else of what is installed. What a repository offers is shown once it is here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hotbay.archive import entries
from hotbay.errors import HotbayError, NotFound
from hotbay.package import LIMITS

if TYPE_CHECKING:
    from hotbay.asgi import Hotbay
    from hotbay.console.shelf import Addon

README = "README.md"
README_BYTES = 256 * 1024
PICTURES = 10
PICTURE_BYTES = 2 * 1024 * 1024
KINDS = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}
# One level, plain names: they become a part of an address. No SVG, which is a document that may hold code.
_PICTURE = re.compile(r"screenshots/[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.(?:png|jpe?g|webp)")


def readme(hotbay: Hotbay, found: Addon) -> str:
    """The README; empty when there is none."""
    data = next((data for name, data in _files(hotbay, found, README_BYTES) if name == README), b"")
    return data.decode("utf-8", errors="replace")


def pictures(hotbay: Hotbay, found: Addon) -> list[str]:
    """The names of its pictures, in their order, at most 10."""
    names = {name for name, _ in _files(hotbay, found, 0) if _PICTURE.fullmatch(name)}
    return sorted(name.removeprefix("screenshots/") for name in names)[:PICTURES]


def picture(hotbay: Hotbay, found: Addon, name: str) -> bytes:
    """One picture. Raises NotFound for what is none, or is larger than 2 MiB."""
    wanted = f"screenshots/{name}"
    if _PICTURE.fullmatch(wanted):
        for one, data in _files(hotbay, found, PICTURE_BYTES + 1):
            if one == wanted and len(data) <= PICTURE_BYTES:
                return data
    raise NotFound(f"{found.id} has no picture {name!r}", mend="look at the plugin's `screenshots`")


def _files(hotbay: Hotbay, found: Addon, most: int) -> Iterator[tuple[str, bytes]]:
    """README and pictures, each with its first bytes, at most `most`."""
    newest = Path(found.offers[0].location) if found.offers else None
    with suppress(HotbayError, OSError):
        if newest is not None and newest.is_absolute() and newest.is_file():
            yield from _packed(newest, most)
        elif found.live is not None and hotbay.images.has(found.live.image):
            yield from _unpacked(hotbay.images.path(found.live.image), most)


def _packed(archive: Path, most: int) -> Iterator[tuple[str, bytes]]:
    with archive.open("rb") as file:
        for entry in entries(file, archive.stat().st_size, LIMITS):
            if not entry.folder and _shown(entry.name):
                yield entry.name, b"".join(entry.chunks)[:most] if most else b""


def _unpacked(image: Path, most: int) -> Iterator[tuple[str, bytes]]:
    for path in (image / README, *sorted((image / "screenshots").glob("*"))):
        name = path.relative_to(image).as_posix()
        if _shown(name) and path.is_file():
            with path.open("rb") as file:
                yield name, file.read(most)


def _shown(name: str) -> bool:
    return name == README or _PICTURE.fullmatch(name) is not None
