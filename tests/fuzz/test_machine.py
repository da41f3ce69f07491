"""The state machine, in the bounded form that runs with the other tests; `make soak` runs it for as long as wanted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from fuzz.machine import Machine
from fuzz.packages import SPLIT
from hotbay.model import DataPolicy, Rows

BOUNDED = settings(
    max_examples=3,
    stateful_step_count=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


VERBS = ("stage", "shelve", "backup", "expand", "start", "switch", "publish", "drain", "contract")
# The way over a contract script and back, as the rules may take it; random histories seldom do all of it.
CONTRACTS: list[tuple[str, dict[str, Any]]] = [
    ("install", {"version": "1.1.0", "edition": "", "inactive": False}),
    ("visit", {"number": 0}),
    ("crash_bringing", {"version": SPLIT, "seq": VERBS.index("switch"), "moment": "before"}),
    ("crash_bringing", {"version": SPLIT, "seq": VERBS.index("contract"), "moment": "before"}),
    ("rollback", {"rows": Rows.KEEP, "accept": False}),
    ("rollback", {"rows": Rows.RESTORE, "accept": False}),
    ("upgrade_beside_a_visitor", {"edition": ""}),
    ("put", {"version": "1.0.0", "edition": ""}),
    ("rollback", {"rows": Rows.RESTORE, "accept": False}),
    ("rollback", {"rows": Rows.RESTORE, "accept": True}),
    ("plant_a_thorn", {}),
    ("upgrade", {"version": SPLIT, "edition": "b"}),
    ("visit", {"number": 1}),
    ("deactivate", {}),
    ("activate", {}),
    ("pull_thorns", {}),
    ("uninstall", {"policy": DataPolicy.KEEP}),
    ("install", {"version": "1.1.0", "edition": "", "inactive": False}),
    ("install", {"version": SPLIT, "edition": "", "inactive": False}),
]
WANTED = {
    "contracts that waited",
    "refused over a contract",
    "refused to lose rows",
    "rolled back over a contract",
    "refused folders",
    "owed, then paid",
}


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A history that the test writes."""
    made = Machine()
    yield made
    made.teardown()


def go(machine: Machine, rule: str, **values: Any) -> None:
    getattr(machine, rule)(plugin="shop", **values)
    machine.everything_is_as_the_model_says()


def test_over_a_contract_script_and_back(machine: Machine) -> None:
    done = Machine.done.copy()
    for rule, values in CONTRACTS:
        go(machine, rule, **values)
    assert (Machine.done - done).keys() >= WANTED
    assert machine.world.models["shop"].version == SPLIT


@pytest.mark.parametrize(("first", "then"), [("", "b"), ("b", "")])
def test_what_rests_went_back_to_what_was_before(machine: Machine, first: str, then: str) -> None:
    """Two packages of one version, and neither answers: what is there is told by the folder alone."""
    go(machine, "install", version="1.3.0", edition=first, inactive=False)
    go(machine, "upgrade", version="1.3.0", edition=then)
    go(machine, "upgrade", version="1.3.0", edition=first)
    go(machine, "deactivate")
    go(machine, "rollback", rows=Rows.RESTORE, accept=False)
    go(machine, "activate")
    assert machine.world.models["shop"].edition == then


def test_a_kill_is_in_its_operation_whatever_the_recovery_before_it_owes(machine: Machine) -> None:
    go(machine, "install", version="1.1.0", edition="", inactive=False)
    go(machine, "plant_a_thorn")
    go(machine, "crash_bringing", version=SPLIT, seq=VERBS.index("drain"), moment="before")
    go(machine, "crash_bringing", version="1.3.0", seq=VERBS.index("publish"), moment="before")
    assert machine.world.models["shop"].version == "1.3.0"


@pytest.mark.timeout(400)
def test_random_histories_are_as_the_model_says() -> None:
    run_state_machine_as_test(Machine, settings=BOUNDED)
