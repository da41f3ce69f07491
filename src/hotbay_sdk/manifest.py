"""The manifest of a package (`metadata.json` or `plugin.json`): read, check, dump. Data, never executed.

Each field of the dataclasses below carries its rule as a JSON Schema fragment in its metadata (see
`hotbay_sdk.rules`). `parse` checks against these fragments and `schema` publishes them: one source for both.

    python -m hotbay_sdk.manifest       prints the JSON Schema (2020-12)
"""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hotbay_sdk import rules
from hotbay_sdk.rules import Problem, Schema, show

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
FILES = ("metadata.json", "plugin.json")
SCHEMA_ID = "urn:hotbay:schema:manifest:1"

Shape = TypeVar("Shape")


class ManifestError(ValueError):
    """A manifest breaks the format. `problems` lists every breach, not the first only."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, kw_only=True)
class Backend:
    """The Python part. `routes` are claims, `mount` is where an ASGI app goes, `entry` names an addon."""

    models: tuple[str, ...] = field(
        default=(), metadata=rules.listing("names of model classes", rules.text("a Python name", rules.NAME))
    )
    routes: tuple[str, ...] = field(
        default=(),
        metadata=rules.listing("paths that the plugin answers", rules.path('a path such as "/api/v1/chat/*"')),
    )
    dependencies: tuple[str, ...] = field(
        default=(),
        metadata=rules.listing(
            "Python packages that the backend needs",
            rules.text(
                "a PEP 508 requirement",
                r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?: *[\[(<>=!~;@]" + rules.LINE + r")? *",
                longest=500,
                mend='write a name and a range, such as "openai>=1.0.0"',
            ),
        ),
    )
    mount: str = field(
        default="",
        metadata=rules.optional(
            'a path such as "/shop" without "*"', rf"(?!.*\.\.)(?!.*/\.(?:/|$))(?:/|(?:/{rules.SEGMENT})+/?)"
        ),
    )
    entry: str = field(
        default="",
        metadata=rules.optional('"module:Name" inside the backend', rf"{rules.NAME}(?:\.{rules.NAME})*:{rules.NAME}"),
    )
    runtime: str = field(default="inprocess", metadata=rules.one_of("what runs the code", "inprocess", "isolated"))
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Frontend:
    """The browser's part: pages by path, named components, npm packages by range."""

    routes: tuple[str, ...] = field(
        default=(), metadata=rules.listing("paths of pages", rules.path('a path such as "/support/chats"'))
    )
    components: tuple[str, ...] = field(
        default=(),
        metadata=rules.listing("names of components", rules.text("a name", r"[A-Za-z_$][A-Za-z0-9_$.-]*")),
    )
    dependencies: dict[str, str] = field(
        default_factory=dict,
        metadata={
            "type": "object",
            "description": "npm packages and their ranges",
            "additionalProperties": rules.text("a range of versions"),
        },
    )
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Database:
    """Tables that the plugin owns beside those named `{id}_…`, and tables of others that it asks to read."""

    tables: tuple[str, ...] = field(
        default=(),
        metadata=rules.listing("tables that the plugin owns", rules.text("a table's name", rules.NAME, longest=63)),
    )
    reads: tuple[str, ...] = field(
        default=(),
        metadata=rules.listing("tables that the plugin reads", rules.text("a table's name", rules.NAME, longest=63)),
    )
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a package says about itself. `extra` keeps unknown fields, and `dump` writes them again."""

    id: str = field(
        metadata=rules.text(
            "small letters, digits and _, beginning with a letter, at most 64",
            rules.ID,
            longest=64,
            mend='choose an id such as "ai_chatbot"',
        )
    )
    name: str = field(metadata=rules.text("one line of text, not empty", least=1))
    version: str = field(
        metadata=rules.text(
            "a PEP 440 version in its normal form",
            rules.VERSION,
            longest=64,
            mend='write it as "1.2.0", "1.2.0rc1" or "1.2.0.post1" (no "v", no leading zeros)',
        )
    )
    author: str = field(default="", metadata=rules.text("one line of text"))
    description: str = field(default="", metadata=rules.text("text", rules.LINES, longest=20_000))
    category: str = field(default="", metadata=rules.text("one line of text"))
    price: float = field(
        default=0,
        metadata={"type": "number", "description": "0 or more", "minimum": 0, "maximum": 1e9},
    )
    icon: str = field(default="", metadata=rules.text("the name of an icon, an emoji or a file in the package"))
    license: str = field(default="", metadata=rules.text("one line of text, best an SPDX expression"))
    homepage: str = field(default="", metadata=rules.optional("an http(s) address", rules.URL, longest=500))
    features: tuple[str, ...] = field(
        default=(),
        metadata=rules.listing("what it can do", rules.text("one line of text", longest=500), most=100, unique=False),
    )
    changelog: str = field(default="", metadata=rules.text("text", rules.LINES, longest=100_000))
    requires: tuple[str, ...] = field(
        default=(),
        metadata=rules.listing(
            "plugins that must be there",
            rules.text(
                'a plugin\'s id with or without a range, such as "email_marketing>=1.2,<2"',
                rf"{rules.ID}(?: *{rules.RANGE})?",
                longest=300,
            ),
        ),
    )
    hotbay: str = field(default="", metadata=rules.optional('a range such as ">=0.1"', rules.RANGE))
    python: str = field(default="", metadata=rules.optional('a range such as ">=3.11"', rules.RANGE))
    permissions: tuple[str, ...] = field(
        default=(),
        metadata=rules.listing(
            "what the plugin asks to be granted",
            rules.text(
                'a permission such as "filesystem.write"',
                r"[a-z][a-z0-9_-]*(?:\.[a-z0-9_-]+)*(?::[^\x00-\x20\x7f-\xa0\u2028\u2029]+)?",
            ),
        ),
    )
    activation: tuple[str, ...] = field(
        default=(),
        metadata=rules.listing(
            "when the plugin is loaded",
            rules.text(
                '"startup", "request", "event:NAME" or "filter:NAME"',
                r"startup|request|(?:event|filter):[A-Za-z][A-Za-z0-9_.-]*",
            ),
        ),
    )
    migrations: str = field(
        default="expand",
        metadata=rules.one_of("whether the schema change can be split", "expand", "exclusive"),
    )
    backend: Backend = field(default_factory=Backend, metadata={"shape": Backend})
    frontend: Frontend = field(default_factory=Frontend, metadata={"shape": Frontend})
    database: Database = field(default_factory=Database, metadata={"shape": Database})
    menu: dict[str, Any] | None = field(default=None, metadata=rules.MENU)
    extra: dict[str, Any] = field(default_factory=dict)


def parse(data: bytes | str | dict[str, Any], file: str = "metadata.json") -> Manifest:
    """Read and check a manifest. Unknown fields are kept in `extra`; `plugin_id` is read as `id`.

    Raises ManifestError with every breach. `file` only names the origin in messages.
    """
    problems: list[Problem] = []
    document = copy.deepcopy(_contents(_load(data, file, problems), file))
    _name_id(document, file, problems)
    problems.extend(rules.breaches(document, _shape(Manifest), "", file))
    if problems:
        raise ManifestError(problems)
    return _build(Manifest, document)


def dump(manifest: Manifest) -> dict[str, Any]:
    """The manifest as JSON data, complete (defaults, unknown fields); `parse` gives it back."""
    return _members(manifest)


def schema() -> Schema:
    """The JSON Schema (2020-12) of the manifest, made of the rules on the fields."""
    form = _shape(Manifest)
    form["properties"]["plugin_id"] = form["properties"]["id"] | {"description": "another name of id (plugin.json)"}
    form["required"] = [name for name in form["required"] if name != "id"]
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "Manifest of a Hotbay package (metadata.json, plugin.json)",
    }
    return head | form | {"anyOf": [{"required": ["id"]}, {"required": ["plugin_id"]}]}


def schema_text() -> str:
    """The published form of `schema`: indented JSON with a line break at its end."""
    return json.dumps(schema(), indent=2) + "\n"


def _load(data: bytes | str | dict[str, Any], file: str, problems: list[Problem]) -> Any:
    """JSON data of `data`. Duplicate keys become problems; what can't be read at all raises."""
    if isinstance(data, dict):
        return data
    if len(data) > MAX_BYTES:
        raise _unreadable(f"larger than {MAX_BYTES:,} bytes", file)

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        counts = Counter(name for name, _ in items)
        rule = "appears more than once in one object"
        problems.extend(Problem(show(name), rule, file=file) for name in counts if counts[name] > 1)
        return dict(items)

    try:
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
        return json.loads(text, object_pairs_hook=pairs, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise _unreadable(f"not UTF-8: {error.reason} at byte {error.start}", file) from None
    except RecursionError:
        raise _unreadable(f"nested deeper than {MAX_DEPTH} levels", file) from None
    except ValueError as error:
        raise _unreadable(f"not JSON: {error}", file) from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _unreadable(rule: str, file: str) -> ManifestError:
    return ManifestError([Problem("(document)", rule, file=file, mend="save it as UTF-8 JSON: one object")])


def _contents(document: Any, file: str) -> dict[str, Any]:
    """The document, when it is an object of pure JSON data that every database can store."""
    if not isinstance(document, dict):
        raise _unreadable("must be a JSON object", file)
    stack: list[tuple[Any, int]] = [(document, 1)]
    while stack:
        value, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise _unreadable(f"nested deeper than {MAX_DEPTH} levels", file)
        if rule := _unfit(value):
            raise ManifestError([Problem("(document)", rule, show(value), file)])
        if isinstance(value, dict):
            stack.extend((part, depth + 1) for pair in value.items() for part in pair)
        elif isinstance(value, list):
            stack.extend((part, depth + 1) for part in value)
    return document


def _unfit(value: Any) -> str:
    if isinstance(value, dict):
        return "" if all(isinstance(key, str) for key in value) else "every name must be a string"
    if isinstance(value, str):
        bad = "\0" in value or any("\ud800" <= char <= "\udfff" for char in value)
        return "no NUL and no half characters (lone surrogates)" if bad else ""
    if isinstance(value, float):
        return "" if math.isfinite(value) else "NaN and infinity are no JSON numbers"
    return "" if value is None or isinstance(value, (bool, int, list)) else "must be JSON data"


def _name_id(document: dict[str, Any], file: str, problems: list[Problem]) -> None:
    """Read seed 004's `plugin_id` as `id`."""
    if "plugin_id" not in document:
        return
    other = document.pop("plugin_id")
    if "id" in document and document["id"] != other:
        rule = "must be the same as id when both are given"
        problems.append(Problem("plugin_id", rule, show(other), file, "leave plugin_id away"))
    document.setdefault("id", other)


def _shape(cls: type[Any]) -> Schema:
    """The object schema of a dataclass."""
    fields = [entry for entry in dataclasses.fields(cls) if entry.name != "extra"]
    properties = {
        entry.name: _shape(entry.metadata["shape"]) if "shape" in entry.metadata else dict(entry.metadata)
        for entry in fields
    }
    required = [
        entry.name
        for entry in fields
        if entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING
    ]
    form: Schema = {"type": "object", "description": "an object", "properties": properties}
    return form | ({"required": required} if required else {})


def _build(cls: type[Shape], document: dict[str, Any]) -> Shape:
    """An instance of `cls` of checked data; what it has no field for goes to `extra`."""
    known = {entry.name: entry for entry in dataclasses.fields(cls) if entry.name != "extra"}  # type: ignore[arg-type]
    values: dict[str, Any] = {"extra": {name: part for name, part in document.items() if name not in known}}
    for name in known.keys() & document.keys():
        shape = known[name].metadata.get("shape")
        part = document[name]
        values[name] = _build(shape, part) if shape else tuple(part) if isinstance(part, list) else part
    return cls(**values)


def _members(shape: Any) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for entry in dataclasses.fields(shape):
        part = getattr(shape, entry.name)
        if dataclasses.is_dataclass(part):
            part = _members(part)
        if entry.name != "extra":
            document[entry.name] = list(part) if isinstance(part, tuple) else copy.deepcopy(part)
    document |= copy.deepcopy(shape.extra)
    return document


if __name__ == "__main__":
    sys.stdout.write(schema_text())
