"""The folder registry: `inventory/` is active, `_inventory/` inactive, `.template/` hidden (seed 004).

`addon_registry.json` beside the folders is written from the registry, for people and scripts to read.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from hotbay.folder import copy_tree, fsync_dir, leftovers, make_folder
from hotbay.model import Live
from hotbay_sdk.manifest import FILES

REGISTRY = "addon_registry.json"
_NAME = re.compile(r"^_?([a-z][a-z0-9_]*)$")
_OURS = ".hotbay-"


@dataclass(frozen=True)
class Found:
    """A plugin's folder and what its name says."""

    plugin: str
    path: Path
    active: bool

    def stamp(self) -> tuple[int, int]:
        """A cheap fingerprint of the content: newest change (ns) and number of files; for noticing, not for proof."""
        return _newest(os.fspath(self.path), self.path.stat().st_mtime_ns)


def _newest(folder: str, newest: int) -> tuple[int, int]:
    """The newest change in a tree, at least `newest`, and its number of entries. A worker asks this every second."""
    count = 0
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            below = entry.is_dir(follow_symlinks=False)
            if below and (entry.name == "__pycache__" or entry.name.startswith(".")):
                continue
            with suppress(FileNotFoundError):
                newest = max(newest, _changed(entry.stat(follow_symlinks=False), below))
                count += 1
            if below:
                newest, more = _newest(entry.path, newest)
                count += more
    return newest, count


def _changed(info: os.stat_result, folder: bool) -> int:
    """When it changed. A copy may bring its old time of writing along (`cp -p`, `tar`), but not that of its arrival."""
    return info.st_mtime_ns if folder else max(info.st_mtime_ns, info.st_ctime_ns)


class Folders:
    """The plugins folder of one host."""

    def __init__(self, root: Path) -> None:
        self.root = root
        make_folder(root)

    def scan(self) -> dict[str, Found]:
        """The plugins' folders by id. Where `x` and `_x` both exist, `x` counts. Others' folders are left alone."""
        found: dict[str, Found] = {}
        for path in sorted(self.root.iterdir()):
            match = _NAME.match(path.name)
            if match is None or not path.is_dir() or path.is_symlink():
                continue
            if any((path / name).is_file() for name in FILES):
                active = not path.name.startswith("_")
                if match[1] not in found or active:
                    found[match[1]] = Found(match[1], path, active)
        return found

    def strangers(self) -> list[str]:
        """Names in the folder that are no plugin and not ours."""
        known = {item.path.name for item in self.scan().values()}
        names = sorted(item.name for item in self.root.iterdir())
        return [name for name in names if name not in known and name != REGISTRY and not name.startswith(".")]

    def place(self, plugin: str, *, active: bool) -> Path:
        """Where a plugin's folder belongs."""
        return self.root / (plugin if active else f"_{plugin}")

    def name(self, plugin: str) -> str:
        """The name that a plugin's folder has now: `x`, `_x`, or nothing where there is none."""
        places = (self.place(plugin, active=active) for active in (True, False))
        return next((path.name for path in places if path.exists()), "")

    def shelf(self, operation: int, plugin: str) -> Path:
        """Where an operation keeps the new content until the switch."""
        return self.root / f"{_OURS}new-{operation}-{plugin}"

    def shelve(self, image: Path, operation: int, plugin: str) -> Path:
        """Copy an image's content beside the folder; safe to repeat. Making it durable is the caller's part."""
        shelf = self.shelf(operation, plugin)
        if shelf.exists():
            shutil.rmtree(shelf)
        copy_tree(image, shelf, durable=False)
        return shelf

    def unshelve(self, operation: int, plugin: str) -> None:
        """Forget shelved content, whole or half copied; safe to repeat."""
        shelf = self.shelf(operation, plugin)
        for path in (shelf, *leftovers(shelf)):
            shutil.rmtree(path, ignore_errors=True)

    def publish(self, operation: int, plugin: str, *, active: bool, was: str | None = None) -> None:
        """Put shelved content (if there is any) in the folder's place, and give the folder its name; safe to repeat.

        `was` is the folder's name when the operation was planned. Who has renamed it since wants what the new name
        says: it keeps that, and the next look at the folder follows.
        """
        target, other = self.place(plugin, active=active), self.place(plugin, active=not active)
        if was == target.name and other.exists() and not target.exists():
            target, other = other, target
        shelf = self.shelf(operation, plugin)
        if shelf.exists():
            self._discard(operation, other, target)  # The other first: alone it would be a name of somebody's choice.
            shelf.rename(target)
        elif other.exists():
            self._discard(operation, target)
            other.rename(target)
        fsync_dir(self.root)
        self.sweep()

    def remove(self, operation: int, plugin: str, *, was: str | None = None) -> None:
        """Delete a plugin's folder; safe to repeat. Not one that was put there since it was missing (`was` is "")."""
        if was != "":
            self._discard(operation, self.place(plugin, active=True), self.place(plugin, active=False))
        fsync_dir(self.root)
        self.sweep()

    def _discard(self, operation: int, *paths: Path) -> None:
        """Rename first: a folder under a plugin's name is always whole."""
        for path in paths:
            if path.exists():
                path.rename(self.root / f"{_OURS}old-{operation}-{path.name}")

    def sweep(self) -> None:
        """Delete what was discarded."""
        for path in self.root.glob(f"{_OURS}old-*"):
            shutil.rmtree(path, ignore_errors=True)

    def shelves(self) -> list[Path]:
        """What operations keep here that is no plugin's folder yet, or any more."""
        return sorted(path for pattern in (f"{_OURS}*", f".{_OURS}*") for path in self.root.glob(pattern))

    def sweep_shelves(self) -> None:
        """Delete what operations that were cut off had shelved; only for the holder of the lease."""
        for path in self.shelves():
            shutil.rmtree(path, ignore_errors=True)

    def write_registry(self, rows: Iterable[Live], epoch: str, rev: int) -> None:
        """Write `addon_registry.json`, atomically."""
        temporary = self.root / f"{_OURS}registry.tmp"
        with temporary.open("w", encoding="utf-8") as stream:
            stream.write(_document(rows, epoch, rev))
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(self.root / REGISTRY)
        fsync_dir(self.root)

    def read_registry(self) -> dict[str, Any]:
        """What `addon_registry.json` says; {} when it is missing or unreadable (it is an export, not the truth)."""
        try:
            data = json.loads((self.root / REGISTRY).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return data if isinstance(data, dict) else {}


def _document(rows: Iterable[Live], epoch: str, rev: int) -> str:
    """Indented JSON with sorted names. What is written of a plugin is kept: to indent it takes 0.15 ms."""
    entries = {row.plugin: _indented(json.dumps(_entry(row))) for row in rows}
    inside = ",".join(f"\n    {json.dumps(plugin)}: {entries[plugin]}" for plugin in sorted(entries))
    addons = f"{{{inside}\n  }}" if inside else "{}"
    return f'{{\n  "addons": {addons},\n  "epoch": {json.dumps(epoch)},\n  "rev": {rev}\n}}'


@lru_cache(maxsize=2048)
def _indented(entry: str) -> str:
    text = json.dumps(json.loads(entry), indent=2, ensure_ascii=False, sort_keys=True)
    return text.replace("\n", "\n    ")


def _entry(row: Live) -> dict[str, Any]:
    return {
        "id": row.plugin,
        "version": row.version,
        "sha256": row.sha256,
        "image": row.image,
        "source": row.source,
        "grants": list(row.grants),
        "installed_at": row.installed_at,
        "enabled": row.active,
        "metadata": row.manifest,
    }
