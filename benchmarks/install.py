"""Click to first 200 from every worker, and click to the first 404 from every worker.

The billing host runs with two workers. A connection stays with one worker, and the small plugin `hello`, whose route
says the process id, tells which; so each worker is asked over a connection of its own, every few milliseconds, while
one click installs or uninstalls the plugin. `install_p50_ms` counts from the moment the click is sent until the last
worker has given its first 200; `uninstall_p50_ms` until the last worker has given its first 404, and none has given
anything else since. Both are for the AI chatbot; `hello` is the same for the smallest plugin there is.
Goal: p50 ≤ 50 ms.

To ask costs processor time that the operation then lacks: at 2 ms for each of two workers it is a third of a machine of
two processors, and made an installation 30 % longer. At 10 ms it is little, and what is measured is at most that much
longer than it was. `pace_ms` is how long a fixed piece of Python took between the rounds, as the machine's speed
changes from minute to minute.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import (
    BILLING,
    Server,
    arguments,
    build_packages,
    environment,
    latencies,
    pace,
    report,
    say,
    served,
    sized,
    temporary,
)
from operate import Operator, add_via, operator, step_times
from packages import build_hello
from wire import Connection

PID = "/api/v1/hello/pid"
PATHS = {"hello": PID, "ai_chatbot": "/api/v1/chat/bot"}
_LIMIT = 60.0
_AT_ONCE = 16
_TRIES = 50


@dataclass
class Watcher:
    """Asks one worker again and again until told to stop; remembers when each status began."""

    connection: Connection
    path: str
    pause: float
    wanted: int
    since: float = 0.0
    seen: asyncio.Event = field(default_factory=asyncio.Event)
    stray: list[int] = field(default_factory=list)
    ended: bool = False

    async def run(self) -> None:
        """Ask until `ended`; a question in flight is not cut off. A change of mind starts the clock anew."""
        while not self.ended:
            status = (await self.connection.ask("GET", self.path)).status
            moment = time.monotonic()
            if status not in (200, 404):
                self.stray.append(status)
            if status != self.wanted:
                self.since = 0.0
                self.seen.clear()
            elif not self.since:
                self.since = moment
                self.seen.set()
            await asyncio.sleep(self.pause)


@dataclass(frozen=True)
class Click:
    """Seconds from the click to the last worker's answer and to the click's own; statuses beside 200 and 404."""

    everywhere: float
    answered: float
    stray: tuple[int, ...]
    outcome: dict[str, Any]


async def click(act: Operator, kind: str, plugin: str, workers: Sequence[Connection], pause: float) -> Click:
    """Do it and watch all workers."""
    wanted = 404 if kind == "uninstall" else 200
    watchers = [Watcher(connection, PATHS[plugin], pause, wanted) for connection in workers]
    tasks = [asyncio.create_task(watcher.run()) for watcher in watchers]
    await asyncio.sleep(0.1)
    began = time.monotonic()
    try:
        outcome = await asyncio.to_thread(act.run, kind, plugin)
        answered = time.monotonic() - began
        async with asyncio.timeout(_LIMIT):
            await asyncio.gather(*(watcher.seen.wait() for watcher in watchers))
        await asyncio.sleep(0.1)
        if not all(watcher.since for watcher in watchers):
            raise RuntimeError(f"{kind} of {plugin}: a worker went back to its answer of before")
    finally:
        for watcher in watchers:
            watcher.ended = True
        await asyncio.gather(*tasks)
    stray = tuple(status for watcher in watchers for status in watcher.stray)
    return Click(max(watcher.since for watcher in watchers) - began, answered, stray, outcome)


async def one_each(server: Server) -> list[Connection]:
    """A kept connection to every worker, found by the process id that the installed plugin `hello` answers.

    Which worker accepts is chance, and one that idles may take all: so many connections are opened at once.
    """
    wanted, found = set(server.pids()), dict[int, Connection]()
    for _ in range(_TRIES):
        several = [Connection("127.0.0.1", server.port) for _ in range(_AT_ONCE)]
        told = await asyncio.gather(*(connection.ask("GET", PID) for connection in several))
        for connection, answer in zip(several, told, strict=True):
            if found.setdefault(answer.json()["pid"], connection) is not connection:
                connection.close()
        if set(found) == wanted:
            return list(found.values())
    raise RuntimeError(f"of the workers {sorted(wanted)} only {sorted(found)} answer")


async def cycle(act: Operator, plugin: str, workers: Sequence[Connection], rounds: int, pause: float) -> dict[str, Any]:
    """Install and uninstall, again and again."""
    installs, uninstalls, paces = list[Click](), list[Click](), list[float]()
    for number in range(rounds):
        paces.append(await asyncio.to_thread(pace))
        installs.append(await click(act, "install", plugin, workers, pause))
        uninstalls.append(await click(act, "uninstall", plugin, workers, pause))
        say(f"{plugin} {number + 1}: {installs[-1].everywhere:.3f} s, {uninstalls[-1].everywhere:.3f} s")
    return summary(installs, uninstalls) | {"pace_ms": latencies(paces)["p50_ms"]}


def summary(installs: Sequence[Click], uninstalls: Sequence[Click]) -> dict[str, Any]:
    """Percentiles of the clicks."""
    up, down = latencies([item.everywhere for item in installs]), latencies([item.everywhere for item in uninstalls])
    return {
        "install_p50_ms": up["p50_ms"],
        "install_p95_ms": up["p95_ms"],
        "install_max_ms": up["max_ms"],
        "uninstall_p50_ms": down["p50_ms"],
        "uninstall_p95_ms": down["p95_ms"],
        "uninstall_max_ms": down["max_ms"],
        "install_answered_p50_ms": latencies([item.answered for item in installs])["p50_ms"],
        "uninstall_answered_p50_ms": latencies([item.answered for item in uninstalls])["p50_ms"],
        "install_steps_p50_ms": step_times([item.outcome for item in installs]),
        "uninstall_steps_p50_ms": step_times([item.outcome for item in uninstalls]),
        "other_statuses": sorted(status for item in (*installs, *uninstalls) for status in item.stray),
        "rounds": len(installs),
    }


async def measure(act: Operator, server: Server, rounds: int, warm: int, pause: float) -> dict[str, Any]:
    """Both plugins, after `warm` rounds of each that nobody counts."""
    await asyncio.to_thread(act.run, "install", "hello")
    workers = await one_each(server)
    pids = server.pids()
    await asyncio.to_thread(act.run, "uninstall", "hello")
    found = {}
    for plugin in ("ai_chatbot", "hello"):
        await cycle(act, plugin, workers, warm, pause)
        found[plugin] = await cycle(act, plugin, workers, rounds, pause)
    if server.pids() != pids or any(connection.opened != 1 for connection in workers):
        raise RuntimeError("workers or connections were replaced meanwhile: the numbers are of no use")
    return {**found["ai_chatbot"], "hello": found["hello"], "workers": len(workers)}


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    add_via(parser)
    parser.add_argument("--rounds", type=int, help="installations of each plugin (default 30, quick 8)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--pause", type=float, default=10.0, help="ms between two questions to a worker (default 10)")
    options = parser.parse_args()
    rounds = options.rounds or sized(options, 30, 8, 1)
    with temporary("install") as home:
        result = _host(home, options, rounds)
    goal = {"via": options.via, "goal": "p50 ≤ 50 ms", "resolution_ms": options.pause}
    report("install", options, {**result, **goal})


def _host(home: Path, options: argparse.Namespace, rounds: int) -> dict[str, Any]:
    env = environment(home)
    build_packages(home / "modules")
    build_hello(home / "modules")
    workers, warm = options.workers, sized(options, 1, 1, 0)
    with served("app.main:app", BILLING, env, home / "log", workers=workers, ready="/api/v1/health") as server:
        act = operator(options.via, server, env)
        return asyncio.run(measure(act, server, rounds, warm, options.pause / 1000))


if __name__ == "__main__":
    main()
