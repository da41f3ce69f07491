"""Does a process grow while a plugin is swapped again and again? Goals: < 10 MB after warm-up, no generation alive.

The billing host runs in one process with the AI chatbot, under a light load (load.py). A cycle is an upgrade from 1.0.0
to 1.1.0 and a rollback: two generations come and go. `rss_growth_mb` (10⁶ bytes) is what the process's resident
memory grew by from the end of the warm-up (the first tenth of the cycles) to the last cycle, each the median of a
few readings around; `alive` counts generations that are in memory at the end beside the one that serves.
`latency_ratio` is the p50 of the requests in the last tenth of the time after the warm-up against the first tenth.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness import (
    HOSTS,
    Server,
    arguments,
    build_packages,
    environment,
    memory_mib,
    milliseconds,
    percentile,
    report,
    say,
    served,
    sized,
    temporary,
)
from operate import Engine, Operator, add_via, login, operator
from swap_under_load import PLUGIN, Loading

RATE = 10.0
GOAL_MB = 10.0
_MIB = 2**20 / 10**6
_AROUND = 5


def memory(server: Server, *, types: bool = False) -> dict[str, Any]:
    """What the host says of its memory, after a collection."""
    with urllib.request.urlopen(f"{server.url}/bench/memory{'?types=1' if types else ''}", timeout=60) as answer:
        told: dict[str, Any] = json.loads(answer.read())
    return told


def cycle(act: Operator, server: Server, cycles: int, pause: float) -> tuple[list[float], list[float]]:
    """Upgrade and roll back; the process's memory in MB, and the moment, after each cycle."""
    grown, moments = [], []
    for number in range(1, cycles + 1):
        for kind in ("upgrade", "rollback"):
            act.run(kind, PLUGIN)
            time.sleep(pause)
        grown.append(memory_mib(server.pids())[0] * _MIB)
        moments.append(time.monotonic())
        if number % max(1, cycles // 20) == 0:
            say(f"{number} of {cycles} cycles, {grown[-1]:.1f} MB")
    return grown, moments


def growth(grown: Sequence[float], warm: int) -> tuple[float, float]:
    """Memory at the end of the warm-up and at the end, each the median of a few readings."""
    first = statistics.median(grown[max(0, warm - _AROUND) : warm + _AROUND])
    return first, statistics.median(grown[-2 * _AROUND :])


def latencies(done: Sequence[Sequence[Any]], begin: float, end: float) -> tuple[float, float]:
    """The p50, in seconds, in the first and in the last tenth of the time."""
    tenth = (end - begin) / 10
    first = [stop - due for due, stop, _ in done if begin <= due < begin + tenth]
    last = [stop - due for due, stop, _ in done if end - tenth <= due < end]
    return percentile(first, 50), percentile(last, 50)


def run(server: Server, env: dict[str, str], options: argparse.Namespace) -> dict[str, Any]:
    """Install, load, cycle, wait until the last generation was left, and look."""
    act, admin = operator(options.via, server, env), login(server.url)
    act.run("install", PLUGIN, "1.0.0")
    Engine(env).change_settings(PLUGIN, messages_per_minute=600)
    cycles = options.cycles or sized(options, 1000, 40, 3)
    warm = max(1, cycles // 10)
    before = memory(server, types=options.types)
    loading = Loading(server, admin, rate=options.rate)
    try:
        time.sleep(sized(options, 3.0, 2.0, 1.0))
        grown, moments = cycle(act, server, cycles, options.pause)
        found = loading.stop()
    finally:
        loading.kill()
    after = settled(server)
    first, last = growth(grown, warm)
    early, late = latencies(found["done"], moments[warm - 1], moments[-1])
    if options.types:
        say(types_text(before["types"], memory(server, types=True)["types"]))
    return {
        "cycles": cycles,
        "alive": len(after["generations"]) - 1,
        "rss_growth_mb": round(last - first, 2),
        "kb_a_cycle": round((last - first) * 1000 / max(1, cycles - warm), 2),
        "rss_mb": {"start": round(before["resident"] / 1e6, 1), "warm": round(first, 1), "end": round(last, 1)},
        "rss_by_tenth_mb": [round(grown[min(len(grown) - 1, len(grown) * part // 10)], 1) for part in range(11)],
        "latency_ratio": round(late / early, 3) if early else 0.0,
        "p50_ms": {"first_tenth": milliseconds(early), "last_tenth": milliseconds(late)},
        "requests": len(found["done"]),
        "failed": len(found["failures"]),
        "failures": found["failures"][:5],
        "seconds": round(moments[-1] - moments[0], 1),
        "via": options.via,
        "arenas": options.arenas or 0,
    }


def settled(server: Server) -> dict[str, Any]:
    """The memory once the last old generation was left: streams may keep it for the drain time."""
    deadline = time.monotonic() + 15
    while len((found := memory(server))["generations"]) > 1 and time.monotonic() < deadline:
        time.sleep(0.5)
    return found


def types_text(before: dict[str, int], after: dict[str, int]) -> str:
    """What there is more of."""
    more = {name: count - before.get(name, 0) for name, count in after.items() if count - before.get(name, 0) > 20}
    return "\n".join(f"{count:8} {name}" for name, count in sorted(more.items(), key=lambda item: -item[1])[:40])


def main() -> None:
    """Measure and print. Exits with 1 when a generation is alive or a request failed."""
    parser = arguments(__doc__)
    add_via(parser)
    parser.add_argument("--cycles", type=int, help="upgrades, and as many rollbacks (default 1000; quick 40)")
    parser.add_argument("--rate", type=float, default=RATE, help=f"requests a second (default {RATE:g})")
    parser.add_argument("--pause", type=float, default=0.05, help="seconds after each operation (default 0.05)")
    parser.add_argument(
        "--arenas", type=int, help="the C library's pools of memory (MALLOC_ARENA_MAX; default: its own)"
    )
    parser.add_argument("--types", action="store_true", help="show which types of objects became more")
    options = parser.parse_args()
    with temporary("leak") as home:
        result = _host(home, options)
    report("leak", options, {**result, "goal": f"rss_growth_mb < {GOAL_MB:g}, alive 0"})
    if result["alive"] or result["failed"]:
        sys.exit(1)


def _host(home: Path, options: argparse.Namespace) -> dict[str, Any]:
    env = environment(home, **({"MALLOC_ARENA_MAX": str(options.arenas)} if options.arenas else {}))
    build_packages(home / "modules")
    with served("leak_host:app", HOSTS, env, home / "log", ready="/api/v1/health") as server:
        return run(server, env, options)


if __name__ == "__main__":
    main()
