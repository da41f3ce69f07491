"""Fixtures of the command line's tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from terminal import Terminal


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """An empty host in a folder of its own."""
    for name in [name for name in os.environ if name.startswith(("HOTBAY_", "PLUGIN_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return Terminal(tmp_path)
