"""What a loaded backend offers: found by name, by the decorators of the SDK, or as seed 002's addon class."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from hotbay.activate import loader
from hotbay.errors import ActivationFailed
from hotbay_sdk.plugin import MARKS, Mark

_OPTIONAL_MODULES = ("plugin", "routes", "hooks", "jobs", "settings")


@dataclass(frozen=True)
class Capabilities:
    """The optional abilities of a backend; `marks` are decorated functions with their marks."""

    router: Any = None
    app: Any = None
    addon: Any = None
    start: Callable[..., Any] | None = None
    stop: Callable[..., Any] | None = None
    health: Callable[..., Any] | None = None
    settings: Any = None
    on_settings: Callable[..., Any] | None = None
    marks: tuple[tuple[Mark, Callable[..., Any]], ...] = field(default=())

    def of(self, *kinds: str) -> list[tuple[Mark, Callable[..., Any]]]:
        """The marked functions of some kinds."""
        return [(mark, function) for mark, function in self.marks if mark.kind in kinds]

    @property
    def eager(self) -> bool:
        """True when the plugin does something on its own and can't wait for its first request."""
        return self.start is not None or bool(self.of("every", "cron"))


def discover(private: str, entry: str = "") -> Capabilities:
    """Look through a generation's modules. `entry` is the manifest's `module:Name`. Raises ActivationFailed."""
    root = loader.modules(private)[private]
    loaded = {name: loader.submodule(private, name) for name in _OPTIONAL_MODULES}
    places = [_entry(private, entry) if entry else None, _instance(_get(root, "plugin"))]
    places += [_instance(_get(loaded["plugin"], "plugin")), root, loaded["plugin"]]
    look = [place for place in places if place is not None]
    return Capabilities(
        router=_first([loaded["routes"], *look], "router"),
        app=_first([*look, loaded["routes"]], "app"),
        addon=_addon(root, private),
        start=_call(look, "start"),
        stop=_call(look, "stop"),
        health=_call(look, "health"),
        settings=_first([*look, loaded["settings"]], "Settings"),
        on_settings=_call(look, "on_settings"),
        marks=tuple(_marks(private, look)),
    )


def _get(place: Any, name: str) -> Any:
    return getattr(place, name, None) if place is not None else None


def _instance(thing: Any) -> Any:
    return thing() if inspect.isclass(thing) else thing


def _entry(private: str, entry: str) -> Any:
    name, _, attribute = entry.partition(":")
    module = loader.submodule(private, name) if name else loader.modules(private)[private]
    found = _get(module, attribute) if attribute else module
    if found is None:
        raise ActivationFailed(
            f"backend.entry {entry!r} leads to nothing",
            mend="name an existing module and object as 'module:Name'",
        )
    return _instance(found)


def _first(places: Iterable[Any], name: str) -> Any:
    for place in places:
        found = _get(place, name)
        if found is not None and not isinstance(found, ModuleType):
            return found
    return None


def _call(places: Iterable[Any], name: str) -> Callable[..., Any] | None:
    found = _first(places, name)
    return found if callable(found) else None


def _addon(root: ModuleType, private: str) -> Any:
    """Seed 002's class: it registers routes itself, or it is called …Addon."""
    for thing in vars(root).values():
        if not inspect.isclass(thing) or not thing.__module__.startswith(private):
            continue
        if thing.__name__.endswith("Addon") or hasattr(thing, "register_routes"):
            return thing()
    return None


def _marks(private: str, places: Iterable[Any]) -> Iterable[tuple[Mark, Callable[..., Any]]]:
    seen: set[tuple[int, Mark]] = set()
    for function in _functions(private, places):
        for mark in getattr(function, MARKS, ()):
            if isinstance(mark, Mark) and (id(function), mark) not in seen:
                seen.add((id(function), mark))
                yield mark, function


def _functions(private: str, places: Iterable[Any]) -> Iterable[Callable[..., Any]]:
    for module in loader.modules(private).values():
        yield from (thing for thing in list(vars(module).values()) if inspect.isfunction(thing))
    for place in places:
        if not isinstance(place, ModuleType):
            yield from (method for _, method in inspect.getmembers(place, inspect.ismethod))
