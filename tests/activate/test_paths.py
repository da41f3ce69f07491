"""A way through the heap in words: kinds, places, expressions, and no code of anybody's runs for it."""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import functools
import logging
import signal
import sys
import threading
import types
from pathlib import Path
from typing import Any

import pytest

from activate.broods import Brood, Hatch
from hotbay.activate import paths
from hotbay.activate.paths import Standing, Way, describe, place, public

JOBS = """
    class Order:
        def pay(self): ...

    def poll(): ...

    async def watch():
        import asyncio
        await asyncio.sleep(60)

    def through(call):
        call()
"""


@pytest.fixture
def shop(brood: Hatch) -> Brood:
    return brood(jobs=JOBS)


def way(shop: Brood, *nodes: Any, frames: Any = None) -> Any:
    return Way(shop.owner, list(nodes), frames or {}).holder(shop.owner.private + ".jobs.Order")


def host(**values: Any) -> Any:
    module = types.ModuleType("the_host")
    vars(module).update(values)
    return module


# ── expressions and chains ────────────────────────────────────────────────────────────────────────────────────────


def test_from_a_module_through_a_list_to_the_class(shop: Brood) -> None:
    order = shop.jobs.Order
    callbacks = [1, order]
    module = host(callbacks=callbacks)
    found = way(shop, module, vars(module), callbacks, order)
    assert found.object == "shop.jobs.Order"
    assert found.kind == "attribute"
    assert found.holder == "the_host.callbacks[1]"
    assert (found.file, found.line) == ("shop/backend/jobs.py", 2)
    assert found.chain == (
        "module the_host",
        ".callbacks list of 2",
        "[1] class shop.jobs.Order (shop/backend/jobs.py:2)",
    )


@pytest.mark.parametrize(
    ("parent", "expected"),
    [
        (lambda it: {"a": it}, ".a"),
        (lambda it: {"a b": it}, "['a b']"),
        (lambda it: {3: it}, "[3]"),
        (lambda it: {(1, 2): it}, "[tuple]"),
        (lambda it: {it: 1}, "[key]"),
        (lambda it: {"-" * 100: it}, f"['{'-' * 79}…]"),
        (lambda it: {"x y" * 26: it}, f"['{'x y' * 26}']"),
        (lambda it: (0, 0, it), "[2]"),
        (lambda it: {it}, ""),
        (lambda it: types.CellType(it), ""),
        (lambda it: types.SimpleNamespace(x=it), ".x"),
        (lambda it: functools.partial(it), ".func"),
        (lambda it: types.MethodType(it, 3), ".__func__"),
        (lambda it: types.MethodType(print, it), ".__self__"),
    ],
)
def test_each_kind_of_step(parent: Any, expected: str) -> None:
    def it() -> None: ...

    assert paths._edge(parent(it), it) == expected


def test_steps_out_of_a_function_and_to_a_class() -> None:
    def outer() -> Any:
        kept = object()

        def inner(a: Any = 1) -> Any:
            return kept, a

        return inner

    inner = outer()
    assert paths._edge(inner, inner.__closure__) == ".__closure__"
    assert paths._edge(inner, inner.__defaults__) == ".__defaults__"
    assert paths._edge(inner, inner.__globals__) == ".__globals__"
    assert paths._edge(inner, inner.__code__) == ".__code__"
    assert paths._edge(Standing("x", sys._getframe()), str) == ""
    thing = logging.Logger("x")
    assert paths._edge(thing, logging.Logger) == ".__class__"


def test_the_step_into_a_namespace_is_no_step_for_a_reader(shop: Brood) -> None:
    class Box:
        pass

    box: Any = Box()
    box.order = shop.jobs.Order
    boxes = {"x": box}
    module = host(boxes=boxes)
    found = way(shop, module, vars(module), boxes, box, vars(box), shop.jobs.Order)
    assert found.holder == "the_host.boxes.x.order"
    assert len(found.chain) == 4
    another = {"order": shop.jobs.Order}
    assert not paths._is_space(box, another)
    assert not paths._is_space(box, dict(vars(box)))


def test_the_expression_ends_where_the_plugin_begins(shop: Brood) -> None:
    """What follows is inside of the plugin: of no interest to who looks for the holder."""
    order = shop.jobs.Order()
    order.of = shop.jobs.poll
    module = host(order=order)
    found = way(shop, module, vars(module), order, vars(order), shop.jobs.poll)
    assert found.holder == "the_host.order"
    assert found.chain[-1] == ".of function shop.jobs.poll (shop/backend/jobs.py:5)"
    assert found.line == 2, "the first place in the plugin's files on the way"


def test_a_long_chain_is_cut_in_the_middle(shop: Brood) -> None:
    nodes: list[Any] = [[shop.jobs.Order]]
    for _ in range(30):
        nodes.insert(0, [nodes[0]])
    chain = way(shop, host(), *nodes, shop.jobs.Order).chain
    assert len(chain) == 17
    assert chain[0] == "module the_host"
    assert chain[8] == "…"
    assert "class shop.jobs.Order" in chain[-1]
    assert "…" not in way(shop, host(), *nodes[-14:], shop.jobs.Order).chain, "16 are not too many"


# ── kinds ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@functools.lru_cache
def of_the_host(cls: Any) -> Any:
    return cls


@pytest.mark.parametrize(
    ("node", "kind"),
    [
        (lambda: threading.Timer(1, print), "timer"),
        (lambda: threading.Thread(target=print), "thread"),
        (lambda: logging.getLogger("x"), "logging"),
        (lambda: logging.NullHandler(), "logging"),
        (lambda: contextvars.copy_context(), "context variable"),
        (lambda: of_the_host, "cache"),
        (paths.AtExit, "atexit"),
        (lambda: Standing("x", sys._getframe()), "thread"),
        (lambda: asyncio.get_running_loop(), "loop"),
        (lambda: types.ModuleType("the_host"), "attribute"),
        (lambda: signal.default_int_handler, "signal"),
    ],
)
async def test_kinds(shop: Brood, node: Any, kind: str) -> None:
    assert way(shop, node(), shop.jobs.Order).kind == kind


async def test_what_says_most_wins_wherever_it_stands(shop: Brood) -> None:
    handle = asyncio.get_running_loop().call_later(60, print)
    handle.cancel()
    assert way(shop, host(), logging.getLogger("x"), shop.jobs.Order).kind == "logging"
    assert way(shop, handle, threading.Thread(target=print), shop.jobs.Order).kind == "timer"


# ── places ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_task_stands_where_its_coroutine_does(shop: Brood) -> None:
    mine = asyncio.create_task(shop.jobs.watch(), name="watch")
    others = asyncio.create_task(asyncio.sleep(60), name="host")
    await asyncio.sleep(0)
    assert place(shop.owner, mine, {}) == ("shop/backend/jobs.py", 9)
    assert place(shop.owner, mine.get_coro(), {}) == ("shop/backend/jobs.py", 9)
    assert place(shop.owner, others, {}) == ("", 0)
    assert describe(shop.owner, mine) == "task 'watch'"
    assert describe(shop.owner, mine.get_coro()) == "coroutine watch"
    found = way(shop, mine, shop.jobs.Order)
    assert (found.kind, found.holder, found.line) == ("task", "task 'watch'", 9)
    for task in (mine, others):
        task.cancel()
    await asyncio.wait([mine, others])


def test_a_thread_stands_in_the_plugins_code(shop: Brood) -> None:
    began, end = threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        end.wait(10)

    thread = threading.Thread(target=shop.jobs.through, args=(work,), name="poll")
    thread.start()
    try:
        began.wait(10)
        frames = sys._current_frames()
        assert place(shop.owner, thread, frames) == ("shop/backend/jobs.py", 12)
        assert place(shop.owner, thread, {}) == ("", 0)
        assert describe(shop.owner, thread) == "threading.Thread 'poll'"
    finally:
        end.set()
        thread.join()
    assert place(shop.owner, threading.Thread(), sys._current_frames()) == ("", 0), "was not started"


def test_only_what_is_the_plugins_has_a_place(shop: Brood) -> None:
    assert place(shop.owner, shop.jobs.poll, {}) == ("shop/backend/jobs.py", 5)
    assert place(shop.owner, functools.partial(shop.jobs.poll), {}) == ("", 0)
    assert place(shop.owner, print, {}) == ("", 0)
    assert place(shop.owner, test_a_thread_stands_in_the_plugins_code, {}) == ("", 0)


# ── words ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_descriptions(shop: Brood) -> None:
    order = shop.jobs.Order()
    words = {
        "module shop.jobs": shop.jobs,
        "class shop.jobs.Order": shop.jobs.Order,
        "shop.jobs.Order": order,
        "function shop.jobs.poll": shop.jobs.poll,
        "method shop.jobs.Order.pay": order.pay,
        "logging.Logger 'x'": logging.getLogger("x"),
        "dict of 2": {1: 1, 2: 2},
        "frozenset of 1": frozenset({1}),
        "list of 0": [],
        "int": 3,
        "_io.StringIO": __import__("io").StringIO(),
        f"function {__name__}.of_the_host": of_the_host,
    }
    assert {text: describe(shop.owner, thing) for text, thing in words.items()} == {text: text for text in words}


def test_what_runs_at_exit_is_listed_and_stays(shop: Brood) -> None:
    calls: list[int] = []
    atexit.register(calls.append, 1)
    for _ in range(2):
        listed = paths.AtExit()
        assert calls.append in listed.functions
    assert describe(shop.owner, listed) == "what runs at exit"
    atexit.unregister(calls.append)
    assert calls.append not in paths.AtExit().functions


def test_no_code_of_the_thing_runs(shop: Brood) -> None:
    class Rude(dict[str, int]):
        def __len__(self) -> int:
            raise AssertionError

        def __repr__(self) -> str:
            raise AssertionError

        def __getattribute__(self, name: str) -> Any:
            raise AssertionError

    rude = Rude()
    name = f"{__name__}.test_no_code_of_the_thing_runs.<locals>.Rude"
    assert describe(shop.owner, rude) == name
    assert way(shop, host(rude=rude), rude, shop.jobs.Order).chain[1] == f".rude {name}"


def test_public_names(shop: Brood) -> None:
    private = shop.owner.private
    assert public(shop.owner, private + ".jobs.Order") == "shop.jobs.Order"
    assert public(shop.owner, private) == "shop"
    assert public(shop.owner, private + "0.jobs") == private + "0.jobs"


# ── caches that may be emptied ────────────────────────────────────────────────────────────────────────────────────


def test_only_caches_of_libraries_may_be_emptied(shop: Brood, monkeypatch: pytest.MonkeyPatch) -> None:
    def cached(module: str, file: str) -> Any:
        made = types.ModuleType(module)
        made.__file__ = file
        monkeypatch.setitem(sys.modules, module, made)

        def function(cls: Any) -> Any:
            return cls

        function.__module__ = module
        return functools.lru_cache(function)

    libraries = [
        cached("leaky", "/env/lib/site-packages/leaky.py"),
        cached("debian", "/usr/lib/python3/dist-packages/debian.py"),
        cached("json.made", "/usr/lib/x.py"),
    ]
    hosts = [of_the_host, cached("the_host", "/srv/host/site.py"), functools.lru_cache(shop.jobs.poll)]
    nodes = [host(), *libraries, *hosts, shop.jobs.Order]
    found = Way(shop.owner, nodes, {}).caches()
    assert [cache.name.split(".<locals>")[0].rpartition(".")[0] for cache in found] == [
        "the cache of leaky",
        "the cache of debian",
        "the cache of json.made",
    ]
    assert [cache.empty for cache in found] == [library.cache_clear for library in libraries]
    lost = cached("leaky", "/env/lib/site-packages/leaky.py")
    monkeypatch.delitem(sys.modules, "leaky")
    assert Way(shop.owner, [lost], {}).caches() == []


# ── frames ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_standing_frame_knows_its_names_and_keeps_nothing(shop: Brood) -> None:
    def stand(order: Any) -> Standing:
        return Standing("worker", sys._getframe())

    order = [1]
    found = stand(order)
    assert found.locals == {"order": order}
    assert found.name == "worker"
    assert found.line == stand.__code__.co_firstlineno + 1
    assert describe(shop.owner, found).endswith("<locals>.stand")
    assert describe(shop.owner, found).startswith("thread 'worker' in ")
    file, line = place(shop.owner, found, {})
    assert (Path(file).name, line) == ("test_paths.py", found.line)


def test_looking_at_a_frame_does_not_keep_what_it_held() -> None:
    """Before 3.13 `f_locals` makes a dictionary that the frame keeps, with what was in it, until it ends."""
    import gc
    import weakref

    class Order: ...

    def work() -> Any:
        order = Order()
        reference = weakref.ref(order)
        found = Standing("worker", sys._getframe())
        assert found.locals["order"] is order
        del order
        del found
        gc.collect()
        return reference()

    assert work() is None


def test_names_that_somebody_else_has_as_well_are_left(shop: Brood) -> None:
    def work() -> Any:
        order = 3
        mine = locals()
        Standing("worker", sys._getframe())
        return mine.get("order"), order

    assert work() == (3, 3)
    space: dict[str, Any] = {"Standing": Standing, "sys": sys, "order": 3}
    exec("standing = Standing('module', sys._getframe())", space)
    assert space["order"] == 3
