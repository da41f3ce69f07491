"""A way through the heap, in words.

`threading.Thread 'poll' (shop/backend/jobs.py:12) → ._target function shop.jobs.poll`.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import inspect
import logging
import sys
import threading
from collections.abc import Iterator, Mapping
from types import CellType, CoroutineType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any, cast

from hotbay.activate import Holder
from hotbay.activate.caches import LRU_CACHE, Cache, emptiable
from hotbay.activate.owned import Owner

_LONGEST = 16
_WORDS = 80
# To a frame's dictionary of names that only the frame has: the frame's, a name here, sys.getrefcount's argument.
_OWN_REFERENCES = 3
_KINDS: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("timer", (threading.Timer, asyncio.TimerHandle)),
    ("thread", (threading.Thread,)),
    ("task", (asyncio.Task,)),
    ("logging", (logging.Logger, logging.Handler)),
    ("context variable", (contextvars.Context,)),
    ("cache", (LRU_CACHE,)),
)


class Standing:
    """A function that a thread executes, and what its names stand for just now."""

    def __init__(self, thread: str, frame: FrameType) -> None:
        self.name = thread
        self.code = frame.f_code
        self.line = frame.f_lineno
        found = frame.f_locals
        self.locals = found.copy()
        # Before 3.13, looking makes a dictionary that the frame keeps until it ends: it must not keep what is in it.
        # One that somebody else has as well came of `locals()`, or is a module's.
        own = frame.f_code.co_flags & inspect.CO_OPTIMIZED and sys.getrefcount(found) <= _OWN_REFERENCES
        if sys.version_info < (3, 13) and own:
            found.clear()


class AtExit:
    """What the process will call at its end. `atexit` shows nobody its list, but compares each with what to forget."""

    def __init__(self) -> None:
        self.functions: list[Any] = []
        atexit.unregister(cast(Any, self))

    def __eq__(self, other: object) -> bool:
        self.functions.append(other)
        return False

    __hash__ = None  # type: ignore[assignment]


class Way:
    """What leads from a root of the process to an object of the generation."""

    def __init__(self, owner: Owner, nodes: list[Any], frames: Mapping[int, FrameType]) -> None:
        self.owner = owner
        self.nodes = nodes
        self.frames = frames

    def holder(self, name: str) -> Holder:
        """The holder of what the way leads to."""
        chain = list(self._chain())
        if len(chain) > _LONGEST:
            chain[_LONGEST // 2 : -_LONGEST // 2] = ["…"]
        file, line = self._place()
        return Holder(public(self.owner, name), self._kind(), self._expression(), file, line, tuple(chain))

    def caches(self) -> list[Cache]:
        """Those on the way that may be emptied."""
        return [cache for node in self.nodes if (cache := emptiable(node)) is not None]

    def _kind(self) -> str:
        for node in self.nodes:
            for kind, types in _KINDS:
                if issubclass(type(node), types):
                    return kind
        if type(self.nodes[0]) is AtExit:
            return "atexit"
        if type(self.nodes[0]) is Standing:
            return "thread"
        if isinstance(self.nodes[0], asyncio.AbstractEventLoop):
            return "loop"
        return "attribute" if isinstance(self.nodes[0], ModuleType) else "signal"

    def _place(self) -> tuple[str, int]:
        """Where the holder stands, or the first place in the plugin's own files on the way."""
        for node in self.nodes:
            file, line = place(self.owner, node, self.frames)
            if file:
                return file, line
        return "", 0

    def _expression(self) -> str:
        """`host_lib._registry['x']`: how one comes from the root to the plugin's first object."""
        text = describe(self.owner, self.nodes[0])
        if isinstance(self.nodes[0], ModuleType):
            text = self.nodes[0].__name__
        for parent, child in zip(self.nodes, self.nodes[1:], strict=False):
            if self.owner.owns(parent):
                break
            if not _is_space(parent, child):
                text += _edge(parent, child)
        return text

    def _chain(self) -> Iterator[str]:
        edge = ""
        for number, node in enumerate(self.nodes):
            following = self.nodes[number + 1] if number + 1 < len(self.nodes) else None
            before = self.nodes[number - 1] if number else None
            if before is None or not _is_space(before, node):
                file, line = place(self.owner, node, self.frames)
                where = f" ({file}:{line})" if file else ""
                yield f"{edge} {describe(self.owner, node)}{where}".strip()
            edge = "" if following is None else _edge(node, following)


def place(owner: Owner, node: Any, frames: Mapping[int, FrameType]) -> tuple[str, int]:
    """Where a thread or task stands in the plugin's code, or where an object of the plugin's is written."""
    kind = type(node)
    if kind is Standing:
        return owner.show(node.code.co_filename), node.line
    if issubclass(kind, threading.Thread):
        frame = owner.thread(node, frames.get(node.ident or 0))
        return (owner.show(frame.f_code.co_filename), frame.f_lineno) if frame is not None else ("", 0)
    if issubclass(kind, asyncio.Task):
        node = node.get_coro()
        kind = type(node)
    if kind is CoroutineType:
        frame = node.cr_frame
        return (owner.show(frame.f_code.co_filename), frame.f_lineno) if owner.runs(frame) else ("", 0)
    return owner.place(node) if owner.owns(node, 1) else ("", 0)


def describe(owner: Owner, node: Any) -> str:
    """An object in a few words; runs no code of it."""
    kind = type(node)
    if kind is Standing:
        return f"thread {node.name!r} in {node.code.co_qualname}"
    if kind is AtExit:
        return "what runs at exit"
    if issubclass(kind, (threading.Thread, logging.Logger)):
        return f"{_type_name(owner, kind)} {node.name!r}"
    if issubclass(kind, asyncio.Task):
        return f"task {node.get_name()!r}"
    if kind is MethodType:
        return f"method {_public(owner, node.__func__)}"
    for types, word in _WORDED:
        if issubclass(kind, types):
            return f"{word} {_public(owner, node)}"
    if kind in (dict, list, tuple, set, frozenset):
        return f"{kind.__name__} of {len(node)}"
    return _type_name(owner, kind)


_WORDED: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (ModuleType, "module"),
    (type, "class"),
    ((FunctionType, LRU_CACHE), "function"),
    (CoroutineType, "coroutine"),
)


def _public(owner: Owner, node: Any) -> str:
    name = getattr(node, "__qualname__", None) or getattr(node, "__name__", "")
    module = "" if isinstance(node, ModuleType) else getattr(node, "__module__", None) or ""
    return public(owner, f"{module}.{name}" if module else str(name))


def _type_name(owner: Owner, kind: type) -> str:
    return public(owner, f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins."))


def public(owner: Owner, name: str) -> str:
    """A name without the private name of the generation."""
    return owner.plugin + name[len(owner.private) :] if owner.named(name) else name


def _is_space(parent: Any, child: Any) -> bool:
    """True for the step from an object to its namespace, which is no step to a reader."""
    return type(child) is dict and child is _slot(parent, "__dict__")


def _edge(parent: Any, child: Any) -> str:
    kind = type(parent)
    if kind is dict:
        return _key(parent, child)
    if kind in (list, tuple):
        return next((f"[{number}]" for number, item in enumerate(parent) if item is child), "")
    if kind is CellType:
        return ""
    if kind is FunctionType and type(child) is tuple:
        return ".__closure__" if child is parent.__closure__ else ".__defaults__"
    space = _slot(parent, "__dict__")
    found = _key(space, child) if isinstance(space, dict) else ""
    return found or next((f".{name}" for name in _SLOTS if _slot(parent, name) is child), "")


_SLOTS = ("__func__", "__self__", "func", "__wrapped__", "__class__", "_callback", "_coro", "__globals__", "__code__")


def _slot(parent: Any, name: str) -> Any:
    try:
        return object.__getattribute__(parent, name)
    except (AttributeError, TypeError):
        return None


def _key(space: dict[Any, Any], child: Any) -> str:
    for key, value in space.copy().items():
        if value is child:
            return f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{_short(key)}]"
        if key is child:
            return "[key]"
    return ""


def _short(key: Any) -> str:
    text = repr(key) if type(key) in (str, int, bytes) else type(key).__qualname__
    return text if len(text) <= _WORDS else text[:_WORDS] + "…"
