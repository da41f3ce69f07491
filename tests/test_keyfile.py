"""A key is made once, whoever comes first, and nobody else reads it."""

from __future__ import annotations

import multiprocessing
import os
import stat
from pathlib import Path

from hotbay.keyfile import read_key


def test_it_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "below" / "host.key"
    before = os.umask(0)
    try:
        assert read_key(file, lambda: b"first") == b"first"
    finally:
        os.umask(before)
    assert read_key(file, lambda: b"second") == b"first"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["host.key"]


def test_processes_that_make_it_at_once_have_the_same(tmp_path: Path) -> None:
    with multiprocessing.get_context("forkserver").Pool(4) as pool:
        found = pool.map(_random_key, [tmp_path / "host.key"] * 16)
    assert len(set(found)) == 1 and len(found[0]) == 16
    assert [path.name for path in tmp_path.iterdir()] == ["host.key"]


def _random_key(file: Path) -> bytes:
    return read_key(file, lambda: os.urandom(16))
