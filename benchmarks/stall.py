"""The longest time for which a worker's event loop stands still during an operation. Goal: at most 20 ms.

The billing host runs with two workers; in each, a task on the loop wants to wake every millisecond and notes when it
wakes late. Nobody asks for anything meanwhile: what is seen is the operations' own. `max_stall_ms` is the longest
lateness in any worker from the click to half a second after the operation's end (the old generation is collected
then), over all operations; `stall_p50_ms` the median of the operations' longest. `baseline` is the same without
operations, before and after: how much the machine itself stalls whatever runs on it; `baseline_busy` while a process
that has nothing to do with the host computes, as the other worker does during an operation. `cpu_ms` is how much CPU
time the process had within the stall: what is missing there was taken by the machine, and what is not `loop_cpu_ms` by
another thread that held the interpreter. `stolen_ms` is what a hypervisor took of both processors meanwhile (in steps
of 10 ms), of which the guest may count a part as `cpu_ms`. On each processor a process of real time, which the kernel
lets run before all others, wants nothing but to wake: `still_ms` is for how long of the stall it did not wake either,
as its processor ran nobody (a hypervisor had taken it, or the kernel was busy). `max_own_stall_ms` is the longest stall
without that. Who may not start such a process (`witness` is `ordinary` then) has in `still_ms` only what both
processors stood still.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import (
    HOSTS,
    Server,
    arguments,
    build_packages,
    environment,
    milliseconds,
    percentile,
    report,
    say,
    served,
    sized,
    temporary,
)
from operate import Operator, add_via, operator
from stall_record import Late, Machine, read

PLUGIN = "ai_chatbot"
ROUND = (
    ("install", "1.0.0"),
    ("upgrade", "1.1.0"),
    ("rollback", ""),
    ("upgrade", "1.1.0"),
    ("deactivate", ""),
    ("activate", ""),
    ("uninstall", ""),
)
AFTER = 0.5


@dataclass(frozen=True)
class Phase:
    """A time in which something was done, or nothing."""

    name: str
    began: float
    ended: float


def overlapping(found: Sequence[Late], phase: Phase) -> list[Late]:
    """The stalls that overlap a phase."""
    return [item for item in found if item.at - item.late <= phase.ended and item.at >= phase.began]


def longest(found: Sequence[Late], phase: Phase) -> Late:
    """The longest stall that overlaps a phase."""
    nothing = Late(0, phase.ended, 0.0, 0.0, 0.0)
    return max(overlapping(found, phase), key=lambda item: item.late, default=nothing)


def told(item: Late, machine: Machine) -> dict[str, float]:
    """A stall, for the answer."""
    return {
        "ms": milliseconds(item.late),
        "loop_cpu_ms": milliseconds(item.loop_cpu),
        "cpu_ms": milliseconds(item.cpu),
        "stolen_ms": milliseconds(machine.took(item.at - item.late, item.at)),
        "still_ms": milliseconds(machine.stood(item.at - item.late, item.at)),
    }


def longest_own(found: Sequence[Late], phases: Sequence[Phase], machine: Machine) -> float:
    """The most seconds of a stall in any of the phases in which the machine did not stand still.

    It need not be of the longest stall: that may have been the machine's.
    """
    mine = (item for phase in phases for item in overlapping(found, phase))
    return max((item.late - machine.stood(item.at - item.late, item.at) for item in mine), default=0.0)


def operate(act: Operator, rounds: int, after: float = AFTER) -> list[Phase]:
    """All operations, again and again."""
    phases = []
    for number in range(rounds):
        for kind, version in ROUND:
            began = time.monotonic()
            act.run(kind, PLUGIN, version)
            time.sleep(after)
            phases.append(Phase(kind, began, time.monotonic()))
        say(f"round {number + 1} of {rounds}")
    return phases


def rest(seconds: float) -> Phase:
    """Nothing for a while."""
    began = time.monotonic()
    time.sleep(seconds)
    return Phase("baseline", began, time.monotonic())


def rest_beside_work(seconds: float) -> Phase:
    """Nothing for a while, but for a process that computes."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            return rest(seconds)
        finally:
            busy.kill()


def summary(
    found: Sequence[Late], phases: Sequence[Phase], idle: Sequence[Phase], beside: Sequence[Phase], machine: Machine
) -> dict[str, Any]:
    """The answer."""
    worst = {phase: longest(found, phase) for phase in phases}
    top = max(worst.values(), key=lambda item: item.late)
    lates = [item.late for item in worst.values()]
    return {
        "max_stall_ms": milliseconds(top.late),
        "max_stall": told(top, machine),
        "max_own_stall_ms": milliseconds(longest_own(found, phases, machine)),
        "stall_p50_ms": milliseconds(percentile(lates, 50)),
        "stall_p95_ms": milliseconds(percentile(lates, 95)),
        "max_cpu_in_a_stall_ms": milliseconds(max(item.cpu for item in worst.values())),
        "operations": len(phases),
        "by_operation": {kind: _by_kind(kind, worst, machine) for kind in dict(ROUND)},
        "seconds": round(sum(phase.ended - phase.began for phase in phases), 1),
        "witness": "real-time" if machine.real_time else "ordinary",
        "baseline": _baseline(found, idle, machine),
        "baseline_busy": _baseline(found, beside, machine),
    }


def _by_kind(kind: str, worst: dict[Phase, Late], machine: Machine) -> dict[str, Any]:
    mine = [item for phase, item in worst.items() if phase.name == kind]
    lates = [item.late for item in mine]
    return {
        "count": len(mine),
        "p50_ms": milliseconds(percentile(lates, 50)),
        "max_ms": milliseconds(max(lates)),
        "max": told(max(mine, key=lambda item: item.late), machine),
    }


def _baseline(found: Sequence[Late], idle: Sequence[Phase], machine: Machine) -> dict[str, Any]:
    """Judged in pieces of one second, as an operation is about that long."""
    pieces = [
        Phase("second", phase.began + number, phase.began + number + 1)
        for phase in idle
        for number in range(int(phase.ended - phase.began))
    ]
    worst = [longest(found, piece) for piece in pieces or idle]
    top = max(worst, key=lambda item: item.late)
    return {
        "max_stall_ms": milliseconds(top.late),
        "max_stall": told(top, machine),
        "stall_p50_ms": milliseconds(percentile([item.late for item in worst], 50)),
        "seconds": round(sum(phase.ended - phase.began for phase in idle), 1),
    }


def run(server: Server, log: Path, act: Operator, options: argparse.Namespace) -> dict[str, Any]:
    """One round that nobody counts, for what is imported only once; then rest, operations, rest."""
    warm = operate(act, 1) if not options.tiny else []
    rounds = options.rounds or sized(options, 20, 2, 1)
    pause = sized(options, 30.0, 4.0, 1.0)
    with Machine(log.with_name("machine")) as machine:
        idle = [rest(pause)]
        phases = operate(act, rounds, sized(options, AFTER, AFTER, 0.05))
        idle.append(rest(pause))
        beside = [rest_beside_work(pause)]
    found = read(log)
    if not {item.pid for item in found} <= set(server.pids()):
        raise RuntimeError("a worker was replaced meanwhile")
    first = {"first_round_max_ms": milliseconds(max(longest(found, phase).late for phase in warm))} if warm else {}
    return {**summary(found, phases, idle, beside, machine), **first}


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    add_via(parser)
    parser.add_argument("--rounds", type=int, help=f"rounds of {len(ROUND)} operations (default 20, quick 2)")
    parser.add_argument("--trace", action="store_true", help="show what long stalls did (costs time of its own)")
    options = parser.parse_args()
    with temporary("stall") as home:
        result = _host(home, options)
    report("stall", options, {**result, "goal": "max_stall_ms ≤ 20", "via": options.via})


def _host(home: Path, options: argparse.Namespace) -> dict[str, Any]:
    log = home / "stalls"
    env = environment(home, STALL_LOG=str(log), **({"STALL_TRACE": "1"} if options.trace else {}))
    build_packages(home / "modules")
    with served("stall_host:app", HOSTS, env, home / "log", workers=2, ready="/api/v1/health") as server:
        found = run(server, log, operator(options.via, server, env), options)
    if options.trace:
        sys.stderr.write((home / "log").read_text("utf-8", "replace"))
    return found


if __name__ == "__main__":
    main()
