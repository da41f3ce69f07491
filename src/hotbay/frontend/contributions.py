"""What a configuration adds to the shell: checked field by field, in the shape that browsers get.

Pure: plain data in, plain data and problems out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from hotbay.errors import Problem
from hotbay.frontend.config import EXPORT, MODULE
from hotbay_sdk.manifest import Manifest

LAYOUTS = ("admin", "customer", "public", "none")
HOMEPAGE = "homepage.widgets"
_SLOT = re.compile(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")
_HREF = re.compile(r"(?:/(?!/)|https://)[^\s\\]*|/")
_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$.-]*")
_ID = re.compile(r"[a-z][a-z0-9_.-]*")
_IMPORT = "must be () => import('./…')"
_MOST, _LONGEST, _TEXTS = 200, 300, 5000
Item = dict[str, Any]
Test = Callable[[Any], str]


@dataclass
class Reading:
    """A configuration being read: what was found wrong, and where in its text."""

    file: str
    source: str
    manifest: Manifest
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    modules: set[tuple[str, str]] = field(default_factory=set)

    def wrong(self, where: str, rule: str, value: Any = None, mend: str = "") -> None:
        """Note a problem. The line stands in the field, after the path of what is wrong."""
        self.problems.append(self._problem(where, rule, value, mend))

    def odd(self, where: str, rule: str, value: Any = None, mend: str = "") -> None:
        """Note a warning."""
        self.warnings.append(self._problem(where, rule, value, mend))

    def _problem(self, where: str, rule: str, value: Any, mend: str) -> Problem:
        shown = "" if value is None else value if isinstance(value, str) else repr(value)
        return Problem(f"line {self.line(where, value)}, {where}", rule, shown[:_LONGEST], self.file, mend)

    def line(self, where: str, value: Any) -> int:
        """The line where the value stands; else that of the field's name, of the list's name; else the first."""
        names = [name for name in re.split(r"[.\[\]]+", where) if name and not name.isdigit()]
        needles = [rf"(['\"`]){re.escape(value)}\1"] if isinstance(value, str) and value else []
        needles += [rf"(?<![\w$]){re.escape(name)}(?![\w$])" for name in reversed(names)]
        for needle in needles:
            if match := re.search(needle, self.source):
                return self.source.count("\n", 0, match.start()) + 1
        return 1


def read_contributions(config: Item, reading: Reading) -> Item:
    """The contributions of one plugin; problems and the modules they name are left in `reading`."""
    _known(config, reading)
    components = _components(config.get("components", {}), reading)
    return {
        "pages": [_page(*item) for item in _items(config, "routes", _ROUTE, reading)],
        "menu": [_entry(*item) for item in _items(config, "navigationItems", _ENTRY, reading)],
        "components": components,
        "widgets": _widgets(config, components, reading),
        "settings": [_panel(*item) for item in _items(config, "settingsPanels", _PANEL, reading)],
        "commands": [_command(*item) for item in _items(config, "commands", _COMMAND, reading)],
        "messages": _messages(config.get("messages", {}), reading),
    }


# ── tests of single values: an empty answer means that it is good ───────────────────────────────────────────────


def _text(value: Any) -> str:
    good = isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isprintable()
    return "" if good else f"must be one line of text, at most {_LONGEST} characters"


def _flag(value: Any) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def _number(value: Any) -> str:
    good = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 1e6
    return "" if good else "must be a number; lower comes first"


def _matching(pattern: re.Pattern[str], rule: str) -> Test:
    return lambda value: "" if isinstance(value, str) and pattern.fullmatch(value) else rule


def _layout(value: Any) -> str:
    return "" if value in LAYOUTS else f"must be one of {', '.join(LAYOUTS)}"


def _module(value: Any) -> str:
    return "" if isinstance(value, dict) and isinstance(value.get(MODULE), str) else _IMPORT


def _named_or_module(value: Any) -> str:
    return "" if isinstance(value, str) or not _module(value) else f"{_IMPORT}, or the name of a component"


_path = _matching(re.compile(r"/(?:[^\s/\\?#%]+(?:/[^\s/\\?#%]+)*)?"), 'must be a path such as "/support/chats"')
_href = _matching(_HREF, 'must be a path such as "/support/chats", or an https:// address')
_api_path = _matching(re.compile(r"/(?!/)\S*"), 'must be a path of the API such as "/api/v1/chat/waiting"')
_slot = _matching(_SLOT, 'must be the name of a slot such as "homepage.widgets"')
_id = _matching(_ID, "must be an id of small letters, digits, dots, dashes and _")
Fields = dict[str, tuple[Test, bool]]  # name → (test, needed)
_GUARDED: Fields = {"requireAuth": (_flag, False), "requireAdmin": (_flag, False)}
_ROUTE: Fields = {"path": (_path, True), "component": (_module, True), **_GUARDED}
_ROUTE |= {"layout": (_layout, False), "title": (_text, False)}
_ENTRY: Fields = {"name": (_text, True), "href": (_href, True), "parent": (_text, False), "icon": (_text, False)}
_ENTRY |= {"order": (_number, False), "badge": (_api_path, False), **_GUARDED}
_WIDGET: Fields = {"slot": (_slot, True), "component": (_named_or_module, True), "order": (_number, False)}
_WIDGET |= {"name": (_text, False), **_GUARDED}
_PANEL: Fields = {"name": (_text, True), "component": (_module, True)}
_COMMAND: Fields = {"id": (_id, True), "title": (_text, True), "href": (_href, False), "run": (_module, False)}
_COMMAND |= {"icon": (_text, False), **_GUARDED}
_TOP: tuple[str, ...] = ("name", "version", "routes", "components", "navigationItems", "widgets", "settingsPanels")
_TOP += ("commands", "messages")


# ── the parts ───────────────────────────────────────────────────────────────────────────────────────────────────


def _known(config: Item, reading: Reading) -> None:
    for name in sorted(config.keys() - set(_TOP)):
        reading.wrong(name, "is no field of AddonConfig", None, _meant(name, _TOP))
    for name, wanted, note in (
        ("name", reading.manifest.id, reading.wrong),
        ("version", reading.manifest.version, reading.odd),
    ):
        if name in config and config[name] != wanted:
            note(name, f"is not what metadata.json says: {wanted}", config[name], "leave it away, or make it the same")


def _meant(name: str, names: tuple[str, ...]) -> str:
    near = get_close_matches(name, names, 1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"


def _items(config: Item, name: str, fields: Fields, reading: Reading) -> Iterator[tuple[str, Item, Reading]]:
    """The good entries of a list, with their places."""
    found = config.get(name, [])
    if not isinstance(found, list) or len(found) > _MOST:
        reading.wrong(name, f"must be a list of at most {_MOST} entries")
        return
    for index, item in enumerate(found):
        where = f"{name}[{index}]"
        if not isinstance(item, dict):
            reading.wrong(where, "must be an object", item)
        elif _checked(where, item, fields, reading):
            yield where, item, reading


def _checked(where: str, item: Item, fields: Fields, reading: Reading) -> bool:
    before = len(reading.problems)
    for name in sorted(item.keys() - fields.keys()):
        reading.wrong(f"{where}.{name}", "is no field of this", None, _meant(name, tuple(fields)))
    for name, (test, needed) in fields.items():
        value = item.get(name)
        if value is None:
            if needed:
                reading.wrong(f"{where}.{name}", "is missing", None, "add it")
        elif rule := test(value):
            reading.wrong(f"{where}.{name}", rule, None if isinstance(value, dict | list) else value)
    return len(reading.problems) == before


def _of_module(value: Item, reading: Reading) -> Item:
    module, export = value[MODULE], value[EXPORT]
    reading.modules.add((module, export))
    return {"module": module, "export": export}


def _guards(item: Item) -> Item:
    admin = bool(item.get("requireAdmin"))
    return {"requireAuth": bool(item.get("requireAuth")) or admin, "requireAdmin": admin}


def _page(where: str, item: Item, reading: Reading) -> Item:
    path, guards = item["path"], _guards(item)
    if not any(_covers(route, path) for route in reading.manifest.frontend.routes):
        mend = f'add "{path}" to frontend.routes of metadata.json: conflicts are found there before anything runs'
        reading.wrong(f"{where}.path", "is not declared in the manifest", path, mend)
    if path == "/hotbay" or path.startswith("/hotbay/"):
        reading.wrong(f"{where}.path", "is reserved for Hotbay", path, "choose another path")
    layout = item.get("layout") or ("admin" if guards["requireAdmin"] else "public")
    module = _of_module(item["component"], reading)
    return {"path": path, **module, "layout": layout, **guards, "title": item.get("title", "")}


def _covers(route: str, path: str) -> bool:
    return route == path or (route.endswith("/*") and (path + "/").startswith(route[:-1]))


def _entry(where: str, item: Item, reading: Reading) -> Item:
    values = {name: item.get(name, "") for name in ("parent", "name", "href", "icon")}
    guarded = "requireAuth" in item or "requireAdmin" in item
    return values | {"order": item.get("order", 100), "badge": item.get("badge")} | (_guards(item) if guarded else {})


def _components(found: Any, reading: Reading) -> list[Item]:
    if not isinstance(found, dict) or len(found) > _MOST:
        reading.wrong("components", "must be an object: { Name: () => import('./…') }")
        return []
    made = []
    for name, value in found.items():
        if not _NAME.fullmatch(name):
            reading.wrong(f"components.{name}", "must be a name such as AIChatBot", name)
        elif rule := _module(value):
            reading.wrong(f"components.{name}", rule)
        else:
            made.append({"name": name, **_of_module(value, reading)})
    return made


def _widgets(config: Item, components: list[Item], reading: Reading) -> list[Item]:
    if "widgets" not in config:
        return [_widget(HOMEPAGE, item, {}) for item in components if _is_seed_widget(item["name"], reading.manifest)]
    by_name = {item["name"]: item for item in components}
    made = []
    for where, item, _ in _items(config, "widgets", _WIDGET, reading):
        wanted = item["component"]
        if isinstance(wanted, str) and wanted not in by_name:
            mend = _meant(wanted, tuple(by_name)) if by_name else "add it to components"
            reading.wrong(f"{where}.component", "is none of the components", wanted, mend)
            continue
        found = by_name[wanted] if isinstance(wanted, str) else _of_module(wanted, reading) | {"name": item["slot"]}
        made.append(_widget(item["slot"], found, item))
    return made


def _is_seed_widget(name: str, manifest: Manifest) -> bool:
    """Configurations that know no `widgets` show what they list and call a widget on the homepage."""
    return name in manifest.frontend.components and (name == "AIChatBot" or name.endswith("Widget"))


def _widget(slot: str, found: Item, item: Item) -> Item:
    name = item.get("name") or found["name"]
    place = {"module": found["module"], "export": found["export"], "order": item.get("order", 100)}
    return {"slot": slot, "name": name, **place, **_guards(item)}


def _panel(where: str, item: Item, reading: Reading) -> Item:
    return {"name": item["name"], **_of_module(item["component"], reading)}


def _command(where: str, item: Item, reading: Reading) -> Item:
    href, run = item.get("href"), item.get("run")
    if (href is None) == (run is None):
        reading.wrong(where, "needs either href or run", item["id"], "say where it leads, or what it imports and calls")
    module = _of_module(run, reading) if run else {"module": None, "export": None}
    told = {"id": item["id"], "title": item["title"], "href": href, **module, "icon": item.get("icon", "")}
    return told | (_guards(item) if "requireAuth" in item or "requireAdmin" in item else {})


def _messages(found: Any, reading: Reading) -> dict[str, dict[str, str]]:
    if not isinstance(found, dict):
        reading.wrong("messages", "must be an object: { de: { 'Live Chats': '…' } }")
        return {}
    for language, texts in found.items():
        where = f"messages.{language}"
        if not _LANGUAGE.fullmatch(language):
            reading.wrong(where, 'must be a language such as "de" or "pt-BR"', language)
        if not isinstance(texts, dict) or len(texts) > _TEXTS:
            reading.wrong(where, f"must be an object of at most {_TEXTS} texts")
        elif any(not isinstance(text, str) for text in texts.values()):
            reading.wrong(where, "must map texts to texts")
    return {language: dict(texts) for language, texts in found.items() if isinstance(texts, dict)}
