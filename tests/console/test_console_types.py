"""The console's types of what it sends and hears are those of the server."""

from __future__ import annotations

import runpy
from pathlib import Path


def test_the_types_are_up_to_date() -> None:
    script = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "console_types.py"))
    for name, text in script["render"](script["document"]()).items():
        assert (script["TARGET"] / name).read_text(encoding="utf-8") == text, "run scripts/console_types.py"


def test_kinds_of_schemas() -> None:
    typed = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "console_types.py"))["typed"]
    assert typed({"anyOf": [{"type": "integer"}, {"type": "number"}, {"type": "null"}]}) == "number | null"
    assert typed({"type": "array", "items": {"enum": ["a", "b"]}}) == '("a" | "b")[]'
    assert typed({"$ref": "#/components/schemas/PlanBody"}) == "PlanBody"
    words = {"type": "array", "prefixItems": [{"type": "string"}, {"type": "object", "additionalProperties": True}]}
    assert typed(words) == "[string, Record<string, unknown>]"
    assert typed({"type": "object", "additionalProperties": {"type": "integer"}}) == "Record<string, number>"
    assert typed({}) == "unknown"
