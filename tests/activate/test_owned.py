"""Whose is it: what counts as a generation's, through wrappers too, and where it is written."""

from __future__ import annotations

import asyncio
import functools
import logging
import sys
import threading
import weakref
from types import MethodType, ModuleType
from typing import Any

import pytest

from activate.broods import Brood, Hatch
from hotbay.activate.owned import Owner, closed_over

JOBS = """
    import threading

    class Order:
        total = 3
        def close(self): ...
        class Line:
            pass

    def poll(): ...

    def made():
        class Hidden:
            pass
        return Hidden

    if True:
        class Conditional:
            pass

    def wait(began, end):
        began.set()
        end.wait(10)

    def through(work):
        work()

    async def watch():
        import asyncio
        await asyncio.sleep(60)

    def turns():
        yield 1
"""


def a_decorator(function: Any) -> Any:
    @functools.wraps(function)
    def around(*args: Any) -> Any:
        return function(*args)

    return around


def by_hand(function: Any) -> Any:
    """A closure, two levels deep, that does not say what it wraps."""
    return lambda: (lambda: function())()


@pytest.fixture
def shop(brood: Hatch) -> Brood:
    return brood(jobs=JOBS)


def test_its_modules_classes_functions_and_instances_are_its_own(shop: Brood) -> None:
    jobs = shop.jobs
    for thing in (jobs, jobs.Order, jobs.poll, jobs.Order(), jobs.Order().close, jobs.made()):
        assert shop.owner.owns(thing), thing


@pytest.mark.parametrize("wrap", [
    functools.partial,
    lambda function: functools.partial(print, function),
    lambda function: functools.partial(print, key=function),
    functools.partialmethod,
    staticmethod,
    classmethod,
    property,
    lambda function: property(None, function),
    lambda function: property(None, None, function),
    lambda function: MethodType(print, function),
    lambda function: MethodType(function, 3),
    a_decorator,
    by_hand,
    lambda function: functools.partial(a_decorator(function)),
])  # fmt: skip
def test_what_is_wrapped_around_its_function_is_its_own(shop: Brood, wrap: Any) -> None:
    assert shop.owner.owns(wrap(shop.jobs.poll))
    assert not shop.owner.owns(wrap(closed_over)), "the same around a function of the host's is the host's"


def test_the_look_into_wrappers_has_an_end(shop: Brood) -> None:
    four = property(functools.partial(functools.partial, MethodType(functools.partial(shop.jobs.poll), 3)))
    assert not shop.owner.owns(four)
    assert shop.owner.owns(four, deep=4)
    assert not shop.owner.owns(functools.partial(shop.jobs.poll), deep=0)


@pytest.mark.parametrize(
    "thing", ["", b"", 1, 1.5, True, None, [], {}, object(), logging, logging.Logger, print, asyncio]
)
def test_the_hosts_and_pythons_things_are_not_its_own(shop: Brood, thing: Any) -> None:
    assert not shop.owner.owns(thing)


def test_a_closure_that_only_keeps_an_instance_is_the_hosts(shop: Brood) -> None:
    """The host's callback that knows an order is the host's: to take it away would break the host."""
    order = shop.jobs.Order()
    assert not shop.owner.owns(lambda: order)


def test_a_proxy_is_not_asked_what_it_is(shop: Brood) -> None:
    class Proxy:
        @property
        def __class__(self) -> Any:
            raise AssertionError("its code ran")

    assert not shop.owner.owns(Proxy())


def test_another_generation_of_the_same_plugin_is_somebody_else(brood: Hatch) -> None:
    first, second = brood(jobs=JOBS), brood(jobs=JOBS)
    for name in ("Order", "poll"):
        assert first.owner.owns(getattr(first.jobs, name))
        assert not first.owner.owns(getattr(second.jobs, name))
    assert not first.owner.owns(second.jobs)
    assert not first.owner.file(str(second.folder / "backend" / "jobs.py"))


def test_names_and_files(shop: Brood) -> None:
    owner = shop.owner
    assert owner.named(owner.private)
    assert owner.named(owner.private + ".jobs")
    assert not owner.named(owner.private + "0.jobs"), "generation 1 is not generation 10"
    assert not owner.named("shop.jobs")
    assert not owner.named(None)
    assert owner.file(str(shop.folder))
    assert owner.file(f"{shop.folder}/backend/jobs.py")
    assert not owner.file(f"{shop.folder}0/backend/jobs.py")
    assert not owner.file(None)
    assert owner.space(vars(shop.jobs))
    assert not owner.space({**vars(shop.jobs)})


def test_the_owner_keeps_no_module_alive(shop: Brood) -> None:
    module = ModuleType(shop.owner.private + ".other")
    owner = Owner("shop", shop.owner.private, shop.folder, {module.__name__: module})
    assert owner.owns(module)
    gone = weakref.ref(module)
    del module
    assert gone() is None


def test_the_innermost_is_the_plugins_function_in_a_librarys(shop: Brood) -> None:
    assert shop.owner.innermost(a_decorator(shop.jobs.poll)) is shop.jobs.poll
    assert shop.owner.innermost(shop.jobs.poll) is shop.jobs.poll
    assert shop.owner.innermost(closed_over) is closed_over
    hidden = shop.jobs.made()
    assert shop.owner.innermost(hidden) is hidden


def test_an_empty_cell_is_passed_over() -> None:
    def outer() -> Any:
        def inner() -> Any:
            return later, "now"

        found = list(closed_over(inner))
        later = 3
        return found, list(closed_over(inner)), later

    assert outer() == ([], [3], 3)
    assert list(closed_over(print)) == []


# ── what is at work ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_threads_innermost_frame_of_its_code(shop: Brood) -> None:
    began, end = threading.Event(), threading.Event()
    thread = threading.Thread(target=shop.jobs.through, args=(lambda: shop.jobs.wait(began, end),))
    thread.start()
    try:
        began.wait(10)
        top = sys._current_frames()[thread.ident or 0]
        found = shop.owner.thread(thread, top)
        assert found is not None
        assert found.f_code.co_name == "wait"
        assert not shop.owner.runs(top), "it stands in threading's code"
        assert shop.owner.runs(found)
        assert shop.owner.thread(thread, sys._getframe()) is None
        assert not shop.owner.runs(None)
    finally:
        end.set()
        thread.join()


async def test_a_task_is_its_own_when_its_own_coroutine_is(shop: Brood) -> None:
    async def hosts() -> None:
        await shop.jobs.watch()

    mine, others = asyncio.create_task(shop.jobs.watch()), asyncio.create_task(hosts())
    await asyncio.sleep(0)
    assert shop.owner.task(mine)
    assert not shop.owner.task(others), "the host awaits it: the task is the host's"
    mine.cancel()
    others.cancel()
    await asyncio.wait([mine, others])
    assert not shop.owner.task(mine), "it has ended"


# ── where things are written ──────────────────────────────────────────────────────────────────────────────────────


def line(text: str) -> int:
    return next(number for number, found in enumerate(JOBS.splitlines(), 1) if found.strip().startswith(text))


def test_places(shop: Brood) -> None:
    jobs, place, file = shop.jobs, shop.owner.place, "shop/backend/jobs.py"
    order = jobs.Order()
    assert place(jobs) == (file, 1)
    assert place(jobs.poll) == (file, line("def poll"))
    assert place(order.close) == place(staticmethod(jobs.Order.close)) == (file, line("def close"))
    assert place(jobs.Order) == place(order) == (file, line("class Order"))
    assert place(jobs.Order.Line) == (file, line("class Line"))
    assert place(jobs.made()) == (file, line("class Hidden"))
    assert place(jobs.Conditional) == (file, line("class Conditional"))


def test_places_of_others_and_of_what_has_no_source(shop: Brood) -> None:
    made = type("Made", (), {"__module__": shop.owner.private + ".jobs"})
    lost = type("Lost", (), {"__module__": shop.owner.private + ".nowhere"})
    assert shop.owner.place(made) == ("shop/backend/jobs.py", 0)
    assert shop.owner.place(lost) == ("", 0)
    assert shop.owner.place(logging.Logger) == ("", 0)
    assert shop.owner.place(3) == ("", 0)
    assert shop.owner.place(closed_over)[0].endswith("hotbay/activate/owned.py")
    assert shop.owner.place(ModuleType("nothing")) == ("", 1)
    (shop.folder / "backend" / "jobs.py").write_text("class (")
    assert shop.owner.place(shop.jobs.Order) == ("shop/backend/jobs.py", 0)


def test_a_class_of_the_package_itself(shop: Brood) -> None:
    (shop.folder / "backend" / "__init__.py").write_text("\nclass Root: ...\n")
    root = type("Root", (), {"__module__": shop.owner.private})
    assert shop.owner.place(root) == ("shop/backend/__init__.py", 2)


def test_files_are_shown_from_the_plugin_on(shop: Brood) -> None:
    assert shop.owner.show(f"{shop.folder}/backend/jobs.py") == "shop/backend/jobs.py"
    assert shop.owner.show("/usr/lib/x.py") == "/usr/lib/x.py"
