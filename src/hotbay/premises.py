"""What every draft looks at: the plugin's tables, its folder, its package; and the row that is to be."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hotbay.bench import grant_for
from hotbay.frontend import has_frontend
from hotbay.grant import Grant
from hotbay.migrate import owned_tables
from hotbay.model import Contributions, Live, State, Trust, Version
from hotbay.provenance import remembered
from hotbay.settings import Settings
from hotbay.store import now
from hotbay_sdk.manifest import Manifest, dump


def row_to_be(
    manifest: Manifest,
    target: Version,
    state: State,
    old: Live | None,
    *,
    kept: Collection[str],
    trust: Trust | None = None,
) -> Live:
    """The live row after an install or a change of version; its contributions come later.

    `kept` are the images that can be gone back to, `trust` is what is known of who made a package that comes in now.
    """
    moment = now()
    return Live(
        plugin=target.plugin,
        version=target.version,
        sha256=target.sha256,
        image=target.image,
        state=state,
        revision=old.revision + 1 if old else 1,
        manifest=dump(manifest),
        contributions=Contributions(),
        source=target.source,
        grants=manifest.permissions,
        installed_at=old.installed_at if old else moment,
        updated_at=moment,
        settings_rev=old.settings_rev if old else 0,
        extra=remembered(old, kept, target.image, trust),
    )


def changed_row(row: Live, state: State) -> Live:
    """The live row when the same version serves or rests."""
    return replace(row, state=state, revision=row.revision + 1, updated_at=now(), problem="", candidate=None)


def fresh_start(settings: Settings, plugin: str, old: Live | None) -> dict[str, Any]:
    """Parameters of a start that finds no folder of the plugin's own, and nobody who would make it meanwhile."""
    taken = (old is not None and old.active) or (settings.data / plugin).exists()
    return {} if taken else {"fresh": True}


def shows(settings: Settings, package: Path) -> bool:
    """True when the package adds something to the console, and this host shows it."""
    return settings.frontends and has_frontend(package)


def tables_there(settings: Settings, manifest: Manifest, old: Live | None, live: Mapping[str, Live]) -> list[str]:
    """The plugin's tables that are there, by the manifest that is to be and the one that is."""
    return owned_tables(settings.database_path, both_grants(manifest, old, live))


def both_grants(manifest: Manifest, old: Live | None, live: Mapping[str, Live]) -> Grant:
    """What is the plugin's by the manifest that is to be, or by the one that is."""
    listed = old.parsed.database.tables if old is not None else ()
    grant = grant_for(manifest, live)
    return replace(grant, tables=grant.tables | frozenset(listed))


def has_addon(root: Path) -> bool:
    """True when the backend has seed 002's addon class with tables of its own; looks without running anything."""
    file = root / "backend" / "__init__.py"
    if not file.is_file():
        return False
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return False
    return any(isinstance(node, ast.ClassDef) and _makes_tables(node) for node in tree.body)


def _makes_tables(node: ast.ClassDef) -> bool:
    names = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
    return bool(names & {"install", "create_tables"})
