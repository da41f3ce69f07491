"""Compiled frontends on the disk: `assets/<plugin>/<digest>/<file>`, immutable, for browsers that know them.

A digest that no plugin uses any more stays for tabs that were opened before: `<digest>.left` beside it says since when.
One that is neither used nor left belongs to an operation that was cut off.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hotbay.errors import Refused
from hotbay.folder import copy_tree, fsync_dir, make_folder
from hotbay.frontend.bundle import FILE, Bundle, integrity
from hotbay_sdk.rules import ID

_PLUGIN, _DIGEST = re.compile(ID), re.compile(r"[0-9a-f]{16}")
_LEFT = ".left"


class Assets:
    """The folder of compiled frontends. A digest that is there is complete: it came by one rename."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, plugin: str, digest: str) -> Path:
        """Where the files of one compiled frontend are, or would be."""
        return self.folder / plugin / digest

    def file(self, plugin: str, digest: str, name: str) -> Path | None:
        """One file; None for whatever else a URL may say."""
        if not (_PLUGIN.fullmatch(plugin) and _DIGEST.fullmatch(digest) and FILE.fullmatch(name)):
            return None
        path = self.path(plugin, digest) / name
        return path if path.is_file() else None

    def adopt(self, files: Path, plugin: str, digest: str) -> bool:
        """Copy compiled files in; False when they are there already. Making them durable is the caller's part."""
        target = self.path(plugin, digest)
        if target.is_dir():
            return False
        make_folder(target.parent)
        try:
            copy_tree(files, target, durable=False)
        except Refused:  # Somebody else, with the same content.
            return False
        return True

    def damage(self, plugin: str, bundle: Bundle) -> str:
        """What is wrong with the files of a compiled frontend; empty when they are what they were."""
        folder = self.path(plugin, bundle.digest)
        for name, promised in bundle.files.items():
            file = folder / name
            if not file.is_file():
                return f"{name} is missing"
            if integrity(file.read_bytes()) != promised:
                return f"{name} was changed"
        return ""

    def settle(self, plugin: str, digest: str, seconds: float) -> None:
        """`digest` is what serves now ("" for nothing): note since when others are left, delete those left long ago.

        Safe to repeat.
        """
        for other in self.of(plugin):
            mark = self._mark(plugin, other)
            if other == digest:
                mark.unlink(missing_ok=True)
            elif not mark.exists():
                mark.touch()
                fsync_dir(mark.parent)
            elif time.time() - mark.stat().st_mtime > seconds:
                self.remove(plugin, other)

    def of(self, plugin: str) -> list[str]:
        """The digests that are there."""
        folder = self.folder / plugin
        return sorted(item.name for item in folder.iterdir() if _DIGEST.fullmatch(item.name)) if folder.is_dir() else []

    def stray(self, used: frozenset[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """What is neither used nor left: it belongs to an operation that was cut off."""
        for plugin in self.plugins():
            for digest in self.of(plugin):
                if (plugin, digest) not in used and not self._mark(plugin, digest).exists():
                    yield plugin, digest

    def sweep(self, used: frozenset[tuple[str, str]], seconds: float) -> None:
        """Delete what is stray, what was left longer ago than that, what is half made. Only for the lease's holder."""
        for plugin, digest in list(self.stray(used)):
            self.remove(plugin, digest)
        for plugin in self.plugins():
            for part in (self.folder / plugin).glob(".*"):
                shutil.rmtree(part, ignore_errors=True)
            for digest in self.of(plugin):
                mark = self._mark(plugin, digest)
                if (plugin, digest) not in used and time.time() - mark.stat().st_mtime > seconds:
                    self.remove(plugin, digest)
            self._clear(plugin)

    def plugins(self) -> list[str]:
        """The plugins that have something here."""
        return sorted(item.name for item in self.folder.iterdir() if item.is_dir()) if self.folder.is_dir() else []

    def remove(self, plugin: str, digest: str) -> None:
        """Delete a compiled frontend; safe to repeat. The rename first makes a half-deleted one impossible."""
        source, gone = self.path(plugin, digest), self.folder / plugin / f".gone-{digest}"
        shutil.rmtree(gone, ignore_errors=True)
        if source.is_dir():
            source.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
        self._mark(plugin, digest).unlink(missing_ok=True)
        self._clear(plugin)

    def forget(self, plugin: str) -> None:
        """Delete everything of a plugin; safe to repeat."""
        for digest in self.of(plugin):
            self.remove(plugin, digest)
        shutil.rmtree(self.folder / plugin, ignore_errors=True)

    def _clear(self, plugin: str) -> None:
        """Delete the folder of a plugin that has nothing here any more."""
        with suppress(OSError):  # There is something in it, or it is gone.
            (self.folder / plugin).rmdir()

    def _mark(self, plugin: str, digest: str) -> Path:
        return self.folder / plugin / f"{digest}{_LEFT}"
