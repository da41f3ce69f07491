"""What the resolver must know of this host, gathered from the environment and the registry."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from hotbay._version import __version__
from hotbay.resolve import HostFacts
from hotbay.store import Store
from hotbay_sdk.rules import RESERVED

HOST_ROUTES = "host_routes"
KEPT_TABLES = "kept_tables"  # What plugins listed that were uninstalled with `--data keep`, by plugin.


@lru_cache(maxsize=1024)
def _version(name: str) -> str:
    """What this process imports stays as it was at its start, and so does its version. What is missing is not kept."""
    return importlib.metadata.version(name)


class Installed(Mapping[str, str]):
    """The host's distributions: name → version, looked up one by one, because reading all takes a tenth of a second."""

    def __getitem__(self, name: str) -> str:
        try:
            return _version(name)
        except importlib.metadata.PackageNotFoundError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return (item.metadata["Name"] for item in importlib.metadata.distributions())

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Modules(frozenset[str]):
    """The host's importable top-level modules, looked up one by one."""

    def __contains__(self, name: object) -> bool:
        try:
            spec = importlib.util.find_spec(name) if isinstance(name, str) else None
        except (ImportError, ValueError):
            return False
        # A folder without __init__.py counts where packages are installed, not where somebody's folders happen to be.
        return spec is not None and (
            spec.origin is not None or any(map(_installed, spec.submodule_search_locations or ()))
        )


def _installed(folder: str) -> bool:
    return any(part in ("site-packages", "dist-packages") for part in Path(folder).parts)


def gather(registry: Store) -> HostFacts:
    """The facts of this host. Its routes are what a worker wrote when it started."""
    routes = tuple(registry.get_meta(HOST_ROUTES, []))
    return HostFacts(
        api=__version__,
        python=platform.python_version(),
        distributions=Installed(),
        modules=Modules(),
        reserved=RESERVED | {part for route in routes if (part := route.strip("/").partition("/")[0])},
        routes=routes,
        tables=_tables(registry),
        kept={name.lower(): plugin for plugin, listed in registry.get_meta(KEPT_TABLES, {}).items() for name in listed},
    )


def _tables(registry: Store) -> frozenset[str]:
    """The tables that no plugin has brought: what is there and in no plugin's manifest."""
    with registry.read() as connection:
        found = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")
        names = {row[0].lower() for row in found}
    known = {name.lower() for listed in registry.get_meta(KEPT_TABLES, {}).values() for name in listed}
    for plugin, row in registry.all_live().items():
        listed = row.manifest.get("database", {}).get("tables", ())
        known |= {name.lower() for name in listed} | {name for name in names if name.startswith(f"{plugin}_")}
    return frozenset(names - known)
