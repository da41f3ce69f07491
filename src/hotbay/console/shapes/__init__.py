"""The shapes of what the API answers: its OpenAPI document has them, and the console's types are made of them.

They describe and check nothing: an answer goes out as it was made. That it has its shape, whole and with nothing beside
it, is checked by the tests on every answer that they get.
"""

from __future__ import annotations

from typing import Any, NotRequired

from typing_extensions import TypedDict  # Pydantic does not take the one of `typing` below Python 3.12.

Json = dict[str, Any]
Words = list[tuple[str, Json]]


def answers(shape: Any, **more: Any) -> Json:
    """For a route's decorator: what it answers with 200."""
    return {"response_model": None, "responses": {200: {"model": shape}}, **more}


class Problem(TypedDict):
    """What is wrong with one thing: the same as in a problem document's `problems`, or such a document."""

    field: NotRequired[str]
    rule: NotRequired[str]
    value: NotRequired[str]
    file: NotRequired[str]
    code: NotRequired[str]
    mend: NotRequired[str]
    step: NotRequired[str]
    type: NotRequired[str]
    title: NotRequired[str]
    status: NotRequired[int]
    detail: NotRequired[str]
    problems: NotRequired[list[Json]]
