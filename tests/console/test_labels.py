"""How settings are called, and texts with backticks, as the console shows them."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from console.scripts import evaluate


class Wishes(BaseModel):
    """Names as authors choose them."""

    api_key: str = ""
    smtp_url: str = ""
    greeting: str = ""
    allowed_ids: str = ""
    max_open_chats: int = 1


def test_titles_that_a_schema_made_are_sentences() -> None:
    made = [(name, field["title"]) for name, field in Wishes.model_json_schema()["properties"].items()]
    assert made[0] == ("api_key", "Api Key")
    shown = evaluate("system/labels.ts", "made.map(([name, title]) => it.label(name, title))", made=made)
    assert shown == ["API key", "SMTP URL", "Greeting", "Allowed IDs", "Max open chats"]


@pytest.mark.parametrize(
    ("name", "title", "shown"),
    [
        ("api_key", "Key of the API", "Key of the API"),
        ("api_key", "api key", "api key"),
        ("mode", "MODE", "MODE"),
        ("public_url", None, "Public URL"),
        ("status", "Status", "Status"),
    ],
)
def test_titles_of_authors_stay(name: str, title: str | None, shown: str) -> None:
    given = {"name": name} | ({"title": title} if title is not None else {})
    assert evaluate("system/labels.ts", "it.label(given.name, given.title)", given=given) == shown


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("See `hotbay logs x`.", ["See ", "hotbay logs x", "."]),
        ("plain", ["plain"]),
        ("one ` alone", ["one ` alone"]),
        ("`a` and `b`", ["", "a", " and ", "b", ""]),
    ],
)
def test_backticks_mark_code(text: str, parts: list[str]) -> None:
    assert evaluate("system/labels.ts", "it.coded(text)", text=text) == parts
