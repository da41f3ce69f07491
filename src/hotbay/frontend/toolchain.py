"""What compiles and what is shared: the esbuild binary, and the exports of the shell's shared modules."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from hotbay.errors import StateError

STATIC = Path(__file__).parents[1] / "console" / "static"
# Modules of the import map. Which names they export is known where the console is built.
SHARED = (
    "react",
    "react/jsx-runtime",
    "react-dom",
    "react-dom/client",
    "react-router",
    "@hotbay/sdk",
    "@hotbay/ui",
)
_FROM_NPM = "@esbuild/linux-x64/bin/esbuild"


@dataclass(frozen=True)
class Toolchain:
    """Where esbuild is (None: nowhere), and the names that each shared module exports."""

    esbuild: Path | None
    exports: Mapping[str, tuple[str, ...]]

    @classmethod
    def installed(cls) -> Toolchain:
        """That of this installation: the built console's, `HOTBAY_ESBUILD`, or one of npm's."""
        return cls(_esbuild(os.environ.get("HOTBAY_ESBUILD", "")), read_exports(STATIC / "exports.json"))

    def compiler(self) -> Path:
        """The esbuild binary. Raises StateError when there is none."""
        if self.esbuild is None:
            raise StateError(
                "there is no compiler for plugins' frontends here",
                mend="install a package made by `hotbay pack`, reinstall Hotbay, or name esbuild in HOTBAY_ESBUILD",
            )
        return self.esbuild

    def refuse_unbuilt(self) -> None:
        """Raise StateError where it is not known what plugins may import."""
        if not self.exports:
            raise StateError(
                f"the console is not built: {STATIC / 'exports.json'} is missing",
                mend="reinstall Hotbay; in a checkout: pip install -e .",
            )


def _esbuild(named: str) -> Path | None:
    above = [place / "node_modules" / _FROM_NPM for place in (Path.cwd(), *Path.cwd().parents)]
    found = shutil.which("esbuild")
    for path in [Path(named)] if named else [STATIC / "bin" / "esbuild", *above, *([Path(found)] if found else [])]:
        # npm's `esbuild` may be a script for node; only a program can run in the cell.
        if path.is_file() and os.access(path, os.X_OK) and _is_program(path):
            return path.resolve()
    return None


def _is_program(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == b"\x7fELF"


def read_exports(path: Path) -> Mapping[str, tuple[str, ...]]:
    """The exports of the shared modules; {} without the file. Raises StateError when it is damaged."""
    try:
        return _read(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        return {}


@lru_cache(maxsize=4)
def _read(path: Path, stamp: int) -> Mapping[str, tuple[str, ...]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {module: tuple(names) for module, names in found.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise StateError(f"{path} is damaged: {error}", mend="reinstall Hotbay") from None
