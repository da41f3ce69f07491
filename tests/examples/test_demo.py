"""The demo signs its packages and trusts its own key: once, and without overruling who administrates it."""

from __future__ import annotations

import runpy
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hotbay.package import pack
from hotbay.publishers import Publishers, word_on
from hotbay.seal import SigningKey
from hotbay.source import LocalSource
from hotbay.store import Store
from rows import plugin_folder

DEMO = Path(__file__).parents[2] / "examples" / "billing" / "demo.py"


@pytest.fixture
def archives(tmp_path: Path) -> list[Path]:
    """Two packages of the same authors, and one of somebody else."""
    makers = {"shop": "The Authors", "mail": "The Authors", "guest": "A Guest"}
    return [
        pack(plugin_folder(tmp_path / "trees" / name, name, author=author), tmp_path / "modules")
        for name, author in makers.items()
    ]


@pytest.fixture
def vouch(archives: list[Path], tmp_path: Path) -> Callable[[], SigningKey]:
    """What `make demo` does with them."""
    run: Any = runpy.run_path(str(DEMO))["vouch"]
    return lambda: run(archives, tmp_path / "demo.key", tmp_path / "billing.db")


def states(tmp_path: Path) -> dict[str, str]:
    registry = Store(tmp_path / "billing.db")
    try:
        policy = Publishers(registry).policy()
        return {offer.id: word_on(offer, policy)[0].state.value for offer in LocalSource(tmp_path / "modules").list()}
    finally:
        registry.close()


def test_its_packages_are_verified_and_it_can_be_started_again(vouch: Callable[[], SigningKey], tmp_path: Path) -> None:
    key = vouch()
    assert states(tmp_path) == {"shop": "verified", "mail": "verified", "guest": "unsigned"}
    assert stat.S_IMODE((tmp_path / "demo.key").stat().st_mode) == 0o600
    assert (vouch().public.keyid, key.publisher) == (key.public.keyid, "The Authors")
    assert states(tmp_path)["shop"] == "verified"


def test_a_key_that_was_distrusted_stays_so(vouch: Callable[[], SigningKey], tmp_path: Path) -> None:
    key = vouch()
    registry = Store(tmp_path / "billing.db")
    Publishers(registry).distrust(key.public.keyid, "ann")
    registry.close()
    vouch()
    assert states(tmp_path)["shop"] == "unknown"


def test_what_was_lost_is_made_anew(vouch: Callable[[], SigningKey], tmp_path: Path) -> None:
    first = vouch()
    (tmp_path / "demo.key").unlink()
    second = vouch()
    assert second.public.keyid != first.public.keyid
    assert states(tmp_path)["shop"] == "verified"
    (tmp_path / "billing.db").unlink()
    assert vouch().public.keyid == second.public.keyid
    assert states(tmp_path)["shop"] == "verified"
