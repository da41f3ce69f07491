"""The manifest: seeds' documents, every breach at once, unknown fields, and the published schema."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from hotbay_sdk import rules
from hotbay_sdk.manifest import Manifest, ManifestError, dump, parse, schema, schema_text

SCHEMA_FILE = Path(__file__).parents[1] / "docs" / "manifest.schema.json"
VALIDATOR = Draft202012Validator(schema())

SEED_003 = {
    "id": "ai_chatbot",
    "name": "AI Chatbot",
    "version": "1.0.0",
    "author": "NextPanel Team",
    "description": "AI-powered customer support chatbot",
    "category": "communication",
    "price": 0,
    "requires": [],
    "backend": {
        "models": ["ChatSession", "ChatMessage"],
        "routes": ["/api/v1/chat/*"],
        "dependencies": ["openai>=1.0.0"],
    },
    "frontend": {"routes": ["/support/chats"], "components": ["AIChatBot"], "dependencies": {}},
    "permissions": ["database.create_tables", "api.register_routes", "filesystem.write"],
}
SEED_004 = {
    "plugin_id": "inventory",
    "name": "Inventory Manager",
    "version": "1.0.0",
    "description": "Manage product inventory",
    "author": "ERPlora Team",
    "menu": {
        "label": "Inventory",
        "icon": "cube-outline",
        "order": 10,
        "items": [{"label": "Products", "url": "/plugins/inventory/", "icon": "list-outline"}],
    },
}
LEAST = {"id": "a", "name": "A", "version": "1"}


def problems(document: Any, file: str = "metadata.json") -> dict[str, rules.Problem]:
    with pytest.raises(ManifestError) as caught:
        parse(document, file)
    return {problem.field: problem for problem in caught.value.problems}


def test_seed_003_is_read() -> None:
    manifest = parse(json.dumps(SEED_003).encode())
    assert (manifest.id, manifest.version, manifest.price) == ("ai_chatbot", "1.0.0", 0)
    assert manifest.backend.routes == ("/api/v1/chat/*",)
    assert manifest.backend.dependencies == ("openai>=1.0.0",)
    assert manifest.frontend.components == ("AIChatBot",)
    assert manifest.permissions[2] == "filesystem.write"
    assert manifest.extra == {}


def test_seed_004_is_read() -> None:
    manifest = parse(SEED_004, "plugin.json")
    assert manifest.id == "inventory"
    assert manifest.menu is not None
    assert manifest.menu["items"][0]["url"] == "/plugins/inventory/"
    assert "plugin_id" not in dump(manifest)


def test_id_and_plugin_id_must_agree() -> None:
    assert parse(LEAST | {"plugin_id": "a"}).id == "a"
    assert problems(LEAST | {"plugin_id": "b"})["plugin_id"].value == "'b'"


def test_a_byte_order_mark_is_no_error() -> None:
    assert parse(b"\xef\xbb\xbf" + json.dumps(LEAST).encode()).id == "a"


def test_all_breaches_are_named_at_once() -> None:
    document = {
        "id": "AI-Chat",
        "version": "v1",
        "price": -1,
        "requires": ["x>>1", "Y"],
        "backend": {"routes": ["chat", "/a/../b", "/*/x"], "mount": "/a/*", "runtime": "magic", "entry": "x"},
        "database": {"tables": ["a b"]},
        "menu": {"items": [{"label": "x", "url": "javascript:alert(1)"}]},
    }
    found = problems(document, "plugin.json")
    assert set(found) == {
        "id",
        "name",
        "version",
        "price",
        "requires[0]",
        "requires[1]",
        "backend.routes[0]",
        "backend.routes[1]",
        "backend.routes[2]",
        "backend.mount",
        "backend.runtime",
        "backend.entry",
        "database.tables[0]",
        "menu.items[0].url",
    }
    assert found["id"].value == "'AI-Chat'"
    assert "small letters" in found["id"].rule
    assert found["id"].mend
    assert {problem.file for problem in found.values()} == {"plugin.json"}
    assert "plugin.json: version: a PEP 440 version" in str(found["version"])


def test_duplicate_keys_are_breaches_beside_the_others() -> None:
    text = '{"id": "a", "id": "b", "name": "A", "version": "1", "backend": {"x": 1, "x": 2}, "price": "free"}'
    assert set(problems(text)) == {"'id'", "'x'", "price"}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (b"", "not JSON"),
        (b"[]", "must be a JSON object"),
        (b'"x"', "must be a JSON object"),
        (b"{", "not JSON"),
        (b'{"price": NaN}', "NaN is no JSON number"),
        (b'{"x": -Infinity}', "-Infinity is no JSON number"),
        (b'{"x": 1e999}', "NaN and infinity"),
        (b'{"x": "\\u0000"}', "no NUL"),
        (b'{"x": "\\ud800"}', "lone surrogates"),
        (b'{"\\udfff": 1}', "lone surrogates"),
        (b'{"x": ' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"id": "\xff"}', "not UTF-8"),
        ('{"id": "a"}'.encode("utf-16"), "not UTF-8"),
        (b'{"x": ' + b"[" * 40 + b"]" * 40 + b"}", "nested deeper"),
        (b'{"x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", "nested deeper"),
        (b'{"x": "' + b"x" * 1024 * 1024 + b'"}', "larger than 1,048,576 bytes"),
        ({"x": {1: 2}}, "every name must be a string"),
        ({"x": (1,)}, "must be JSON data"),
        ({"x": float("nan")}, "NaN and infinity"),
    ],
)
def test_what_is_no_fit_json(text: Any, rule: str) -> None:
    (problem,) = problems(text).values()
    assert rule in problem.rule


def test_many_keys_are_read_in_linear_time() -> None:
    text = json.dumps(LEAST | {f"k{n}": 0 for n in range(60_000)})
    assert len(parse(text).extra) == 60_000


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "a" * 65),
        ("id", "1a"),
        ("id", "_a"),
        ("id", "a\n"),
        ("id", 5),
        ("id", None),
        ("name", ""),
        ("name", "a\nb"),
        ("name", "a\u2028b"),
        ("version", "1.0-beta"),
        ("version", "01.0"),
        ("version", "1.0\n"),
        ("version", "../1"),
        ("version", "1.0+a/b"),
        ("version", 1.0),
        ("price", True),
        ("price", "0"),
        ("features", "all"),
        ("features", [1]),
        ("requires", ["a", "a"]),
        ("requires", [">=1"]),
        ("hotbay", "0.1"),
        ("hotbay", ">=0.1,"),
        ("python", "~=3"),
        ("python", ">=3.*"),
        ("homepage", "javascript:x"),
        ("homepage", "//evil"),
        ("activation", ["boot"]),
        ("activation", ["event:"]),
        ("permissions", ["All"]),
        ("migrations", "later"),
        ("menu", []),
        ("menu", {"order": "1"}),
        ("menu", {"items": [{}]}),
        ("menu", {"items": [{"label": "x", "url": "//evil"}]}),
        ("backend", []),
        ("backend", {"routes": ["//a"]}),
        ("backend", {"routes": ["/a//b"]}),
        ("backend", {"routes": ["/a\x7f"]}),
        ("backend", {"routes": ["/a/./b"]}),
        ("backend", {"routes": ["/a*"]}),
        ("backend", {"routes": ["/a/%2e%2e/b"]}),
        ("backend", {"routes": ["/a\\b"]}),
        ("backend", {"routes": ["/a?b"]}),
        ("backend", {"routes": [""]}),
        ("backend", {"dependencies": [">=1"]}),
        ("backend", {"dependencies": ["a\nb"]}),
        ("backend", {"entry": "a:b:c"}),
        ("frontend", {"dependencies": {"x": 1}}),
        ("frontend", {"dependencies": []}),
        ("database", {"tables": ["a" * 64]}),
        ("database", {"reads": ["a.b"]}),
        ("database", {"tables": ["t"] * 2}),
        ("database", {"tables": [f"t{n}" for n in range(1001)]}),
    ],
)
def test_breaches_by_field(field: str, value: Any) -> None:
    document = LEAST | {field: value}
    found = problems(document)
    assert {name.partition(".")[0].partition("[")[0] for name in found} == {field}
    assert not VALIDATOR.is_valid(document)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", "1!2.0rc1.post2.dev3+deb.1"),
        ("requires", ["email_marketing>=1.2,<2", "x", "y == 1.*", "z~=1.4"]),
        ("hotbay", ">=0.1"),
        ("python", ">=3.11, !=3.12.0"),
        ("homepage", "https://example.com/x?y#z"),
        ("activation", ["startup", "request", "event:invoice.created", "filter:invoice.total"]),
        ("permissions", ["network:api.example.com:443"]),
        ("migrations", "exclusive"),
        ("menu", None),
        ("icon", "🤖"),
        ("description", "two\nlines\n"),
        ("price", 9.5),
        (
            "backend",
            {"routes": ["/", "/*", "/a/", "/.well-known/x", "/größe/{id:int}"]},
        ),
        ("backend", {"dependencies": ["a", "b[x]>=1; python_version>'3'", "c @ https://example.com/c.whl"]}),
        ("backend", {"mount": "/shop", "entry": "shop.main:Addon", "runtime": "isolated"}),
        ("frontend", {"dependencies": {"@scope/x": "^1.0.0"}}),
        ("database", {"tables": ["chat_sessions"], "reads": ["customers"]}),
    ],
)
def test_good_values(field: str, value: Any) -> None:
    document = LEAST | {field: value}
    assert parse(document)
    assert VALIDATOR.is_valid(document)


def test_unknown_fields_are_kept_everywhere() -> None:
    document = LEAST | {
        "x-team": {"a": [1, None, {"b": 2.5}]},
        "extra": 1,
        "backend": {"workers": 2, "extra": [1]},
        "frontend": {"theme": "dark"},
        "database": {"engine": "any"},
        "menu": {"badge": "new", "items": []},
    }
    manifest = parse(document)
    assert manifest.extra == {"x-team": {"a": [1, None, {"b": 2.5}]}, "extra": 1}
    assert manifest.backend.extra == {"workers": 2, "extra": [1]}
    written = dump(manifest)
    for name in ("x-team", "extra", "menu"):
        assert written[name] == document[name]
    for name in ("backend", "frontend", "database"):
        assert {key: written[name][key] for key in document[name]} == document[name]


def test_the_manifest_shares_nothing_with_what_it_was_read_from_or_dumped_to() -> None:
    document = LEAST | {"own": {"list": [1]}}
    manifest = parse(document)
    document["own"]["list"].append(2)  # type: ignore[index]
    dump(manifest)["own"]["list"].append(3)
    assert manifest.extra == {"own": {"list": [1]}}
    with pytest.raises(dataclasses.FrozenInstanceError):
        manifest.id = "b"  # type: ignore[misc]


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("abc/*. é", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz", max_size=4), inner, max_size=3),
    max_leaves=6,
)


def of(form: rules.Schema) -> st.SearchStrategy[Any]:
    """Values that keep the rule `form`."""
    kind = form["type"] if isinstance(form["type"], str) else form["type"][0]
    if "enum" in form:
        return st.sampled_from(form["enum"])
    if kind == "string":
        pattern = form["pattern"].removesuffix(r"$(?!\n)").removeprefix("^")
        texts = st.from_regex(pattern, fullmatch=True)
        least, most = form.get("minLength", 0), form["maxLength"]
        return texts.filter(lambda text: least <= len(text) <= most and clean(text))
    if kind == "number":
        return st.floats(form["minimum"], form["maximum"]) | st.integers(0, 1000)
    if kind == "array":
        key = (lambda item: item) if form.get("uniqueItems") else (lambda item: json.dumps(item) + str(id(item)))
        return st.lists(of(form["items"]), max_size=3, unique_by=key)
    if "additionalProperties" in form:
        return st.dictionaries(st.text("abc-", max_size=5), of(form["additionalProperties"]), max_size=2)
    return objects(form)


def clean(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def objects(form: rules.Schema) -> st.SearchStrategy[dict[str, Any]]:
    known = {name: of(below) for name, below in form["properties"].items()}
    required = {name: known.pop(name) for name in form.get("required", ())}
    unknown = st.dictionaries(st.sampled_from(["x-one", "extra", "zwei"]), JSON_VALUES, max_size=2)
    return st.builds(lambda one, two: one | two, unknown, st.fixed_dictionaries(required, optional=known))


GOOD = objects(schema() | {"required": ["id", "name", "version"]}).map(
    lambda document: {name: part for name, part in document.items() if name != "plugin_id"}
)
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@QUICK
@given(GOOD)
def test_what_the_schema_describes_is_parsed_and_dumps_to_itself(document: dict[str, Any]) -> None:
    assert VALIDATOR.is_valid(document)
    manifest = parse(document)
    assert parse(dump(manifest)) == manifest
    assert parse(json.dumps(dump(manifest))) == manifest
    assert dump(parse(dump(manifest))) == dump(manifest)


@QUICK
@given(GOOD, st.data())
def test_schema_and_parser_agree_on_documents_with_something_odd_in_them(
    document: dict[str, Any], data: st.DataObject
) -> None:
    names = [name for name in schema()["properties"] if name != "plugin_id"]
    name = data.draw(st.sampled_from(names))
    below = schema()["properties"][name].get("properties")
    if below and data.draw(st.booleans()):
        part = dict(document.get(name) or {})
        part[data.draw(st.sampled_from(sorted(below)))] = data.draw(JSON_VALUES)
        document = document | {name: part}
    elif data.draw(st.booleans()):
        document = document | {name: data.draw(JSON_VALUES)}
    else:
        document = {key: part for key, part in document.items() if key != name}
    try:
        parse(document)
        accepted = True
    except ManifestError:
        accepted = False
    assert VALIDATOR.is_valid(document) == accepted


@QUICK
@given(st.binary(max_size=200) | st.text(max_size=200) | JSON_VALUES.map(json.dumps))
def test_anything_else_is_refused_and_nothing_else_is_raised(data: bytes | str) -> None:
    with pytest.raises(ManifestError):
        parse(data)


@QUICK
@given(st.from_regex(rules.RANGE, fullmatch=True), st.from_regex(rules.VERSION, fullmatch=True))
def test_ranges_and_versions_mean_something_to_packaging(text: str, version: str) -> None:
    SpecifierSet(text)
    assert str(Version(version)) == version


def test_requirements_of_plugins_read_as_pep_508() -> None:
    manifest = parse(LEAST | {"requires": ["email_marketing>=1.2,<2", "b ~= 1.4"]})
    assert [Requirement(text).name for text in manifest.requires] == ["email_marketing", "b"]


def test_the_schema_is_a_schema_and_accepts_the_seeds() -> None:
    Draft202012Validator.check_schema(schema())
    assert VALIDATOR.is_valid(SEED_003)
    assert VALIDATOR.is_valid(SEED_004)
    assert not VALIDATOR.is_valid({"name": "A", "version": "1"})


def test_every_field_has_a_rule_and_a_place_in_the_schema_and_in_the_page() -> None:
    page = (SCHEMA_FILE.parent / "manifest.md").read_text(encoding="utf-8")
    names = [entry.name for entry in dataclasses.fields(Manifest) if entry.name != "extra"]
    assert set(names) | {"plugin_id"} == set(schema()["properties"])
    nested = [
        f"{name}.{part}"
        for name in ("backend", "frontend", "database")
        for part in schema()["properties"][name]["properties"]
    ]
    assert [name for name in [*names, *nested] if f"`{name}`" not in page] == []


def test_the_published_schema_is_up_to_date() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "hotbay_sdk.manifest"], capture_output=True, text=True, check=True
    ).stdout
    assert printed == schema_text()
    assert SCHEMA_FILE.read_text(encoding="utf-8") == printed, (
        "run: python -m hotbay_sdk.manifest > docs/manifest.schema.json"
    )
