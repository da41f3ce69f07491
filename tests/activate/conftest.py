"""Generations without a runtime around them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from activate.broods import Brood, Hatch
from hotbay.activate import loader
from hotbay.activate.owned import Owner
from plugs import package

_numbers = itertools.count(1)


@pytest.fixture
def brood(tmp_path: Path) -> Iterator[Hatch]:
    """Writes `backend/<name>.py` for each keyword, and imports them as one generation; closed after the test."""
    made: list[Brood] = []

    def make(**files: str) -> Brood:
        number = next(_numbers)
        folder = package(tmp_path / f"image{number}", files={f"{name}.py": text for name, text in files.items()})
        private = f"{loader.PREFIX}shop_u{number}"
        loader.open_package(private, folder / "backend", "shop")
        for name in files:
            loader.submodule(private, name)
        modules = loader.modules(private)
        made.append(Brood(Owner("shop", private, folder, modules), folder, modules))
        return made[-1]

    yield make
    for each in made:
        each.close()
