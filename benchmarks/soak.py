"""Random operations, renamed folders, broken packages, kills and restarts, for as long as wanted, against a model.

It is the state machine of the tests (`tests/fuzz`), with fresh histories until the time is over, while visitors ask
every worker for every plugin without a pause. It ends at the first history that is not as the model says, and tells it.
`refused_requests` counts answers that were wrong at their moment; it must be 0, and so must `failed`.
"""

from __future__ import annotations

import logging
import sys
import time

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from harness import arguments, report, say, sized, use_tests

use_tests()
COUNTED = ("histories", "operations", "operations_of_the_watcher", "kills", "requests", "refused_requests")


def main() -> None:
    """Go on until the time is over."""
    parser = arguments(__doc__)
    parser.add_argument("--minutes", type=float, help="how long (default 10, quick 0.7)")
    options = parser.parse_args()
    minutes = options.minutes or sized(options, 10.0, 0.7, 0.1)
    from fuzz.machine import Machine

    logging.disable(logging.CRITICAL)  # Thousands of refusals are meant.
    history = settings(
        max_examples=4,
        stateful_step_count=sized(options, 40, 20, 8),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    began = time.monotonic()
    failed = 0
    while not failed and time.monotonic() - began < minutes * 60:
        try:
            run_state_machine_as_test(Machine, settings=history)
        except Exception as error:
            failed = 1
            say("\n".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())]))
        say(f"{time.monotonic() - began:.0f} s: {dict(Machine.done)}")
    done = {name: Machine.done[name.replace("_", " ")] for name in COUNTED}
    report("soak", options, {"minutes": round((time.monotonic() - began) / 60, 2), "failed": failed, **done})
    sys.exit(failed)


if __name__ == "__main__":
    main()
