"""What an operation tells of its end, and of what a step raised."""

from __future__ import annotations

import errno
import json
import logging
from pathlib import Path

import pytest

from engine_host import opened, run, shop
from hotbay.errors import ActivationFailed, OperationFailed, StorageError
from hotbay.model import Kind
from hotbay.outcome import as_hotbay, slim_steps


def test_an_outcome_as_json(tmp_path: Path) -> None:
    shop(tmp_path / "packages", "1.0.0")
    with opened(tmp_path / "home") as host:
        first = run(host, Kind.INSTALL).to_json()
        last = run(host, Kind.UNINSTALL).to_json()
    assert json.loads(json.dumps([first, last])) == [first, last]
    assert (first["kind"], first["addon_id"], first["version"], first["before"]) == ("install", "shop", "1.0.0", None)
    assert (last["kind"], last["version"], last["before"]) == ("uninstall", None, "1.0.0")
    assert first["state"] == last["state"] == "done" and not first["restart_required"]
    assert [step["verb"] for step in first["steps"]][-2:] == ["switch", "publish"]
    assert sum(step["seconds"] for step in first["steps"]) <= first["seconds"]


def test_what_a_step_raised_is_an_error_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    own = ActivationFailed("hangs", step="start")
    assert as_hotbay(own, "stage") is own
    full = as_hotbay(OSError(errno.ENOSPC, "no space"), "stage")
    assert isinstance(full, StorageError) and full.step == "stage"
    assert caplog.records == []
    with caplog.at_level(logging.ERROR):
        other = as_hotbay(ZeroDivisionError("by zero"), "expand")
    assert isinstance(other, OperationFailed)
    assert (other.message, other.step) == ("expand: ZeroDivisionError: by zero", "expand")
    assert [record.exc_info is not None for record in caplog.records] == [True], "the log has the traceback"


def test_contributions_are_not_told(tmp_path: Path) -> None:
    steps = [{"verb": "start", "seconds": 1.0, "record": {"contributions": {"routes": []}, "done": ["w-1"]}}]
    assert slim_steps(steps) == [{"verb": "start", "seconds": 1.0, "record": {"done": ["w-1"]}}]
    assert "contributions" in steps[0]["record"]  # type: ignore[operator]
