"""Failed requests and latencies while a plugin is upgraded and rolled back, again and again. Failed must be 0.

The billing host runs with two workers and the AI chatbot. A process of its own (load.py) sends a steady load: GET, and
POST with a body, to the plugin and to the host, a WebSocket and an event stream that stay open, and messages that both
of them must hear. Meanwhile the chatbot goes from 1.0.0 to 1.1.0 and back, 50 times each way. The rate is a part of
what the machine did in a short calibration, so that the load is steady and not a flood; `--rate` gives another.
`during` are the requests that were under way while an operation was, `between` those between two operations.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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

PLUGIN = "ai_chatbot"
SHARE = 0.25
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

    def stop(self) -> dict[str, Any]:
        """End it and take what it found. Raises RuntimeError when it broke down."""
        told, _ = self.process.communicate("stop\n", timeout=120)
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


Swap = dict[str, Any]


def swap(act: Operator, kind: str) -> Swap:
    """One operation, with the moments at which it began and ended."""
    began = time.monotonic()
    outcome = act.run(kind, PLUGIN)
    return {"kind": kind, "began": began, "ended": time.monotonic(), "outcome": outcome}


def swap_all(act: Operator, count: int, pause: float, limit: float) -> list[Swap]:
    """Upgrade and roll back in turns, `count` times each, or until `limit` seconds have passed."""
    swaps: list[Swap] = []
    deadline = time.monotonic() + limit
    while len(swaps) < 2 * count and time.monotonic() < deadline:
        swaps.append(swap(act, "rollback" if len(swaps) % 2 else "upgrade"))
        time.sleep(pause)
    return swaps


# ── what it came to ─────────────────────────────────────────────────────────────────────────────────────────────


def phases(done: Sequence[Sequence[Any]], swaps: Sequence[Swap]) -> dict[str, dict[str, float]]:
    """The latencies before the first operation, during and between operations, and after the last one."""
    found: dict[str, list[float]] = {"before": [], "during": [], "between": [], "after": []}
    for due, end, _ in done:
        found[_phase(due, end, swaps)].append(end - due)
    return {name: latencies(seconds) for name, seconds in found.items()}


def _phase(due: float, end: float, swaps: Sequence[Swap]) -> str:
    if end < swaps[0]["began"]:
        return "before"
    if due > swaps[-1]["ended"]:
        return "after"
    return "during" if any(due <= item["ended"] and end >= item["began"] for item in swaps) else "between"


def summary(found: dict[str, Any], swaps: Sequence[Swap]) -> dict[str, Any]:
    """The answer."""
    streams = found["streams"]
    failures = [*found["failures"], *streams["websocket"].pop("failures"), *streams["sse"].pop("failures")]
    times = {kind: [item["ended"] - item["began"] for item in swaps if item["kind"] == kind] for kind in _kinds(swaps)}
    names = [name for _, _, name in found["done"]]
    return {
        "requests": len(names),
        "failed": len(failures),
        "swaps": len(swaps),
        "reconnects": found["reconnects"],
        "phases": phases(found["done"], swaps),
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
    act.run("install", PLUGIN, "1.0.0")
    # The load talks in one chat faster than a guest may.
    Engine(env).change_settings(PLUGIN, messages_per_minute=600)
    asked = options.rate or sized(options, 0.0, 0.0, LEAST)
    found = 0.0 if asked else calibrate(server, admin, sized(options, 5.0, 3.0, 0.0))
    rate = asked or max(LEAST, min(MOST, found * SHARE))
    say(f"calibrated at {found:.0f} requests a second, loading with {rate:.0f}")
    pids, memory = server.pids(), memory_mib(server.pids())
    loading = Loading(server, admin, rate=rate)
    try:
        time.sleep(sized(options, 15.0, 5.0, 0.7))
        swaps = swap_all(
            act, options.swaps or sized(options, 50, 25, 1), options.pause, sized(options, 900.0, 25.0, 20.0)
        )
        time.sleep(sized(options, 15.0, 5.0, 0.7))
        result = summary(loading.stop(), swaps)
    finally:
        loading.kill()
    return {
        **result,
        "rate": round(rate, 1),
        "calibrated": round(found, 1),
        "workers_unchanged": server.pids() == pids,
        "memory_mib": {"before": memory, "after": memory_mib(server.pids())},
        "via": options.via,
    }


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    add_via(parser)
    parser.add_argument(
        "--swaps", type=int, help="upgrades, and as many rollbacks (default 50; quick: 25, at most 25 s)"
    )
    parser.add_argument("--rate", type=float, default=0.0, help="requests a second (default: found by calibration)")
    parser.add_argument("--pause", type=float, default=0.2, help="seconds between two operations (default 0.2)")
    options = parser.parse_args()
    with temporary("swap") as home:
        result = _host(home, options)
    report("swap_under_load", options, result)
    if result["failed"] or not result["workers_unchanged"]:
        sys.exit(1)


def _host(home: Path, options: argparse.Namespace) -> dict[str, Any]:
    env = environment(home)
    build_packages(home / "modules")
    with served("app.main:app", BILLING, env, home / "log", workers=2, ready="/api/v1/health") as server:
        return run(server, env, options)


if __name__ == "__main__":
    main()
