"""Trials: somebody is killed at a point, a fresh process recovers, and the whole state is compared.

Allowed is exactly the old or exactly the new state, with every row that a visitor was told to be there.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from processes import KILLED, Child, act, notes_of, recover, serve

from hosts import CASES, Case, look, make_starts


@dataclass(frozen=True)
class Trial:
    """Who dies in which operation, and where: an actor, one beside a worker that serves (`busy_actor`), that worker, or
    a recovery.

    Either at a `point`, or `delay` seconds after it began. `cut`: the host that was cut off, for recovery.
    """

    who: str
    case: str
    point: str = ""
    delay: float = 0.0
    cut: Path | None = None

    def __str__(self) -> str:
        where = self.point or f"{self.delay * 1000:.2f} ms after it began"
        return f"{self.case}, {self.who}, {where}"


@dataclass
class Tally:
    """What trials came to. `missed`: nobody was killed, because the point or the moment did not come."""

    kills: int = 0
    missed: int = 0
    lost_rows: int = 0
    acknowledged: int = 0
    old: int = 0
    new: int = 0
    torn: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Count another tally in."""
        for name in ("kills", "missed", "lost_rows", "acknowledged", "old", "new", "torn"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


ACTOR, BUSY, WORKER, RECOVERY = "actor", "busy_actor", "worker", "recovery"
# Where operations are cut off for the trials of recovery: what follows has something to undo or to finish.
CUTS = ("after do stage #1", "after do expand #1", "after do start #1", "after do export #1", "after do switch #1")
CUTS += ("after do drain #1",)


class Lab:
    """A folder for trials. Makes the hosts that they begin with, and what each operation leads to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.packages = root / "packages"
        self._count = 0
        self._ends: dict[tuple[str, bool], dict[str, Any]] = {}
        made = Child(lambda child: make_starts(root), root / "make.log")
        if made.end():
            raise RuntimeError((root / "make.log").read_text())
        self._warm()

    def _warm(self) -> None:
        """Look once: what every process would work out anew (patterns, settings, types) is then forked with it."""
        home = self._fresh(self.root / CASES["upgrade"].start)
        look(home, self.packages)
        routes = FastAPI()
        routes.get("/api/v1/shop/version")(lambda: "")
        routes.openapi()
        self.forget(home)

    # ── homes and processes ─────────────────────────────────────────────────────────────────────────────────────

    def home(self, case: Case) -> Path:
        """A fresh host on which the operation can be done."""
        home = self._fresh(self.root / case.start)
        if case.folder is not None:
            case.folder(home / "plugins", self.root)
        return home

    def _fresh(self, source: Path) -> Path:
        self._count += 1
        home = self.root / f"home-{os.getpid()}-{self._count}"
        shutil.copytree(source, home, symlinks=True)
        return home

    def fork(self, work: Callable[..., Callable[[Child], None]], home: Path, *arguments: Any) -> Child:
        """A process that works on a home."""
        return Child(work(home, self.packages, *arguments), home.with_suffix(".log"))

    def forget(self, home: Path) -> None:
        """Delete a home and what was written down of it."""
        shutil.rmtree(home)
        for suffix in (".notes", ".log"):
            home.with_suffix(suffix).unlink(missing_ok=True)

    def worker(self, home: Path, deadly: str = "") -> Child:
        """A worker that serves, or that has died of its deadly point."""
        child = self.fork(serve, home, deadly)
        child.hear()
        return child

    def see(self, home: Path, worker: Child | None = None) -> tuple[dict[str, Any], Any]:
        """Recover in a fresh process, let the worker end, and look at everything. What the worker told comes too."""
        fresh = self.fork(recover, home)
        recovered = fresh.hear()
        told = None
        if worker is not None:
            worker.say("stop")
            told = worker.hear()
            worker.end()
        fresh.say("look")
        found = fresh.hear()
        if fresh.end() or found is None or recovered is None:
            raise RuntimeError(home.with_suffix(".log").read_text())
        return found, told

    # ── what there is to kill, and what to expect ───────────────────────────────────────────────────────────────

    def state(self, name: str, *, done: bool) -> dict[str, Any]:
        """The state before, or after, an operation that nobody disturbed."""
        if (name, done) not in self._ends:
            home = self.home(CASES[name])
            if done:
                self._finish(self.fork(act, home, CASES[name], ""), home)
            self._ends[name, done] = self.see(home)[0]
            self.forget(home)
        return self._ends[name, done]

    def _finish(self, child: Child, home: Path) -> Any:
        told = child.hear()
        if child.end():
            raise RuntimeError(home.with_suffix(".log").read_text())
        return told

    def points(self, name: str) -> dict[str, list[str]]:
        """The points that the actor passes alone, the actor beside a worker, and that worker."""
        found = {}
        home = self.home(CASES[name])
        found[ACTOR] = self._finish(self.fork(act, home, CASES[name], ""), home)
        self.forget(home)
        home = self.home(CASES[name])
        worker = self.worker(home)
        found[BUSY] = self._finish(self.fork(act, home, CASES[name], ""), home)
        worker.say("stop")
        found[WORKER] = self._finish(worker, home)["points"]
        self.forget(home)
        return found

    def cut(self, name: str, point: str) -> tuple[Path, list[str]]:
        """A host whose actor died at a point, and the points that its recovery passes."""
        home = self.home(CASES[name])
        actor = self.fork(act, home, CASES[name], point)
        actor.hear()
        if actor.end() != KILLED:
            raise RuntimeError(f"{name} did not come to {point}")
        copy = self._fresh(home)
        points = self._finish(self.fork(recover, copy), copy)
        self.forget(copy)
        return home, points

    # ── trials ──────────────────────────────────────────────────────────────────────────────────────────────────

    def run(self, trial: Trial) -> Tally:
        """One trial."""
        if trial.who == RECOVERY:
            assert trial.cut is not None
            home = self._fresh(trial.cut)
            return self._judge(trial, home, self._strike(trial, self.fork(recover, home, trial.point)), None)
        home = self.home(CASES[trial.case])
        if trial.who == WORKER:
            return self._kill_worker(trial, home)
        worker = self.worker(home) if trial.who == BUSY else None
        actor = self.fork(act, home, CASES[trial.case], trial.point)
        return self._judge(trial, home, self._strike(trial, actor), worker)

    def _strike(self, trial: Trial, child: Child) -> int:
        if trial.point:
            child.hear()
            return child.end()
        time.sleep(trial.delay)
        return child.kill()

    def _kill_worker(self, trial: Trial, home: Path) -> Tally:
        """The actor comes to its end without the worker; or it gives up, when that died of what it was to load."""
        worker = self.worker(home, trial.point)
        actor = self.fork(act, home, CASES[trial.case], "")
        if not trial.point:
            time.sleep(trial.delay)
            worker.kill()
        actor.hear()
        ended = actor.end()
        if trial.point:
            worker.say("stop")
            worker.hear()
        said = home.with_suffix(".log").read_text()
        tally = self._judge(trial, home, worker.end(), None)
        refused = ended == 1 and said.rstrip().rpartition("hotbay.errors.")[2].startswith("ActivationFailed: ")
        if bool(tally.new) != (ended == 0) or (ended and not refused):
            tally.torn.append(f"{trial}: the actor ended with {ended}: {said[-1000:]}")
        return tally

    # ── judging ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _judge(self, trial: Trial, home: Path, code: int, worker: Child | None) -> Tally:
        """Recover, compare with the old and the new state, count the rows that are lost."""
        found, told = self.see(home, worker)
        notes = notes_of(home).read_text().splitlines() if notes_of(home).exists() else []
        added = {line for line in notes if line.startswith("w")}
        old, new = self.state(trial.case, done=False), self.state(trial.case, done=True)
        apart = {state: differences(found, wanted) for state, wanted in (("old", old), ("new", new))}
        state = min(apart, key=lambda name: len(apart[name]))
        kept = {*found["visitors"], *found["exported"]}
        purged = CASES[trial.case].purges and state == "new"
        lost = [] if purged else sorted({*added, *old["visitors"], *old["exported"]} - kept)
        why = apart[state] + ([f"lost rows: {', '.join(lost)}"] if lost else [])
        why += [f"a visitor was told {line}" for line in notes if not line.startswith("w")]
        if told is not None and told["version"] != found["serves"]:
            why.append(f"the living worker serves {told['version']}, a new one {found['serves']}")
        if code not in (0, KILLED):
            why.append(f"exit code {code}: {home.with_suffix('.log').read_text()[-2000:]}")
        self.forget(home)
        tally = Tally(
            kills=int(code == KILLED), missed=int(code != KILLED), lost_rows=len(lost), acknowledged=len(added)
        )
        setattr(tally, state, 1)
        tally.torn = ["\n    ".join([f"{trial}: neither old nor new", *why])] if why else []
        return tally


def differences(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Where two states are not the same, but for the visitors' rows."""
    parts = [part for part in wanted if part not in ("visitors", "exported")]
    return [text for part in parts for text in _apart(part, found[part], wanted[part])]


def _apart(part: str, found: Any, wanted: Any) -> list[str]:
    if found == wanted:
        return []
    if isinstance(found, dict) and isinstance(wanted, dict):
        keys = sorted({*found, *wanted})
        return [line for key in keys for line in _apart(f"{part}: {key}", found.get(key), wanted.get(key))]
    return [f"{part}: {found!r:.300} instead of {wanted!r:.300}"]
