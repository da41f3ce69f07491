"""The only code that writes what an archive holds: all of it in a new folder, or nothing anywhere."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from hotbay.archive import Entry, entries
from hotbay.errors import InvalidManifest, InvalidPackage, NotFound, Problem
from hotbay.folder import LIMITS, Limits, Names, digest, fresh, ignored, new_file, refusal
from hotbay_sdk.manifest import FILES, Manifest, ManifestError, parse


@dataclass(frozen=True)
class Unpacked:
    """An unpacked archive: its folder, its manifest, the archive's SHA-256 and the content's `digest`."""

    root: Path
    manifest: Manifest
    sha256: str
    digest: str


def unpack(archive: Path, into: Path, limits: Limits = LIMITS, *, durable: bool = True) -> Unpacked:
    """Unpack a .zip or .tar.gz to the new folder `into`.

    Files get mode 0644; modes, owners and times of the archive are not restored. What is no part of a package
    (compiled Python, dotfiles, `__MACOSX`) is checked, but not written.
    Raises NotFound without the archive, Refused when `into` exists, InvalidPackage or InvalidManifest for what the
    archive holds; then nothing is left behind.
    """
    with _opened(archive) as (file, size), fresh(into, durable=durable) as temporary:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        paths = [_write(entry, temporary, limits) for entry in _checked(file, size, limits)]
        manifest = _manifest({name: _read(temporary / name, limits) for name in FILES if name in paths}, paths)
        return Unpacked(into, manifest, sha256, digest(temporary, limits))


def archive_manifest(archive: Path, limits: Limits = LIMITS) -> Manifest:
    """The manifest of an archive, nothing written. All names are checked, contents only as far as read.

    Raises NotFound, InvalidPackage or InvalidManifest.
    """
    found: dict[str, bytes] = {}
    paths: list[str] = []
    with _opened(archive) as (file, size):
        for entry in _checked(file, size, limits):
            paths.append(entry.name)
            if entry.name in FILES and not entry.folder:
                found[entry.name] = b"".join(_capped(entry, limits))
    return _manifest(found, paths)


def folder_manifest(folder: Path, limits: Limits = LIMITS) -> Manifest:
    """The manifest of a package that is a folder. Raises NotFound, InvalidPackage or InvalidManifest."""
    if not folder.is_dir():
        raise NotFound(f"there is no folder {folder}")
    found = {name: _read(folder / name, limits) for name in FILES if os.path.lexists(folder / name)}
    return _manifest(found, [path.relative_to(folder).as_posix() for path in folder.glob("*/*.json")])


@contextmanager
def _opened(archive: Path) -> Iterator[tuple[io.BufferedReader, int]]:
    try:
        number = os.open(archive, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise NotFound(f"there is no file {archive}") from None
    with os.fdopen(number, "rb") as file:
        info = os.fstat(number)
        if not stat.S_ISREG(info.st_mode):
            raise InvalidPackage(f"{archive} is no file")
        yield file, info.st_size


def _checked(file: BinaryIO, size: int, limits: Limits) -> Iterator[Entry]:
    names = Names(limits)
    for entry in entries(file, size, limits):
        names.add(entry.name, folder=entry.folder)
        yield entry


def _write(entry: Entry, root: Path, limits: Limits) -> str:
    """Write one entry; the bytes of what is left out are read too, so that they are checked and counted."""
    chunks = _capped(entry, limits)
    if ignored(entry.name):
        for _ in chunks:
            pass
    elif entry.folder:
        (root / entry.name).mkdir(mode=0o755, parents=True, exist_ok=True)
    else:
        with new_file(root, entry.name) as target:
            for chunk in chunks:
                target.write(chunk)
    return entry.name


def _capped(entry: Entry, limits: Limits) -> Iterator[bytes]:
    done = 0
    for chunk in entry.chunks:
        done += len(chunk)
        if entry.name in FILES and done > limits.manifest:
            raise _manifest_too_large(entry.name, limits)
        yield chunk


def _manifest_too_large(name: str, limits: Limits) -> InvalidManifest:
    rule = f"at most {limits.manifest:,} bytes"
    return InvalidManifest(f"{name} is too large", problems=(Problem("(document)", rule, file=name),))


def _read(path: Path, limits: Limits) -> bytes:
    info = path.lstat()
    if not stat.S_ISREG(info.st_mode):
        raise refusal(path.name, "must be a file")
    with path.open("rb") as file:
        data = file.read(limits.manifest + 1)
    if len(data) > limits.manifest:
        raise _manifest_too_large(path.name, limits)
    return data


def _manifest(found: dict[str, bytes], paths: list[str]) -> Manifest:
    """Parse the manifest that counts: metadata.json before plugin.json."""
    name = next((name for name in FILES if name in found), "")
    if not name:
        raise _missing(paths)
    try:
        return parse(found[name], name)
    except ManifestError as error:
        problems = tuple(error.problems)
        count = "an error" if len(problems) == 1 else f"{len(problems)} errors"
        raise InvalidManifest(f"{name} has {count}", problems=problems) from None


def _missing(paths: list[str]) -> InvalidManifest:
    below = sorted({path.partition("/")[0] for path in paths if path.partition("/")[2] in FILES})
    mend = "put metadata.json (or plugin.json) at the top level of the package"
    if below:
        mend = f"it is in the folder {below[0]}/: pack what is in that folder, not the folder itself"
    return InvalidManifest(
        "the package has no manifest at its top level",
        mend=mend,
        problems=(Problem("(document)", "is missing", file=FILES[0], mend=mend),),
    )
