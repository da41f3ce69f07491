"""Failed requests and latencies while plugins are changed, again and again. Failed must be 0.

The billing host runs with several workers, the AI chatbot and a small plugin, the depot. A process of its own (load.py)
sends a steady load: GET, and POST with a body, to the plugins and to the host, uploads that come piece by piece, a
WebSocket and an event stream that stay open, and messages that both of them must hear. Meanwhile the chatbot goes from
1.0.0 to 1.1.0 and back, the depot as well, and the depot is deactivated and activated. Its answers say which version
gave them: after an operation was acknowledged, the answer of any other version is a failure, and so is a 404, except
while the depot is deactivated, when only a 404 is right (`witness.py`).

Then chaos (`chaos.py`): a worker is killed in an operation, its successor starts in another one, a third is stopped
over two. What was on the killed worker's connections dies with it (`lost_with_a_worker`, counted apart); nothing else
may fail.

The rate is a part of what the machine did in a short calibration, so that the load is steady and not a flood; `--rate`
gives another. With `--requests` it is three quarters of it, and goes on until so many were answered.
The latencies are those before the chaos:
`during` are the requests that were under way while an operation was, `between` those between two operations.

The full proof: python benchmarks/swap_under_load.py --workers 4 --swaps 1000 --requests 1000000 --chaos 10 --json
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chaos import Chaos
from harness import (
    BILLING,
    HERE,
    Server,
    arguments,
    build_packages,
    environment,
    latencies,
    memory_mib,
    report,
    say,
    served,
    sized,
    temporary,
)
from operate import Engine, Operator, add_via, login, operator, step_times
from packages import build_depot
from witness import DEPOT, Swap, logged, taken_along, wrong_versions

PLUGIN = "ai_chatbot"
FIRST, SECOND = "1.0.0", "1.1.0"
CYCLE = (
    *(("upgrade", PLUGIN), ("upgrade", DEPOT), ("deactivate", DEPOT)),
    *(("activate", DEPOT), ("rollback", PLUGIN), ("rollback", DEPOT)),
)
SHARE, LARGE_SHARE = 0.25, 0.75
MOST = 250.0
LEAST = 20.0
_SHOWN = 10
_LOAD_STARTS = 1.0


class Loading:
    """A running load.py."""

    def __init__(self, server: Server, admin: str, **config: Any) -> None:
        asked = {"host": "127.0.0.1", "port": server.port, "admin": admin, **config}
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "load.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()

    def answered(self) -> int:
        """How many requests were answered so far."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("count\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def stop(self) -> dict[str, Any]:
        """End it and take what it found. Raises RuntimeError when it broke down."""
        told, _ = self.process.communicate("stop\n", timeout=300)
        if self.process.returncode != 0:
            raise RuntimeError(f"the load ended with {self.process.returncode}")
        found: dict[str, Any] = json.loads(told)
        return found

    def count(self, seconds: float) -> float:
        """Answers a second in the last `seconds` before now; ends it."""
        time.sleep(seconds)
        until = time.monotonic()
        return sum(1 for _, end, _ in self.stop()["done"] if until - seconds <= end <= until) / seconds

    def kill(self) -> None:
        """End it, whatever it does."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def calibrate(server: Server, admin: str, seconds: float) -> float:
    """Requests a second of the same mix that the host answers when they come as fast as they can."""
    loading = Loading(server, admin, rate=0, streams=False)
    try:
        time.sleep(_LOAD_STARTS)
        return loading.count(seconds)
    finally:
        loading.kill()


def swap(act: Operator, kind: str, plugin: str) -> Swap:
    """One operation, with the moments at which it began and ended."""
    began = time.monotonic()
    outcome = act.run(kind, plugin)
    ended = time.monotonic()
    version = outcome.get("version") or outcome.get("before")
    return {"kind": kind, "plugin": plugin, "version": version, "began": began, "ended": ended, "outcome": outcome}


def swap_all(
    act: Operator, loading: Loading, swaps: list[Swap], count: int, requests: int, pause: float, limit: float
) -> None:
    """Go through the cycle, `count` operations and `requests` requests, or until `limit` seconds have passed.

    Ends where it began: with the first versions of both plugins, both active. Those that succeeded are in `swaps`,
    whatever comes of the next one.
    """
    deadline = time.monotonic() + limit
    while (len(swaps) < count or loading.answered() < requests) and time.monotonic() < deadline:
        for kind, plugin in CYCLE:
            swaps.append(swap(act, kind, plugin))
            time.sleep(pause)
        if len(swaps) % 60 == 0:
            say(f"{len(swaps)} operations, {loading.answered()} requests")


# ── what it came to ─────────────────────────────────────────────────────────────────────────────────────────────


def phases(done: Sequence[Sequence[Any]], swaps: Sequence[Swap]) -> dict[str, dict[str, float]]:
    """The latencies before the first operation, during and between operations, and after the last one."""
    found: dict[str, list[float]] = {"before": [], "during": [], "between": [], "after": []}
    begins, ends = [item["began"] for item in swaps], [item["ended"] for item in swaps]
    for due, end, _ in done:
        found[_phase(due, end, begins, ends)].append(end - due)
    return {name: latencies(seconds) for name, seconds in found.items()}


def _phase(due: float, end: float, begins: Sequence[float], ends: Sequence[float]) -> str:
    """Operations come one after the other: of those that had not ended when it was due, the first is the next."""
    if end < begins[0]:
        return "before"
    if due > ends[-1]:
        return "after"
    return "during" if end >= begins[bisect_left(ends, due)] else "between"


def calm(done: Sequence[Sequence[Any]], swaps: Sequence[Swap], until: float) -> tuple[list[Sequence[Any]], list[Swap]]:
    """Requests and operations before the chaos: what waits for a stopped worker says nothing about operations."""
    return [row for row in done if row[1] < until], [item for item in swaps if item["ended"] < until]


def summary(
    found: dict[str, Any], swaps: Sequence[Swap], kills: Sequence[dict[str, Any]], chaos_began: float
) -> dict[str, Any]:
    """The answer."""
    streams = found["streams"]
    broken = [*found["failures"], *streams["websocket"].pop("failures"), *streams["sse"].pop("failures")]
    lost = [item for item in broken if taken_along(item, kills)]
    wrong = wrong_versions(found["witnessed"], swaps, FIRST)
    failures = [*(item for item in broken if not taken_along(item, kills)), *wrong]
    times = {kind: [item["ended"] - item["began"] for item in swaps if item["kind"] == kind] for kind in _kinds(swaps)}
    names = [name for _, _, name in found["done"]]
    return {
        "requests": len(names),
        "failed": len(failures),
        "swaps": len(swaps),
        "wrong_versions": len(wrong),
        "witnessed": len(found["witnessed"]),
        "lost_with_a_worker": len(lost),
        "reconnects": found["reconnects"],
        "phases": phases(*calm(found["done"], swaps, chaos_began)),
        "swap_times": {kind: latencies(seconds) for kind, seconds in times.items()},
        "steps_p50_ms": {
            kind: step_times([item["outcome"] for item in swaps if item["kind"] == kind]) for kind in times
        },
        "requests_by_kind": {name: names.count(name) for name in sorted(set(names))},
        "chat_messages": found["said"],
        **streams,
        "client_cpu_share": found["client_cpu_share"],
        "failures": [{**item, "at": _moment(item["at"], swaps)} for item in failures[:_SHOWN]],
    }


def _kinds(swaps: Sequence[Swap]) -> list[str]:
    return sorted({item["kind"] for item in swaps})


def _moment(at: float, swaps: Sequence[Swap]) -> str:
    """When a failure happened, in terms of the operations."""
    for number, item in enumerate(swaps, 1):
        if item["began"] <= at <= item["ended"] + 0.5:
            return f"{item['kind']} {number}, {at - item['began']:.3f} s of {item['ended'] - item['began']:.3f} s"
    return "before the first operation" if at < swaps[0]["began"] else f"{at - swaps[0]['began']:.3f} s"


def run(server: Server, env: dict[str, str], options: argparse.Namespace) -> dict[str, Any]:
    """Install, calibrate, load, swap, and look."""
    act, admin = operator(options.via, server, env), login(server.url)
    for plugin in (PLUGIN, DEPOT):
        act.run("install", plugin, FIRST)
    # The load talks in one chat faster than a guest may.
    Engine(env).change_settings(PLUGIN, messages_per_minute=600)
    rate, found = _rate(server, admin, options)
    say(f"calibrated at {found:.0f} requests a second, loading with {rate:.0f}")
    pids, memory = server.pids(), memory_mib(server.pids())
    loading = Loading(server, admin, rate=rate, depot=True)
    try:
        time.sleep(sized(options, 15.0, 5.0, 0.7))
        swaps, failed = _swaps(act, loading, options, rate)
        unchanged = server.pids() == pids
        after = memory_mib(server.pids())
        time.sleep(sized(options, 15.0, 2.0, 0.7))
        chaos_began = time.monotonic()
        rounds = sized(options, 3, 1, 0) if options.chaos is None else options.chaos
        chaos, broke = _chaos(server, env, 0 if failed else rounds)
        result = summary(loading.stop(), [*swaps, *chaos.swaps], chaos.kills, chaos_began)
    finally:
        loading.kill()
    return {
        **result,
        "workers": server.workers,
        "killed": len(chaos.kills),
        "stopped": chaos.stops,
        "broke": failed or broke,
        "rate": round(rate, 1),
        "calibrated": round(found, 1),
        "workers_unchanged": unchanged,
        "memory_mib": {"before": memory, "after": after},
        "via": options.via,
    }


def _rate(server: Server, admin: str, options: argparse.Namespace) -> tuple[float, float]:
    """Requests a second to send, and those of the calibration (0 without one)."""
    asked = options.rate or sized(options, 0.0, 0.0, LEAST)
    found = 0.0 if asked else calibrate(server, admin, sized(options, 5.0, 3.0, 0.0))
    usual = found * LARGE_SHARE if options.requests else min(MOST, found * SHARE)
    return asked or max(LEAST, usual), found


def _swaps(act: Operator, loading: Loading, options: argparse.Namespace, rate: float) -> tuple[list[Swap], str]:
    """All operations but those of the chaos; in the full form with a pause that spreads them over the requests.

    With what broke one of them, if anything did: that is a failure, and what was counted before is not lost by it.
    """
    count = options.swaps or sized(options, 120, 60, len(CYCLE))
    limit = sized(options, 900.0 + 3.0 * options.requests / rate, 18.0, 20.0)
    swaps: list[Swap] = []
    try:
        swap_all(act, loading, swaps, count, options.requests, options.pause, limit)
    except Exception as error:
        if not swaps:
            raise
        return swaps, f"operation {len(swaps) + 1}: {type(error).__name__}: {error}"
    return swaps, ""


def _chaos(server: Server, env: dict[str, str], rounds: int) -> tuple[Chaos, str]:
    """Operations come from a process of their own: a worker that is killed must not take them along.

    What broke it, if anything did, is a failure; what was counted before is not lost by it.
    """
    engine = Engine(env)
    made = Chaos(server, lambda kind, plugin: swap(engine, kind, plugin), engine.present)
    try:
        for number in range(rounds):
            made.round(number)
    except Exception as error:
        return made, f"{type(error).__name__}: {error}"
    return made, ""


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    add_via(parser)
    parser.add_argument("--workers", type=int, help="workers of the host (default 4; quick and tiny: 2)")
    parser.add_argument("--swaps", type=int, help="operations (default 120; quick: 60, at most 18 s)")
    parser.add_argument("--requests", type=int, default=0, help="go on until so many requests were answered")
    parser.add_argument("--chaos", type=int, help="rounds of killed and stopped workers (default 3; quick 1; tiny 0)")
    parser.add_argument("--rate", type=float, default=0.0, help="requests a second (default: found by calibration)")
    parser.add_argument("--pause", type=float, default=0.2, help="seconds between two operations (default 0.2)")
    options = parser.parse_args()
    with temporary("swap") as home:
        result = _host(home, options)
        for failure in result["failures"]:
            failure["logged"] = logged(failure["why"], home / "logs")
    report("swap_under_load", options, result)
    if result["failed"] or result["broke"] or not result["workers_unchanged"]:
        sys.exit(1)


def _host(home: Path, options: argparse.Namespace) -> dict[str, Any]:
    env = environment(home)
    build_packages(home / "modules")
    for version in (FIRST, SECOND):
        build_depot(home / "modules", version)
    workers = options.workers or sized(options, 4, 2, 2)
    with served("app.main:app", BILLING, env, home / "log", workers=workers, ready="/api/v1/health") as server:
        return run(server, env, options)


if __name__ == "__main__":
    main()
