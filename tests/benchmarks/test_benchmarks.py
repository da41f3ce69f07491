"""The benchmarks run, answer in the agreed form, and see failures where there are some."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import serve

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import harness  # noqa: E402
import load  # noqa: E402
import results  # noqa: E402
import streams  # noqa: E402
import swap_under_load  # noqa: E402
import wire  # noqa: E402
import witness  # noqa: E402
from hotbay.logs import PluginLogs  # noqa: E402

KEYS = {
    "swap_under_load": ("requests", "failed", "swaps"),
    "overhead": ("ratio",),
    "install": ("install_p50_ms", "uninstall_p50_ms"),
    "boot": ("ratio",),
    "stall": ("max_stall_ms",),
    "leak": ("cycles", "alive", "rss_growth_mb"),
    "browser_swap": ("rounds", "missed_switches", "clock_ms"),
    "backup": ("rows", "backup_s", "restore_s", "reverted_s", "backup_ratio", "restore_ratio"),
    "soak": ("histories", "operations", "requests", "refused_requests", "failed"),
    "torture": ("kills", "torn", "lost_rows"),
}


@functools.cache
def tiny(name: str) -> dict[str, Any]:
    """The last line of a run in the smallest size."""
    command = [sys.executable, str(BENCHMARKS / f"{name}.py"), "--tiny", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.mark.parametrize("name", KEYS)
def test_answers_with_one_object_that_has_the_agreed_numbers(name: str) -> None:
    answer = tiny(name)
    assert answer["benchmark"] == name
    assert all(isinstance(answer[key], int | float) for key in KEYS[name])
    assert answer["machine"]["cores"] >= 1


@pytest.mark.parametrize("name", KEYS)
def test_results_find_every_number_that_they_show(name: str) -> None:
    text = results.render({name: tiny(name)})
    section = text.partition(f"## {name}\n")[2].partition("\n## ")[0]
    assert results.NOT_MEASURED not in section
    assert section.count("\n| ") == len(results.ROWS[name]) + 2


def test_swapping_under_load_fails_no_request_and_its_streams_miss_nothing() -> None:
    answer = tiny("swap_under_load")
    assert (answer["failed"], answer["failures"], answer["workers_unchanged"]) == (0, [], True)
    assert answer["requests"] > 50
    assert answer["swaps"] == 6
    assert (answer["wrong_versions"], answer["lost_with_a_worker"]) == (0, 0)
    assert answer["witnessed"] > 10
    assert answer["chat_messages"] > 0
    assert answer["websocket"]["polite_ends"] > 0


def test_rows_come_back_from_a_backup_as_they_were() -> None:
    answer = tiny("backup")
    assert answer["same"] is True
    assert answer["rows"] == 2_000


def test_torture_kills_and_tears_nothing() -> None:
    answer = tiny("torture")
    assert (answer["torn"], answer["lost_rows"], answer["failures"]) == (0, 0, [])
    assert answer["kills"] > 5


def test_browsers_paint_what_was_switched_and_their_clocks_are_known() -> None:
    answer = tiny("browser_swap")
    assert answer["missed_switches"] == 0
    assert answer["all"]["count"] == 9
    assert 0 < answer["clock_ms"] < answer["all"]["p50_ms"]
    assert 50 < answer["console"]["shell_kb"] < answer["console"]["all_kb"]
    assert 0 < answer["homepage"]["first_paint_ms"] <= answer["homepage"]["largest_paint_ms"]


def test_install_reaches_every_worker_with_no_other_status() -> None:
    answer = tiny("install")
    assert answer["workers"] == 2
    assert answer["other_statuses"] == answer["hello"]["other_statuses"] == []


def test_no_generation_stays_in_memory_under_load() -> None:
    answer = tiny("leak")
    assert (answer["cycles"], answer["alive"], answer["failed"]) == (3, 0, 0)
    assert answer["requests"] > 5


# ── the arithmetic ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (50, 50), (95, 95), (99, 99), (100, 100)])
def test_percentile_is_the_nearest_rank(percent: float, value: float) -> None:
    assert harness.percentile(list(range(100, 0, -1)), percent) == value


def test_percentile_of_nothing_is_nothing() -> None:
    assert harness.percentile([], 50) == 0.0


def test_cpu_time_of_another_process_grows_with_its_work() -> None:
    command = "import sys\nfor _ in sys.stdin:\n    sum(range(10**6)); print('.', flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        spent = []
        for _ in range(2):
            before = harness.cpu_seconds(child.pid)
            child.stdin.write(b"\n")
            child.stdout.readline()
            spent.append(harness.cpu_seconds(child.pid) - before)
        child.stdin.close()
    assert all(0.0005 < seconds < 5 for seconds in spent)


def test_requests_belong_to_the_phase_in_which_they_were_under_way() -> None:
    swaps = [{"began": 10.0, "ended": 11.0}, {"began": 20.0, "ended": 21.0}]
    done = [(1, 2, "a"), (9, 10.5, "a"), (10.2, 10.3, "a"), (12, 13, "a"), (20.9, 22, "a"), (30, 31, "a")]
    counts = {name: found["count"] for name, found in swap_under_load.phases(done, swaps).items()}
    assert counts == {"before": 1, "during": 3, "between": 1, "after": 1}


DEPOT_SWAPS = [
    {"plugin": "ai_chatbot", "kind": "upgrade", "version": "1.1.0", "began": 5.0, "ended": 6.0},
    {"plugin": "depot", "kind": "upgrade", "version": "1.1.0", "began": 10.0, "ended": 11.0},
    {"plugin": "depot", "kind": "deactivate", "version": "1.1.0", "began": 20.0, "ended": 21.0},
    {"plugin": "depot", "kind": "activate", "version": "1.1.0", "began": 30.0, "ended": 31.0},
]


@pytest.mark.parametrize(
    ("sent", "ended", "right"),
    [
        (1.0, 2.0, {"1.0.0"}),
        (5.2, 5.4, {"1.0.0"}),
        (9.0, 10.5, {"1.0.0", "1.1.0"}),
        (10.2, 10.3, {"1.0.0", "1.1.0"}),
        (10.5, 12.0, {"1.0.0", "1.1.0"}),
        (11.1, 19.9, {"1.1.0"}),
        (19.0, 25.0, {"1.1.0", "404"}),
        (21.5, 29.0, {"404"}),
        (29.0, 40.0, {"404", "1.1.0"}),
        (31.5, 40.0, {"1.1.0"}),
        (9.0, 22.0, {"1.0.0", "1.1.0", "404"}),
    ],
)
def test_a_wrong_version_is_seen(sent: float, ended: float, right: set[str]) -> None:
    every = ("1.0.0", "1.1.0", "404")
    found = {what for what in every if not witness.wrong_versions([(sent, ended, what)], DEPOT_SWAPS, "1.0.0")}
    assert found == right


def test_only_what_was_on_a_killed_worker_dies_with_it() -> None:
    kills = [{"pid": 7, "at": 100.0}]
    taken = [witness.taken_along({"at": at, "worker": pid}, kills) for at, pid in ((100.1, 7), (100.1, 0), (99.9, 7))]
    assert taken == [True, True, False]
    left = [witness.taken_along({"at": at, "worker": pid}, kills) for at, pid in ((100.1, 8), (102.0, 7), (102.0, 0))]
    assert left == [False, False, False]
    assert witness.taken_along({"at": 100.5}, kills)  # A stream, whose worker nobody knows.


def test_a_failure_tells_what_the_log_says_of_it(tmp_path: Path) -> None:
    plugin_logs = PluginLogs(tmp_path)
    plugin_logs.install()
    logger = logging.getLogger("hotbay.plugin.depot")
    numbers = ["0123456789ab", "0123456789ac"]
    for number in numbers:
        try:
            raise LookupError(f"nothing under {number}") from OSError("locked")
        except LookupError as error:
            logger.error("error %s", number, exc_info=error)
    plugin_logs.close()
    answers = [json.dumps({"status": 500, "error_id": number}) for number in (*numbers, "f" * 12)]
    cause = "OSError: locked | The above exception was the direct cause of the following exception:"
    assert [witness.logged(f"500 {answer}", tmp_path) for answer in answers] == [
        *(f"{cause} | LookupError: nothing under {number}" for number in numbers), "",
    ]  # fmt: skip
    assert witness.logged("reset", tmp_path) == ""


async def test_a_depot_that_says_two_versions_is_a_failure() -> None:
    ask = load.Ask("GET depot", "GET", "/", 200, witness=True)
    for body, failed in (({"version": "1", "late": "1", "pid": 5}, 0), ({"version": "1", "late": "2", "pid": 5}, 1)):
        text = json.dumps(body).encode()
        found = await failures_of(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(text), text), ask=ask)
        assert (len(found.failures), len(found.witnessed)) == (failed, 1 - failed)
    absent = b'{"code":"plugin-not-active"}'
    found = await failures_of(b"HTTP/1.1 404 x\r\ncontent-length: %d\r\n\r\n%s" % (len(absent), absent), ask=ask)
    assert [item[2] for item in found.witnessed] == ["404"]
    found = await failures_of(b"HTTP/1.1 404 x\r\ncontent-length: 2\r\n\r\n{}", ask=ask)
    assert len(found.failures) == 1


# ── the load sees what goes wrong ───────────────────────────────────────────────────────────────────────────────

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def answering(*raw: bytes) -> AsyncIterator[int]:
    """A server that gives each request of a connection the next of these bytes, and then ends the connection."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for data in raw:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(data)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


GOOD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"
ASK = load.Ask("GET", "GET", "/", 200)


@pytest.mark.parametrize("raw", [GOOD, CHUNKED])
async def test_reads_whole_answers(raw: bytes) -> None:
    async with answering(raw) as port:
        connection = wire.Connection("127.0.0.1", port)
        assert (await connection.ask("GET", "/")).json() == {}
        connection.close()


@pytest.mark.parametrize("raw", [b"", GOOD[:10], GOOD[:-1], CHUNKED[:-2], CHUNKED[:-12]])
async def test_an_answer_that_ends_too_early_is_a_failure(raw: bytes) -> None:
    assert len((await failures_of(raw)).failures) == 1


@pytest.mark.parametrize("raw", [GOOD.replace(b"200", b"503"), GOOD.replace(b"200", b"404")])
async def test_another_status_is_a_failure(raw: bytes) -> None:
    assert len((await failures_of(raw)).failures) == 1


async def test_another_body_is_a_failure() -> None:
    ask = load.Ask("GET", "GET", "/", 200, fits=lambda body: body == {"status": "ok"})
    assert len((await failures_of(GOOD, ask=ask)).failures) == 1


async def test_a_right_answer_is_no_failure() -> None:
    found = await failures_of(GOOD)
    assert (found.failures, len(found.done)) == ([], 1)


async def test_a_connection_that_ended_idle_is_opened_anew_and_counted() -> None:
    async with answering(GOOD) as port:
        connection = wire.Connection("127.0.0.1", port)
        made = loading(port)
        for _ in range(3):
            assert await made.send(connection, ASK, 0.0) is not None
        assert (made.failures, connection.opened) == ([], 3)
        connection.close()


async def test_what_was_asked_again_is_the_first_one_s_who_left_without_an_answer() -> None:
    """A killed worker may have done what it was asked: the second one then says 409."""
    conflict = GOOD.replace(b"200 OK", b"409 Conflict")
    answers = iter([GOOD, b"", conflict])
    ended = asyncio.Semaphore(0)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while data := (await reader.readuntil(b"\r\n\r\n")) and next(answers):
                writer.write(data)
        writer.close()
        await writer.wait_closed()
        ended.release()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        connection, made = wire.Connection("127.0.0.1", port), loading(port)
        await made.send(connection, ASK, 0.0)
        connection.worker = 7
        before = time.monotonic()
        assert await made.send(connection, ASK, 0.0) is None
        connection.close()
        for _ in range(2):
            await ended.acquire()
    (failure,) = made.failures
    assert (failure["worker"], failure["why"]) == (7, "409 {}")
    assert failure["at"] >= before
    assert witness.taken_along(failure, [{"pid": 7, "at": before}])
    assert not witness.taken_along(failure, [{"pid": 8, "at": before}])


def loading(port: int) -> load.Load:
    config = load.Config("127.0.0.1", port, admin="")
    return load.Load(config, load.Guest("chat", "token"))


async def failures_of(*raw: bytes, ask: load.Ask = ASK) -> load.Load:
    async with answering(*raw) as port:
        connection = wire.Connection("127.0.0.1", port)
        made = loading(port)
        await made.send(connection, ask, 0.0)
        connection.close()
        return made


@pytest.mark.parametrize(("code", "polite"), [(1012, True), (1000, False), (1011, False), (1001, False)])
async def test_only_a_restart_ends_a_websocket_politely(code: int, polite: bool) -> None:
    async def handle(socket: Any) -> None:
        await socket.close(code)

    async with serve(handle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        found = streams.Streams("127.0.0.1", port, "chat", "token")
        async with streams.connect(f"ws://127.0.0.1:{port}/") as socket:
            await found._hear_socket(socket)
    assert (found.socket.polite, len(found.socket.failures)) == ((1, 0) if polite else (0, 1))


async def test_a_message_that_a_stream_never_got_is_a_failure() -> None:
    heard = streams.Heard()
    heard.take(1)
    told = heard.summary({1, 2})
    assert told["missing"] == 1
    assert "message 2 never came" in told["failures"][0]["why"]


def test_results_keep_what_was_measured_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "KEPT", tmp_path / "results.json")
    results.write({"boot": tiny("boot")}, tmp_path / "RESULTS.md")
    found = results.remembered() | {"install": tiny("install")}
    results.write(found, tmp_path / "RESULTS.md")
    text = (tmp_path / "RESULTS.md").read_text()
    assert all(f"`python benchmarks/{name}.py --tiny --json`" in text for name in ("boot", "install"))
    assert f"commit {tiny('boot')['machine']['commit']}" in text
