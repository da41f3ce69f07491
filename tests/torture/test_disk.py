"""A full or read-only disk, a locked or damaged database, a clock that goes back: a clear error, the old state, and
the next operation works when the cause is gone.

The disks are mounted for these tests only, in a namespace of their own: that needs root.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
# A plugin's own start may be what can't write; an export says itself what it could not read or write.
CODES = {"storage-error", "migration-failed", "activation-failed"}


def answers(kind: str, folder: Path) -> list[dict[str, Any]]:
    """What every case of a kind came to."""
    command = ["unshare", "--mount", sys.executable, str(HERE / "hostile.py"), kind, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), check=False)
    assert done.returncode == 0, f"these tests need root and mounts of their own: {done.stderr[-3000:]}"
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["full", "read_only", "locked", "damaged"])
def test_what_refuses_is_named_and_changes_nothing(tmp_path: Path, kind: str) -> None:
    found = answers(kind, tmp_path)
    assert len(found) > 4
    for said in found:
        case = f"{said['name']}, {said['how']}: {said.get('detail', said['code'])}"
        assert said["code"] in CODES, case
        assert said["detail"], case
        assert said["mend"], case
        # What fails right of the switch is not undone: it is finished when the cause is gone.
        assert said["found"] == ("new" if said.get("switched") else "old"), case
        assert said.get("switched") or said["again"] == {"code": "done"}, (case, said["again"])
        assert said["end"] == "new", case
    assert {said["code"] for said in found} & {"storage-error"}


@pytest.mark.timeout(300)
def test_a_clock_that_goes_back_confuses_nothing(tmp_path: Path) -> None:
    for said in answers("clock", tmp_path):
        assert (said["code"], said["found"]) == ("done", "new"), said["name"]


def test_the_latest_export_is_that_of_the_latest_operation(tmp_path: Path) -> None:
    from hosts import make_starts, opened
    from hotbay.model import Kind
    from hotbay.request import Request

    make_starts(tmp_path)
    with opened(tmp_path / "exported", tmp_path / "packages") as host:
        first = next(host.settings.exports.glob("shop-*"))
        host.applier.run(Request(Kind.INSTALL, "shop", version="1.1.0", restore="latest"))
        with host.store.write() as connection:
            connection.exec_driver_sql("DELETE FROM shop_items WHERE name = 'w1'")
        host.applier.run(Request(Kind.UNINSTALL, "shop"))
        latest = next(path for path in host.settings.exports.glob("shop-*") if path != first)
        os.utime(latest / "data.db", (1, 1))
        host.applier.run(Request(Kind.INSTALL, "shop", version="1.1.0", restore="latest"))
        with host.store.read() as connection:
            names = {row[0] for row in connection.exec_driver_sql("SELECT name FROM shop_items")}
    assert names == {"first", "w2", "w3"}
