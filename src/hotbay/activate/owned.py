"""Whose is this object? What a generation brought into the process is known by its modules and their namespaces."""

from __future__ import annotations

import ast
import asyncio
import threading
from collections.abc import Iterator, Mapping
from functools import partial, partialmethod
from pathlib import Path
from types import CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any

_DEEP = 3
_SIMPLE = (str, bytes, int, float, bool, type(None))


class Owner:
    """A generation as the owner of objects. Holds no module: only their names and the identities of their namespaces.

    Make it before the modules are emptied; ask it until the proof is made.
    """

    def __init__(self, plugin: str, private: str, folder: Path, modules: Mapping[str, ModuleType]) -> None:
        self.plugin = plugin
        self.private = private
        self.folder = str(folder)
        self._spaces = frozenset(id(vars(module)) for module in modules.values())
        self._modules = frozenset(id(module) for module in modules.values())

    def named(self, name: Any) -> bool:
        """True for the name of one of its modules."""
        return isinstance(name, str) and (name == self.private or name.startswith(self.private + "."))

    def space(self, namespace: object) -> bool:
        """True for the namespace of one of its modules."""
        return id(namespace) in self._spaces

    def file(self, path: Any) -> bool:
        """True for a file or folder of its image."""
        return isinstance(path, str) and (path == self.folder or path.startswith(self.folder + "/"))

    def owns(self, thing: Any, deep: int = _DEEP) -> bool:
        """True for its modules, classes, functions and instances, and for callables that are wrapped around one."""
        kind = type(thing)
        if kind in _SIMPLE:
            return False
        if kind is FunctionType:
            return self.space(thing.__globals__) or (deep > 0 and self._wraps(thing, deep))
        # Not isinstance(): a proxy of the host's would run its code to say what it is.
        if issubclass(kind, type):
            return self.named(vars(thing).get("__module__"))
        if issubclass(kind, ModuleType):
            return id(thing) in self._modules
        return self.named(vars(kind).get("__module__")) or (deep > 0 and self._carries(thing, deep))

    def _wraps(self, function: FunctionType, deep: int) -> bool:
        return any(callable(inside) and self.owns(inside, deep - 1) for inside in closed_over(function))

    def innermost(self, function: Any) -> Any:
        """Its own function that a library's function is wrapped around; any other is answered as it is."""
        own = [item for item in closed_over(function) if type(item) is FunctionType and self.owns(item)]
        return own[0] if own and not self.space(function.__globals__) else function

    def _carries(self, thing: Any, deep: int) -> bool:
        kind = type(thing)
        if kind is MethodType:
            return self.owns(thing.__func__, deep - 1) or self.owns(thing.__self__, deep - 1)
        if issubclass(kind, (partial, partialmethod)):
            return any(self.owns(item, deep - 1) for item in (thing.func, *thing.args, *thing.keywords.values()))
        if kind in (staticmethod, classmethod):
            return self.owns(thing.__func__, deep - 1)
        if kind is property:
            return any(self.owns(item, deep - 1) for item in (thing.fget, thing.fset, thing.fdel))
        return False

    # ── what is at work ───────────────────────────────────────────────────────────────────────────────────────

    def runs(self, frame: FrameType | None) -> bool:
        """True when the frame executes its code."""
        return frame is not None and self.space(frame.f_globals)

    def task(self, task: asyncio.Task[Any]) -> bool:
        """True for a task whose own coroutine (not one that it awaits) is its code."""
        coroutine: Any = task.get_coro()
        return self.runs(getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None))

    def thread(self, thread: threading.Thread, frame: FrameType | None) -> FrameType | None:
        """The innermost frame of its code that a thread executes; None when it executes none."""
        while frame is not None and not self.runs(frame):
            frame = frame.f_back
        return frame

    # ── where things are written ──────────────────────────────────────────────────────────────────────────────

    def show(self, path: str) -> str:
        """A file of the image as `shop/backend/jobs.py`; others as they are."""
        return self.plugin + path[len(self.folder) :] if self.file(path) else path

    def place(self, thing: Any) -> tuple[str, int]:
        """File and line where one of its objects is written; ("", 0) when that is not known."""
        if isinstance(thing, (staticmethod, classmethod, MethodType)):
            thing = thing.__func__
        code = getattr(thing, "__code__", None)
        if isinstance(code, CodeType):
            return self.show(code.co_filename), code.co_firstlineno
        if isinstance(thing, type):
            return self._class_place(thing)
        if isinstance(thing, ModuleType):
            return self.show(str(getattr(thing, "__file__", "") or "")), 1
        return self._class_place(type(thing)) if self.named(vars(type(thing)).get("__module__")) else ("", 0)

    def _class_place(self, cls: type) -> tuple[str, int]:
        name = vars(cls).get("__module__")
        if not self.named(name):
            return "", 0
        file = self._source(str(name))
        return (self.show(str(file)), _line_of(file, cls.__qualname__)) if file is not None else ("", 0)

    def _source(self, module: str) -> Path | None:
        parts = module.split(".")[1:]
        for root in (Path(self.folder) / "backend", Path(self.folder)):
            place = root.joinpath(*parts)
            for file in (place / "__init__.py", place.with_name(place.name + ".py")):
                if file.is_file():
                    return file
        return None


def closed_over(function: Any) -> Iterator[Any]:
    """What is in the closure of a function; of another callable nothing."""
    for cell in getattr(function, "__closure__", None) or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not filled yet
            continue


def _line_of(file: Path, qualname: str) -> int:
    """The line of a class, read from the source; 0 when it is not found (made at run time, or no source)."""
    try:
        nodes: list[ast.stmt] = ast.parse(file.read_text(encoding="utf-8")).body
    except (OSError, SyntaxError, ValueError):
        return 0
    line = 0
    for name in qualname.replace(".<locals>", "").split("."):
        found = [node for node in _definitions(nodes) if node.name == name]
        if not found:
            return 0
        line, nodes = found[-1].lineno, found[-1].body
    return line


def _definitions(nodes: list[ast.stmt]) -> list[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    inside = [item for node in nodes if not isinstance(node, kinds) for item in ast.walk(node)]
    return [node for node in [*nodes, *inside] if isinstance(node, kinds)]
