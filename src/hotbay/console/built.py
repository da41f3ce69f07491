"""The built console as it lies in the package: files that never change under their names, import map, entry."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hotbay.frontend.toolchain import STATIC

# For what never changes under its address.
FOREVER = "public, max-age=31536000, immutable"
# A frame's origin is opaque: its modules come only if every origin may have them. They are nobody's secret.
ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}
KINDS = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
}
_ENCODINGS = {"br": ".br", "gzip": ".gz"}


@dataclass(frozen=True)
class File:
    """A file to send: its bytes as they lie there, and how they are encoded."""

    data: bytes
    kind: str
    encoding: str = ""


class Built:
    """The console of this installation. Files are read once and kept: they are few and small."""

    def __init__(self, folder: Path = STATIC) -> None:
        self.folder = folder
        self._read: dict[tuple[str, str], File | None] = {}

    @property
    def exists(self) -> bool:
        """False in a checkout that nobody built."""
        return (self.folder / "entry.json").is_file()

    @cached_property
    def entry(self) -> Mapping[str, Any]:
        """The addresses of the main module, of what it imports, and of the styles."""
        found: Mapping[str, Any] = json.loads((self.folder / "entry.json").read_text(encoding="utf-8"))
        return found

    @cached_property
    def import_map(self) -> str:
        """The text of the import map, exactly as the page has it."""
        found = json.loads((self.folder / "importmap.json").read_text(encoding="utf-8"))
        return json.dumps(found, separators=(",", ":"))

    @cached_property
    def import_map_hash(self) -> str:
        """What the content security policy allows of inline scripts: this one."""
        digest = hashlib.sha256(self.import_map.encode()).digest()
        return f"'sha256-{base64.b64encode(digest).decode()}'"

    def file(self, name: str, accepted: Collection[str] = ()) -> File | None:
        """A file below `/hotbay/shell/`, in an encoding that the browser accepts; None when there is none."""
        encoding = next((one for one in _ENCODINGS if one in accepted), "")
        key = (name, encoding)
        if key not in self._read:
            found = read_file(self.folder / "shell", name, encoding)
            if found is None:  # Names that are asked for and not there are endless.
                return None
            self._read[key] = found
        return self._read[key]


def read_file(folder: Path, name: str, encoding: str = "") -> File | None:
    """A file of a flat folder whose names we made; None for everything else that a URL may say."""
    kind = KINDS.get(Path(name).suffix)
    if kind is None or "/" in name or "\\" in name or name.startswith("."):
        return None
    encoded = folder / (name + _ENCODINGS.get(encoding, ""))
    if encoding and encoded.is_file():
        return File(encoded.read_bytes(), kind, encoding)
    plain = folder / name
    return File(plain.read_bytes(), kind) if plain.is_file() else None


def in_script(value: Any) -> str:
    """JSON that can't end the element that it stands in."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
