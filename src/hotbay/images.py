"""Images: the unpacked, immutable, byte-compiled code of packages, each under its content hash."""

from __future__ import annotations

import py_compile
import shutil
from contextlib import suppress
from pathlib import Path
from py_compile import PycInvalidationMode

from hotbay.errors import InvalidPackage, NotFound, Problem
from hotbay.folder import exchange, fsync_dir, fsync_tree, make_folder


class Images:
    """The folder of images. An image that is there is complete: it came by one rename."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        make_folder(folder)

    def path(self, image: str) -> Path:
        """Where an image is; raises NotFound when it is missing."""
        found = self.folder / image
        if not found.is_dir():
            raise NotFound(f"image {image[:12]}… is missing", mend="install the plugin anew, or restore the folder")
        return found

    def has(self, image: str) -> bool:
        """True when the image is there."""
        return (self.folder / image).is_dir()

    def adopt(self, tree: Path, image: str, *, durable: bool = False) -> Path:
        """Byte-compile a verified tree and make it the image; safe to repeat. Consumes `tree`.

        `durable`: what a crash of the machine leaves is whole or not there, and survives it when this has answered.
        Without, that is the caller's part: it may take its time, until something points at the image.
        """
        target = self.folder / image
        if target.is_dir():
            shutil.rmtree(tree, ignore_errors=True)
            return target
        self._finish(tree, target, durable=durable)
        try:
            tree.rename(target)
        except OSError:
            if not target.is_dir():
                raise
            shutil.rmtree(tree, ignore_errors=True)
        if durable:
            fsync_dir(self.folder)
        return target

    def replace(self, tree: Path, image: str) -> Path:
        """Put a verified tree in the place of an image that was changed, durably; safe to repeat. Consumes `tree`.

        In one rename, where the system can exchange two folders; elsewhere the image is missing for a moment.
        """
        target = self.folder / image
        if not target.is_dir():
            return self.adopt(tree, image, durable=True)
        self._finish(tree, target, durable=True)
        if not exchange(tree, target):
            self.remove(image)
            tree.rename(target)
        fsync_dir(self.folder)
        shutil.rmtree(tree, ignore_errors=True)
        return target

    @staticmethod
    def _finish(tree: Path, target: Path, *, durable: bool) -> None:
        compile_tree(tree, target)
        if durable:
            fsync_tree(tree)

    def remove(self, image: str) -> None:
        """Delete an image; safe to repeat. The rename first makes a half-deleted image impossible."""
        source = self.folder / image
        gone = self.folder / f".gone-{image}"
        shutil.rmtree(gone, ignore_errors=True)
        with suppress(FileNotFoundError):
            source.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def all(self) -> list[str]:
        """The hashes of the images that are there."""
        return sorted(item.name for item in self.folder.iterdir() if item.is_dir() and item.name[0] != ".")

    def sweep(self) -> None:
        """Delete what an interrupted removal left."""
        for item in self.folder.glob(".gone-*"):
            shutil.rmtree(item, ignore_errors=True)


def compile_tree(tree: Path, final: Path | None = None) -> None:
    """Byte-compile the Python files of a tree with unchecked hashes (PEP 552): an image never changes.

    Tracebacks will name the files below `final`. Raises InvalidPackage naming every file that does not compile.
    """
    files = sorted(tree.rglob("*.py"))
    problems = tuple(problem for path in files if (problem := _compile(tree, path, final or tree)) is not None)
    if problems:
        raise InvalidPackage("Python files do not compile", problems=problems)


def _compile(tree: Path, path: Path, final: Path) -> Problem | None:
    name = path.relative_to(tree)
    try:
        py_compile.compile(
            str(path),
            dfile=str(final / name),
            doraise=True,
            invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
        )
    except py_compile.PyCompileError as error:
        cause = error.exc_value
        line = getattr(cause, "lineno", None)
        return Problem(f"line {line}" if line else "file", str(cause), file=str(name), mend="correct the syntax")
    return None
