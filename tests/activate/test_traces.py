"""The process's own tables: what a generation left in them is taken back, what is the host's stays as it is."""

from __future__ import annotations

import asyncio
import atexit
import logging
import re
import signal
import sys
import threading
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from activate.broods import Brood, Hatch
from hotbay.activate import loader, traces
from hotbay.activate.traces import Brought, Window, remember_signals, uncertain, undo, undo_signals

LEFT = """
    import logging

    class Handler(logging.Handler):
        closed = 0
        def emit(self, record): ...
        def close(self):
            type(self).closed += 1
            super().close()

    class Format(logging.Formatter): ...

    class Drop(logging.Filter): ...

    class Old(Warning): ...

    class Finder:
        def find_spec(self, *args): ...

    def hook(path):
        raise ImportError

    def save(*args): ...
"""
LOG = logging.getLogger("test_traces.host")


@pytest.fixture
def shop(brood: Hatch) -> Brood:
    return brood(left=LEFT)


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Each test must leave the tables as they were, so no other test suffers from a red one here."""
    paths, meta, hooks, filters = list(sys.path), list(sys.meta_path), list(sys.path_hooks), list(warnings.filters)
    handlers, rooted = list(LOG.handlers), list(logging.root.handlers)
    yield
    sys.path[:], sys.path_hooks[:], warnings.filters[:] = paths, hooks, filters  # type: ignore[index]
    sys.meta_path[:] = [*meta, *(item for item in sys.meta_path if item is loader._finder and item not in meta)]
    LOG.handlers[:], logging.root.handlers[:] = handlers, rooted
    LOG.filters.clear()


NOTHING = Brought()


# ── logging ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_its_handlers_go_and_are_closed(shop: Brood) -> None:
    hosts = logging.NullHandler()
    for logger in (LOG, logging.root):
        logger.addHandler(shop.left.Handler())
        logger.addHandler(hosts)
    assert undo(shop.owner, NOTHING) == [
        "the Handler of the logger 'root'",
        "the Handler of the logger 'test_traces.host'",
    ]
    assert LOG.handlers == [hosts]
    assert hosts in logging.root.handlers
    assert shop.left.Handler.closed == 2


def test_a_handler_with_its_formatter_is_its_own(shop: Brood) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(shop.left.Format())
    LOG.addHandler(handler)
    assert undo(shop.owner, NOTHING) == ["the StreamHandler of the logger 'test_traces.host'"]
    assert LOG.handlers == []


def test_its_filters_leave_the_hosts_loggers_and_handlers(shop: Brood) -> None:
    hosts, handler = logging.Filter("host"), logging.NullHandler()
    LOG.addHandler(handler)
    for place in (LOG, handler):
        place.addFilter(hosts)
        place.addFilter(shop.left.Drop())
    assert undo(shop.owner, NOTHING) == [
        f"the filter Drop of {handler!r}",
        f"the filter Drop of {LOG!r}",
    ]
    assert LOG.filters == handler.filters == [hosts]


def test_its_loggers_are_forgotten_and_others_stay(shop: Brood) -> None:
    known = logging.root.manager.loggerDict
    for name in (shop.owner.private, f"{shop.owner.private}.left", f"{shop.owner.private}0"):
        logging.getLogger(name)
    undo(shop.owner, NOTHING)
    assert [name for name in known if name.startswith(shop.owner.private)] == [f"{shop.owner.private}0"]
    del known[f"{shop.owner.private}0"]
    assert known["test_traces.host"] is LOG


# ── warnings, imports, atexit ─────────────────────────────────────────────────────────────────────────────────────


def test_a_warnings_filter_for_its_category_goes(shop: Brood) -> None:
    before = list(warnings.filters)
    warnings.simplefilter("ignore", shop.left.Old)
    assert undo(shop.owner, NOTHING) == ["the warnings filter ignore Old"]
    assert warnings.filters == before


def test_filters_in_words() -> None:
    text = traces._filter_text
    assert text(("error", None, UserWarning, None, 0)) == "error UserWarning"
    filled = ("ignore", re.compile("old thing"), FutureWarning, re.compile("shop"), 3)
    assert text(filled) == "ignore FutureWarning old thing shop"


def test_modules_look_again_once_filters_have_changed(shop: Brood) -> None:
    """Python remembers per module which warnings it has shown, for one version of the filters."""
    registry: dict[Any, Any] = {}

    def warn() -> None:
        warnings.warn_explicit("old", UserWarning, "x.py", 1, registry=registry)

    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")
        warn()
        warnings.simplefilter("ignore", shop.left.Old)
        warn()
        warn()
        undo(shop.owner, NOTHING)
        warn()
        assert len(shown) == 3


def test_its_folders_leave_the_path(shop: Brood, tmp_path: Path) -> None:
    shop.close()
    mine, others = f"{shop.folder}/backend", str(tmp_path)
    sys.path += [mine, others]
    sys.path_importer_cache |= {mine: None, f"{mine}/deeper": None, others: None}
    assert undo(shop.owner, NOTHING) == [f"{mine!r} in sys.path"]
    assert sys.path[-1] == others
    assert mine not in sys.path_importer_cache
    assert f"{mine}/deeper" not in sys.path_importer_cache
    assert sys.path_importer_cache.pop(others, 1) is None


def test_a_folder_that_another_generation_uses_stays(shop: Brood) -> None:
    """Two generations of one image: which of them added it is not known."""
    sys.path.append(f"{shop.folder}/backend")
    assert undo(shop.owner, NOTHING) == []
    assert sys.path[-1] == f"{shop.folder}/backend"


def test_its_finders_go(shop: Brood) -> None:
    meta, hooks = list(sys.meta_path), list(sys.path_hooks)
    sys.meta_path.append(shop.left.Finder())
    sys.path_hooks.append(shop.left.hook)
    assert undo(shop.owner, NOTHING) == ["Finder in sys.meta_path", "hook in sys.path_hooks"]
    assert (sys.meta_path, sys.path_hooks) == (meta, hooks)


def test_its_modules_under_other_names_go(shop: Brood, monkeypatch: pytest.MonkeyPatch) -> None:
    made, filed = types.ModuleType("shop_made"), types.ModuleType("shop_filed")
    made.save = shop.left.save  # type: ignore[attr-defined]
    filed.__file__ = f"{shop.folder}/backend/left.py"
    hosts = types.ModuleType("shop_hosts")
    hosts.__file__ = "/elsewhere/hosts.py"
    hosts.save = shop.left.save  # type: ignore[attr-defined]
    names = {"shop_alias": shop.left, "shop_made": made, "shop_filed": filed, "shop_hosts": hosts, "shop_none": None}
    for name, module in names.items():
        monkeypatch.setitem(sys.modules, name, module)
    found = undo(shop.owner, NOTHING)
    assert found == [f"{name!r} in sys.modules" for name in ("shop_alias", "shop_made", "shop_filed")]
    assert sys.modules["shop_hosts"] is hosts, "a module of the host's that has one of its functions is the host's"
    assert "shop_none" in sys.modules
    assert shop.owner.private in sys.modules, "the loader takes these away"


def test_its_functions_do_not_run_at_exit(shop: Brood) -> None:
    calls: list[int] = []
    atexit.register(shop.left.save)
    atexit.register(shop.left.save, 3)
    atexit.register(calls.append, 1)
    assert undo(shop.owner, NOTHING) == ["save at exit", "save at exit"]
    assert undo(shop.owner, NOTHING) == []
    atexit.unregister(calls.append)


# ── what only the time tells ──────────────────────────────────────────────────────────────────────────────────────


class Plain:
    """A finder of a library's: it carries no mark of the plugin."""

    def find_spec(self, *args: Any) -> None: ...


def test_what_appeared_in_the_window_is_taken_back(shop: Brood) -> None:
    before = (list(sys.path), list(sys.meta_path), list(sys.path_hooks), list(warnings.filters), list(LOG.handlers))
    finder, hook = Plain(), lambda path: None
    window = Window()
    sys.path.append("/somewhere")
    sys.meta_path.append(finder)
    sys.path_hooks.append(hook)
    warnings.filterwarnings("ignore", message="old")
    LOG.addHandler(logging.StreamHandler())
    brought = window.close()
    assert brought.certain
    sys.path.append("/later")
    assert uncertain(brought) == []
    assert set(undo(shop.owner, brought)) == {
        "'/somewhere' in sys.path",
        "Plain in sys.meta_path",
        "the StreamHandler of the logger 'test_traces.host'",
        "the warnings filter ignore Warning old",
        f"{hook.__qualname__} in sys.path_hooks",
    }
    sys.path.remove("/later")
    assert before == (
        list(sys.path),
        list(sys.meta_path),
        list(sys.path_hooks),
        list(warnings.filters),
        list(LOG.handlers),
    )


def fill() -> Any:
    sys.path.append("/somewhere")
    sys.meta_path.append(Plain())  # type: ignore[arg-type]
    warnings.filterwarnings("ignore", message="old")
    logging.getLogger("nowhere.at.all").addHandler(logging.StreamHandler())
    LOG.addHandler(logging.StreamHandler())


SAID = [
    "the warnings filter ignore Warning old",
    "'/somewhere' in sys.path",
    "in sys.meta_path",
    "the StreamHandler of the logger 'nowhere.at.all'",
]


@pytest.mark.parametrize("why", ["a library was imported", "another generation was loaded", "the other came first"])
def test_what_may_be_somebody_elses_is_left_and_said(shop: Brood, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "test_traces", sys.modules[__name__])  # the logger's name is a module's
    first = Window() if why == "the other came first" else None
    window = Window()
    second = Window() if why == "another generation was loaded" else None
    fill()
    if why == "a library was imported":
        monkeypatch.setitem(sys.modules, "leaky_library.deep", types.ModuleType("leaky_library.deep"))
    brought = window.close()
    for other in (first, second):
        assert other is None or other.close().certain is False
    assert not brought.certain
    assert undo(shop.owner, brought) == []
    said = uncertain(brought)
    assert len(said) == len(SAID)
    assert all(expected in text for expected, text in zip(SAID, said, strict=True))
    logging.getLogger("nowhere.at.all").handlers.clear()
    del sys.path[-1], sys.meta_path[-1], warnings.filters[0]  # type: ignore[attr-defined]
    assert uncertain(brought) == [], "what is gone is not said"


def test_a_window_that_was_closed_disturbs_nobody() -> None:
    first = Window()
    first.close()
    second = Window()
    assert second.close().certain
    assert first.alone


@pytest.mark.parametrize("name", ["_hotbay_shop_9.jobs", "wave", "xml.sax.made_up"])
def test_own_modules_and_the_standard_library_leave_it_certain(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, name, raising=False)
    window = Window()
    monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    assert window.close().certain


def test_hotbays_own_things_and_silent_handlers_are_not_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Plain, "__module__", "hotbay.activate.x")
    own = type("OwnHandler", (logging.StreamHandler,), {"__module__": "hotbay.logs"})
    old = logging.StreamHandler()
    LOG.addHandler(old)
    window = Window()
    sys.meta_path.append(Plain())  # type: ignore[arg-type]
    for handler in (own(), logging.NullHandler()):
        LOG.addHandler(handler)
    brought = window.close()
    assert brought.finders == []
    assert brought.handlers == []


def test_filters_inside_of_catch_warnings_are_passed_over() -> None:
    """Another thread's `catch_warnings` puts another list in place: it will put the old one back itself."""
    window = Window()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="for a moment")
        brought = window.close()
    assert brought.filters == []
    assert brought.table == []


def test_its_filter_leaves_the_old_table_too(shop: Brood) -> None:
    window = Window()
    warnings.filterwarnings("ignore", message="old")
    brought = window.close()
    with warnings.catch_warnings():
        assert undo(shop.owner, brought) == ["the warnings filter ignore Warning old"]
    assert "old" not in str(warnings.filters[0])


def test_nothing_is_kept_once_forgotten() -> None:
    window = Window()
    fill()
    brought = window.close()
    assert brought.filters
    brought.forget()
    assert brought == Brought(certain=brought.certain)
    assert warnings.filters, "forgetting empties no table of the process's"
    logging.getLogger("nowhere.at.all").handlers.clear()


# ── signals ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def usr1() -> Iterator[Any]:
    before = signal.getsignal(signal.SIGUSR1)

    def hosts(number: int, frame: Any) -> None: ...

    signal.signal(signal.SIGUSR1, hosts)
    remember_signals()
    yield hosts
    signal.signal(signal.SIGUSR1, before)
    remember_signals()


def test_a_signal_goes_back_to_the_host_even_from_the_second_generation(usr1: Any, brood: Hatch) -> None:
    first, second = brood(left=LEFT), brood(left=LEFT)
    signal.signal(signal.SIGUSR1, first.left.save)
    remember_signals()
    signal.signal(signal.SIGUSR1, second.left.save)
    assert undo_signals(first.owner, None) == []
    assert signal.getsignal(signal.SIGUSR1) is second.left.save
    assert undo_signals(second.owner, None) == ["the handler of SIGUSR1"]
    assert signal.getsignal(signal.SIGUSR1) is usr1


async def test_a_handler_on_the_loop_is_removed(usr1: Any, shop: Brood) -> None:
    loop: Any = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, shop.left.save)
    assert undo_signals(shop.owner, loop) == ["the handler of SIGUSR1"]
    assert signal.getsignal(signal.SIGUSR1) is usr1
    assert signal.SIGUSR1 not in loop._signal_handlers


async def test_the_hosts_handler_on_the_loop_stays(usr1: Any, shop: Brood) -> None:
    loop: Any = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, print)
    assert undo_signals(shop.owner, loop) == []
    assert loop.remove_signal_handler(signal.SIGUSR1)


def test_outside_of_the_main_thread_nothing_is_done(usr1: Any, shop: Brood) -> None:
    signal.signal(signal.SIGUSR1, shop.left.save)
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(undo_signals(shop.owner, None)))
    thread.start()
    thread.join()
    assert found == [[]]
    assert signal.getsignal(signal.SIGUSR1) is shop.left.save
