"""What a worker remembers of its last switches, for the receipts: who came, who left, and how the leaving went."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hotbay.activate import Proof
from hotbay.presence import NEVER
from hotbay.serve import Serving

_KEPT = 256


@dataclass
class Passage:
    """One plugin's way from one revision to another in a worker; 0 stands for none, also for a lazy generation.

    `waited` and `closed` count what was in flight when the old generation was left, and what of it was closed at the
    deadline, by kind. `unload` is the proof of unloading (`activate.Proof`), None where nothing was loaded. `at` is the
    time of day, `began` that of the machine's clock (`time.monotonic`), `seconds` how long the leaving took. `done` is
    True when all is known.
    """

    plugin: str
    at: float
    left: int = 0
    left_generation: int = 0
    revision: int = 0
    version: str = ""
    generation: int = 0
    waited: dict[str, int] = field(default_factory=dict)
    closed: dict[str, int] = field(default_factory=dict)
    unload: dict[str, Any] | None = None
    began: float = 0.0
    seconds: float = 0.0
    done: bool = False

    def to_json(self) -> dict[str, Any]:
        """Flat JSON. Not copied in depth: it is asked on the loop, of hundreds, and what is inside is never changed."""
        return dict(vars(self))


class Passages:
    """The last passages of one worker, the oldest first."""

    def __init__(self) -> None:
        self._kept: deque[Passage] = deque(maxlen=_KEPT)

    def switched(self, before: Mapping[str, Serving], after: Mapping[str, Serving]) -> None:
        """The table was changed from `before` to `after`."""
        for plugin in dict.fromkeys((*before, *after)):
            old, new = before.get(plugin), after.get(plugin)
            if old is not new:
                self._kept.append(_passage(plugin, old, new))

    def left(self, serving: Serving, proof: Proof | None) -> None:
        """A serving has been left: its requests have ended and its code, if it was loaded, was unloaded."""
        for item in self._kept:
            if item.plugin == serving.plugin and item.left == serving.live.revision and not item.done:
                item.waited, item.closed = dict(serving.waited), dict(serving.closed)
                item.unload = None if proof is None else proof.to_json()
                item.seconds, item.done = time.monotonic() - item.began, True

    def of(self, wanted: Mapping[str, float]) -> list[Passage]:
        """The passages of these plugins, of each since a time of day."""
        return [item for item in self._kept if item.at >= wanted.get(item.plugin, NEVER)]


def _passage(plugin: str, old: Serving | None, new: Serving | None) -> Passage:
    made = Passage(plugin, time.time(), began=time.monotonic(), done=old is None)
    if old is not None:
        made.left, made.left_generation = old.live.revision, _number(old)
    if new is not None:
        made.revision, made.version, made.generation = new.live.revision, new.live.version, _number(new)
    return made


def _number(serving: Serving) -> int:
    return serving.generation.number if serving.generation is not None else 0
