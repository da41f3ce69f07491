"""The folder of compiled frontends: adopted whole, left, swept."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from hotbay.frontend.assets import Assets

ONE, TWO, THREE = "1" * 16, "2" * 16, "3" * 16


@pytest.fixture
def assets(tmp_path: Path) -> Assets:
    """With two compiled frontends of `shop`."""
    made, files = Assets(tmp_path / "assets"), tmp_path / "files"
    files.mkdir()
    (files / "a-ABCDEFGH.js").write_text("1")
    assert made.adopt(files, "shop", ONE)
    assert made.adopt(files, "shop", TWO)
    assert not made.adopt(files, "shop", TWO)
    return made


def age(assets: Assets, digest: str, seconds: float) -> None:
    """It was left so long ago."""
    moment = time.time() - seconds
    os.utime(assets.folder / "shop" / f"{digest}.left", (moment, moment))


def test_only_names_that_were_made_here_are_found(assets: Assets) -> None:
    (assets.path("shop", ONE) / "secret.txt").write_text("x")
    assert assets.file("shop", ONE, "a-ABCDEFGH.js") is not None
    for plugin, digest, name in [
        ("shop", ONE, "secret.txt"),
        ("shop", ONE, "b-ABCDEFGH.js"),
        ("shop", "..", "a-ABCDEFGH.js"),
        ("..", ONE, "a-ABCDEFGH.js"),
        ("shop", ONE, f"../{ONE}/a-ABCDEFGH.js"),
        ("shop", ONE + "\n", "a-ABCDEFGH.js"),
        ("shop", ONE, "a-ABCDEFGH.js\n"),
    ]:
        assert assets.file(plugin, digest, name) is None


def test_what_is_left_waits_and_goes(assets: Assets) -> None:
    assets.settle("shop", TWO, 100)
    assets.settle("shop", TWO, 100)
    assert assets.of("shop") == [ONE, TWO]
    age(assets, ONE, 200)
    assets.settle("shop", TWO, 100)
    assert assets.of("shop") == [TWO]
    assert sorted(path.name for path in (assets.folder / "shop").iterdir()) == [TWO]


def test_what_comes_back_is_left_no_more(assets: Assets) -> None:
    assets.settle("shop", TWO, 100)
    age(assets, ONE, 200)
    assets.settle("shop", ONE, 100)
    assert assets.of("shop") == [ONE, TWO]
    assert not (assets.folder / "shop" / f"{ONE}.left").exists()


def test_sweeping_spares_what_is_used_or_left_lately(assets: Assets) -> None:
    assets.settle("shop", TWO, 100)
    (assets.folder / "shop" / THREE).mkdir()
    (assets.folder / "shop" / f".{THREE}.0.part").mkdir()
    assert list(assets.stray(frozenset({("shop", TWO)}))) == [("shop", THREE)]
    assets.sweep(frozenset({("shop", TWO)}), 100)
    assert sorted(path.name for path in (assets.folder / "shop").iterdir()) == [ONE, f"{ONE}.left", TWO]
    age(assets, ONE, 200)
    assets.sweep(frozenset({("shop", TWO)}), 100)
    assert assets.of("shop") == [TWO]


def test_a_removal_that_was_cut_off_is_repeated(assets: Assets) -> None:
    assets.path("shop", ONE).rename(assets.folder / "shop" / f".gone-{ONE}")
    assets.remove("shop", ONE)
    assert not (assets.folder / "shop" / f".gone-{ONE}").exists()
    assets.remove("shop", ONE)
    assets.forget("shop")
    assets.forget("shop")
    assert assets.plugins() == []
