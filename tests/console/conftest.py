"""A host with an administrator's client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from console.desks import Desk, opened


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A FastAPI host in this process, with one package `notes` 1.0.0 in its local source."""
    with opened(tmp_path) as made:
        made.pack()
        yield made
