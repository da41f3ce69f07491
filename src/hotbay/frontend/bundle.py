"""A compiled frontend: its files, what it adds to the shell, and its content hash; in a folder and out of it.

A packed plugin has one in `frontend/dist/`, with `bundle.json` beside the files. What that says is believed only as far
as the files' hashes, their imports and the rules for contributions bear it out.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hotbay.errors import InvalidPackage, Problem
from hotbay.folder import copy_tree, tree

DIST, INDEX = "frontend/dist", "bundle.json"
FILE = re.compile(r"[A-Za-z0-9_$.-]{1,120}-[A-Z0-9]{8}\.(?:js|css|woff|woff2)")
# Every import stands at the beginning of what esbuild writes, before the first other statement.
_IMPORT = re.compile(
    r"""\s*(?:import\s*(?:([\w$]+)\s*,?\s*)?(?:\{([^}]*)\}|\*\s*as\s+([\w$]+))?\s*(?:from\s*)?"([^"\\]+)"\s*;?"""
    r"""|/\*.*?\*/|//[^\n]*\n)""",
    re.DOTALL,
)


@dataclass(frozen=True)
class Bundle:
    """A plugin's frontend. `files` maps names to integrity (`sha384-…`), `modules` source modules to files."""

    digest: str
    files: Mapping[str, str]
    styles: tuple[str, ...]
    contributions: Mapping[str, Any]
    sources: str = ""
    warnings: tuple[Problem, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """What the registry and `bundle.json` hold."""
        return {
            "digest": self.digest,
            "files": dict(self.files),
            "styles": list(self.styles),
            "contributions": dict(self.contributions),
            "sources": self.sources,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Bundle:
        """Read what `to_json` wrote."""
        return cls(
            str(data["digest"]),
            dict(data["files"]),
            tuple(data["styles"]),
            dict(data["contributions"]),
            str(data.get("sources", "")),
        )


def integrity(data: bytes) -> str:
    """A file's hash as browsers check it."""
    return "sha384-" + base64.b64encode(hashlib.sha384(data).digest()).decode()


def read_files(folder: Path) -> dict[str, bytes]:
    """The files of a compiled frontend. Raises InvalidPackage for links and folders in it."""
    return {name: file.read_bytes() for name, file in tree(folder) if name != INDEX}


def digest_of(files: Mapping[str, bytes]) -> str:
    """The content hash of compiled files, 16 hex digits: it is their address."""
    total = hashlib.sha256()
    for name, data in sorted(files.items()):
        total.update(name.encode() + b"\0" + hashlib.sha256(data).digest())
    return total.hexdigest()[:16]


def source_hash(package: Path) -> str:
    """The hash of what a frontend is compiled from, and of the manifest that it is checked against."""
    total = hashlib.sha256()
    for name, file in tree(package):
        if name.startswith("frontend/") and not name.startswith(DIST + "/"):
            total.update(name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def write_dist(bundle: Bundle, files: Path, into: Path) -> None:
    """Write a compiled frontend into a package's folder, as `hotbay pack` ships it."""
    copy_tree(files, into, durable=False)
    text = json.dumps(bundle.to_json(), indent=1, sort_keys=True, ensure_ascii=False)
    (into / INDEX).write_text(text + "\n", encoding="utf-8")


def read_dist(folder: Path) -> Bundle:
    """The bundle in `frontend/dist`, verified against its files. Raises InvalidPackage."""
    where = f"{DIST}/{INDEX}"
    try:
        found = Bundle.from_json(json.loads((folder / INDEX).read_text(encoding="utf-8")))
        names = set(found.files)
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise _untrue(where, f"is damaged: {type(error).__name__}") from None
    files = read_files(folder)
    if odd := sorted(names.symmetric_difference(files)):
        raise _untrue(f"{DIST}/{odd[0]}", "the files are not those that bundle.json lists")
    for name, data in files.items():
        if not FILE.fullmatch(name):
            raise _untrue(f"{DIST}/{name}", "no name of a compiled file")
        if integrity(data) != found.files[name]:
            raise _untrue(f"{DIST}/{name}", "is not what was packed: its hash is another one")
    if digest_of(files) != found.digest:
        raise _untrue(where, "names another digest than its files have")
    return found


def _untrue(file: str, rule: str) -> InvalidPackage:
    mend = "pack the plugin again with `hotbay pack`"
    problems = (Problem("(document)", rule, file=file, mend=mend),)
    return InvalidPackage(f"the packed frontend can't be used: {file}: {rule}", mend=mend, problems=problems)


def imports_of(script: str) -> list[tuple[str, tuple[str, ...]]]:
    """The static imports at the beginning of a compiled module, as (module, names)."""
    found, place = [], 0
    while match := _IMPORT.match(script, place):
        if match.end() == place:
            break
        place = match.end()
        if match[4]:
            names = [part.split(" as ")[0].strip().strip('"') for part in (match[2] or "").split(",") if part.strip()]
            found.append((match[4], (*(["default"] if match[1] else []), *names)))
    return found
