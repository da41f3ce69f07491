"""The progress of operations as the journal tells it, and what of it was told already."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, or_, select

from hotbay.journal import RUNNING
from hotbay.outcome import Progress
from hotbay.schema import operations, steps
from hotbay.store import Store

# A state is told once, and none after a higher one.
_RANK = {"running": 1, "done": 2, "failed": 2, "unfinished": 2, "undone": 3}
_KEPT = 100


@dataclass(frozen=True)
class Since:
    """What is to be read: operations above `above` (None: only those that run), and the `open` ones again."""

    above: int | None
    open: tuple[int, ...]


@dataclass(frozen=True)
class Reading:
    """What the journal told, and its highest operation."""

    items: tuple[Progress, ...]
    highest: int


class Ladder:
    """Remembers how far each operation was told of. Belongs to one event loop."""

    def __init__(self) -> None:
        self._told: dict[int, dict[str, int]] = {}
        self._open: set[int] = set()
        self._above: int | None = None

    def since(self) -> Since:
        """What to ask the journal for."""
        return Since(self._above, tuple(self._open))

    def forget(self) -> None:
        """Nobody listens any more; the next listener hears of what runs then."""
        self._told.clear()
        self._open.clear()
        self._above = None

    def news(self, reading: Reading) -> list[Progress]:
        """What of a reading is news; then it counts as told."""
        found = [item for item in reading.items if self.climbs(item)]
        self._above = max(self._above or 0, reading.highest)
        return found

    def climbs(self, progress: Progress) -> bool:
        """True when this is news; then it counts as told."""
        told = self._told.setdefault(progress.operation, {})
        key = f"{progress.seq} {progress.verb}" if progress.verb else ""
        rank = _RANK.get(progress.state, 0)
        if rank <= told.get(key, 0):
            return False
        told[key] = rank
        self._count(progress)
        return True

    def _count(self, progress: Progress) -> None:
        """The whole operation's end closes it, and old ones are forgotten."""
        number = progress.operation
        if progress.verb == "" and progress.state != "running":
            self._open.discard(number)
        elif self._told[number].get("", 0) < _RANK["done"]:
            self._open.add(number)
        for old in sorted(self._told)[:-_KEPT]:
            if old not in self._open:
                del self._told[old]


def read_progress(store: Store, since: Since) -> Reading:
    """The present states of operations and their steps. The first time, only of those that run."""
    fresh = operations.c.state == RUNNING if since.above is None else operations.c.id > since.above
    wanted = or_(operations.c.id.in_(since.open), fresh)
    with store.read() as connection:
        highest = connection.execute(select(func.max(operations.c.id))).scalar() or 0
        query = select(operations).where(wanted, operations.c.id <= highest).order_by(operations.c.id)
        found = connection.execute(query).mappings().all()
        query_steps = select(steps).where(steps.c.operation.in_([row["id"] for row in found])).order_by(steps.c.seq)
        rows = connection.execute(query_steps).mappings().all() if found else []
    items = [item for row in found for item in _progress(dict(row), [dict(step) for step in rows])]
    return Reading(tuple(items), highest)


def _progress(row: dict[str, Any], rows: list[dict[str, Any]]) -> Iterator[Progress]:
    """In the order in which it happened: the operation's begin, its steps, its end."""
    mine = [step for step in rows if step["operation"] == row["id"]]
    planned = row["plan"].get("steps", [])

    def item(verb: str, state: str, seq: int, seconds: float, summary: str) -> Progress:
        reason = row["plan"].get("reason", "")
        return Progress(row["id"], row["kind"], row["plugin"], verb, state, seq, len(mine), seconds, summary, reason)

    title = row["plan"].get("title", "")
    yield item("", "running", 0, 0.0, title)
    for step in mine:
        if step["state"] in _RANK:
            seq = step["seq"]
            summary = planned[seq]["summary"] if seq < len(planned) else ""
            yield item(step["verb"], step["state"], seq, float(step["seconds"] or 0.0), summary)
    if row["state"] != RUNNING:
        seconds = float((row["result"] or {}).get("seconds") or 0.0)
        yield item("", "failed" if row["state"] != "done" else "done", len(mine), seconds, title)
