"""The search for who keeps a generation alive."""

from __future__ import annotations

import asyncio
import atexit
import functools
import gc
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import types
import weakref
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from activate.broods import Brood, Hatch
from hotbay.activate import holders

SEARCH = """
    import asyncio, gc, pathlib, threading
    from hotbay.activate import holders
    from hotbay.activate.owned import Owner

    async def waits():
        await asyncio.get_running_loop().run_in_executor(None, int)

    async def main():
        for _ in range(20):  # The iterators of these futures are dead, and kept for reuse.
            await asyncio.gather(*(waits() for _ in range(5)))
        nowhere = type("Nowhere", (), {})
        loop = asyncio.get_running_loop()
        owner = Owner("shop", "shop_private", pathlib.Path("/nowhere"), {})
        for _ in range(3):
            assert len((await asyncio.to_thread(holders.find, owner, {"shop.Nowhere": nowhere}, loop)).holders) == 1
            await asyncio.gather(*(waits() for _ in range(5)))
            gc.collect()
        print("done")

    asyncio.run(main())
"""


def test_the_search_leaves_what_c_modules_keep_for_reuse_alone() -> None:
    """On 3.12 it freed iterators of futures twice, and the next collection never ended."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SEARCH)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "done\n", done.stderr


def test_the_search_keeps_no_cursor(shop: Brood) -> None:
    """One that is kept keeps its statement open, and SQLite then refuses the functions of a new connection."""
    with closing(sqlite3.connect(":memory:")) as connection:
        kept = [connection.execute("SELECT 1")]
        threading.main_thread().kept = kept  # type: ignore[attr-defined]
        search = holders._Search(shop.owner, {"shop.kept": object()}, None)
        search.forward(60.0, 1_000_000)
        del threading.main_thread().kept  # type: ignore[attr-defined]
    assert any(node is kept for node in search.nodes)
    assert not [node for node in search.nodes if isinstance(node, sqlite3.Cursor)]


# ── one generation, in this process ───────────────────────────────────────────────────────────────────────────────

JOBS = """
    class Order: ...
    class Second: ...
    def poll(): ...
    def stand(began, end):
        began.set()
        end.wait(10)
"""


@pytest.fixture
def shop(brood: Hatch) -> Brood:
    return brood(jobs=JOBS)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    module: Any = types.ModuleType("holding_host")
    monkeypatch.setitem(sys.modules, "holding_host", module)
    yield module
    vars(module).clear()


# So long nobody searches: what is found does not depend on how busy the machine is.
LONG = 600.0


def search(shop: Brood, *names: str, loop: Any = None, **bounds: Any) -> holders.Found:
    """As after unloading: the modules are out of the table, and who looks has the only other references."""
    alive = {f"{shop.owner.private}.jobs.{name}": getattr(shop.jobs, name) for name in names}
    shop.close()
    for module in shop.modules.values():
        vars(module).clear()
    return holders.find(shop.owner, alive, loop, **{"seconds": LONG, **bounds})


def test_each_object_has_its_holder_in_the_order_of_the_question(shop: Brood, host: Any) -> None:
    host.first, host.second = {"x": shop.jobs.Second}, [shop.jobs.Order]
    found = search(shop, "Order", "Second")
    assert [(item.object, item.holder) for item in found.holders] == [
        ("shop.jobs.Order", "holding_host.second[0]"),
        ("shop.jobs.Second", "holding_host.first.x"),
    ]
    assert found.caches == []


def test_the_shortest_way_is_told(shop: Brood, host: Any) -> None:
    host.deep = [[[shop.jobs.Order]]]
    host.near = [shop.jobs.Order]
    assert search(shop, "Order").holders[0].holder == "holding_host.near[0]"


def test_caches_on_the_way_are_handed_back(shop: Brood, host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    host.__file__ = "/env/lib/site-packages/holding_host.py"
    exec("def of(cls):\n    return cls", vars(host))
    host.of = functools.lru_cache(host.of)
    host.of(shop.jobs.Order)
    (cache,) = search(shop, "Order").caches
    cache.empty()
    assert host.of.cache_info().currsize == 0


def test_what_a_thread_of_the_hosts_has_in_a_name_of_its_own(shop: Brood) -> None:
    began, end = threading.Event(), threading.Event()

    def keep(order: Any) -> None:
        began.set()
        end.wait(10)

    thread = threading.Thread(target=keep, args=(shop.jobs.Order,), name="keeper")
    thread.start()
    began.wait(10)
    try:
        (holder,) = search(shop, "Order").holders
        assert holder.kind == "thread"
        assert "keeper" in holder.holder
    finally:
        end.set()
        thread.join()


def test_a_thread_that_stands_in_the_plugins_code_is_the_holder_of_last_resort(shop: Brood) -> None:
    """Its code object runs in C's frame; no reference leads from there to the function."""
    began, end = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda stand: stand(began, end), args=(shop.jobs.stand,), name="poller")
    thread.start()
    began.wait(10)
    lonely = type("Lonely", (), {"__module__": shop.owner.private + ".jobs"})
    try:
        (holder,) = holders.find(shop.owner, {f"{shop.owner.private}.jobs.Lonely": lonely}, None, seconds=LONG).holders
        assert (holder.object, holder.kind, holder.holder) == (
            "shop.jobs.Lonely",
            "thread",
            "threading.Thread 'poller'",
        )
        assert (holder.file, holder.line) == ("shop/backend/jobs.py", 7)
        assert holder.chain[1] == "it stands in stand (shop/backend/jobs.py:7)"
    finally:
        end.set()
        thread.join()


def test_a_name_that_nothing_known_refers_to(shop: Brood) -> None:
    lonely = type("Lonely", (), {"__module__": "elsewhere"})
    (holder,) = holders.find(shop.owner, {"elsewhere.Lonely": lonely}, None, seconds=LONG).holders
    assert holder.kind in ("unknown", "object")
    assert holder.object == "elsewhere.Lonely"
    if holder.kind == "unknown":
        assert holder.holder == "something in C code"
        assert holder.chain[0].endswith(" references")


def test_with_a_frozen_heap_the_collector_is_asked(shop: Brood) -> None:
    """The host freezes its own objects before the first plugin: what is left is little."""
    gc.freeze()
    try:
        box = {"order": type("Lonely", (), {"__module__": "elsewhere"})}
        (holder,) = holders.find(shop.owner, {"elsewhere.Lonely": box["order"]}, None, seconds=LONG, objects=1).holders
        assert holder.kind == "object"
        assert holder.chain[-1] == "elsewhere.Lonely"
    finally:
        gc.unfreeze()


def test_a_search_that_was_cut_short_says_so(shop: Brood, host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gc, "get_freeze_count", lambda: 0)
    host.orders = [shop.jobs.Order]
    monkeypatch.setattr(holders, "_BREATH", 1)
    (holder,) = search(shop, "Order", objects=10).holders
    assert (holder.kind, holder.holder) == ("unknown", "something that was not found in the time for searching")
    host.orders = [type("Order", (), {})]
    (holder,) = holders.find(shop.owner, {"x.Order": host.orders[0]}, None, seconds=-1).holders
    assert holder.holder == "something that was not found in the time for searching"


def test_at_most_twenty_are_named(shop: Brood, host: Any) -> None:
    host.kept = [type(f"C{number}", (), {}) for number in range(25)]
    found = holders.find(shop.owner, {f"x.C{number}": cls for number, cls in enumerate(host.kept)}, None, seconds=LONG)
    assert [holder.holder for holder in found.holders] == [f"holding_host.kept[{number}]" for number in range(20)]


async def test_tasks_of_the_loop_are_looked_through(shop: Brood) -> None:
    async def wait(order: Any) -> None:
        await asyncio.sleep(60)

    task = asyncio.create_task(wait(shop.jobs.Order), name="waiter")
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    found = await asyncio.to_thread(search, shop, "Order", loop=loop)
    assert found.holders[0].kind == "task"
    assert found.holders[0].holder.startswith("task 'waiter'")
    task.cancel()


def test_what_runs_at_exit_is_seen(shop: Brood) -> None:
    """The host's own function, with an object of the plugin's: it can't be taken back, so it is named."""
    save = functools.partial(print, shop.jobs.Order)
    atexit.register(save)
    try:
        (holder,) = search(shop, "Order").holders
        assert holder.kind == "atexit"
        assert holder.holder.startswith("what runs at exit.functions[")
    finally:
        atexit.unregister(save)


def test_signal_handlers_and_context_variables_are_looked_at(shop: Brood) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, functools.partial(print, shop.jobs.Order))
    try:
        (holder,) = search(shop, "Order").holders
        assert holder.kind == "signal"
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_the_hosts_modules_say_more_than_other_plugins(brood: Hatch, host: Any) -> None:
    shop, other = brood(jobs=JOBS), brood(jobs=JOBS)
    other.jobs.kept = host.kept = [shop.jobs.Order]
    assert search(shop, "Order").holders[0].holder == "holding_host.kept[0]"
    del host.kept
    shop_again = brood(jobs=JOBS)
    other.jobs.kept = [shop_again.jobs.Order]
    assert search(shop_again, "Order").holders[0].holder == f"{other.owner.private}.jobs.kept[0]"


def test_nothing_that_the_search_saw_lives_longer_than_it(shop: Brood, host: Any) -> None:
    host.kept = [shop.jobs.Order]
    gone = weakref.ref(shop.jobs.Order)
    found = search(shop, "Order")
    host.kept.clear()
    gc.collect()
    assert found.holders
    assert gone() is None
