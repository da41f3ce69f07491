"""What is loaded late is given up only when it fails although the server answers."""

from __future__ import annotations

import pytest

from console.scripts import evaluate

# `told` has a letter for each second: the server is (g)one and nobody knows it yet, it is known to be (o)ffline, it is
# there and the load (f)ails all the same, or everything is (w)ell.
TRIES = """(() => {
  let second = 0, loads = 0;
  const now = () => told[Math.min(second, told.length - 1)];
  const load = async () => {
    loads += 1;
    if (now() === "w") return "loaded";
    throw new Error("failed");
  };
  const line = { offline: () => now() === "o", answers: async () => "fw".includes(now()) };
  const pause = async () => { second += 1; if (second > 50) throw new Error("for ever"); };
  return it.patiently(load, line, pause).then(value => [value, loads], error => [error.message, loads]);
})()"""


@pytest.mark.parametrize(
    ("told", "found", "loads"),
    [
        ("w", "loaded", 1),
        ("ffw", "loaded", 3),
        ("fffw", "failed", 3),
        ("ggggggw", "loaded", 7),
        ("fgfgggw", "loaded", 7),
        ("gfffw", "failed", 4),
        ("goooooow", "loaded", 2),
        ("ffooow", "loaded", 3),
        ("gogogogffw", "loaded", 7),
        ("gogogfff", "failed", 6),
    ],
)
def test_only_what_fails_though_the_server_answers_counts(told: str, found: str, loads: int) -> None:
    assert evaluate("app/patience.ts", TRIES, told=told) == [found, loads]
