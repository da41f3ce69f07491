"""Imports a generation's modules from its image under a private name, beside other generations of the same plugin.

Each module of a generation gets its own `__builtins__`, whose `__import__` maps the plugin's public name (`ai_chatbot`,
`addons.ai_chatbot`, `app.addons.ai_chatbot`) to the generation's private package. So absolute imports of a plugin's own
modules, lazy ones inside functions too, stay in the generation. `sys.path` is not touched and nothing is reloaded.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

PREFIX = "_hotbay_"


class _ImageLoader(SourceFileLoader):
    """Runs a module with its generation's builtins; never writes into the image."""

    def __init__(self, name: str, path: str, own: dict[str, Any]) -> None:
        super().__init__(name, path)
        self._own = own

    def exec_module(self, module: ModuleType) -> None:
        code = self.get_code(module.__name__)
        if code is None:
            raise ImportError(f"{module.__name__} has no code")
        module.__dict__["__builtins__"] = self._own
        exec(code, module.__dict__)  # noqa: S102 - this is what an import does

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        """Images are immutable: byte code was written when the image was made."""


class _Finder(MetaPathFinder):
    """Finds the modules of all generations; knows nothing of other names."""

    def __init__(self) -> None:
        self.roots: dict[str, tuple[Path, dict[str, Any]]] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        head, _, rest = fullname.partition(".")
        if not head.startswith(PREFIX) or head not in self.roots:
            return None
        folder, own = self.roots[head]
        place = folder.joinpath(*rest.split(".")) if rest else folder
        if (place / "__init__.py").is_file():
            return _spec(fullname, place / "__init__.py", own, [str(place)])
        file = place.with_name(place.name + ".py")
        if rest and file.is_file():
            return _spec(fullname, file, own, None)
        if place.is_dir():
            spec = ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [str(place)]
            return spec
        return None


def _spec(name: str, file: Path, own: dict[str, Any], search: list[str] | None) -> ModuleSpec | None:
    loader = _ImageLoader(name, str(file), own)
    return importlib.util.spec_from_file_location(name, file, loader=loader, submodule_search_locations=search)


_finder = _Finder()
_lock = threading.Lock()


def public_names(plugin: str) -> tuple[str, ...]:
    """The names under which a plugin's own modules may be imported by itself."""
    return (plugin, f"addons.{plugin}", f"app.addons.{plugin}")


def _own_builtins(private: str, publics: Sequence[str], own: Mapping[str, Any]) -> dict[str, Any]:
    real = builtins.__import__

    def own_import(
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002 - the builtin's own names
        locals: Mapping[str, object] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        for public in publics if level == 0 else ():
            if name == public or name.startswith(public + "."):
                found = real(private + name[len(public) :], globals, locals, fromlist or (), 0)
                return found if fromlist else _trunk(public, found)
            above, _, last = public.rpartition(".")
            if name == above and last in (fromlist or ()):
                others = tuple(item for item in fromlist or () if item != last)
                if others:
                    real(name, globals, locals, others, 0)
                return _Branch(above, last, real(private, globals, locals, (), 0))
        return real(name, globals, locals, fromlist or (), level)

    return {**vars(builtins), **own, "__import__": own_import}


class _Branch(ModuleType):
    """What `addons` is to a plugin: its own generation below its name, and else the host's module, if there is one."""

    def __init__(self, name: str, child: str, value: ModuleType) -> None:
        super().__init__(name)
        setattr(self, child, value)

    def __getattr__(self, name: str) -> Any:
        try:
            return getattr(importlib.import_module(self.__name__), name)
        except ModuleNotFoundError:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}") from None


def _trunk(public: str, root: ModuleType) -> ModuleType:
    """What `import addons.x.models` binds: the module of the first name, from which the others are reached."""
    while "." in public:
        public, _, last = public.rpartition(".")
        root = _Branch(public, last, root)
    return root


def open_package(private: str, folder: Path, plugin: str, own: Mapping[str, Any] | None = None) -> ModuleType:
    """Import the root package of a generation from `folder` and answer its module. Raises what the import raises.

    `own` are builtins for its modules that differ from the usual ones.
    """
    with _lock:
        if _finder not in sys.meta_path:
            sys.meta_path.insert(0, _finder)
        _finder.roots[private] = (folder, _own_builtins(private, public_names(plugin), own or {}))
    return importlib.import_module(private)


def submodule(private: str, name: str) -> ModuleType | None:
    """Import a module of a generation if it has it; None when it has not."""
    folder, _ = _finder.roots[private]
    if not (folder / f"{name}.py").is_file() and not (folder / name / "__init__.py").is_file():
        return None
    return importlib.import_module(f"{private}.{name}")


def in_use(folder: str) -> bool:
    """True while a generation is open whose code is in this folder or below it."""
    with _lock:
        places = [str(place) for place, _ in _finder.roots.values()]
    return any(place == folder or place.startswith(folder + "/") for place in places)


def modules(private: str) -> dict[str, ModuleType]:
    """The modules of a generation that are loaded."""
    dotted = private + "."
    # Copied at once: another thread may import while a collection runs in the middle of listing.
    found = sys.modules.copy().items()
    return {name: module for name, module in found if name == private or name.startswith(dotted)}


def close_package(private: str) -> None:
    """Forget a generation's modules; safe to repeat."""
    for name in modules(private):
        sys.modules.pop(name, None)
    with _lock:
        _finder.roots.pop(private, None)
