"""What a worker remembers of its last switches."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine import Engine
from hotbay.activate import Proof
from hotbay.passages import Passages
from hotbay.presence import NEVER
from hotbay.serve import Serving
from rows import live


async def _never(_: Serving) -> Any:
    raise AssertionError("nothing is to be loaded here")


def serving(plugin: str = "shop", revision: int = 1) -> Serving:
    return Serving(live(plugin, revision=revision), _never)


def test_only_what_changed_is_remembered() -> None:
    made, same, old, new = Passages(), serving("mail"), serving(), serving(revision=2)
    made.switched({"mail": same, "shop": old}, {"mail": same, "shop": new})
    made.switched({"mail": same, "shop": new}, {"mail": same})
    assert [(item.left, item.revision, item.done) for item in made.of({"shop": 0.0})] == [(1, 2, False), (2, 0, False)]
    assert made.of({"mail": 0.0}) == []


def test_what_came_for_the_first_time_left_nothing() -> None:
    made = Passages()
    made.switched({}, {"shop": serving()})
    (found,) = made.of({"shop": 0.0})
    assert (found.left, found.revision, found.done, found.unload) == (0, 1, True, None)


def test_who_comes_again_with_the_same_revision_is_another_one() -> None:
    """Revisions begin anew after an uninstall."""
    made = Passages()
    for waited in (3, 5):
        old = serving()
        old.waited["http"] = waited
        made.switched({"shop": old}, {})
        made.left(old, Proof(alive=(f"{waited}",)))
    assert [item.waited for item in made.of({"shop": 0.0})] == [{"http": 3}, {"http": 5}]
    assert [(item.unload or {})["alive"] for item in made.of({"shop": 0.0})] == [["3"], ["5"]]


async def test_what_a_worker_found_when_it_began_is_no_switch(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    await engine.install()
    async with engine.worker() as worker:
        await worker.version()
        assert worker.follower.passages.of({"shop": 0.0}) == []


def test_what_was_told_of_a_passage_does_not_change_when_it_goes_on() -> None:
    made, old = Passages(), serving()
    old.waited["http"] = 3
    made.switched({"shop": old}, {})
    (passage,) = made.of({"shop": 0.0})
    before = passage.to_json()
    made.left(old, Proof(alive=("a",)))
    after = passage.to_json()
    old.waited["http"] = 4
    assert (before["done"], before["waited"], before["unload"]) == (False, {}, None)
    assert (after["done"], after["waited"], after["unload"]["alive"]) == (True, {"http": 3}, ["a"])
    assert after == asdict(passage)


def test_only_what_happened_since_then_is_told() -> None:
    made, old = Passages(), serving()
    made.switched({"shop": old}, {})
    made.switched({}, {"shop": old})
    first, second = made.of({"shop": 0.0})
    second.at = first.at + 5.0
    assert made.of({"shop": first.at}) == [first, second]
    assert made.of({"shop": first.at + 1.0}) == [second]
    assert made.of({"shop": NEVER}) == []
