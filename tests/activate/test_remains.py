"""What a generation left is found from its namespaces, and dies in a collection of the young."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from hotbay.activate import remains
from hotbay.activate.remains import gather, let_go


class Node:
    def __init__(self, **others: Any) -> None:
        self.me = self  # Only the collector ends it.
        self.others = others


@pytest.fixture(autouse=True)
def by_hand() -> Iterator[None]:
    """A host that has started, and no collection of its own accord: what dies, dies of what the test does."""
    gc.unfreeze()  # What other tests had frozen.
    hosts = remains._frozen.hosts
    remains.freeze()
    gc.disable()
    yield
    gc.enable()
    remains._frozen = remains._Frozen(hosts)


def old(thing: Any) -> Any:
    """Through all generations, as everything is that lived for a while."""
    gc.collect()
    assert any(thing is item for item in gc.get_objects(generation=2))
    return thing


def test_everything_that_can_be_reached_is_gathered() -> None:
    inner = Node()
    outer = Node(inner=[inner])
    found = {id(thing) for thing in gather([outer])}
    assert {id(outer), id(outer.others), id(outer.others["inner"]), id(inner)} <= found


def test_the_frozen_are_the_hosts_and_are_not_entered() -> None:
    behind = Node()
    host = Node(behind=behind)
    remains.freeze()
    fresh = Node(host=host)
    found = {id(thing) for thing in gather([fresh])}
    assert id(fresh.others) in found
    assert id(host) not in found
    assert id(behind) not in found


def test_a_second_freeze_adds_what_came_and_drops_what_went() -> None:
    first, many = Node(), [Node() for _ in range(1000)]
    remains.freeze()
    third = Node()
    assert (remains._of_host(first), remains._of_host(third)) == (True, False)
    remains.freeze()
    assert (remains._of_host(first), remains._of_host(third)) == (True, True)
    before = len(remains._host)
    gc.unfreeze()
    del many
    remains.freeze()
    assert len(remains._host) < before - 900
    assert remains._of_host(first)


def frozen_by(work: Any) -> int:
    before = gc.get_freeze_count()
    work()
    return gc.get_freeze_count() - before


def test_what_the_host_made_since_is_frozen_before_the_first_plugin() -> None:
    remains.freeze(more=True)
    many = [Node() for _ in range(1000)]
    assert frozen_by(lambda: remains.comes("one")) >= 1000
    assert not remains._of_host(many[0]), "the walk enters it, and makes it young again"


def test_nothing_is_frozen_while_a_plugin_is_in_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remains, "AGAIN_SECONDS", 0.0)
    remains.freeze(more=True)
    remains.comes("one")
    many = [Node() for _ in range(1000)]
    assert frozen_by(lambda: remains.comes("two")) < 1000
    remains.gone("one")
    assert frozen_by(lambda: remains.comes("three")) < 1000
    remains.gone("two")
    remains.gone("three")
    assert frozen_by(lambda: remains.comes("four")) >= 1000
    assert len(many) == 1000


def test_more_is_frozen_seldom() -> None:
    remains.freeze(more=True)
    remains.comes("one")
    remains.gone("one")
    many = [Node() for _ in range(1000)]
    assert frozen_by(lambda: remains.comes("two")) < 1000
    remains.gone("two")
    remains._frozen.at -= remains.AGAIN_SECONDS
    assert frozen_by(lambda: remains.comes("three")) >= 1000
    assert len(many) == 1000


def test_no_more_is_frozen_where_no_host_runs() -> None:
    assert frozen_by(lambda: remains.comes("one")) == 0


def test_with_the_last_host_the_collector_sees_all_again() -> None:
    remains._frozen = remains._Frozen()
    remains.freeze(more=True)
    remains.freeze(more=True)
    remains.thaw()
    assert gc.get_freeze_count() > 0
    assert remains._host
    remains.thaw()
    assert (gc.get_freeze_count(), remains._host) == (0, {})
    remains.comes("one")
    assert gc.get_freeze_count() == 0


def test_what_took_the_place_of_the_hosts_is_not_the_hosts() -> None:
    host = [Node() for _ in range(2000)]
    remains.freeze()
    places = {id(node) for node in host}
    del host[:]
    gc.unfreeze()
    gc.collect()
    fresh = [Node() for _ in range(2000)]
    there = [node for node in fresh if id(node) in places]
    assert there, "the allocator gives the same places again"
    assert not any(map(remains._of_host, there))


def test_functions_lead_to_no_module_of_the_host() -> None:
    found = gather([Node(way=os.path.join, kind=textwrap.TextWrapper)])
    spaces = [vars(os.path), vars(os), vars(textwrap)]
    assert not any(thing is space for thing in found for space in spaces)
    assert len(found) < 1000


def test_a_walk_that_goes_astray_gathers_nothing() -> None:
    things = Node(many=[Node() for _ in range(50)])
    assert gather([things], most=10) == []
    assert len(gather([things], most=10**7)) > 50


def test_old_garbage_dies_in_a_collection_of_the_young() -> None:
    node = old(Node(inner=Node()))
    gone = weakref.ref(node)
    found = gather([node])
    del node
    gc.collect(1)
    assert gone() is not None, "what is gathered is held"
    let_go(found)
    assert found == []
    assert gone() is not None, "its cycle is left to the collector"
    gc.collect(1)
    assert gone() is None


def test_without_it_the_old_need_a_full_collection() -> None:
    node = old(Node())
    gone = weakref.ref(node)
    del node
    gc.collect(1)
    assert gone() is not None
    gc.collect()
    assert gone() is None


def test_what_is_in_use_stays_and_is_as_tracked_as_before() -> None:
    node = old(Node(name="in use"))
    let_go(gather([node]))
    gc.collect(1)
    assert node.others == {"name": "in use"}
    assert gc.is_tracked(node)
    assert gc.is_tracked(vars(node))


@pytest.mark.parametrize("was_on", [True, False])
def test_the_collector_is_left_as_it_was(was_on: bool) -> None:
    if was_on:
        gc.enable()
    let_go(gather([Node()]))
    assert gc.isenabled() is was_on


def test_without_the_interpreters_lock_nothing_is_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    node = old(Node())
    gone = weakref.ref(node)
    found = gather([node])
    del node
    let_go(found)
    gc.collect(1)
    assert gone() is not None
    assert found == []
    gc.collect()


BUSY = """
    import gc, sys, threading
    from hotbay.activate.remains import gather, let_go

    sys.setswitchinterval(1e-6)
    gc.set_threshold(5, 2, 2)
    tables = [dict() for _ in range(3000)]
    over = threading.Event()

    def write():
        while not over.is_set():
            for table in tables:
                table["at"] = []
                table.pop("at", None)
                table["other"] = 1

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(60):
        let_go(gather([tables]))
    over.set()
    for thread in threads:
        thread.join()
    print(len(tables))
"""


def test_others_may_write_to_what_is_moved() -> None:
    """A dictionary that is tracked by its writer between the two calls would end the process: hence a process."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(BUSY)], capture_output=True, text=True, env=environment, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "3000\n", "")


def test_two_threads_may_let_go_of_the_same() -> None:
    nodes = old([Node() for _ in range(500)])
    threads = [threading.Thread(target=lambda: [let_go(gather([nodes])) for _ in range(5)]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(gc.is_tracked(node) for node in nodes)
    assert remains._is_known()


class Passing:
    """What a thread makes and has done with at once."""


def test_nothing_of_other_threads_is_held() -> None:
    """A cursor that lived on would keep its statement open."""
    heap = [Node() for _ in range(20_000)]
    over, held = threading.Event(), 0

    def others() -> None:
        nonlocal held
        while not over.is_set():
            last = weakref.ref(Passing())
            held += last() is not None

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=others)
    thread.start()
    try:
        for _ in range(20):
            assert len(gather([heap[0]])) >= 1
    finally:
        sys.setswitchinterval(usual)
        over.set()
        thread.join()
    assert held == 0
