"""Packages: build them, open them, hash them. The door to `folder`, `archive` and `unpack`."""

from __future__ import annotations

import gzip
import io
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Literal

from hotbay.errors import BadInput, InvalidPackage, NotFound
from hotbay.folder import (
    LIMITS,
    Limits,
    copy_tree,
    digest,
    fsync_dir,
    fsync_tree,
    ignored,
    sha256_file,
    tree,
    whole,
)
from hotbay.unpack import Unpacked, archive_manifest, folder_manifest, unpack
from hotbay_sdk.manifest import Manifest

__all__ = [
    "LIMITS",
    "Limits",
    "Unpacked",
    "copy_tree",
    "digest",
    "fsync_dir",
    "fsync_tree",
    "ignored",
    "pack",
    "read_manifest",
    "sha256_file",
    "tree",
    "unpack",
]

ArchiveKind = Literal["zip", "tar.gz"]
Files = list[tuple[str, Path]]


def read_manifest(path: Path, limits: Limits = LIMITS) -> Manifest:
    """The manifest of a package: an archive or a folder. Nothing is written.

    Raises NotFound when there is nothing at `path`, InvalidPackage, or InvalidManifest with every problem.
    """
    if not path.exists():
        raise NotFound(f"there is no package at {path}")
    return folder_manifest(path, limits) if path.is_dir() else archive_manifest(path, limits)


def pack(folder: Path, out_dir: Path | None = None, *, kind: ArchiveKind = "zip") -> Path:
    """Build `{id}_v{version}.zip` (or `.tar.gz`) of a folder, beside it or in `out_dir`; returns its path.

    The same files give the same bytes (with the same zlib): sorted, no times, owners or modes of their own. An archive
    that is there already is replaced whole. The result was unpacked once before it appears.
    Raises as `read_manifest` and `tree` do, BadInput when `out_dir` lies inside the folder.
    """
    manifest, files = read_manifest(folder), tree(folder)
    target_dir = folder.resolve().parent if out_dir is None else out_dir.resolve()
    if target_dir.is_relative_to(folder.resolve()):
        raise BadInput(f"{target_dir} lies inside the package", mend="choose an output folder outside")
    target_dir.mkdir(parents=True, exist_ok=True)
    target = target_dir / f"{manifest.id}_v{manifest.version}.{kind}"
    with whole(target) as temporary:
        with temporary.open("xb") as stream:
            _WRITERS[kind](files, stream)
        _prove(temporary, folder)
    return target


def _prove(archive: Path, folder: Path) -> None:
    """What was packed must unpack to what the folder holds, within the limits of every host."""
    with tempfile.TemporaryDirectory(prefix="hotbay-pack-") as place:
        if unpack(archive, Path(place) / "package").digest != digest(folder):
            raise InvalidPackage(f"{folder} changed while it was packed", mend="pack it again")


def _write_zip(files: Files, stream: BinaryIO) -> None:
    with zipfile.ZipFile(stream, "w") as archive:
        for path, file in files:
            info = zipfile.ZipInfo(path)
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            archive.writestr(info, file.read_bytes(), zipfile.ZIP_DEFLATED, 9)


def _write_tar(files: Files, stream: BinaryIO) -> None:
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=stream, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path, file in files:
            data = file.read_bytes()
            info = tarfile.TarInfo(path)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


_WRITERS: dict[ArchiveKind, Callable[[Files, BinaryIO], None]] = {"zip": _write_zip, "tar.gz": _write_tar}
