"""A plugin's functions and classes in places that are not its own: attributes of the host's modules and classes.

They must be gone before the plugin's modules are emptied: a function whose module is empty fails at its next call. What
can't be put back is left working (the generation then stays in memory, and the proof says why).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FunctionType, MethodType, ModuleType
from typing import Any

import pluggy

from hotbay.activate.loader import PREFIX
from hotbay.activate.owned import Owner, closed_over
from hotbay.activate.paths import public

_MISSING, _ABSENT, _VALUE = object(), object(), object()
# Attributes of the host's modules as they were before any plugin, by module and name. Of what is neither function nor
# class only the name is kept: the host changes such values itself.
_originals: dict[str, dict[str, Any]] = {}
_AT_ONCE = 16


@dataclass(frozen=True)
class Patch:
    """An attribute of a module or class that is not the generation's, with a value that is."""

    place: Any
    name: str
    value: Any

    def __str__(self) -> str:
        where = self.place.__name__ if isinstance(self.place, ModuleType) else _class_name(self.place)
        return f"{where}.{self.name}"


def _class_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def remember() -> None:
    """Note the functions and classes of all modules, before any plugin is loaded. Costs milliseconds, once."""
    for name, module in sys.modules.copy().items():
        if name not in _originals and not name.startswith(PREFIX) and hasattr(module, "__dict__"):
            found = vars(module).copy().items()
            _originals[name] = {key: value if callable(value) else _VALUE for key, value in found}


def undo(owner: Owner, spaces: list[dict[str, Any]]) -> tuple[list[str], list[Patch]]:
    """Put the host's attributes back, and take the plugin out of pluggy's managers; answers what was put back, in
    words, and what could not be. `spaces` are the namespaces of the generation's modules: a patch keeps what it
    replaced there."""
    done, left = [], []
    for patch in _find(owner):
        if isinstance(patch, str):
            done.append(patch)
            continue
        original = _original(owner, patch, spaces)
        if original is _MISSING or not _put_back(patch, original):
            left.append(patch)
        else:
            done.append(f"{patch} was replaced")
    return done, left


def _find(owner: Owner) -> Iterator[Patch | str]:
    for number, (name, module) in enumerate(sys.modules.copy().items()):
        if owner.named(name) or not hasattr(module, "__dict__"):
            continue
        yield from _in_module(owner, name, module)
        if number % _AT_ONCE == 0:
            time.sleep(0)


def _in_module(owner: Owner, name: str, module: Any) -> Iterator[Patch | str]:
    other = name.startswith(PREFIX)
    for key, value in vars(module).copy().items():
        kind = type(value)
        if kind is FunctionType or kind is MethodType:
            if owner.owns(value):
                yield Patch(module, key, value)
        elif issubclass(kind, type):
            if owner.named(vars(value).get("__module__")):
                yield Patch(module, key, value)
            elif vars(value).get("__module__") == name and not other:
                yield from _in_class(owner, value)
        elif issubclass(kind, pluggy.PluginManager):
            yield from _in_manager(owner, value)
        elif owner.named(vars(kind).get("__module__")):
            yield Patch(module, key, value)


def _in_class(owner: Owner, cls: type) -> Iterator[Patch]:
    for key, value in vars(cls).copy().items():
        kind = type(value)
        if kind in (FunctionType, staticmethod, classmethod, property) and owner.owns(value):
            yield Patch(cls, key, value)


def _in_manager(owner: Owner, manager: pluggy.PluginManager) -> Iterator[str]:
    for plugin in list(manager.get_plugins()):
        if owner.owns(plugin):
            manager.unregister(plugin)
            name = public(owner, str(getattr(plugin, "__name__", type(plugin).__qualname__)))
            yield f"{name} in pluggy's {manager.project_name!r}"


def _original(owner: Owner, patch: Patch, spaces: list[dict[str, Any]]) -> Any:
    """What stood there before: remembered, or kept by the patch itself, in a closure or a module, to call it."""
    if isinstance(patch.place, ModuleType):
        known = _originals.get(patch.place.__name__)
        before = known.get(patch.name, _ABSENT) if known is not None else _VALUE
        if before is not _VALUE and not owner.owns(before):
            return before
    inside = getattr(patch.value, "__func__", patch.value)
    kept = [getattr(inside, "__wrapped__", None), *closed_over(inside)]
    kept += [value for space in spaces for value in space.copy().values()]
    return next((item for item in kept if _fits(owner, patch, item)), _MISSING)


def _fits(owner: Owner, patch: Patch, item: Any) -> bool:
    if not callable(item) or owner.owns(item):
        return False
    place = patch.place
    prefix = "" if isinstance(place, ModuleType) else f"{place.__qualname__}."
    module = place.__name__ if isinstance(place, ModuleType) else place.__module__
    return (getattr(item, "__module__", None), getattr(item, "__qualname__", None)) == (module, prefix + patch.name)


def _put_back(patch: Patch, original: Any) -> bool:
    change: Callable[[], None] = lambda: setattr(patch.place, patch.name, original)  # noqa: E731
    if original is _ABSENT:
        change = lambda: delattr(patch.place, patch.name)  # noqa: E731
    try:
        change()
    except (AttributeError, TypeError):
        return False
    return True
