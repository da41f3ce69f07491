"""The disk of a host that serves is full for a while: it serves on, refuses clearly, and nothing is the worse after.

The disk is a small one in memory, mounted for the test: that needs root.
"""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hotbay.model import Kind
from system.conftest import SMALL_HOST, Server, until
from system.packages import packed, probe

BLOCK = b"x" * 4096
ADMIN = {"x-admin": "ann"}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"this test needs root and a mount of its own: {done.stderr}"
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def crowded(disk: Path, tmp_path: Path) -> Iterator[Server]:
    """A host on that disk; what it prints goes elsewhere."""
    (tmp_path / "small_host.py").write_text(SMALL_HOST)
    made = Server(disk, app="small_host:app", app_dir=tmp_path, HOTBAY_DRAIN_SECONDS="2", HOTBAY_ACK_SECONDS="3")
    made.log.close()
    made.log_path = tmp_path / "server.log"
    made.log = made.log_path.open("wb")
    try:
        yield made.start()
    finally:
        made.stop()


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """No room at all, for the block."""
    others = os.open(disk / "others", os.O_WRONLY | os.O_CREAT)
    try:
        with pytest.raises(OSError, match="No space left") as refused:
            while True:
                os.write(others, BLOCK)
        assert refused.value.errno == errno.ENOSPC
        yield
    finally:
        os.close(others)
        (disk / "others").unlink()


def upgrade(server: Server) -> httpx.Response:
    return httpx.post(f"{server.url}/api/v1/marketplace/upgrade/probe", json={}, headers=ADMIN, timeout=60)


def versions(server: Server) -> set[Any]:
    return {answer["version"] for answer in server.from_every_worker().values()}


def test_a_full_disk_is_survived(crowded: Server, disk: Path, tmp_path: Path) -> None:
    packed(probe(tmp_path / "one", "1.0.0"), crowded.modules)
    packed(probe(tmp_path / "two", "2.0.0"), crowded.modules)
    crowded.run(Kind.INSTALL, "probe", version="1.0.0")
    before = crowded.pids()
    with filled(disk):
        assert versions(crowded) == {"1.0.0"}
        answer = upgrade(crowded)
        assert (answer.status_code, answer.json()["code"]) == (507, "storage-error"), answer.text
        assert answer.json()["mend"]
        assert versions(crowded) == {"1.0.0"}
        # All have something to say now, and can't.
        crowded.host.applier.beacon.bump()
        crowded.host.applier.workers.signal()
        said = [f"{status.worker} could not tell its status" for status in crowded.statuses()]
        until(lambda: all(text in crowded.log_path.read_text() for text in said))
        assert versions(crowded) == {"1.0.0"}
    answer = upgrade(crowded)
    assert answer.status_code == 200, answer.text
    waited = [step["record"].get("late", []) for step in answer.json()["steps"]]
    assert [late for late in waited if late] == [], "everybody speaks again"
    assert versions(crowded) == {"2.0.0"}
    assert crowded.pids() == before
