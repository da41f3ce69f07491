"""Programs that read what a plugin wrote run in a cell: empty environment, limits, and only the files they need.

Bubblewrap builds the cell where it is installed and works; else Landlock, which needs nothing but a Linux kernel of
5.13 or newer; else only the limits remain, and what a compiler has read is checked afterwards (see `build`).
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from hotbay.errors import InvalidPackage, StateError

_CELL = Path(__file__).with_name("cell.py")
_CPU_SECONDS, _WALL_SECONDS = 10, 30
_FILE_BYTES = 64 * 1024 * 1024
_SCRIPT_MEMORY = 1024 * 1024 * 1024
# Go reserves address space generously; this still stops a runaway.
_COMPILER_MEMORY = 6 * 1024 * 1024 * 1024
_TOO_MUCH = (-9, -24, -25, 137, 152, 153)


@dataclass(frozen=True)
class Output:
    """What a program said, and how it ended."""

    code: int
    out: str
    err: str


def run(program: Path, arguments: list[str], folder: Path) -> Output:
    """Run a compiler that sees `folder`, which it may write to, and itself. Raises InvalidPackage at its limits."""
    wrapped = _bubblewrap(program)
    command = [*_wrapping(wrapped, program, folder), str(program), *arguments]
    return _in_cell(
        {
            "command": command,
            "read": [] if wrapped else [str(program)],
            "write": [str(folder)],
            "memory": _COMPILER_MEMORY,
        },
        folder,
        "",
    )


def evaluate(source: str, folder: Path) -> str:
    """What a piece of JavaScript gives, as text: in QuickJS, in a process that sees no files at all.

    Raises InvalidPackage with what the script raised, and StateError without QuickJS.
    """
    found = importlib.util.find_spec("_quickjs")
    if found is None or found.origin is None:
        raise StateError("QuickJS is missing", mend='install it: pip install "hotbay[fastapi]"')
    about: dict[str, Any] = {"command": None, "read": [], "write": [], "memory": _SCRIPT_MEMORY}
    said = _in_cell(about | {"quickjs": str(Path(found.origin).parent)}, folder, source)
    try:
        answer: dict[str, str] = json.loads(said.out)
    except ValueError:
        raise InvalidPackage(f"the script ended QuickJS ({said.code})", mend="do less in it") from None
    if "error" in answer:
        raise InvalidPackage(answer["error"])
    return answer["value"]


def _in_cell(about: dict[str, Any], folder: Path, source: str) -> Output:
    """One process of `cell.py`; what it writes goes to files, whose size is limited."""
    document = json.dumps(about | {"cpu": _CPU_SECONDS, "file": _FILE_BYTES})
    command = [sys.executable, "-I", "-S", str(_CELL), document]
    out, err, given = (folder / name for name in (".out", ".err", ".in"))
    given.write_text(source, encoding="utf-8")
    try:
        with given.open("rb") as stdin, out.open("wb") as stdout, err.open("wb") as stderr:
            code = subprocess.run(  # noqa: S603 - our own file; what is the plugin's is data to it
                command,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                cwd=folder,
                env={},
                timeout=_WALL_SECONDS,
                check=False,
            ).returncode
    except subprocess.TimeoutExpired:
        code = _TOO_MUCH[0]
    if code in _TOO_MUCH:
        raise InvalidPackage(
            f"the frontend took more than {_CPU_SECONDS} seconds of processor time, or wrote too much",
            mend="make it smaller: leave out generated code and data",
        )
    return Output(code, _text(out), _text(err))


def _text(path: Path) -> str:
    return path.read_bytes()[:1_000_000].decode("utf-8", "replace")


def _wrapping(bubblewrap: str, program: Path, folder: Path) -> list[str]:
    if not bubblewrap:
        return []
    places = ["--ro-bind", str(program), str(program), "--bind", str(folder), str(folder), "--chdir", str(folder)]
    return [bubblewrap, "--unshare-all", "--die-with-parent", "--new-session", "--clearenv", *places, "--"]


@lru_cache(maxsize=4)
def _bubblewrap(program: Path) -> str:
    """Bubblewrap's path where it is and works; containers often forbid what it needs."""
    found = shutil.which("bwrap")
    if found is None:
        return ""
    command = [*_wrapping(found, program, Path("/usr")), str(program), "--version"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=10, env={}, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found if done.returncode == 0 else ""
