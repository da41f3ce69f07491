"""Events and filters: who is called, in which order, with what, and what a failing one costs the others."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from hotbay.activate.bus import Bus, call
from hotbay.errors import BeingChanged
from hotbay_sdk.plugin import Mark


def event(name: str) -> Mark:
    return Mark("event", name)


def filtering(name: str, order: int = 100) -> Mark:
    return Mark("filter", name, order=order)


async def test_an_event_reaches_all_listeners_in_the_order_of_their_plugins() -> None:
    bus, heard = Bus(), list[str]()
    for owner in ("zebra", "ape", "mule"):
        bus.register(owner, [(event("order.created"), lambda owner=owner: heard.append(owner))])
    assert await bus.emit("order.created", {}) == 3
    assert heard == ["ape", "mule", "zebra"]
    assert await bus.emit("order.deleted", {}) == 0


async def test_filters_run_by_order_and_then_by_plugin() -> None:
    bus = Bus()
    bus.register("a", [(filtering("total", 200), lambda value: value + "a")])
    bus.register("c", [(filtering("total"), lambda value: value + "c")])
    bus.register("b", [(filtering("total"), lambda value: value + "b"), (filtering("total", 1), lambda value: "1")])
    assert await bus.filter("total", "", {}) == "1bca"


async def test_names_with_dots_and_dashes_are_names_of_their_own() -> None:
    bus, heard = Bus(), list[str]()
    bus.register("x", [(event("a.b"), lambda: heard.append("a.b")), (event("a-b"), lambda: heard.append("a-b"))])
    await bus.emit("a.b", {})
    assert heard == ["a.b"]


async def test_an_event_is_no_filter_of_the_same_name() -> None:
    bus = Bus()
    bus.register("x", [(event("total"), lambda: 1)])
    assert await bus.filter("total", "kept", {}) == "kept"


async def test_a_listener_gets_only_what_it_takes() -> None:
    bus, heard = Bus(), list[Any]()
    bus.register(
        "x",
        [
            (event("e"), lambda: heard.append(())),
            (event("e"), lambda a: heard.append(a)),
            (event("e"), lambda a, *, b: heard.append((a, b))),
            (event("e"), lambda **all_: heard.append(all_)),
        ],
    )
    await bus.emit("e", {"a": 1, "b": 2, "c": 3})
    assert heard == [(), 1, (1, 2), {"a": 1, "b": 2, "c": 3}]


async def test_a_sync_listener_runs_in_a_thread_and_an_async_one_on_the_loop() -> None:
    bus, places = Bus(), dict[str, int]()

    def sync() -> None:
        places["sync"] = threading.get_ident()

    async def on_loop() -> None:
        places["async"] = threading.get_ident()

    bus.register("x", [(event("e"), sync), (event("e"), on_loop)])
    await bus.emit("e", {})
    assert places["async"] == threading.get_ident()
    assert places["sync"] != threading.get_ident()


async def test_call_awaits_what_a_sync_function_answers() -> None:
    async def later(n: int) -> int:
        return n + 1

    assert await call(lambda n: later(n), 1) == 2


async def test_one_that_fails_is_logged_under_its_plugin_and_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    bus, heard = Bus(), list[str]()

    def broken() -> None:
        raise RuntimeError("no")

    bus.register("a", [(event("e"), broken)])
    bus.register("b", [(event("e"), lambda: heard.append("b"))])
    with caplog.at_level(logging.ERROR):
        assert await bus.emit("e", {}) == 2
    assert heard == ["b"]
    assert [record.name for record in caplog.records] == ["hotbay.plugin.a"]


async def test_a_filter_that_fails_is_left_out_and_a_strict_one_goes_through() -> None:
    bus = Bus()

    def refuse(value: int) -> int:
        raise PermissionError("not today")

    bus.register("a", [(filtering("f"), lambda value: value + 1)])
    bus.register("b", [(filtering("f"), refuse)])
    bus.register("c", [(filtering("f"), lambda value: value * 10)])
    assert await bus.filter("f", 1, {}) == 20
    with pytest.raises(PermissionError, match="not today"):
        await bus.filter("f", 1, {}, strict=True)


async def test_registering_again_replaces_and_unregistering_ends() -> None:
    bus = Bus()
    bus.register("x", [(filtering("f"), lambda value: "old")])
    bus.register("x", [(filtering("f"), lambda value: "new")])
    assert await bus.filter("f", "", {}) == "new"
    bus.unregister("x")
    bus.unregister("x")
    assert await bus.filter("f", "none", {}) == "none"


async def test_many_plugins_may_listen_to_nothing() -> None:
    bus = Bus()
    for owner in ("a", "b", "c"):
        bus.register(owner, [])
    bus.unregister("b")
    bus.register("b", [(event("e"), lambda: None)])
    assert await bus.emit("e", {}) == 1


async def test_jobs_and_services_are_no_listeners() -> None:
    bus = Bus()
    bus.register("x", [(Mark("service", "e"), lambda: 1), (Mark("every", "e", 1.0), lambda: 1)])
    assert await bus.emit("e", {}) == 0


async def test_each_call_is_counted_while_it_runs() -> None:
    bus, counts = Bus(), {"now": 0, "seen": 0}

    @contextmanager
    def track() -> Iterator[None]:
        counts["now"] += 1
        try:
            yield
        finally:
            counts["now"] -= 1

    async def listener(**_: Any) -> None:
        await asyncio.sleep(0)
        counts["seen"] += counts["now"]

    bus.register("x", [(event("e"), listener)], track=track)
    await bus.emit("e", {})
    assert counts == {"now": 0, "seen": 1}


class Latch:
    """A door: who may not be called, and what happens to who waits."""

    def __init__(self, *shut: str, entering: Callable[[str], None] = lambda owner: None) -> None:
        self.shut, self.entered, self.entering = set(shut), list[str](), entering

    def open(self, owner: str) -> bool:
        return owner not in self.shut

    async def enter(self, owner: str) -> None:
        self.entered.append(owner)
        await asyncio.sleep(0)
        self.entering(owner)


async def test_who_is_shut_is_entered_at_its_turn_and_called_as_it_is_then() -> None:
    bus = Bus()
    for owner in ("a", "b", "c"):
        bus.register(owner, [(filtering("f"), lambda value, owner=owner: f"{value}{owner}")])

    def replaced(owner: str) -> None:
        bus.register("b", [(filtering("f"), lambda value: value + "B"), (filtering("f"), lambda value: value + "2")])
        bus.register("d", [(filtering("f"), lambda value: value + "d")])
        bus.unregister("c")

    door = Latch("b", entering=replaced)
    assert await bus.filter("f", "", {}, door=door) == "aB2d"
    assert door.entered == ["b", "b"]


async def test_who_is_gone_when_its_turn_has_come_is_left_out() -> None:
    bus, heard = Bus(), list[str]()
    for owner in ("a", "b"):
        bus.register(owner, [(event("e"), lambda owner=owner: heard.append(owner))])
    door = Latch("a", "b", entering=lambda owner: bus.unregister("a"))
    assert await bus.emit("e", {}, door) == 1
    assert (heard, door.entered) == (["b"], ["a", "b"])


async def test_who_stays_shut_is_logged_once_with_all_it_has(caplog: pytest.LogCaptureFixture) -> None:
    bus = Bus()
    bus.register("a", [(filtering("f"), lambda value: value + 1), (filtering("f", 200), lambda value: value + 2)])
    bus.register("b", [(filtering("f", 150), lambda value: value * 10)])

    def stays(owner: str) -> None:
        raise BeingChanged(f"{owner} is being changed")

    with caplog.at_level(logging.ERROR):
        assert await bus.filter("f", 1, {}, door=Latch("a", entering=stays)) == 10
    assert [record.name for record in caplog.records] == ["hotbay.plugin.a"]
    with pytest.raises(BeingChanged):
        await bus.filter("f", 1, {}, strict=True, door=Latch("a", entering=stays))
