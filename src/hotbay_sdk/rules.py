"""The manifest's rules as JSON Schema fragments, and the checker of the part of JSON Schema that they use.

`description` says the rule in words, `$comment` how to mend a breach. A test proves that the checker
agrees with a full implementation of JSON Schema.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

ID = r"[a-z][a-z0-9_]{0,63}"
_NUM = r"(?:0|[1-9][0-9]*)"
_RELEASE = rf"(?:[1-9][0-9]*!)?{_NUM}(?:\.{_NUM})*"
_SUFFIX = rf"(?:(?:a|b|rc){_NUM})?(?:\.post{_NUM})?(?:\.dev{_NUM})?"
_LOCAL = rf"(?:\+(?:{_NUM}|[0-9]*[a-z][a-z0-9]*)(?:\.(?:{_NUM}|[0-9]*[a-z][a-z0-9]*))*)?"
VERSION = _RELEASE + _SUFFIX + _LOCAL
_CLAUSE = (
    rf"(?:(?:>=|<=|>|<) *{_RELEASE}{_SUFFIX}"
    rf"|~= *(?:[1-9][0-9]*!)?{_NUM}(?:\.{_NUM})+{_SUFFIX}"
    rf"|(?:==|!=) *(?:{_RELEASE}\.\*|{VERSION}))"
)
RANGE = rf"{_CLAUSE}(?: *, *{_CLAUSE})*"
LINE = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]*"
LINES = r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*"
SEGMENT = r"[^\x00-\x20\x7f-\xa0\u2028\u2029/*?#%\\]+"
_PATH = rf"(?!.*\.\.)(?!.*/\.(?:/|$))(?:/|(?:/{SEGMENT})+/?|(?:/{SEGMENT})*/\*)"
URL = r"https?://[^\x00-\x20\x7f-\xa0\u2028\u2029\\]+"
NAME = r"[A-Za-z_][A-Za-z0-9_]*"

# Ids that no plugin may have: they are paths of hosts, folders of packages, or modules that plugins import.
RESERVED = frozenset(
    ["addons", "admin", "api", "app", "assets", "backend", "docs", "frontend", "hotbay", "hotbay_sdk", "marketplace"]
) | frozenset(["migrations", "openapi", "plugins", "redoc", "static", "test", "tests"])
RESERVED |= {name for name in sys.stdlib_module_names if not name.startswith("_")}

Schema = dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where (`field`, `file`), what (`value`), which `rule` it breaks and how to mend it.

    `code` is a stable name of the rule, for scripts; empty where there is none.
    """

    field: str
    rule: str
    value: str = ""
    file: str = ""
    mend: str = ""
    code: str = ""

    def __str__(self) -> str:
        place = f"{self.file}: " if self.file else ""
        code = f" [{self.code}]" if self.code else ""
        got = f" (got {self.value})" if self.value else ""
        mend = f"; {self.mend}" if self.mend else ""
        return f"{place}{self.field}: {self.rule}{code}{got}{mend}"

    def to_json(self) -> dict[str, str]:
        """The problem as flat JSON, for the API and `--json`."""
        shown = {
            "field": self.field,
            "value": self.value,
            "rule": self.rule,
            "file": self.file,
            "mend": self.mend,
        }
        return shown | ({"code": self.code} if self.code else {})


def text(rule: str, pattern: str = LINE, *, longest: int = 200, mend: str = "", least: int = 0) -> Schema:
    """A string of `least` to `longest` characters that the whole `pattern` matches."""
    # `$(?!\n)`: Python's `$` also matches before a last line break, other dialects' does not.
    form: Schema = {"type": "string", "description": rule, "pattern": f"^(?:{pattern})$(?!\\n)"}
    form |= {"minLength": least} if least else {}
    form |= {"maxLength": longest, "$comment": mend}
    return {key: value for key, value in form.items() if value != ""}


def optional(rule: str, pattern: str, *, longest: int = 200, mend: str = "") -> Schema:
    """A string that may be empty, which means that nothing was said."""
    return text(f"{rule}, or empty", f"|{pattern}", longest=longest, mend=mend)


def listing(rule: str, items: Schema, *, most: int = 1000, unique: bool = True) -> Schema:
    """A list of at most `most` entries that each keep the rule `items`."""
    form: Schema = {"type": "array", "description": rule, "items": items, "maxItems": most}
    return form | ({"uniqueItems": True} if unique else {})


def one_of(rule: str, *values: str) -> Schema:
    """One of a few words."""
    return {"type": "string", "description": rule, "enum": list(values)}


def path(rule: str) -> Schema:
    """A URL path; `*` stands for any rest and is its last segment."""
    mend = 'start with "/", write plain (not %-encoded) segments, "*" only as the last one'
    return text(rule + ': starts with "/", no "..", "//", "?", "#", "%" or control characters', _PATH, mend=mend)


MENU: Schema = {
    "type": ["object", "null"],
    "description": "the plugin's entry in the host's menu",
    "properties": {
        "label": text("one line of text", least=1),
        "icon": text("the name of an icon"),
        "order": {
            "type": "number",
            "description": "a number; lower comes first",
            "minimum": -1e6,
            "maximum": 1e6,
        },
        "items": {
            "type": "array",
            "description": "the entries below it",
            "maxItems": 100,
            "items": {
                "type": "object",
                "description": "an entry with label and url",
                "required": ["label", "url"],
                "properties": {
                    "label": text("one line of text", least=1),
                    "url": text(
                        "a path of the host or an http(s) address",
                        rf"/|/[^\x00-\x20\x7f-\xa0\u2028\u2029/\\][^\x00-\x20\x7f-\xa0\u2028\u2029\\]*|{URL}",
                        longest=500,
                    ),
                    "icon": text("the name of an icon"),
                },
            },
        },
    },
}


def breaches(value: Any, form: Schema, where: str, file: str) -> Iterator[Problem]:
    """Every breach of `form` in `value`."""
    kinds = form["type"] if isinstance(form["type"], list) else [form["type"]]
    if not any(_is(value, kind) for kind in kinds):
        rule = f"must be {' or '.join(_KINDS[kind] for kind in kinds)}: {form['description']}"
        yield Problem(where, rule, show(value), file, form.get("$comment", ""))
    elif isinstance(value, dict):
        yield from _object_breaches(value, form, where, file)
    elif isinstance(value, list):
        yield from _list_breaches(value, form, where, file)
    elif not _fits(value, form):
        limit = f", at most {form['maxLength']} characters" if len(str(value)) > form.get("maxLength", 1e9) else ""
        among = f": one of {', '.join(form['enum'])}" if "enum" in form else ""
        yield Problem(where, form["description"] + limit + among, show(value), file, form.get("$comment", ""))


_KINDS = {
    "string": "a string",
    "number": "a number",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and not isinstance(value, bool)


def _fits(value: Any, form: Schema) -> bool:
    if isinstance(value, str):
        return (
            form.get("minLength", 0) <= len(value) <= form.get("maxLength", len(value))
            and value in form.get("enum", (value,))
            and re.search(form.get("pattern", ""), value) is not None
        )
    return value is None or bool(form["minimum"] <= value <= form["maximum"])


def _object_breaches(value: dict[str, Any], form: Schema, where: str, file: str) -> Iterator[Problem]:
    prefix = f"{where}." if where else ""
    for name in form.get("required", ()):
        if name not in value:
            yield Problem(prefix + name, "is missing", file=file, mend="add it")
    for name, member in value.items():
        below = form.get("properties", {}).get(name, form.get("additionalProperties"))
        if below is not None:
            yield from breaches(member, below, prefix + name, file)


def _list_breaches(value: list[Any], form: Schema, where: str, file: str) -> Iterator[Problem]:
    if len(value) > form["maxItems"]:
        yield Problem(where, f"at most {form['maxItems']} entries", str(len(value)), file)
    seen: set[str] = set()
    for index, item in enumerate(value):
        yield from breaches(item, form["items"], f"{where}[{index}]", file)
        if form.get("uniqueItems") and isinstance(item, str):
            if item in seen:
                yield Problem(f"{where}[{index}]", "is there already", show(item), file, "leave it away")
            seen.add(item)


def show(value: Any) -> str:
    """The value in a form that is short and safe to print."""
    text = ascii(value) if isinstance(value, (str, float)) else repr(type(value).__name__)
    if value is None or isinstance(value, (bool, int)):
        text = str(value) if not isinstance(value, int) or abs(value) < 10**30 else "a huge number"
    return text if len(text) <= 80 else text[:77] + "..."
