"""Temporary trees, each named after the process that works in it: what a killed one left is known as its own."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hotbay.process import lives, me


@contextmanager
def temporary_tree(staging: Path) -> Iterator[Path]:
    """An empty folder (`<process>-…`) in `staging` for the block, deleted at its end.

    Raises OSError when none can be made.
    """
    folder = staging / f"{me()}-{secrets.token_hex(8)}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def abandoned(staging: Path) -> list[Path]:
    """The temporary trees whose process is gone, in the order of their names; none where there is no such folder."""
    found = sorted(staging.iterdir()) if staging.is_dir() else []
    return [path for path in found if not lives(path.name.partition("-")[0])]


def sweep_staging(staging: Path) -> None:
    """Delete the trees of processes that are gone. Others may be planning: that needs no lease. Safe to repeat."""
    for path in abandoned(staging):
        shutil.rmtree(path, ignore_errors=True)
