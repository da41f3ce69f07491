"""Contributions as the configuration that gives them: so that packed ones are checked by the very same rules. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hotbay.frontend.config import EXPORT, MODULE

Item = dict[str, Any]


def as_config(contributions: Mapping[str, Any]) -> Item:
    """A configuration that reads as these contributions. What is odd is left for the rules to refuse."""
    found = dict(contributions)
    return {
        "routes": [_with(item, "component") for item in _list(found, "pages")],
        "navigationItems": [_without_none(item) for item in _list(found, "menu")],
        "components": {str(item.get("name")): _module(item) for item in _list(found, "components")},
        "widgets": [_with(item, "component") for item in _list(found, "widgets")],
        "settingsPanels": [_with(item, "component") for item in _list(found, "settings")],
        "commands": [_with(item, "run") for item in _list(found, "commands")],
        "messages": found.get("messages", {}),
        **{name: found[name] for name in found.keys() - _KNOWN},
    }


_KNOWN = {"pages", "menu", "components", "widgets", "settings", "commands", "messages"}


def _list(found: Item, name: str) -> list[Item]:
    items = found.get(name)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _with(item: Item, name: str) -> Item:
    rest = {key: value for key, value in item.items() if key not in ("module", "export")}
    return _without_none(rest | ({name: _module(item)} if item.get("module") else {}))


def _module(item: Item) -> Item:
    return {MODULE: item.get("module"), EXPORT: item.get("export")}


def _without_none(item: Item) -> Item:
    """Empty texts stand for what was left away."""
    return {key: value for key, value in item.items() if value is not None and value != ""}
