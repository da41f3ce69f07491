"""What two strikes mean for the rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotbay import store
from hotbay.errors import ActivationFailed
from hotbay.model import State
from hotbay.store import Store
from hotbay.suspects import Suspects
from hotbay.verdict import pronounce
from rows import live


@pytest.fixture
def suspects(tmp_path: Path) -> Suspects:
    return Suspects(tmp_path / "loading")


def put(registry: Store, **fields: object) -> None:
    with registry.write() as connection:
        store.put_live(connection, live(**fields))  # type: ignore[arg-type]


def strike(suspects: Suspects, image: str = "image-shop-1.0.0") -> None:
    with pytest.raises(ActivationFailed), suspects.loading("shop", "1.0.0", image):
        raise ActivationFailed("hung", hung=True)


def problem(registry: Store) -> str:
    return registry.get_live("shop").problem


def test_one_strike_is_no_verdict(registry: Store, suspects: Suspects) -> None:
    put(registry)
    strike(suspects)
    assert pronounce(registry, suspects) == []
    assert problem(registry) == ""


def test_two_strikes_are_noted_once_with_who_and_why(registry: Store, suspects: Suspects) -> None:
    put(registry)
    put(registry, plugin="other")
    strike(suspects)
    strike(suspects)
    assert [item.plugin for item in pronounce(registry, suspects)] == ["shop"]
    assert problem(registry).startswith("left out: loading shop 1.0.0 never ended twice")
    assert "hotbay activate shop" in problem(registry)
    assert registry.get_live("other").problem == ""
    rev = registry.rev()
    assert pronounce(registry, suspects) == []
    assert registry.rev() == rev
    (entry,) = registry.audit_entries("shop")
    assert (entry["actor"], entry["action"], entry["after"]) == ("boot guard", "leave out", "1.0.0")


def test_strikes_against_another_image_are_not_its_fault(registry: Store, suspects: Suspects) -> None:
    put(registry, version="2.0.0")
    strike(suspects)
    strike(suspects)
    assert pronounce(registry, suspects) == []
    assert problem(registry) == ""


def test_what_rests_needs_no_verdict(registry: Store, suspects: Suspects) -> None:
    put(registry, state=State.INACTIVE)
    strike(suspects)
    strike(suspects)
    assert pronounce(registry, suspects) == []
    assert problem(registry) == ""


def test_what_was_put_to_rest_is_left_out_no_longer(registry: Store, suspects: Suspects) -> None:
    put(registry, state=State.INACTIVE, problem="left out: long ago")
    strike(suspects)
    strike(suspects)
    pronounce(registry, suspects)
    assert problem(registry) == ""


def test_a_success_takes_the_verdict_back(registry: Store, suspects: Suspects) -> None:
    put(registry)
    strike(suspects)
    strike(suspects)
    pronounce(registry, suspects)
    suspects.clear("image-shop-1.0.0")
    assert pronounce(registry, suspects) == []
    assert problem(registry) == ""
    assert registry.audit_entries("shop")[0]["action"] == "let in"


def test_another_problem_is_left_alone(registry: Store, suspects: Suspects) -> None:
    put(registry, problem="its tables are lost")
    strike(suspects)
    strike(suspects)
    pronounce(registry, suspects)
    assert problem(registry) == "its tables are lost"
