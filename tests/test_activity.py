"""A plugin's last minutes, cut into spans."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine import Engine
from hotbay.activity import SPAN, SPANS, activity, spans
from hotbay.meter import Tally, bucket


def tally(requests: int = 0, **failures: int) -> Tally:
    return Tally({bucket(1_000_000): requests} if requests else {}, failures)


def test_slots_of_several_workers_are_added_where_their_middle_is() -> None:
    now = 1000 * SPAN + 1.0
    slots = [
        (now - 1.0, now, tally(2, status=1)),
        (now - 0.5, now, tally(1)),
        (now - SPAN - 1.0, now - SPAN, tally(4)),
        (now - SPAN * SPANS - 5, now - SPAN * SPANS, tally(9)),  # too long ago
    ]
    found = spans(slots, now, wall=10_000.0)
    assert len(found) == SPANS
    assert [span.requests for span in found[-3:]] == [0, 4, 3]
    assert (sum(span.requests for span in found), found[-1].failed) == (7, 1)
    assert found[-1].at == 9999.0 and found[-2].at == 9999.0 - SPAN
    assert found[0].p50 is None and 0.0009 < (found[-1].p50 or 0) < 0.0012


def test_what_failed_before_it_answered_counts_as_a_request_and_what_hotbay_did_does_not() -> None:
    (last,) = spans([(0.0, 1.0, tally(1, exception=3, held=5))], 2.0, 2.0)[-1:]
    assert (last.requests, last.failed) == (3, 3)


async def test_the_workers_are_asked_and_not_asked_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(tmp_path)
    await engine.install()
    async with engine.worker() as one, engine.worker() as other:
        for worker in (one, one, other):
            await worker.version()
        workers = engine.host.applier.workers
        first = await asyncio.to_thread(activity, workers, "shop")
        assert (first["total"]["requests"], first["total"]["failed"]) == (3, 0)
        assert sum(span["requests"] for span in first["spans"]) == 3
        await one.version()
        again = await asyncio.to_thread(activity, workers, "shop")
        assert again["total"]["requests"] == 3  # what was said some seconds ago is good enough
        monkeypatch.setattr("hotbay.activity._AGE_SECONDS", 0.0)
        assert (await asyncio.to_thread(activity, workers, "shop"))["total"]["requests"] == 4
