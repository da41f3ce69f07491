"""One piece of work: how far its answer is, and how it ends when its generation is left."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from hotbay.flight import Flight, is_event_stream

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
EVENTS = START | {"headers": [(b"Content-Type", b"text/event-stream; charset=utf-8")]}
MORE = {"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True}
LAST = {"type": "http.response.body", "body": b"", "more_body": False}


class Sent(list[Any]):
    async def __call__(self, message: Any) -> None:
        self.append(message)


class Meter:
    """Counts as a plugin's meter does."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.answers = 0

    def answered(self, began: int) -> None:
        self.answers += 1

    def accepted(self) -> None:
        self.answers += 1

    def fail(self, kind: str) -> None:
        self.failures.append(kind)


async def flown(kind: str, *messages: Any) -> tuple[Flight, Sent, Meter]:
    """A flight that has sent these, in a task that would go on for ever; then it is ended."""
    sent, meter = Sent(), Meter()
    made: asyncio.Future[Flight] = asyncio.get_running_loop().create_future()

    async def work() -> None:
        flight = Flight(kind, sent, meter)  # type: ignore[arg-type]
        for message in messages:
            await flight.send(message)
        made.set_result(flight)
        await asyncio.Event().wait()

    task = asyncio.create_task(work())
    flight = await made
    await flight.end()
    with pytest.raises(asyncio.CancelledError):
        await task
    return flight, sent, meter


async def test_an_event_stream_ends_between_two_events_with_a_hint_when_to_come_back() -> None:
    flight, sent, meter = await flown("http", EVENTS, MORE)
    assert sent[-1]["more_body"] is False
    assert sent[-1]["body"].startswith(b"retry: ")
    assert (flight.finished, flight.cut, meter.failures) == (True, False, [])


async def test_within_an_event_nothing_is_added() -> None:
    _, sent, _ = await flown("http", EVENTS, MORE | {"body": b"data: ha"})
    assert sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


async def test_another_answer_is_broken_off_and_not_ended() -> None:
    flight, sent, meter = await flown("http", START, MORE)
    assert sent == [START, MORE]
    assert (flight.cut, flight.finished, meter.failures) == (True, False, ["cut"])


async def test_who_has_no_answer_yet_is_told_to_ask_again() -> None:
    _, sent, meter = await flown("http")
    assert (sent[0]["status"], json.loads(sent[1]["body"])["code"]) == (503, "drained")
    assert (dict(sent[0]["headers"])[b"retry-after"], meter.failures) == (b"1", ["drained"])


@pytest.mark.parametrize(("messages", "failures"), [([], ["drained"]), ([{"type": "websocket.accept"}], [])])
async def test_a_websocket_is_closed_as_for_a_restart(messages: list[Any], failures: list[str]) -> None:
    _, sent, meter = await flown("websocket", *messages)
    assert (sent[-1]["type"], sent[-1]["code"], meter.failures) == ("websocket.close", 1012, failures)


async def test_what_is_finished_gets_no_farewell_and_nothing_is_sent_after_the_end() -> None:
    flight, sent, meter = await flown("http", START, LAST)
    assert (sent, meter.failures, meter.answers) == ([START, LAST], [], 1)
    await flight.send(MORE)
    assert sent == [START, LAST]


async def test_a_failure_counts_once() -> None:
    sent, meter = Sent(), Meter()
    flight = Flight("http", sent, meter)  # type: ignore[arg-type]
    await flight.send(START | {"status": 500})
    flight.fail("raised")
    assert (meter.failures, flight.failed, flight.started) == (["status"], True, True)


async def test_a_cancellation_of_ours_is_told_from_anothers() -> None:
    told: list[bool] = []

    async def work(flights: list[Flight]) -> None:
        flights.append(Flight("job"))
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            told.append(flights[-1].was_ended())

    for other in (False, True):
        flights: list[Flight] = []
        task = asyncio.create_task(work(flights))
        await asyncio.sleep(0)
        await flights[0].end()
        if other:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert told == [True, False]
    assert not Flight("job").was_ended()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([(b"content-type", b"text/event-stream")], True),
        ([(b"CONTENT-TYPE", b"text/event-stream;charset=utf-8")], True),
        ([(b"content-type", b"text/event-stream"), (b"content-encoding", b"gzip")], False),
        ([(b"content-type", b"text/html")], False),
        ([], False),
    ],
)
def test_event_streams(headers: list[tuple[bytes, bytes]], expected: bool) -> None:
    assert is_event_stream({"headers": headers}) is expected
