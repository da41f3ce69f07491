"""What the workers measured, in Prometheus' format and as a table."""

from __future__ import annotations

import re

from hotbay.meter import Meter, Tally
from hotbay.metrics import BORDERS, render, table
from hotbay.readings import Reading

LINE = re.compile(r'^[a-z_]+(?:\{[a-z]+="(?:[^"\\\n]|\\.)*"(?:,[a-z]+="(?:[^"\\\n]|\\.)*")*\})? [0-9.e+-]+$')


def reading(pid: int, *, requests: int = 0, failures: dict[str, int] | None = None) -> Reading:
    meter = Meter()
    for _ in range(requests):
        meter.answered(0)  # As if it had come when the machine started: a long wait.
    tally = meter.read()
    return Reading(f"w-{pid}-aa", True, {"shop": Tally(tally.counts, failures or {}, 2)})


def value(text: str, line: str) -> float:
    (found,) = [item for item in text.splitlines() if item.startswith(line + " ")]
    return float(found.rpartition(" ")[2])


def test_every_line_is_well_formed_and_every_metric_is_told_once() -> None:
    held = {"shop": {"count": 2, "seconds": 0.75, "worst": 0.5, "where": "routes.py:3"}}
    loads = {"shop": {"count": 3, "bytes": 1024}}
    text = render(
        [reading(7, requests=3, failures={"exception": 1}), Reading("w-8-bb", True, {}, held=held, loads=loads)]
    )
    lines = text.splitlines()
    assert text.endswith("\n")
    assert [line for line in lines if not line.startswith("#") and not LINE.match(line)] == []
    types = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(types) == len(set(types)) == 9
    assert value(text, "hotbay_workers") == 2
    assert value(text, 'hotbay_plugin_requests_total{plugin="shop",worker="7"}') == 3
    assert value(text, 'hotbay_plugin_failures_total{plugin="shop",worker="7",kind="exception"}') == 1
    assert value(text, 'hotbay_plugin_websockets_total{plugin="shop",worker="7"}') == 2
    assert value(text, 'hotbay_plugin_loop_held_total{plugin="shop",worker="8"}') == 2
    assert value(text, 'hotbay_plugin_loop_held_seconds_total{plugin="shop",worker="8"}') == 0.75
    assert value(text, 'hotbay_plugin_generations_total{plugin="shop",worker="8"}') == 3
    assert value(text, 'hotbay_plugin_load_memory_bytes{plugin="shop",worker="8"}') == 1024


def test_the_histogram_is_cumulative_and_ends_with_all() -> None:
    meter = Meter()
    tally = Tally({_bucket(0.0004): 5, _bucket(0.02): 3, _bucket(40.0): 1})
    text = render([Reading("w-7-aa", True, {"shop": tally})])
    name = 'hotbay_plugin_latency_seconds_bucket{plugin="shop",worker="7",le="%s"}'
    counts = [value(text, name % f"{border:g}") for border in BORDERS]
    assert counts == sorted(counts)
    assert (counts[0], counts[BORDERS.index(0.025)], counts[-1]) == (5, 8, 8)
    assert value(text, name % "+Inf") == 9
    assert value(text, 'hotbay_plugin_latency_seconds_count{plugin="shop",worker="7"}') == 9
    total = value(text, 'hotbay_plugin_latency_seconds_sum{plugin="shop",worker="7"}')
    assert abs(total - (5 * 0.0004 + 3 * 0.02 + 40.0)) < 0.13 * total
    assert meter.requests == 0


def _bucket(seconds: float) -> int:
    from hotbay.meter import bucket

    return bucket(int(seconds * 1e9))


def test_a_host_without_workers_has_nothing_to_tell_but_that() -> None:
    assert render([]).splitlines()[-1] == "hotbay_workers 0"
    assert table([]) == []


def test_labels_are_escaped() -> None:
    text = render([Reading("w-7-aa", True, {}, held={'a"b\\c\nd': {"count": 1, "seconds": 1.0}})])
    assert 'plugin="a\\"b\\\\c\\nd"' in text


def test_the_table_adds_the_workers_up() -> None:
    one = Reading(
        "w-7-a", True, {"shop": Tally({_bucket(0.1): 2}, {"status": 1})}, loads={"shop": {"count": 1, "bytes": 5}}
    )
    held = {"shop": {"count": 1, "seconds": 0.5, "worst": 0.5, "where": "routes.py:3"}}
    two = Reading(
        "w-8-b", True, {"shop": Tally({_bucket(0.1): 4})}, held=held, loads={"shop": {"count": 2, "bytes": 9}}
    )
    (row,) = table([one, two])
    assert (row["requests"], row["failed"], row["failures"]) == (6, 1, {"status": 1})
    assert (row["held"], row["held_where"], row["generations"], row["load_bytes"]) == (1, "routes.py:3", 3, 9)
    assert 0.08 < row["p50"] <= row["p99"] < 0.12
