"""CPU per request through a plugin, against the same route in plain FastAPI. Goal: 1.00 ± 0.02.

Two servers run at the same time, one worker each, on the same core; the client has another core. The same file of
routes is included in the one and served as a plugin by the other. They are asked in turns (AB, BA, …), and what counts
is the server's CPU time (user and system, all threads), not the clock on the wall. `ratio` is the median of the rounds'
ratios for the smallest route that there is, the worst case; `chat` is a route that does what a chat does, and
`host_route` a route of the host itself, with Hotbay inside and without.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from harness import HOSTS, Server, arguments, environment, report, say, served, sized, spread, temporary
from operate import Engine
from packages import build_sample

CORES = sorted(os.sched_getaffinity(0))
QUESTION = b'{"text": "how do I pay my invoice", "name": "Ada"}'
TINY = b"GET /api/v1/sample/tiny HTTP/1.1\r\nhost: bench\r\n\r\n"
HOST = b"GET /api/v1/payments HTTP/1.1\r\nhost: bench\r\n\r\n"
CHAT = (
    b"POST /api/v1/sample/sessions/0123456789abcdef/messages HTTP/1.1\r\nhost: bench\r\nx-chat-token: token\r\n"
    b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
) % (len(QUESTION), QUESTION)


class Client:
    """Asks one server over one kept connection, one request after the other."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def first(self, request: bytes) -> int:
        """Ask once; answers the length of the answer in bytes. Raises RuntimeError unless it is a 200."""
        self.socket.sendall(request)
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._received()
        head, _, body = data.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{request[:60]!r}: {data!r}\n{self.server.tail()}")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        while len(body) < length:
            body += self._received()
        return len(head) + 4 + length

    def _received(self) -> bytes:
        data = self.socket.recv(65536)
        if not data:
            raise RuntimeError(f"the server closed the connection\n{self.server.tail()}")
        return data

    def cpu_per_request(self, request: bytes, count: int) -> float:
        """Microseconds of the server's CPU time a request."""
        length = self.first(request)
        before = self.server.cpu()
        for _ in range(count):
            self.socket.sendall(request)
            left = length
            while left:
                left -= len(self._received())
        return (self.server.cpu() - before) / count * 1e6


@dataclass(frozen=True)
class Case:
    """A request and how often a round sends it."""

    name: str
    request: bytes
    count: int


def measure(plain: Client, plugin: Client, case: Case, rounds: int) -> dict[str, Any]:
    """The two servers in turns: AB, BA, AB, …"""
    for client in (plain, plugin):
        client.cpu_per_request(case.request, case.count)
    costs: dict[Client, list[float]] = {plain: [], plugin: []}
    for number in range(rounds):
        for client in (plain, plugin) if number % 2 == 0 else (plugin, plain):
            costs[client].append(client.cpu_per_request(case.request, case.count))
    ratios = [two / one for one, two in zip(costs[plain], costs[plugin], strict=True)]
    again = [two / one for one, two in zip(costs[plain][:-1], costs[plain][1:], strict=True)]
    return {
        "ratio": round(statistics.median(ratios), 4),
        "spread": spread(ratios),
        "noise": spread(again) if again else spread([1.0]),
        "plain_us": spread(costs[plain], 2),
        "plugin_us": spread(costs[plugin], 2),
        "rounds": rounds,
        "requests_a_round": case.count,
    }


def idle(server: Server, seconds: float) -> float:
    """Milliseconds of CPU time that a server uses in a second in which nobody asks."""
    before = server.cpu()
    time.sleep(seconds)
    return round((server.cpu() - before) / seconds * 1000, 3)


@contextmanager
def servers(home: Path) -> Iterator[tuple[Server, Server]]:
    """Plain FastAPI, and the host with the plugin installed."""
    env = environment(home)
    build_sample(home / "modules")
    ready = "/api/v1/payments"
    with ExitStack() as stack, on_core(-1):
        start = partial(served, folder=HOSTS, env=env, ready=ready)
        plain = stack.enter_context(start("plain_host:app", log=home / "plain.log"))
        plugin = stack.enter_context(start("plugin_host:app", log=home / "plugin.log"))
        Engine(env).run("install", "sample")
        with on_core(0):
            yield plain, plugin


@contextmanager
def on_core(number: int) -> Iterator[None]:
    """Keep this process, and what it starts meanwhile, on one core for the block."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {CORES[number]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cases(options: argparse.Namespace) -> list[Case]:
    """What is asked, sized."""
    count: Callable[[int, int, int], int] = partial(sized, options)
    return [
        Case("tiny", TINY, count(2000, 1000, 50)),
        Case("chat", CHAT, count(800, 400, 20)),
        Case("host_route", HOST, count(2000, 1000, 50)),
    ]


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, help="pairs of rounds (default 60, quick 14)")
    options = parser.parse_args()
    rounds = options.rounds or sized(options, 60, 14, 2)
    with temporary("overhead") as home, servers(home) as (plain, plugin):
        asking = Client(plain), Client(plugin)
        found: dict[str, Any] = {}
        for case in cases(options):
            found[case.name] = measure(*asking, case, rounds)
            say(f"{case.name}: {found[case.name]['ratio']}")
        pause = sized(options, 10.0, 3.0, 0.3)
        quiet = {"plain": idle(plain, pause), "plugin": idle(plugin, pause)}
    tiny = found.pop("tiny")
    report("overhead", options, {**tiny, "goal": "1.00 ± 0.02", **found, "idle_cpu_ms_per_s": quiet})


if __name__ == "__main__":
    main()
