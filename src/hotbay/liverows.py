"""Live rows out of the database: each is decoded once, and is the same object as long as the row is the same.

Every switch makes every worker read all rows, and an operation reads them itself: to decode one takes 60 µs, and 3 to
see that it is the one of before. Nobody changes what is in a live row; whoever wants another one makes another one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Row

from hotbay.model import Contributions, Live, State

UNREADABLE = "its row in the database is not readable"
Candidates = Mapping[str, dict[str, Any]]


class LiveRows:
    """The live rows of one database, as they were read last. Safe in several threads: at worst one is decoded twice."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[Any, ...], Live]] = {}

    def read(self, rows: Iterable[Row[Any]], candidates: Candidates) -> dict[str, Live]:
        """The rows of `asked.EVERY_LIVE` or `asked.LIVE` by plugin, each with its candidate."""
        found = {row.plugin: self._one(row) for row in rows}
        return found | {name: replace(found[name], candidate=candidates[name]) for name in found.keys() & candidates}

    def keep_only(self, plugins: Iterable[str]) -> None:
        """Forget rows that are gone."""
        known = self._known
        self._known = {plugin: known[plugin] for plugin in plugins if plugin in known}

    def _one(self, row: Row[Any]) -> Live:
        columns, before = tuple(row), self._known.get(row.plugin)
        if before is not None and before[0] == columns:
            return before[1]
        live = decode(dict(row._mapping))
        self._known[row.plugin] = columns, live
        return live


def decode(row: dict[str, Any]) -> Live:
    """A live row of its columns. What is not readable in it is named in `problem`, and stands as if there were nothing:
    one row that something else wrote over must not hide the others.
    """
    least = {"id": row["plugin"], "name": row["plugin"], "version": row["version"]}
    fresh: dict[str, Any] = {"manifest": least, "contributions": {}, "grants": [], "extra": {}}
    row |= {name: _json(row[name]) for name in fresh}
    broken = [name for name in fresh if not isinstance(row[name], type(fresh[name]))]
    row.update({name: fresh[name] for name in broken})
    try:
        contributions, state = Contributions.from_json(row["contributions"]), State(row["state"])
    except (ValueError, KeyError, TypeError, AttributeError):
        contributions, state = Contributions(), State.INACTIVE
        broken.append("state or contributions")
    if broken:
        row["problem"] = f"{UNREADABLE}: {', '.join(broken)}"
    return Live(**row | {"state": state, "contributions": contributions, "grants": tuple(row["grants"])})


def _json(text: Any) -> Any:
    """None for what is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, TypeError):
        return None
