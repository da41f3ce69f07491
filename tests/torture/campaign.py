"""A campaign: which trials there are, a sample of them, and running them on several processes at once."""

from __future__ import annotations

import math
import os
import random
import select
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from lab import ACTOR, BUSY, CUTS, RECOVERY, WORKER, Lab, Tally, Trial
from processes import Child

from hosts import CASES

_RANDOM = (ACTOR, BUSY, BUSY, WORKER, RECOVERY)


@dataclass(frozen=True)
class Size:
    """How many trials: `each` points of every operation and kind of kill (None: all), `chance` at random times.

    `cuts`: at how many places each operation is cut off for the trials of recovery. `operations`: how many operations,
    drawn by the seed, unless some are named (None: all).
    """

    each: int | None
    chance: int
    cuts: int
    operations: int | None = None


class Campaign:
    """The trials of some operations. Lists are made once; running forks."""

    def __init__(self, root: Path, *, size: Size, seed: int, only: Sequence[str] = ()) -> None:
        self.lab = Lab(root)
        self.size = size
        self.random = random.Random(seed)
        self.names = [name for name in CASES if name in only] or self._drawn()
        self.points = 0
        self._seconds: dict[str, float] = {}
        self._cuts: dict[str, list[Path]] = {}
        for name in self.names:
            for done in (False, True):
                self.lab.state(name, done=done)
        self.trials = [trial for name in self.names for trial in self._fixed(name)]
        self.trials += [self._by_chance() for _ in range(size.chance)]
        self.random.shuffle(self.trials)

    def _drawn(self) -> list[str]:
        names, count = list(CASES), self.size.operations
        return names if count is None else self.random.sample(names, count)

    def _fixed(self, name: str) -> Iterator[Trial]:
        began = time.monotonic()
        points = self.lab.points(name)
        self._seconds[name] = (time.monotonic() - began) / 2
        for who, found in points.items():
            self.points += len(found)
            yield from (Trial(who, name, point) for point in self._sample(found))
        self._cuts[name] = []
        for cut in self._places(points[ACTOR]):
            home, found = self.lab.cut(name, cut)
            self._cuts[name].append(home)
            self.points += len(found)
            yield from (Trial(RECOVERY, name, point, cut=home) for point in self._sample(found))

    def _places(self, points: list[str]) -> list[str]:
        there = [cut for cut in CUTS if cut in points]
        return self.random.sample(there, min(self.size.cuts, len(there)))

    def _sample(self, points: list[str]) -> list[str]:
        each, points = self.size.each, apart(points)
        return points if each is None else self.random.sample(points, min(each, len(points)))

    def _by_chance(self) -> Trial:
        who, name = self.random.choice(_RANDOM), self.random.choice(self.names)
        delay = self.random.uniform(0.001, self._seconds[name])
        if who == RECOVERY and self._cuts[name]:  # A backup alone is cut off at no place that there is a home for.
            return Trial(who, name, delay=delay / 2, cut=self.random.choice(self._cuts[name]))
        return Trial(ACTOR if who == RECOVERY else who, name, delay=delay)

    def run(
        self, jobs: int, seconds: float = math.inf, tell: Callable[[int], None] = lambda done: None
    ) -> dict[str, Tally]:
        """The trials, `jobs` at a time, that begin within so many seconds; what they came to, by who was killed.

        `tell` hears after each how many were made.
        """
        reading, writing = os.pipe()
        feeder = Child(lambda child: self._feed(writing), self.lab.root / "feeder.log")
        os.close(writing)
        deadline = time.monotonic() + seconds
        runners = [
            Child(lambda child: self._run(child, reading, deadline), self.lab.root / f"run-{i}.log")
            for i in range(jobs)
        ]
        os.close(reading)
        tallies: dict[str, Tally] = {}
        for done, (who, tally) in enumerate(_heard(runners), 1):
            tallies.setdefault(who, Tally()).add(tally)
            tell(done)
        failed = [i for i, runner in enumerate(runners) if runner.end()]
        feeder.end()
        if failed:
            raise RuntimeError("\n".join((self.lab.root / f"run-{i}.log").read_text() for i in failed))
        return tallies

    def _feed(self, pipe: int) -> None:
        with suppress(BrokenPipeError):  # The time is over.
            for number in range(len(self.trials)):
                os.write(pipe, number.to_bytes(4, "big"))

    def _run(self, child: Child, pipe: int, deadline: float) -> None:
        """One runner: it takes the next trial when it has ended one."""
        while time.monotonic() < deadline and (number := os.read(pipe, 4)):
            trial = self.trials[int.from_bytes(number, "big")]
            tally = self.lab.run(trial)
            for text in tally.torn:
                print(text, file=sys.stderr, flush=True)
            child.say((trial.who if trial.point else "by_chance", tally))


def _heard(runners: Sequence[Child]) -> Iterator[tuple[str, Tally]]:
    """What they say, as it comes, until all have ended."""
    left = {runner.incoming: runner for runner in runners}
    while left:
        for end in select.select(list(left), [], [])[0]:
            told = left[end].hear()
            if told is None:
                del left[end]
            else:
                yield told


def apart(points: list[str]) -> list[str]:
    """One of each two that nothing happens between: after an effect it is as before the next one."""
    pairs = pairwise([*points, "after the last"])
    return [point for point, then in pairs if not point.startswith("after") or then.startswith("after")]
