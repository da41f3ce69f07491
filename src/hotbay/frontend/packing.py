"""Packages that carry their frontend compiled: the host that installs them needs no compiler."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hotbay.folder import copy_tree
from hotbay.frontend.build import build, has_frontend
from hotbay.frontend.bundle import DIST, write_dist
from hotbay.frontend.toolchain import Toolchain
from hotbay.package import ArchiveKind, read_manifest
from hotbay.package import pack as pack_files


def pack(
    folder: Path, out_dir: Path | None = None, *, kind: ArchiveKind = "zip", toolchain: Toolchain | None = None
) -> Path:
    """Build the package of a folder, its frontend compiled beside the sources in `frontend/dist/`; answers its path.

    The folder itself stays as it is. The same files give the same bytes, with the same compiler. Raises as
    `package.pack` does, InvalidPackage for a frontend that can't be shown, StateError without a compiler.
    """
    if not folder.is_dir() or not has_frontend(folder):
        return pack_files(folder, out_dir, kind=kind)
    with tempfile.TemporaryDirectory(prefix="hotbay-pack-") as place:
        copy = Path(place) / "package"
        copy_tree(folder, copy, durable=False)
        _compile_into(copy, toolchain or Toolchain.installed())
        return pack_files(copy, folder.resolve().parent if out_dir is None else out_dir, kind=kind)


def _compile_into(copy: Path, toolchain: Toolchain) -> None:
    """What was compiled before, and lies in the author's folder, is made anew."""
    with build(copy, read_manifest(copy), toolchain) as (bundle, files):
        shutil.rmtree(copy / DIST, ignore_errors=True)
        write_dist(bundle, files, copy / DIST)
