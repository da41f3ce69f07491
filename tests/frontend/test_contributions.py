"""What a configuration adds: every field checked, every error with line, field and mend."""

from __future__ import annotations

from typing import Any

import pytest

from hotbay.frontend.contributions import Reading, read_contributions
from hotbay.frontend.repeat import as_config
from hotbay_sdk.manifest import parse

FILE = "frontend/addon.config.ts"


def module(name: str = "./pages/P", export: str = "default") -> dict[str, str]:
    """What `() => import(…)` is read as."""
    return {"$module": name, "$export": export}


def read(config: dict[str, Any], source: str = "", routes: tuple[str, ...] = ("/a", "/b/*")) -> tuple[Any, Reading]:
    """The contributions and what was found wrong."""
    front = {"routes": list(routes), "components": ["AIChatBot", "PriceWidget"]}
    manifest = parse({"id": "shop", "name": "Shop", "version": "1.0.0", "frontend": front})
    reading = Reading(FILE, source, manifest)
    return read_contributions(config, reading), reading


FULL = {
    "routes": [
        {"path": "/a", "component": module(), "requireAdmin": True, "title": "A"},
        {"path": "/b/:id", "component": module(export="One"), "layout": "customer", "requireAuth": True},
    ],
    "components": {"AIChatBot": module("./C"), "PriceWidget": module("./D"), "Other": module("./E")},
    "navigationItems": [
        {"name": "A", "href": "/a", "parent": "Support", "icon": "X", "order": 5, "badge": "/api/v1/shop/count"},
        {"name": "B", "href": "https://example.org/", "requireAdmin": True},
    ],
    "settingsPanels": [{"name": "Keys", "component": module("./S")}],
    "commands": [{"id": "go", "title": "Go", "href": "/a"}, {"id": "do", "title": "Do", "run": module("./R", "run")}],
    "messages": {"de": {"A": "Ä"}, "pt-BR": {}},
}


def test_everything_that_there_is() -> None:
    found, reading = read(FULL)
    assert not reading.problems
    assert [(page["path"], page["layout"], page["requireAuth"], page["requireAdmin"]) for page in found["pages"]] == [
        ("/a", "admin", True, True),
        ("/b/:id", "customer", True, False),
    ]
    assert [(item["name"], item["slot"]) for item in found["widgets"]] == [
        ("AIChatBot", "homepage.widgets"),
        ("PriceWidget", "homepage.widgets"),
    ]
    assert found["menu"][0]["badge"] == "/api/v1/shop/count"
    assert "requireAdmin" not in found["menu"][0]
    assert found["menu"][1]["requireAuth"]
    assert [item["href"] for item in found["commands"]] == ["/a", None]
    assert found["commands"][1]["export"] == "run"
    assert found["settings"] == [{"name": "Keys", "module": "./S", "export": "default"}]
    assert found["messages"] == {"de": {"A": "Ä"}, "pt-BR": {}}
    assert ("./R", "run") in reading.modules


def test_contributions_read_again_are_the_same() -> None:
    found, _ = read(FULL)
    again, reading = read(as_config(found))
    assert (again, reading.problems) == (found, [])


def test_widgets_that_are_named_are_the_only_ones() -> None:
    widgets = [
        {"slot": "dashboard.cards", "component": "Other", "order": 1, "requireAuth": True},
        {"slot": "customer.tabs", "component": module("./T"), "name": "Tickets"},
    ]
    found, reading = read({**FULL, "widgets": widgets})
    assert not reading.problems
    assert [(item["slot"], item["name"], item["module"], item["requireAuth"]) for item in found["widgets"]] == [
        ("dashboard.cards", "Other", "./E", True),
        ("customer.tabs", "Tickets", "./T", False),
    ]
    assert read({**FULL, "widgets": []})[0]["widgets"] == []


@pytest.mark.parametrize(
    ("config", "where", "rule", "mend"),
    [
        ({"routs": []}, "routs", "is no field of AddonConfig", "did you mean routes?"),
        ({"name": "shoq"}, "name", "is not what metadata.json says: shop", "leave it away"),
        ({"routes": {}}, "routes", "must be a list", ""),
        ({"routes": [7]}, "routes[0]", "must be an object", ""),
        ({"routes": [{"component": module()}]}, "routes[0].path", "is missing", "add it"),
        ({"routes": [{"path": "/a"}]}, "routes[0].component", "is missing", "add it"),
        ({"routes": [{"path": "/a", "component": "P"}]}, "routes[0].component", "must be () => import", ""),
        ({"routes": [{"path": "a", "component": module()}]}, "routes[0].path", "must be a path", ""),
        ({"routes": [{"path": "/x", "component": module()}]}, "routes[0].path", "not declared", 'add "/x" to'),
        ({"routes": [{"path": "/a", "component": module(), "layout": "wide"}]}, "routes[0].layout", "one of", ""),
        ({"routes": [{"path": "/a", "component": module(), "requireAdmin": 1}]}, "routes[0].requireAdmin", "true", ""),
        ({"routes": [{"path": "/a", "component": module(), "titel": "A"}]}, "routes[0].titel", "no field", "title"),
        ({"components": []}, "components", "must be an object", ""),
        ({"components": {"a b": module()}}, "components.a b", "must be a name", ""),
        ({"components": {"A": {"$function": True}}}, "components.A", "must be () => import", ""),
        ({"navigationItems": [{"name": "A", "href": "javascript:x"}]}, "navigationItems[0].href", "path", ""),
        ({"navigationItems": [{"name": "A", "href": "//x"}]}, "navigationItems[0].href", "must be a path", ""),
        ({"navigationItems": [{"name": "A\n", "href": "/"}]}, "navigationItems[0].name", "one line of text", ""),
        ({"navigationItems": [{"name": "A", "href": "/", "badge": "x"}]}, "navigationItems[0].badge", "API", ""),
        ({"navigationItems": [{"name": "A", "href": "/", "order": "1"}]}, "navigationItems[0].order", "number", ""),
        ({"widgets": [{"slot": "X", "component": module()}]}, "widgets[0].slot", "name of a slot", ""),
        ({"widgets": [{"slot": "a.b", "component": "No"}]}, "widgets[0].component", "none of the components", "add"),
        ({"settingsPanels": [{"name": "A"}]}, "settingsPanels[0].component", "is missing", ""),
        ({"commands": [{"id": "a", "title": "A"}]}, "commands[0]", "either href or run", ""),
        ({"commands": [{"id": "A!", "title": "A", "href": "/"}]}, "commands[0].id", "small letters", ""),
        ({"messages": []}, "messages", "must be an object", ""),
        ({"messages": {"german": {}}}, "messages.german", "must be a language", ""),
        ({"messages": {"de": {"a": 1}}}, "messages.de", "texts to texts", ""),
        ({"messages": {"de": []}}, "messages.de", "must be an object", ""),
    ],
)
def test_each_error_names_field_and_mend(config: dict[str, Any], where: str, rule: str, mend: str) -> None:
    _, reading = read(config)
    assert len(reading.problems) == 1, reading.problems
    (problem,) = reading.problems
    assert (problem.file, problem.field) == (FILE, f"line 1, {where}")
    assert rule in problem.rule
    assert mend in problem.mend


def test_pages_of_hotbay_itself_are_refused() -> None:
    _, reading = read({"routes": [{"path": "/hotbay/assets", "component": module()}]}, routes=("/hotbay/*",))
    assert [problem.rule for problem in reading.problems] == ["is reserved for Hotbay"]


def test_another_version_is_odd_and_no_error() -> None:
    _, reading = read({"version": "0.9"})
    assert not reading.problems
    assert [problem.field for problem in reading.warnings] == ["line 1, version"]


def test_the_line_is_that_of_the_value_else_of_the_field_else_of_the_list() -> None:
    source = "export default {\n  routes: [\n    {\n      path: '/x',\n      layout: wide,\n    },\n  ],\n};\n"
    _, reading = read({"routes": [{"path": "/x", "component": module(), "layout": "wide"}]}, source)
    assert [problem.field for problem in reading.problems] == ["line 5, routes[0].layout"]
    _, reading = read({"routes": [{"path": "/x", "component": module()}]}, source)
    assert [problem.field for problem in reading.problems] == ["line 4, routes[0].path"]
    _, reading = read({"routes": [{"path": "/x"}]}, source)
    assert [problem.field for problem in reading.problems] == ["line 2, routes[0].component"]
