"""How a plugin fared in the last minutes: spans of some seconds, all workers added up, as a line to look at."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hotbay.meter import Slot, Tally, total
from hotbay.presence import Workers
from hotbay.readings import OURS, recent

SPAN = 5.0
SPANS = 48
_AGE_SECONDS = 4.0


@dataclass(frozen=True)
class Span:
    """What came in `SPAN` seconds from `at` (seconds since 1970); latencies in seconds, None without requests."""

    at: float
    requests: int
    failed: int
    p50: float | None
    p99: float | None


def spans(slots: Iterable[Slot], now: float, wall: float) -> list[Span]:
    """The last four minutes, the oldest first; a slot counts where its middle is. `now` is `time.monotonic`."""
    last = int(now // SPAN)
    parts: dict[int, list[Tally]] = {}
    for since, until, tally in slots:
        parts.setdefault(int((since + until) / 2 // SPAN), []).append(tally)
    numbers = range(last - SPANS + 1, last + 1)
    return [_span(total(parts.get(number, ())), wall - now + number * SPAN) for number in numbers]


def _span(tally: Tally, at: float) -> Span:
    failed = sum(count for kind, count in tally.failures.items() if kind not in OURS)
    # What raised before it answered is no answer, and was a request all the same.
    return Span(round(at, 3), max(tally.requests, failed), failed, tally.quantile(0.5), tally.quantile(0.99))


def activity(workers: Workers, plugin: str) -> dict[str, Any]:
    """The spans of a plugin, and what they come to. Asks the workers: takes milliseconds, at most a second."""
    slots = [slot for reading in recent(workers, plugin, _AGE_SECONDS) for slot in reading.slots]
    now = time.monotonic()
    found = spans(slots, now, time.time())
    since = (int(now // SPAN) - SPANS + 1) * SPAN
    whole = _span(total(tally for begin, end, tally in slots if (begin + end) / 2 >= since), found[0].at)
    return {"seconds": SPAN, "total": whole.__dict__, "spans": [span.__dict__ for span in found]}
