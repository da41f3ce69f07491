"""What the meters of all workers say: asks, waits for a moment, adds up; and how many of the requests failed."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hotbay.meter import Slot, Tally, total, window
from hotbay.model import Live
from hotbay.presence import NEVER, TELL, Fifo, Workers, stopped, wish
from hotbay.settings import Settings

_TURN_SECONDS = 0.05
_PING_SECONDS = 0.2
_ANSWER_SECONDS = 1.0
# What Hotbay itself did to a request is not the plugin's fault.
OURS = frozenset({"held", "drained"})


@dataclass(frozen=True)
class Reading:
    """One worker's meters: totals since it began, by plugin, and of the plugin that was asked for slots and passages.

    Slots are those of `meter.Meter`, passages those of `passages.Passage`. `fresh` is False for a worker that did not
    answer in time: then this is what it said before, or nothing. `held` are those of `stalls.Held`, `loads` those of
    `meter.Loads`.
    """

    worker: str
    fresh: bool
    tallies: Mapping[str, Tally] = field(default_factory=dict)
    slots: tuple[Slot, ...] = ()
    passages: tuple[Mapping[str, Any], ...] = ()
    held: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    loads: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def readings(
    workers: Workers, plugin: str = "", seconds: float = _ANSWER_SECONDS, *, since: float = NEVER
) -> list[Reading]:
    """Ask every worker that is there, and wait for their answers at most `seconds`.

    With `plugin` each answer has the slots of that plugin, too, and its passages from the time of day `since` on.
    Workers that are stopped are not waited for.
    """
    fifo = Fifo(workers.fifo(f"a-{os.getpid()}-{uuid.uuid4().hex[:6]}"))
    try:
        asked = time.monotonic()
        found: dict[str, Reading] = {}
        names, pinged = list[str](), 0.0
        while (moment := time.monotonic()) - asked < seconds:
            if moment - pinged >= _PING_SECONDS:  # Again and again: an answer to somebody else may overwrite ours.
                names, pinged = workers.signal(TELL + wish(plugin, since)), moment
            found |= {name: _read(workers, name, plugin, asked, since) for name in names if not _fresh(found, name)}
            if all(_fresh(found, name) or _stopped(workers, name) for name in names):
                break
            fifo.wait(_TURN_SECONDS)
    finally:
        fifo.close()
    return [found[name] for name in names]


def recent(workers: Workers, plugin: str, age: float) -> list[Reading]:
    """As `readings`, but what every worker said in the last `age` seconds, to whomever, is good enough.

    Each question begins a new slot in every meter; who asks again and again would use the slots up.
    """
    since = time.monotonic() - age
    found = [_read(workers, name, plugin, since) for name in workers.present()]
    return found if found and all(one.fresh for one in found) else readings(workers, plugin)


def _fresh(found: Mapping[str, Reading], name: str) -> bool:
    return name in found and found[name].fresh


def _stopped(workers: Workers, name: str) -> bool:
    status = workers.read(name)
    return status is not None and stopped(status.pid)


def _read(workers: Workers, name: str, plugin: str, asked: float, since: float = NEVER) -> Reading:
    said = workers.read_meters(name)
    plugins = said.get("plugins", {})
    fresh = said.get("at", 0.0) >= asked and (not plugin or plugin in said["with"])
    fresh = fresh and said.get("since", {}).get(plugin, NEVER) <= since
    tallies = {item: Tally.from_json(about["total"]) for item, about in plugins.items()}
    slots = plugins.get(plugin, {}).get("slots", ())
    cut = tuple((since, until, Tally.from_json(item)) for since, until, item in slots)
    more = {part: said.get(part, {}) for part in ("held", "loads")}
    return Reading(name, fresh, tallies, cut, tuple(said.get("passages", ())), **more)


def by_plugin(found: Iterable[Reading]) -> dict[str, Tally]:
    """The totals of all workers, by plugin."""
    parts: dict[str, list[Tally]] = {}
    for reading in found:
        for plugin, tally in reading.tallies.items():
            parts.setdefault(plugin, []).append(tally)
    return {plugin: total(tallies) for plugin, tallies in sorted(parts.items())}


@dataclass(frozen=True)
class Rate:
    """How many requests came to a plugin in some time, and how many of them it failed."""

    requests: int
    failed: int

    @property
    def share(self) -> float:
        """The failed part, 0 to 1; 0 without requests."""
        return min(1.0, self.failed / max(1, self.requests))

    def over(self, settings: Settings) -> bool:
        """True when there were enough requests to judge, and more failed than may."""
        return self.requests >= settings.error_requests and self.share > settings.error_budget


def error_rate(workers: Workers, plugin: str, since: float) -> Rate:
    """A plugin's rate of errors in all workers since a moment (`time.monotonic`, which all processes share).

    Time is cut into slots of at most five seconds, so the moment is that exact; at an operation's beginning and end a
    slot begins. The last slots of about four minutes are known. Asks the workers: takes milliseconds, at most a second.
    """
    now = time.monotonic()
    tally = total(window(found.slots, since, now + _ANSWER_SECONDS) for found in readings(workers, plugin))
    failed = sum(count for kind, count in tally.failures.items() if kind not in OURS)
    return Rate(max(tally.requests, failed), failed)


def age(row: Live) -> float:
    """Seconds since the row was changed, by the wall clock; nothing before that is this version's fault."""
    with suppress(ValueError):
        return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(row.updated_at)).total_seconds())
    return 0.0
