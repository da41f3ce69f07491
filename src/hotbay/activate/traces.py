"""What a plugin leaves in the process's own tables, and how it is taken back when its generation is unloaded.

Two ways to know whose an entry is. What is made of the generation's code shows it (`Owner`). What does not (a plain
`StreamHandler`, a warnings filter, a folder in `sys.path`) is known by the time: it appeared between the generation's
load and the end of its start, while no other generation was in that time of its life and no library was imported that
may have added it itself. What is not certain is left, and said.
"""

from __future__ import annotations

import atexit
import logging
import signal
import sys
import threading
import warnings
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from hotbay.activate.loader import PREFIX, in_use
from hotbay.activate.owned import Owner

_lock = threading.Lock()
_open: weakref.WeakSet[Window] = weakref.WeakSet()
# What signals did before any plugin: a handler of the older generation must not be what a newer one puts back.
_host_signals: dict[int, Any] = {}


@dataclass
class Brought:
    """Entries that carry no mark of their generation, known by the time at which they appeared."""

    filters: list[Any] = field(default_factory=list)
    table: list[Any] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    finders: list[Any] = field(default_factory=list)
    handlers: list[tuple[logging.Logger, logging.Handler]] = field(default_factory=list)
    certain: bool = True

    def forget(self) -> None:
        """Let go of the entries: they may be the generation's."""
        self.table = []
        for entries in (self.filters, self.paths, self.finders, self.handlers):
            entries.clear()


class Window:
    """The time from a generation's load to the end of its start."""

    def __init__(self) -> None:
        self.alone = True
        self._table = warnings.filters
        self._filters = list(warnings.filters)
        self._paths = list(sys.path)
        self._finders = [*sys.meta_path, *sys.path_hooks]
        self._handlers = {(id(logger), id(handler)) for logger, handler in _handlers()}
        self._modules = set(sys.modules)
        with _lock:
            for other in _open:
                other.alone = self.alone = False
            _open.add(self)
        remember_signals()

    def close(self) -> Brought:
        """What appeared in the meantime."""
        with _lock:
            _open.discard(self)
        # Another list: some thread is inside of `catch_warnings`, and what it changes is not for good.
        same = warnings.filters is self._table
        return Brought(
            [item for item in warnings.filters if item not in self._filters] if same else [],
            cast("list[Any]", self._table) if same else [],
            [item for item in sys.path if item not in self._paths],
            [item for item in (*sys.meta_path, *sys.path_hooks) if not _among(item, self._finders) and not _ours(item)],
            [(logger, item) for logger, item in _handlers() if self._is_new(logger, item)],
            self.alone and not self._libraries(),
        )

    def _is_new(self, logger: logging.Logger, handler: logging.Handler) -> bool:
        known = (id(logger), id(handler)) in self._handlers
        return not known and not _ours(handler) and not isinstance(handler, logging.NullHandler)

    def _libraries(self) -> bool:
        fresh = {name.partition(".")[0] for name in set(sys.modules.copy()) - self._modules}
        return any(not name.startswith(PREFIX) and name not in sys.stdlib_module_names for name in fresh)


def _among(thing: object, things: Iterable[object]) -> bool:
    return any(thing is other for other in things)


def _ours(thing: object) -> bool:
    return type(thing).__module__.partition(".")[0] == "hotbay"


def _loggers() -> Iterator[logging.Logger]:
    yield logging.root
    yield from (item for item in list(logging.root.manager.loggerDict.values()) if isinstance(item, logging.Logger))


def _handlers() -> list[tuple[logging.Logger, logging.Handler]]:
    return [(logger, handler) for logger in _loggers() for handler in logger.handlers]


# ── undoing: each answers what it took back, in words ─────────────────────────────────────────────────────────────


def undo(owner: Owner, brought: Brought) -> list[str]:
    """Take back what the generation left in the tables of logging, warnings, imports and atexit. In any thread."""
    return [
        text
        for work in (_undo_logging, _undo_warnings, _undo_paths, _undo_finders, _undo_modules, _undo_atexit)
        for text in work(owner, brought)
    ]


def uncertain(brought: Brought) -> list[str]:
    """What may be the generation's, and was left because it may be somebody else's as well."""
    if brought.certain:
        return []
    found = [f"the warnings filter {_filter_text(item)}" for item in brought.filters if item in warnings.filters]
    found += [f"{item!r} in sys.path" for item in brought.paths if item in sys.path]
    found += [f"{item!r} in sys.meta_path" for item in brought.finders if _among(item, sys.meta_path)]
    found += [
        f"{_handler_text(logger, item)}"
        for logger, item in brought.handlers
        if item in logger.handlers and logger.name.partition(".")[0] not in sys.modules
    ]
    return found


def _undo_logging(owner: Owner, brought: Brought) -> Iterator[str]:
    fresh = [item for _, item in brought.handlers] if brought.certain else []
    for logger in list(_loggers()):
        for handler in list(logger.handlers):
            if owner.owns(handler) or owner.owns(handler.formatter) or _among(handler, fresh):
                logger.removeHandler(handler)
                handler.close()
                yield _handler_text(logger, handler)
            else:
                yield from _undo_filters(owner, handler)
        yield from _undo_filters(owner, logger)
    _forget_loggers(owner)


def _undo_filters(owner: Owner, place: logging.Filterer) -> Iterator[str]:
    for item in list(place.filters):
        if owner.owns(item):
            place.removeFilter(item)
            yield f"the filter {_name(item)} of {place!r}"


def _forget_loggers(owner: Owner) -> None:
    """Loggers named after modules of the generation: no name of it comes again, so each swap would leave some."""
    known = logging.root.manager.loggerDict
    lock: Any = vars(logging)["_lock"]  # It has no public name.
    with lock:
        for name in [name for name in known if owner.named(name)]:
            del known[name]


def _handler_text(logger: logging.Logger, handler: logging.Handler) -> str:
    return f"the {type(handler).__name__} of the logger {logger.name!r}"


def _undo_warnings(owner: Owner, brought: Brought) -> Iterator[str]:
    current = cast("list[Any]", warnings.filters)
    for table in (current, brought.table) if current is not brought.table else (current,):
        for item in list(table):
            if owner.owns(item[2]) or (brought.certain and table is brought.table and item in brought.filters):
                table.remove(item)
                _filters_changed()
                yield f"the warnings filter {_filter_text(item)}"


def _filters_changed() -> None:
    """Modules remember which warnings they have shown; that is valid for one version of the filters."""
    changed = getattr(warnings, "_filters_mutated", None) or getattr(warnings, "_filters_mutated_lock_held", None)
    if callable(changed):
        changed()


def _filter_text(item: Any) -> str:
    action, message, category, module, _ = item
    parts = [str(getattr(part, "pattern", part)) for part in (message, module) if part is not None]
    return " ".join([action, category.__name__, *parts])


def _undo_paths(owner: Owner, brought: Brought) -> Iterator[str]:
    shared = in_use(owner.folder)  # By another generation of the same image, which may have added it as well.
    for item in list(sys.path):
        if (owner.file(item) and not shared) or (brought.certain and item in brought.paths):
            sys.path.remove(item)
            sys.path_importer_cache.pop(item, None)
            yield f"{item!r} in sys.path"
    for item in [item for item in list(sys.path_importer_cache) if owner.file(item)]:
        sys.path_importer_cache.pop(item, None)


def _undo_finders(owner: Owner, brought: Brought) -> Iterator[str]:
    for name in ("meta_path", "path_hooks"):
        table = getattr(sys, name)
        for item in list(table):
            if owner.owns(item) or (brought.certain and _among(item, brought.finders)):
                table.remove(item)
                yield f"{_name(item)} in sys.{name}"


def _undo_modules(owner: Owner, brought: Brought) -> Iterator[str]:
    """Entries under other names than the loader's: aliases of its modules, and modules that were made of its code."""
    for name, module in sys.modules.copy().items():
        if name.startswith(PREFIX) or module is None:
            continue  # The loader takes those away; another generation's files may be the same.
        if owner.owns(module) or owner.file(getattr(module, "__file__", None)) or _made_of(owner, module):
            del sys.modules[name]
            yield f"{name!r} in sys.modules"


def _made_of(owner: Owner, module: Any) -> bool:
    """True for a module without a file that holds things of the generation."""
    space = getattr(module, "__dict__", {})
    return space.get("__spec__") is None and "__file__" not in space and any(map(owner.owns, space.copy().values()))


class _Probe:
    """Equal to the callables of one owner: how to look into `atexit`, which shows nobody its list."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.found: list[str] = []

    def __eq__(self, other: object) -> bool:
        if not self.owner.owns(other):
            return False
        self.found.append(f"{_name(other)} at exit")
        return True

    __hash__ = None  # type: ignore[assignment]


def _undo_atexit(owner: Owner, brought: Brought) -> list[str]:
    probe = _Probe(owner)
    atexit.unregister(cast(Any, probe))  # It only compares.
    return probe.found


def _name(thing: Any) -> str:
    for item in (thing, getattr(thing, "func", None), type(thing)):
        found = getattr(item, "__qualname__", None)
        if isinstance(found, str):
            return found
    return type(thing).__name__


# ── signals: in the main thread only ──────────────────────────────────────────────────────────────────────────────


def remember_signals() -> None:
    """Note what the host does with each signal."""
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        module = getattr(handler, "__module__", None) or type(handler).__module__
        if handler is not None and not str(module).startswith(PREFIX):
            _host_signals[number] = handler


def undo_signals(owner: Owner, loop: Any) -> list[str]:
    """Give signals back to the host. Only the main thread may; elsewhere nothing is done and the proof names them."""
    if threading.current_thread() is not threading.main_thread():
        return []
    found = []
    handlers: dict[int, Any] = getattr(loop, "_signal_handlers", None) or {}  # asyncio's own loop; others hide them
    for number in signal.valid_signals():
        handle = handlers.get(number)
        mine = handle is not None and owner.owns(getattr(handle, "_callback", None))
        if mine:
            loop.remove_signal_handler(number)
        if mine or owner.owns(signal.getsignal(number)):
            signal.signal(number, _host_signals.get(number, signal.SIG_DFL))
            found.append(f"the handler of {signal.Signals(number).name}")
    return found
