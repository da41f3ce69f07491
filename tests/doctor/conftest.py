"""A sound host without a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine_host import opened
from hotbay.offline import OfflineHost


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    (tmp_path / "packages").mkdir()
    return tmp_path / "packages"


@pytest.fixture
def host(tmp_path: Path, packages: Path) -> Iterator[OfflineHost]:
    with opened(tmp_path / "home") as made:
        yield made
