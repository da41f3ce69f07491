"""What does not belong into the folder of signals is moved aside: nothing in there is worth a failed start."""

from __future__ import annotations

import logging
import secrets
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

log = logging.getLogger("hotbay.rubbish")
SUFFIX = ".garbage"
_FILES = ("beacon", "lease", "watch", "jobs", "budget")
_FOLDERS = ("loading",)


def clear_rubbish(run: Path) -> list[Path]:
    """Move away what has another kind than its name says; answers where it is now. Safe to repeat and at any time."""
    if not run.exists() and not run.is_symlink():
        return []
    wrong = [run] if not run.is_dir() else list(_wrong(run))
    return [_aside(path) for path in wrong]


def _wrong(run: Path) -> Iterator[Path]:
    for path in sorted(run.iterdir()):
        with suppress(FileNotFoundError):  # A worker's file that is renamed while we look is no rubbish.
            if path.suffix != SUFFIX and not _fits(path, path.lstat().st_mode):
                yield path


def _fits(path: Path, mode: int) -> bool:
    """True when it has the kind that its name says; names that are not ours may be anything."""
    if path.name in _FOLDERS:
        return stat.S_ISDIR(mode)
    if path.name.startswith(("w-", "a-")) and path.suffix == ".fifo":
        return stat.S_ISFIFO(mode)
    return stat.S_ISREG(mode) or not (path.name in _FILES or path.name.startswith(("w-", "a-")))


def _aside(path: Path) -> Path:
    target = path.with_name(f"{path.name}.{secrets.token_hex(4)}{SUFFIX}")
    path.rename(target)
    log.warning("%s is not what its name says; it was moved to %s", path, target.name)
    return target
