"""What the workers measured, in Prometheus' text format (0.0.4). Each worker's counters stand by themselves, because
they begin anew with it: `sum by (plugin) (rate(…))` adds them up rightly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hotbay.meter import Tally, borders, total
from hotbay.presence import pid_of
from hotbay.readings import Reading

KIND = "text/plain; version=0.0.4; charset=utf-8"
BORDERS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_ABOUT = {
    "hotbay_workers": ("gauge", "Workers that serve; those that did not answer in time included."),
    "hotbay_plugin_requests_total": ("counter", "HTTP requests whose answer has begun."),
    "hotbay_plugin_failures_total": ("counter", "Requests and connections that failed, by kind."),
    "hotbay_plugin_websockets_total": ("counter", "WebSockets that were accepted."),
    "hotbay_plugin_latency_seconds": (
        "histogram", "From the request's arrival to the head of its answer; buckets and sum are within 12.5 %."),
    "hotbay_plugin_loop_held_total": ("counter", "Times that the plugin held the event loop for too long."),
    "hotbay_plugin_loop_held_seconds_total": ("counter", "How long it held the loop in these times."),
    "hotbay_plugin_generations_total": ("counter", "Times that the plugin was loaded."),
    "hotbay_plugin_load_memory_bytes": ("gauge", "Growth of the worker's memory while it was last loaded; rough."),
}  # fmt: skip
Sample = tuple[str, Mapping[str, str], float]


def render(found: Iterable[Reading]) -> str:
    """The exposition of all workers' measurements."""
    readings = list(found)
    samples: list[Sample] = [("hotbay_workers", {}, len(readings))]
    for reading in readings:
        samples += _of_worker(reading)
    lines: list[str] = []
    for name, (kind, text) in _ABOUT.items():
        own = [item for item in samples if item[0] == name or (kind == "histogram" and item[0].startswith(f"{name}_"))]
        if own:
            lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *map(_line, own)]
    return "\n".join(lines) + "\n"


def _of_worker(reading: Reading) -> Iterator[Sample]:
    worker = {"worker": str(pid_of(reading.worker))}
    for plugin, tally in sorted(reading.tallies.items()):
        yield from _of_plugin(tally, {"plugin": plugin} | worker)
    for plugin, held in sorted(reading.held.items()):
        labels = {"plugin": plugin} | worker
        yield "hotbay_plugin_loop_held_total", labels, held["count"]
        yield "hotbay_plugin_loop_held_seconds_total", labels, held["seconds"]
    for plugin, loads in sorted(reading.loads.items()):
        labels = {"plugin": plugin} | worker
        yield "hotbay_plugin_generations_total", labels, loads["count"]
        yield "hotbay_plugin_load_memory_bytes", labels, loads["bytes"]


def _of_plugin(tally: Tally, labels: Mapping[str, str]) -> Iterator[Sample]:
    yield "hotbay_plugin_requests_total", labels, tally.requests
    for kind, count in sorted(tally.failures.items()):
        yield "hotbay_plugin_failures_total", {**labels, "kind": kind}, count
    if tally.sockets:
        yield "hotbay_plugin_websockets_total", labels, tally.sockets
    spans = [(borders(index), count) for index, count in tally.counts.items()]
    for border in BORDERS:
        below = sum(count for (low, high), count in spans if (low + high) / 2 <= border)
        yield "hotbay_plugin_latency_seconds_bucket", {**labels, "le": f"{border:g}"}, below
    yield "hotbay_plugin_latency_seconds_bucket", {**labels, "le": "+Inf"}, tally.requests
    yield "hotbay_plugin_latency_seconds_sum", labels, sum((low + high) / 2 * count for (low, high), count in spans)
    yield "hotbay_plugin_latency_seconds_count", labels, tally.requests


def _line(sample: Sample) -> str:
    name, labels, value = sample
    inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{inside}}} {value:.9g}" if labels else f"{name} {value:.9g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def table(found: Iterable[Reading]) -> list[dict[str, Any]]:
    """One row a plugin, all workers added up; latencies in seconds, None without requests. Plugin "" is the host."""
    readings = list(found)
    names = {name for item in readings for part in (item.tallies, item.held, item.loads) for name in part}
    return [_row(plugin, readings) for plugin in sorted(names)]


def _row(plugin: str, readings: Iterable[Reading]) -> dict[str, Any]:
    readings = list(readings)
    tally = total(item.tallies[plugin] for item in readings if plugin in item.tallies)
    held = [item.held[plugin] for item in readings if plugin in item.held]
    loads = [item.loads[plugin] for item in readings if plugin in item.loads]
    return {
        "plugin": plugin,
        "requests": tally.requests,
        "failed": tally.failed,
        "failures": dict(tally.failures),
        "p50": tally.quantile(0.5),
        "p99": tally.quantile(0.99),
        "held": sum(item["count"] for item in held),
        "held_seconds": round(sum(item["seconds"] for item in held), 6),
        "held_where": max(held, key=lambda item: item["worst"])["where"] if held else "",
        "generations": sum(item["count"] for item in loads),
        "load_bytes": max((item["bytes"] for item in loads), default=0),
    }
