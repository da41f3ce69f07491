"""The state machine, in the bounded form that runs with the other tests; `make soak` runs it for as long as wanted."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from fuzz.machine import Machine

BOUNDED = settings(
    max_examples=6,
    stateful_step_count=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.timeout(400)
def test_random_histories_are_as_the_model_says() -> None:
    run_state_machine_as_test(Machine, settings=BOUNDED)
