"""kill -9 at every effect of every operation: the bounded form of `make torture`, and the proof that it would tell."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from campaign import apart
from lab import ACTOR, BUSY, RECOVERY, WORKER, Lab, Trial

from engine_host import elsewhere
from hosts import CASES
from hotbay.expand import Expand
from hotbay.folders import Folders
from hotbay.model import Kind
from hotbay.steps import STEPS, Switch

ROOT = Path(__file__).parents[2]


def test_every_operation_is_tortured() -> None:
    assert {case.kind for case in CASES.values()} == set(Kind)


@pytest.mark.timeout(500)
def test_a_kill_leaves_the_old_or_the_new_state(capfd: pytest.CaptureFixture[str]) -> None:
    """A sample; its seed is printed. `make torture` does all of them."""
    command = [sys.executable, str(ROOT / "benchmarks" / "torture.py"), "--quick", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stderr)
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["failures"] == [], f"seed {answer['seed']}"
    assert (answer["torn"], answer["lost_rows"], done.returncode) == (0, 0, 0)
    by_who = {who: found["kills"] for who, found in answer["by_who"].items()}
    assert set(by_who) == {ACTOR, BUSY, WORKER, RECOVERY, "by_chance"}
    assert min(by_who.values()) > 0
    assert answer["missed"] < answer["kills"] / 4
    assert answer["acknowledged"] > 0
    assert min(answer["old"], answer["new"]) > 10


def test_of_two_points_that_nothing_happens_between_one_is_taken() -> None:
    passed = ["before a", "after a", "before b", "before c", "after c", "after b", "before d", "after d"]
    assert apart(passed) == ["before a", "before b", "before c", "after c", "before d", "after d"]
    assert apart([]) == []


# ── it would tell ──


def two_transactions(patch: Callable[..., None]) -> None:
    """The live row is committed before the journal knows."""
    from hotbay import journal, store

    def put(self: Any, bench: Any, row: Any) -> None:
        with bench.store.write() as connection:
            store.put_live(connection, row)
        with bench.store.write() as connection:
            store.set_candidate(connection, bench.plugin, None)
            journal.mark_switched(connection, bench.operation)

    patch(Switch, "_put", put)


def deaf_undo(patch: Callable[..., None]) -> None:
    """Migrations are not undone."""
    patch(Expand, "_take_back", lambda self, bench, rows, mine: None)


def dropping_undo(patch: Callable[..., None]) -> None:
    """What is undone takes all tables with it, and makes them anew: only users' rows are gone."""
    real = Expand._take_back

    def take_back(self: Any, bench: Any, rows: Any, mine: Any) -> None:
        real(self, bench, rows, mine)
        with bench.store.write() as connection:
            connection.exec_driver_sql("DELETE FROM shop_items WHERE name LIKE 'w%'")

    patch(Expand, "_take_back", take_back)


def no_sweep(patch: Callable[..., None]) -> None:
    """Shelves are left."""
    patch(Folders, "unshelve", lambda self, operation, plugin: None)
    patch(Folders, "sweep_shelves", lambda self: None)


def early_answer(patch: Callable[..., None]) -> None:
    """The steps' marks are lost: a step right of the switch is believed to be done."""
    real = type(STEPS["publish"]).do
    patch(type(STEPS["publish"]), "do", lambda self, bench, params: real(self, bench, params) if bench.tree else {})


BETWEEN = "before DELETE FROM hotbay_candidates WHERE in hotbay.db #2"
BROKEN: dict[str, tuple[Callable[..., None], Trial]] = {
    "two transactions": (
        two_transactions,
        Trial(ACTOR, "upgrade", BETWEEN),
    ),
    "migrations stay": (deaf_undo, Trial(ACTOR, "upgrade", "after do expand #1")),
    "rows are lost": (dropping_undo, Trial(ACTOR, "upgrade", "after do expand #1")),
    "visitors' rows are lost": (dropping_undo, Trial(BUSY, "upgrade", "after do expand #1")),
    "shelves stay": (no_sweep, Trial(ACTOR, "upgrade", "after do start #1")),  # copied beside the steps before
    "publish is forgotten": (early_answer, Trial(ACTOR, "upgrade", "before do publish #1")),
}


def torn(root: Path, name: str) -> None:
    """In a process of its own: break the engine, do the trial, write down what came of it."""
    gc.freeze()
    broken, trial = BROKEN[name]
    lab = Lab(root)
    for done in (False, True):
        lab.state(trial.case, done=done)
    broken(setattr)
    tally = lab.run(trial)
    (root / "found.json").write_text(json.dumps([tally.kills, tally.lost_rows, tally.torn]))


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_engine_is_told(tmp_path: Path, name: str) -> None:
    elsewhere(torn, tmp_path, name)
    kills, lost, told = json.loads((tmp_path / "found.json").read_text())
    assert kills == 1
    assert len(told) == 1
    assert (lost > 0) == ("rows are lost" in name)
