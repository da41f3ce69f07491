"""The tree of errors: stable codes, one document for the API, one text for people; the drawing is the code."""

from __future__ import annotations

import re

import pytest

from hotbay import errors
from hotbay.errors import HotbayError, MigrationFailed, Problem, Refused

DRAWN = re.compile(r"^    ([│├└─ ]*)(\w+) +exit (\d+) +status (\d+) +(?:code )?\"([a-z-]+)\"", re.MULTILINE)


def tree(kind: type[HotbayError] = HotbayError) -> list[type[HotbayError]]:
    found = [kind]
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            found += tree(child)
    return found


def test_the_drawing_at_the_top_is_the_tree() -> None:
    drawn = {name: (int(code), int(status), word, len(bars) // 4) for bars, name, code, status, word in facts()}
    depth = {kind: len(kind.__mro__) - len(HotbayError.__mro__) for kind in tree()}
    real = {kind.__name__: (kind.exit_code, kind.status, kind.code, depth[kind]) for kind in tree()}
    assert drawn == real


def facts() -> list[tuple[str, ...]]:
    return DRAWN.findall(errors.__doc__ or "")


def test_codes_are_distinct_and_every_error_says_what_it_is_for() -> None:
    codes = [kind.code for kind in tree()]
    assert len(set(codes)) == len(codes)
    assert all(kind.__doc__ for kind in tree())


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("id", "is missing"), "id: is missing"),
        (Problem("id", "must be small", "X", "a.json", "write x"), "a.json: id: must be small (got X); write x"),
        (Problem("id", "must be small", "X"), "id: must be small (got X)"),
    ],
)
def test_a_problem_reads_as_one_line(problem: Problem, text: str) -> None:
    assert str(problem) == text
    assert Problem(**problem.to_json()) == problem


def test_the_text_lists_every_problem_and_the_mend() -> None:
    error = Refused("no", mend="ask", problems=(Problem("a", "x"), Problem("b", "y")))
    assert str(error) == "no\n  - a: x\n  - b: y\n  mend: ask"
    assert str(Refused("no")) == "no"


def test_the_problem_document() -> None:
    error = MigrationFailed("bad", mend="mend it", problems=(Problem("a", "x"),), step="expand", operation=7, none=None)
    assert error.to_json() == {
        "type": "urn:hotbay:error:migration-failed",
        "title": "MigrationFailed",
        "status": 422,
        "detail": "bad",
        "code": "migration-failed",
        "mend": "mend it",
        "step": "expand",
        "operation": 7,
        "problems": [{"field": "a", "value": "", "rule": "x", "file": "", "mend": ""}],
    }


def test_what_is_empty_is_left_out_but_false_and_zero_are_not() -> None:
    body = Refused("no", switched=False, count=0).to_json()
    assert (body["switched"], body["count"]) == (False, 0)
    assert not {"mend", "step", "problems"} & set(body)
