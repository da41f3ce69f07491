"""Words for people: what plugins say never commands the terminal, and numbers are readable."""

from __future__ import annotations

import click
import pytest

from hotbay.cli.words import clean, moment, pairs, seconds, size, table


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("bell\x07", "bell\\x07"),
        ("cr\roverwrites", "cr\\x0doverwrites"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x1b[8mhidden", "\\x1b[8mhidden"),
        ("\x1b[31;8mhidden", "\\x1b[31;8mhidden"),
        ("\x1b[31;1mred\x1b[0m", "\x1b[31;1mred\x1b[0m"),
        ("\x1b[31", "\\x1b[31"),
        ("\x1b[32m\x1b[2J", "\x1b[32m\\x1b[2J"),
        ("\x9b2J", "\\x9b2J"),
        ("\x7f\x80", "\\x7f\\x80"),
        ("ünï 🙂", "ünï 🙂"),
    ],
)
def test_control_characters_are_shown_and_only_plain_colours_stay(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize("colour", ["red", "green", "yellow", "blue", "cyan"])
def test_clicks_own_colours_stay(colour: str) -> None:
    styled = click.style("word", fg=colour, bold=True)
    assert clean(styled) == styled


def test_a_table_for_another_program_is_not_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    table(("NAME", "TEXT"), [("a", "x" * 300), ("long name", "[red]\x1b[2J")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["NAME", "TEXT"]
    assert lines[1].rstrip() == "a          " + "x" * 300
    assert lines[2].rstrip() == "long name  [red]\\x1b[2J", "no markup, no control characters"


def test_pairs_leave_out_what_is_empty_and_indent_further_lines() -> None:
    given = [("name", "shop"), ("empty", ""), ("none", None), ("list", []), ("zero", 0), ("text", "one\ntwo")]
    assert pairs(given) == "name  shop\nzero  0\ntext  one\n      two"
    assert pairs([]) == ""


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, ""), (0.0, "0 ms"), (0.0124, "12 ms"), (0.9994, "999 ms"), (1, "1.00 s"), (65, "65.00 s")],
)
def test_seconds(value: float | None, shown: str) -> None:
    assert seconds(value) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (1 << 20, "1.0 MiB"),
        (5 << 30, "5.0 GiB"),
        (5 << 40, "5120.0 GiB"),
    ],
)
def test_size(count: int, shown: str) -> None:
    assert size(count) == shown


def test_a_moment_to_the_second() -> None:
    assert moment("2026-01-02T03:04:05.678+00:00") == "2026-01-02 03:04:05"
    assert moment(None) == ""
