"""Which plugins stay in memory after unloading, and how often in a row: what lists, the doctor and plans say of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection

from hotbay import asked, store
from hotbay.store import Store

LEAKS = "leaks"
_TOLD = 3
Leak = dict[str, Any]


def note(
    connection: Connection, plugin: str, version: str, operation: int, proofs: Iterable[Mapping[str, Any]]
) -> None:
    """Count what the workers proved when they left a generation. One that is clean everywhere ends the count.

    Part of the caller's transaction. Without proofs (nothing was loaded, nobody answered) nothing is changed.
    """
    said = list(proofs)
    if not said:
        return
    known = connection.scalar(asked.META, {"name": LEAKS}) or {}
    found = {name: item for name, item in known.items() if name != plugin}
    unclean = [proof for proof in said if not proof.get("clean", True)]
    if unclean:
        times = known.get(plugin, {}).get("times", 0) + 1
        holders = [_text(holder) for proof in unclean for holder in proof.get("holders", ())]
        told = list(dict.fromkeys(holders))[:_TOLD]
        found[plugin] = {"times": times, "version": version, "operation": operation, "holders": told}
    if found != known:
        store.set_meta(connection, LEAKS, found)


def _text(holder: Mapping[str, Any]) -> str:
    where = f" ({holder['file']}:{holder['line']})" if holder.get("file") else ""
    return f"{holder['object']} by {holder['holder']}{where}"


def all_leaks(registry: Store) -> dict[str, Leak]:
    """By plugin: how many `times` in a row it stayed, the last `version` and `operation`, and who held what."""
    found: dict[str, Leak] = registry.get_meta(LEAKS, {})
    return found


def marked(leaks: Mapping[str, Leak], plugin: str, limit: int) -> str:
    """What to say of a plugin that stayed in memory `limit` times in a row or more; else nothing."""
    leak = leaks.get(plugin)
    if leak is None or leak["times"] < limit:
        return ""
    held = f": {'; '.join(leak['holders'])}" if leak["holders"] else ""
    return f"{plugin} {leak['version']} stayed in memory after unloading, {leak['times']} times in a row{held}"
