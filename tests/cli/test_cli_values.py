"""Settings on the command line: each value in the type that the schema asks for, secrets never among them."""

from __future__ import annotations

from typing import Any

import pytest

from hotbay.cli.values import _changes, typed
from hotbay.errors import BadInput

SCHEMA: dict[str, Any] = {
    "$defs": {"Colour": {"type": "string", "enum": ["5", "red"]}, "Level": {"type": "integer"}},
    "properties": {
        "word": {"type": "string"},
        "number": {"type": "integer"},
        "maybe": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "either": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "colour": {"$ref": "#/$defs/Colour"},
        "level": {"allOf": [{"$ref": "#/$defs/Level"}]},
        "lost": {"$ref": "#/$defs/Gone"},
        "names": {"type": "array"},
        "key": {"type": "string", "format": "password", "writeOnly": True},
    },
}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("word", "5", "5"),
        ("word", "true", "true"),
        ("number", "5", 5),
        ("number", "five", "five"),
        ("maybe", "null", "null"),
        ("either", "null", None),
        ("colour", "5", "5"),
        ("level", "3", 3),
        ("lost", "3", 3),
        ("names", '["a", 1]', ["a", 1]),
        ("unheard", "true", True),
        ("unheard", "", ""),
    ],
)
def test_the_schema_decides_whether_it_is_text(name: str, text: str, value: Any) -> None:
    assert typed(text, SCHEMA, name) == value


def test_a_value_may_hold_an_equals_sign_and_be_empty() -> None:
    assert _changes("shop", SCHEMA, ("word=a=b", "number=2", "maybe=")) == {"word": "a=b", "number": 2, "maybe": ""}


@pytest.mark.parametrize("text", ["word", "=value", ""])
def test_what_is_no_pair_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="no KEY=VALUE"):
        _changes("shop", SCHEMA, ("number=1", text))


def test_a_secret_does_not_belong_on_the_command_line() -> None:
    """Other users of the machine see it; the refusal must not say it a second time."""
    with pytest.raises(BadInput, match="does not belong") as caught:
        _changes("shop", SCHEMA, ("key=s3cret",))
    (problem,) = caught.value.problems
    assert (problem.field, problem.mend) == ("key", "use `hotbay settings shop --secret key`")
    assert "s3cret" not in str(caught.value.to_json())
