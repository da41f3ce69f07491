"""The end of a generation: what is watched, what is emptied, and what the proof says of what is left."""

from __future__ import annotations

import functools
import gc
import logging
import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest

from activate.broods import Brood, Hatch
from hotbay.activate import Proof, loader, patches, prove, traces
from hotbay.activate.owned import Owner
from hotbay.activate.prove import Left, watch

JOBS = """
    from logging import Handler as Alias

    class Order:
        ...

    def poll():
        return helper()

    def helper():
        return "at work"

    ALIAS = Order
    SECONDS = 3
"""


@pytest.fixture
def shop(brood: Hatch) -> Brood:
    return brood(jobs=JOBS)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A module of the host's in `sys.modules`; emptied, so that nothing of a test lives on."""
    module: Any = types.ModuleType("proving_host")
    module.__file__ = "/srv/host/proving_host.py"
    monkeypatch.setitem(sys.modules, "proving_host", module)
    yield module
    vars(module).clear()
    patches._originals.pop("proving_host", None)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test keeps alive stays alive: no reason to wait for it."""
    monkeypatch.setattr(prove, "_COLLECTIONS", ((1, 0.0), (2, 0.0)))


def end(shop: Brood, brought: traces.Brought | None = None) -> Proof:
    """What unloading does with the modules."""
    owner: Owner = shop.owner
    modules = dict(shop.modules)
    watched, left = watch(modules), Left(list(modules.values()), [shop])
    modules.clear()
    shop.modules.clear()
    loader.close_package(owner.private)
    proof = prove.prove(owner, watched, left, brought or traces.Brought(), None)
    assert left == Left([], []), "the caller keeps nothing"
    return proof


def test_modules_classes_and_functions_that_are_written_there_are_watched(shop: Brood) -> None:
    private = shop.owner.private
    watched = watch(shop.modules)
    assert set(watched) == {
        private,
        f"{private}.jobs",
        f"{private}.jobs.Order",
        f"{private}.jobs.poll",
        f"{private}.jobs.helper",
    }
    assert watched[f"{private}.jobs.poll"]() is shop.jobs.poll


def test_nothing_is_left_of_a_decent_plugin(shop: Brood) -> None:
    assert end(shop) == Proof()
    assert end(shop) == Proof(), "once more does no harm"


def test_what_the_host_keeps_is_named_with_its_holder(shop: Brood, host: Any) -> None:
    host.orders = [shop.jobs.Order]
    name = f"{shop.owner.private}.jobs.Order"
    proof = end(shop)
    assert not proof.clean
    assert proof.alive == (name,)
    (holder,) = proof.holders
    assert (holder.object, holder.holder) == ("shop.jobs.Order", "proving_host.orders[0]")
    assert str(holder).startswith("shop.jobs.Order is held by proving_host.orders[0] (shop/backend/jobs.py:4): module")
    told = proof.to_json()
    assert told["clean"] is False
    assert told["alive"] == [name]
    assert told["holders"][0] == {
        "object": "shop.jobs.Order",
        "kind": "attribute",
        "holder": "proving_host.orders[0]",
        "file": "shop/backend/jobs.py",
        "line": 4,
        "chain": list(holder.chain),
    }


def test_emptied_modules_free_what_the_host_did_not_mean_to_keep(shop: Brood, host: Any) -> None:
    """A kept class would keep its module's namespace with all that is in it."""
    host.order = shop.jobs.Order()
    proof = end(shop)
    assert proof.undone == ()
    assert {name.rpartition(".")[2] for name in proof.alive} == {"Order"}


def test_a_librarys_cache_is_emptied_and_said(shop: Brood, host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    library: Any = types.ModuleType("proving_library")
    library.__file__ = "/env/lib/site-packages/proving_library.py"
    exec("def describe(cls):\n    return cls", vars(library))
    library.describe = functools.lru_cache(library.describe)
    monkeypatch.setitem(sys.modules, "proving_library", library)
    library.describe(shop.jobs.Order)
    proof = end(shop)
    assert proof == Proof(undone=("the cache of proving_library.describe",))


def test_what_was_taken_back_and_what_was_not_is_in_the_proof(shop: Brood, host: Any) -> None:
    patches.remember()
    host.poll = shop.jobs.poll
    sys.path.append("/certain")
    try:
        proof = end(shop, traces.Brought(paths=["/certain"], certain=False))
    finally:
        sys.path.remove("/certain")
    assert proof == Proof(undone=("proving_host.poll was replaced",), left=("'/certain' in sys.path",))
    assert not hasattr(host, "poll")


def test_a_patch_that_stays_goes_on_working(shop: Brood, host: Any) -> None:
    """Nobody knows what was there before: with empty modules the host's calls would fail."""
    host.poll = None
    patches.remember()
    host.poll = shop.jobs.poll
    proof = end(shop)
    assert host.poll() == "at work"
    assert f"{shop.owner.private}.jobs.poll" in proof.alive
    assert all(holder.holder.endswith("host.poll") for holder in proof.holders)


def test_one_kind_of_undoing_that_fails_does_not_keep_the_others_from_it(
    shop: Brood, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*args: Any) -> Any:
        raise RuntimeError("another release of SQLAlchemy")

    monkeypatch.setattr(prove.patches, "undo", fails)
    monkeypatch.setattr(prove.mappings, "undo", fails)
    handler = logging.StreamHandler()
    logging.getLogger("proving_host").addHandler(handler)
    window = traces.Brought(handlers=[(logging.getLogger("proving_host"), handler)])
    proof = end(shop, window)
    assert proof.undone == ("the StreamHandler of the logger 'proving_host'",)
    assert proof.clean
    assert [record.getMessage() for record in caplog.records] == [
        "what shop left in the process could not be taken back"
    ] * 2
    assert window == traces.Brought(), "what was brought may be the generation's: it is forgotten"


def test_it_is_looked_for_several_times(shop: Brood, host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread lets go a moment later, and weak dictionaries need two turns."""
    turns: list[int] = []
    monkeypatch.setattr(prove, "_COLLECTIONS", ((1, 0.0), (2, 0.0), (2, 0.0)))
    host.order = shop.jobs.Order
    real = gc.collect

    def collect(generation: int) -> int:
        turns.append(generation)
        if len(turns) == 2:
            del host.order
        return real(generation)

    monkeypatch.setattr(prove.gc, "collect", collect)
    assert end(shop) == Proof()
    assert turns == [1, 2]


def test_what_is_let_go_a_moment_later_needs_no_full_collection(
    shop: Brood, host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first collection made it old; only a full one would find it, and that visits all that lives."""
    monkeypatch.setattr(prove, "_COLLECTIONS", ((1, 0.0),) * 3)
    host.order = shop.jobs.Order
    real = gc.collect

    def collect(generation: int) -> int:
        found = real(generation)
        vars(host).pop("order", None)  # From now on nobody holds it.
        return found

    monkeypatch.setattr(prove.gc, "collect", collect)
    assert end(shop) == Proof()


def test_holders_are_told_in_part(shop: Brood) -> None:
    proof = Proof(alive=("a",), holders=tuple(prove.holders.Holder(str(n), "", "", "", 0, ()) for n in range(9)))
    assert [holder["object"] for holder in proof.to_json()["holders"]] == ["0", "1", "2", "3", "4"]
    assert str(proof.holders[0]) == "0 is held by : "
