"""The load of swap_under_load.py: a process of its own, so that neither the servers nor the operations slow it down.

Reads one JSON object from standard input, loads until it reads another line (or for `seconds`), then writes one JSON
object. Requests are sent on a fixed schedule over kept connections, whether or not earlier ones were answered in time;
a latency counts from the moment at which the request was due. What counts as failed: any status or body but the
expected one, an answer that ends too early, a reset, a time-out; for the WebSocket any end but close code 1012; for the
event stream any end but the end of the stream; and every message of the chat that either of them never got. What is
counted apart, because HTTP and these protocols mean it to happen: `reconnects` (the server had ended a kept connection
before the first byte of an answer, or said `connection: close`), and polite ends of WebSocket and stream.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import uvloop

from streams import Streams
from wire import Answer, Broken, ClosedIdle, Connection

CHAT = "/api/v1/chat"
DEPOT = "/api/v1/depot"
ABSENT = "404"
UPLOAD_PIECES, UPLOAD_PIECE, UPLOAD_PAUSE = 8, 16 * 1024, 0.03
TALK_SECONDS = 0.25


@dataclass
class Config:
    """What is loaded, and how. `rate` is requests a second; 0 means as fast as answers come."""

    host: str
    port: int
    admin: str
    rate: float = 100.0
    connections: int = 16
    seconds: float = 0.0
    streams: bool = True
    depot: bool = False


@dataclass
class Guest:
    """The chat that the load talks in."""

    id: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """What opens the chat."""
        return {"x-chat-token": self.token}


@dataclass
class Ask:
    """A request, the status that is expected, and what the body must fulfil."""

    name: str
    method: str
    path: str
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    fits: Callable[[Any], bool] = lambda body: True
    witness: bool = False


class Mix:
    """The requests in their order: two thirds for the plugin, one third for the host, one quarter POST with a body."""

    ORDER = (
        *("bot", "health", "start", "bot", "messages", "bot", "products", "start", "bot", "health"),
        *("read", "bot", "health", "customer", "bot", "messages", "start", "bot", "products", "health"),
    )

    def __init__(self, config: Config, guest: Guest) -> None:
        self.admin = {"authorization": f"Bearer {config.admin}"}
        self.guest = guest
        self.mark = f"{time.time_ns():x}"
        self.with_depot = config.depot

    def ask(self, number: int) -> Ask:
        """The request of that number."""
        if self.with_depot and number % 5 == 4:
            return self.depot()
        made: Ask = getattr(self, f"_{self.ORDER[number % len(self.ORDER)]}")(f"{self.mark}-{number}")
        return made

    def depot(self) -> Ask:
        """Who answers: which version is right, and whether any is, depends on the operations."""
        return Ask("GET depot", "GET", DEPOT, 200, witness=True)

    def _bot(self, mark: str) -> Ask:
        return Ask("GET plugin", "GET", f"{CHAT}/bot", 200, fits=lambda body: "greeting" in body)

    def _messages(self, mark: str) -> Ask:
        path = f"{CHAT}/sessions/{self.guest.id}/messages?limit=5"
        return Ask("GET plugin, database", "GET", path, 200, self.guest.headers, fits=lambda body: len(body) > 0)

    def _start(self, mark: str) -> Ask:
        body = {"name": f"Guest {mark}", "email": f"{mark}@example.com", "phone": "1" * 20}
        check = lambda answer: answer["session"]["name"] == body["name"]  # noqa: E731
        return Ask("POST plugin", "POST", f"{CHAT}/sessions", 201, {}, body, check)

    def _read(self, mark: str) -> Ask:
        path = f"{CHAT}/sessions/{self.guest.id}/read"
        return Ask("POST plugin, no answer body", "POST", path, 204, self.guest.headers, {"up_to": 0})

    def _health(self, mark: str) -> Ask:
        return Ask("GET host", "GET", "/api/v1/health", 200, fits=lambda body: body == {"status": "ok"})

    def _products(self, mark: str) -> Ask:
        return Ask("GET host, database", "GET", "/api/v1/products", 200, fits=lambda body: body["total"] > 0)

    def _customer(self, mark: str) -> Ask:
        body = {"name": f"Customer {mark}", "email": f"{mark}@example.org"}
        check = lambda answer: answer["email"] == body["email"]  # noqa: E731
        return Ask("POST host, event", "POST", "/api/v1/customers", 201, self.admin, body, check)


class Load:
    """Sends the mix and keeps the books."""

    def __init__(self, config: Config, guest: Guest) -> None:
        self.config = config
        self.mix = Mix(config, guest)
        self.guest = guest
        self.done: list[tuple[float, float, str]] = []
        self.failures: list[dict[str, Any]] = []
        self.witnessed: list[tuple[float, float, str]] = []
        self.reconnects = 0
        self.stopping = False
        self._numbers = itertools.count()
        self.said: set[int] = set()

    async def connection(self, lane: int) -> None:
        """One kept connection: every request whose turn it is."""
        connection = Connection(self.config.host, self.config.port)
        began = time.monotonic() + 0.05
        for turn in itertools.count():
            due = time.monotonic()
            if self.config.rate:
                due = began + (lane + turn * self.config.connections) / self.config.rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            if self.stopping:
                break
            # A new connection first asks who is at its other end.
            new = self.config.depot and not connection.worker
            await self.send(connection, self.mix.depot() if new else self.mix.ask(next(self._numbers)), due)
        self.reconnects += max(0, connection.opened - 1)
        connection.close()

    async def send(self, connection: Connection, ask: Ask, due: float) -> Answer | None:
        """One request; its answer when it was the right one."""
        sent = time.monotonic()
        connection.left_by = None
        try:
            answer = await self._answer(connection, ask)
            wrong = self._witness(connection, sent, answer) if ask.witness else _wrong(ask, answer)
        except (Broken, ClosedIdle, OSError, TimeoutError, ValueError) as error:
            answer, wrong = None, f"{type(error).__name__} {error}"
        moment = time.monotonic()
        self.done.append((due, moment, ask.name))
        if wrong:
            self._fail(connection, moment, f"{ask.method} {ask.path}", wrong)
            return None
        return answer

    def _fail(self, connection: Connection, moment: float, request: str, why: str) -> None:
        worker, at = connection.left_by or (connection.worker, moment)
        self.failures.append({"at": at, "request": request, "why": why, "worker": worker})

    def _witness(self, connection: Connection, sent: float, answer: Answer) -> str:
        """Note which version answered, or that none did; whether that was right is judged later."""
        body = answer.json()
        if answer.status == 404 and body.get("code") == "plugin-not-active":
            said = ABSENT
        elif answer.status == 200 and body["version"] == body["late"]:
            said, connection.worker = body["version"], body["pid"]
        else:
            return f"{answer.status} {answer.body[:300].decode('utf-8', 'replace')}"
        self.witnessed.append((sent, time.monotonic(), said))
        return ""

    async def upload(self) -> None:
        """Send a body piece by piece, again and again."""
        pieces = [bytes([number]) * UPLOAD_PIECE for number in range(UPLOAD_PIECES)]
        expected = hashlib.sha256(b"".join(pieces)).hexdigest()
        while not self.stopping:
            connection, sent = Connection(self.config.host, self.config.port), time.monotonic()
            try:
                answer = await connection.upload(f"{DEPOT}/upload", pieces, UPLOAD_PAUSE)
                wrong = self._witness(connection, sent, answer)
                if not wrong and answer.status == 200 and answer.json()["sha256"] != expected:
                    wrong = "the body did not arrive as it was sent"
            except (Broken, OSError, TimeoutError, ValueError) as error:
                wrong = f"{type(error).__name__} {error}"
            moment = time.monotonic()
            self.done.append((sent, moment, "POST depot, upload"))
            if wrong:
                self._fail(connection, moment, "POST upload", wrong)

    async def _answer(self, connection: Connection, ask: Ask) -> Answer:
        try:
            return await connection.ask(ask.method, ask.path, ask.headers, ask.body)
        except ClosedIdle:
            # Nothing of an answer came over a kept connection: the client asks again, on a new one, once. What a killed
            # worker had done may then be there already (409): `left_by` says whose that was.
            return await connection.ask(ask.method, ask.path, ask.headers, ask.body)

    async def talk(self) -> None:
        """Say something in the chat now and then: what WebSocket and stream must both hear."""
        connection = Connection(self.config.host, self.config.port)
        path = f"{CHAT}/sessions/{self.guest.id}/messages"
        while not self.stopping:
            ask = Ask("POST plugin, bot answers", "POST", path, 201, self.guest.headers, {"text": "how do I pay?"})
            answer = await self.send(connection, ask, time.monotonic())
            if answer is not None:
                posted = answer.json()
                self.said |= {posted[who]["id"] for who in ("message", "answer") if posted[who]}
            await asyncio.sleep(TALK_SECONDS)
        self.reconnects += max(0, connection.opened - 1)
        connection.close()


def _wrong(ask: Ask, answer: Answer) -> str:
    if answer.status != ask.status:
        return f"{answer.status} {answer.body[:300].decode('utf-8', 'replace')}"
    if answer.status != 204 and not ask.fits(answer.json()):
        return f"the body does not fit: {answer.body[:300]!r}"
    return ""


async def new_guest(config: Config) -> Guest:
    """A chat for the load."""
    connection = Connection(config.host, config.port)
    answer = await connection.ask("POST", f"{CHAT}/sessions", {}, {"name": "Load", "email": "load@example.com"})
    connection.close()
    told = answer.json()
    return Guest(told["session"]["id"], told["token"])


async def run(config: Config) -> dict[str, Any]:
    """Load until told to stop; what happened."""
    guest = await new_guest(config)
    load = Load(config, guest)
    streams = Streams(config.host, config.port, guest.id, guest.token)
    lanes = [asyncio.create_task(load.connection(lane)) for lane in range(config.connections)]
    if config.depot:
        lanes += [asyncio.create_task(load.upload()) for _ in range(2)]
    if config.streams:
        streams.start()
        lanes.append(asyncio.create_task(load.talk()))
    cpu, began = time.process_time(), time.monotonic()
    await _until_told(config.seconds, lambda: len(load.done))
    load.stopping = True
    await asyncio.gather(*lanes)
    share = (time.process_time() - cpu) / (time.monotonic() - began)
    heard = await streams.finish(load.said) if config.streams else {}
    return {
        "done": load.done,
        "failures": load.failures,
        "witnessed": load.witnessed,
        "reconnects": load.reconnects,
        "said": len(load.said),
        "streams": heard,
        "client_cpu_share": round(share, 3),
    }


async def _until_told(seconds: float, count: Callable[[], int]) -> None:
    """The line `count` on standard input asks how many requests were done; any other, or its end, means stop."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        async with asyncio.timeout(seconds or None):
            while await reader.readline() == b"count\n":
                print(count(), flush=True)
    except TimeoutError:
        pass


def main() -> None:
    """One line in, one line out."""
    config = Config(**json.loads(sys.stdin.readline()))
    print(json.dumps(uvloop.run(run(config))), flush=True)


if __name__ == "__main__":
    main()
