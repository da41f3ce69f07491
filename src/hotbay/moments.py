"""Time that outlives processes: both clocks of a machine, and durations as people write and read them.

While a machine runs, its own clock counts, which nobody sets: setting the wall clock back or forward changes nothing.
That clock begins anew with the machine; then the wall clock says how long it was off, and a wall clock that went back
meanwhile says nothing: what was left is left. Moving the state to another machine is the same.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hotbay.errors import BadInput

SHORTEST, LONGEST = 1.0, 30 * 86400.0
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?", re.ASCII)


@dataclass(frozen=True)
class Moment:
    """`wall`: seconds since 1970. `up`: seconds since the machine's start, asleep or not. `boot`: which start that was,
    empty where the system does not tell."""

    wall: float
    up: float
    boot: str

    def same_run(self, earlier: Moment) -> bool:
        """True while the machine has not been started anew since then, as far as it tells."""
        return bool(self.boot) and self.boot == earlier.boot and self.up >= earlier.up

    def since(self, earlier: Moment) -> float:
        """Seconds that have passed since then, at least 0."""
        if self.same_run(earlier):
            return self.up - earlier.up
        return max(0.0, self.wall - earlier.wall)


def moment() -> Moment:
    """The time by both clocks."""
    kind = getattr(time, "CLOCK_BOOTTIME", None)
    return Moment(time.time(), time.monotonic() if kind is None else time.clock_gettime(kind), _boot())


@cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def read_seconds(text: str | float) -> float:
    """`10m`, `90s`, `1h30m`, `2d`, or a number of seconds. Raises BadInput for what is none, too short or too long."""
    found = _DURATION.fullmatch(str(text).strip().lower())
    if found is not None and any(found.groups()):
        value = sum(float(part) * unit for part, (unit, _) in zip(found.groups(), _UNITS, strict=True) if part)
    else:
        try:
            value = float(text)
        except ValueError:
            value = 0.0
    if not SHORTEST <= value <= LONGEST:
        raise BadInput(
            f"{text!r} is no time to confirm something in", mend="write for example 90s, 10m or 1h30m; 1 s to 30 days"
        )
    return value


def tell_seconds(value: float) -> str:
    """A duration as people read it: `9 min 5 s`, `1 h`."""
    rest = round(max(0.0, value))
    if rest == 0:
        return f"{max(0.0, value):.1f} s"
    parts = []
    for size, word in _UNITS:
        count, rest = divmod(rest, size)
        parts += [f"{count} {word}"] if count else []
    return " ".join(parts[:2])
