"""A package as a folder: which files count, their content hash, a copy of exactly them, and durable renames."""

from __future__ import annotations

import ctypes
import glob
import hashlib
import io
import os
import secrets
import shutil
import stat
import sys
import time
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hotbay.errors import InvalidPackage, NotFound, Problem, Refused

CHUNK = 64 * 1024
IGNORED = frozenset({"__pycache__", "__MACOSX"})
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_HERE, _EXCHANGE = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
_FEW_FILES, _SLOW_SECONDS = 4, 0.001
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Limits:
    """How large a package may be. Sizes in bytes; `files` counts files and folders; `ratio` unpacked to packed."""

    files: int = 5_000
    file: int = 32 * 1024 * 1024
    total: int = 128 * 1024 * 1024
    archive: int = 64 * 1024 * 1024
    manifest: int = 1024 * 1024
    ratio: int = 200
    name: int = 255
    path: int = 1024
    depth: int = 32


LIMITS = Limits()


def ignored(path: str) -> bool:
    """True for what is no part of a package at any level: compiled Python, version control, dotfiles."""
    return any(part.startswith(".") or part in IGNORED or part.endswith(".pyc") for part in path.split("/"))


def unfit(path: str, limits: Limits = LIMITS) -> str:
    """Why `path` can't be a relative path inside a package; empty when it can."""
    # What is printable has none of them, and is known at once.
    if not path.isprintable() and any(
        unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") or char in _BIDI for char in path
    ):
        return "no control characters in names"
    if "\\" in path or ":" in path:
        return "no backslashes, drive letters or colons in names"
    if path.startswith("/"):
        return "no absolute paths"
    parts = path.split("/")
    if ".." in parts:
        return "no parent paths (..)"
    if any(part in ("", ".") or part[-1] in ". " for part in parts):
        return "no empty names, and none that end with a dot or a blank"
    if len(path.encode()) > limits.path or any(len(part.encode()) > limits.name for part in parts):
        return f"names of at most {limits.name} and paths of at most {limits.path} bytes"
    return f"at most {limits.depth} levels of folders" if len(parts) > limits.depth else ""


class Names:
    """The names met so far: refuses one that is there already, also in another spelling of case or accents."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.limits = limits
        self._seen: dict[str, tuple[str, bool]] = {}

    def add(self, path: str, *, folder: bool = False) -> None:
        """Raises InvalidPackage when the path is unfit, one too many, or collides with another."""
        if why := unfit(path, self.limits):
            raise refusal(path, why)
        parts = path.split("/")
        for depth in range(1, len(parts)):
            self._enter("/".join(parts[:depth]), folder=True, implied=True)
        self._enter(path, folder=folder, implied=False)

    def _enter(self, path: str, *, folder: bool, implied: bool) -> None:
        key = unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
        there = self._seen.get(key)
        if there is None:
            self._seen[key] = (path, folder)
        elif there[0] != path:
            raise refusal(path, f"differs from {there[0]!r} in case or accents only", "rename one of them")
        elif not (folder and there[1]):
            raise refusal(path, "is there twice" if not implied else "is a file and a folder")
        if len(self._seen) > self.limits.files:
            raise refusal(path, f"more than {self.limits.files:,} files and folders", "leave out what is not needed")


def refusal(name: str, rule: str, mend: str = "") -> InvalidPackage:
    """The error for one entry of a package."""
    shown = ascii(name)[1:-1] if not name.isprintable() else name
    shown = shown if len(shown) <= 200 else shown[:200] + "…"
    return InvalidPackage(f"the package is refused: {shown}: {rule}", problems=(Problem(shown, rule, mend=mend),))


def tree(folder: Path, limits: Limits = LIMITS) -> list[tuple[str, Path]]:
    """The files of the package in `folder`, as sorted (relative path, path), without what is `ignored`.

    Raises NotFound without a folder, InvalidPackage for links, special files, unfit names or too much of it.
    """
    if not folder.is_dir():
        raise NotFound(f"there is no folder {folder}")
    names, total = Names(limits), 0
    found: list[tuple[str, Path]] = []
    for path, entry in _walk(folder, ""):
        info = entry.stat(follow_symlinks=False)
        names.add(path, folder=stat.S_ISDIR(info.st_mode))
        if stat.S_ISREG(info.st_mode):
            total += info.st_size
            found.append((path, Path(entry.path)))
            if info.st_size > limits.file or total > limits.total:
                raise refusal(path, f"more than {limits.file:,} bytes a file or {limits.total:,} in all")
    return sorted(found)


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    with os.scandir(folder) as entries:
        inside = sorted(entries, key=lambda entry: entry.name)
    for entry in inside:
        path = prefix + entry.name
        if ignored(path):
            continue
        if entry.is_symlink():
            raise refusal(path, "is a link", "put the file itself there")
        if not entry.is_file() and not entry.is_dir():
            raise refusal(path, "is neither file nor folder")
        yield path, entry
        if entry.is_dir():
            yield from _walk(Path(entry.path), path + "/")


def digest(folder: Path, limits: Limits = LIMITS) -> str:
    """The content hash of the package in `folder`, 64 hex digits: names and bytes of what `tree` lists.

    Raises as `tree` does.
    """
    total = hashlib.sha256()
    for path, file in tree(folder, limits):
        with _open(file) as stream:
            total.update(path.encode() + b"\0" + hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()


def copy_tree(folder: Path, into: Path, limits: Limits = LIMITS, *, durable: bool = True) -> str:
    """Copy exactly `tree(folder)` to the new folder `into`, `durable` against a crash of the machine.

    Returns the copy's digest.

    Raises as `tree` does, and Refused when `into` exists; then nothing is left behind.
    """
    with fresh(into, durable=durable) as temporary:
        for path, file in tree(folder, limits):
            with _open(file) as stream, new_file(temporary, path) as copy:
                shutil.copyfileobj(stream, copy, CHUNK)
        return digest(temporary, limits)


def _open(file: Path) -> io.BufferedReader:
    try:
        return os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")
    except OSError as error:
        raise InvalidPackage(f"{file} changed or can't be read: {error.strerror}") from None


def new_file(root: Path, path: str) -> io.BufferedWriter:
    """Open the new file `path` below `root` for writing, mode 0644; folders on the way are made."""
    target = root / path
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    number = os.open(target, _NEW_FILE, 0o644)
    os.fchmod(number, 0o644)
    return os.fdopen(number, "wb")


@contextmanager
def fresh(into: Path, *, durable: bool = True) -> Iterator[Path]:
    """A temporary folder that becomes `into` when the block ends well, and vanishes when it does not.

    With `durable` it survives a crash of the machine; what is only staged does not need to. Raises Refused when `into`
    exists.
    """
    if os.path.lexists(into):
        raise Refused(f"{into} exists already")
    into.parent.mkdir(parents=True, exist_ok=True)
    temporary = into.parent / f".{into.name[:100]}.{secrets.token_hex(8)}.part"
    temporary.mkdir(mode=0o755)
    try:
        yield temporary
        if durable:
            fsync_tree(temporary)
        temporary.rename(into)
    except BaseException:
        shutil.rmtree(temporary)
        raise
    if durable:
        fsync_dir(into.parent)


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """The name of a temporary file beside `target` that takes its place when the block ends well, durably, and vanishes
    when it does not. The block makes the file; whoever looks meanwhile sees what was there before, or this one.
    """
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
    try:
        yield temporary
        _fsync_file(temporary)
        temporary.rename(target)
    finally:
        temporary.unlink(missing_ok=True)
    fsync_dir(target.parent)


def leftovers(into: Path) -> list[Path]:
    """The temporary folders and files that a process that was killed left while it made `into`."""
    return list(into.parent.glob(f".{glob.escape(into.name[:100])}.*.part"))


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, so that their names survive a crash of the machine; safe to repeat."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in missing:
        fsync_dir(one.parent)


def fsync_dir(folder: Path) -> None:
    """Make the names in `folder` (new, renamed, removed) survive a crash of the machine."""
    _fsync(folder, os.O_DIRECTORY)


def fsync_tree(folder: Path) -> None:
    """Make everything in `folder` survive a crash of the machine: contents first, then the names.

    A link is a name, which its folder keeps.
    """
    found = list(os.walk(folder, topdown=False))
    _fsync_files([path for top, _, names in found for name in names if not (path := Path(top, name)).is_symlink()])
    for top, _, _ in found:
        fsync_dir(Path(top))


def _fsync_files(files: list[Path]) -> None:
    """On a fast disk one after the other: threads would compute twice as long, beside the load of a plugin. A slow one
    gets several at a time, as file systems with a journal write them together.
    """
    began = time.monotonic()
    for done, file in enumerate(files):
        if done >= _FEW_FILES and time.monotonic() - began > done * _SLOW_SECONDS:
            with ThreadPoolExecutor(max_workers=8, thread_name_prefix="fsync") as pool:
                list(pool.map(_fsync_file, files[done:]))
            return
        _fsync_file(file)


def _fsync_file(file: Path) -> None:
    _fsync(file, os.O_NOFOLLOW)


def _fsync(path: Path, flag: int) -> None:
    number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flag)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def exchange(one: Path, other: Path) -> bool:
    """Let two folders take each other's names at once; False where the system or the file system can't."""
    rename = getattr(_libc(), "renameat2", None)
    if rename is None:
        return False
    done: int = rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE)
    return done == 0


@cache
def _libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if sys.platform == "linux" else None


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file's bytes, 64 hex digits. Raises NotFound without the file."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}") from None
