"""Start with 500 installed, active plugins, against none. Goal: at most 1.2 times as long.

Both are the billing host with its sample data, started as a process and stopped again, in turns (none, many, many,
none, …). A start is the time from the process's beginning until its first 200 on a route of the host. `ratio` is the
median with plugins divided by the median without; `cpu` is the same in CPU time at that moment, which a busy machine
disturbs less. After each start with plugins one of them is asked, so that what started so fast is known to serve.
`serving` is that second moment: a plugin's first 200, which includes loading it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bulk import FIRST, install_first, install_rest
from harness import (
    BILLING,
    Server,
    answers,
    arguments,
    cpu_seconds,
    environment,
    milliseconds,
    report,
    say,
    sized,
    temporary,
)

READY = "/api/v1/health"
_PAUSE = 0.002
_GRACE = 4.0


@dataclass(frozen=True)
class Start:
    """Seconds until the host's first 200, CPU seconds then, seconds until a plugin's first 200 (0: there is none), and
    seconds that the process took to end (at most `_GRACE`)."""

    seconds: float
    cpu: float
    serving: float
    stop: float = 0.0


def start(env: Mapping[str, str], log: Path, plugin: str) -> Start:
    """Start a host, look, and stop it."""
    server = Server("app.main:app", BILLING, env, log)
    began = time.monotonic()
    server.start()
    try:
        server.wait(READY, _PAUSE)
        seconds, cpu = time.monotonic() - began, cpu_seconds(server.process.pid)
        if plugin and not answers(f"{server.url}/api/v1/{plugin}/pid"):
            raise RuntimeError(f"{plugin} does not serve; the log ends with:\n{server.tail()}")
        serving = time.monotonic() - began if plugin else 0.0
    finally:
        asked = time.monotonic()
        server.stop(_GRACE)
    return Start(seconds, cpu, serving, time.monotonic() - asked)


def measure(
    none: Mapping[str, str], many: Mapping[str, str], log: Path, plugins: int, pairs: int, warm: int
) -> dict[str, Any]:
    """Starts in turns, after `warm` of each that nobody counts."""
    last = f"bulk_{plugins - 1:04d}"
    ways = {"none": (none, ""), "many": (many, last)}
    found: dict[str, list[Start]] = {"none": [], "many": []}
    for number in range(-warm, pairs):
        for name in ("none", "many") if number % 2 else ("many", "none"):
            env, plugin = ways[name]
            one = start(env, log, plugin)
            if number >= 0:
                found[name].append(one)
                say(f"{name}: {one.seconds:.3f} s, {one.cpu:.3f} s of CPU time")
    return summary(found["none"], found["many"])


def summary(none: list[Start], many: list[Start]) -> dict[str, Any]:
    """The answer."""
    clock = _compare([item.seconds for item in none], [item.seconds for item in many])
    cpu = _compare([item.cpu for item in none], [item.cpu for item in many])
    return {
        "ratio": clock["ratio"],
        "boot": clock,
        "cpu": cpu,
        "serving_p50_ms": milliseconds(statistics.median(item.serving for item in many)),
        "stop_p50_ms": {
            "none": milliseconds(statistics.median(item.stop for item in none)),
            "many": milliseconds(statistics.median(item.stop for item in many)),
            "at_most": milliseconds(_GRACE),
        },
    }


def _compare(none: list[float], many: list[float]) -> dict[str, Any]:
    return {
        "ratio": round(statistics.median(many) / statistics.median(none), 4),
        "none_p50_ms": milliseconds(statistics.median(none)),
        "many_p50_ms": milliseconds(statistics.median(many)),
        "none_ms": [milliseconds(value) for value in none],
        "many_ms": [milliseconds(value) for value in many],
    }


def run(home: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Prepare both homes and measure."""
    plugins = options.plugins or sized(options, 500, 500, 12)
    none, many = environment(home / "none"), environment(home / "many")
    log = home / "log"
    start(none, log, "")  # The first start fills in the sample data.
    start(many, log, "")
    began = time.monotonic()
    install_first(many)
    start(many, log, FIRST)
    install_rest(many, plugins)
    say(f"{plugins} plugins installed in {time.monotonic() - began:.1f} s")
    pairs, warm = options.pairs or sized(options, 12, 3, 1), sized(options, 1, 1, 0)
    found = measure(none, many, log, plugins, pairs, warm)
    return {**found, "plugins": plugins, "goal": "ratio ≤ 1.2"}


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--plugins", type=int, help="how many plugins (default 500)")
    parser.add_argument("--pairs", type=int, help="starts of each kind (default 12, quick 3)")
    options = parser.parse_args()
    with temporary("boot") as home:
        report("boot", options, run(home, options))


if __name__ == "__main__":
    main()
