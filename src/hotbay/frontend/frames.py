"""Frontends that a host does not trust: shown in a frame of their own, they reach nothing but their plugin's routes.

Pure. What is said here is enforced by the browser (the frame's origin and policy) and by the console around the frame.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from hotbay.model import Contributions

Item = dict[str, Any]
_PARAMETER = re.compile(r"{[^}:]+(?::([^}]+))?}")
_SHOWN = ("pages", "components", "widgets", "settings")


def enframe(shown: Item, reach: Iterable[Item]) -> Item:
    """What a viewer may see of a plugin, with each contribution that is code marked as framed.

    Left out is what can't be in a frame: commands that run code, and badges that ask others than the plugin.
    """
    asked = [pattern(one["path"]) for one in reach if not one["methods"] or "GET" in one["methods"]]
    return {
        **shown,
        **{kind: [item | {"framed": True} for item in shown[kind]] for kind in _SHOWN},
        "menu": [_without_foreign_badge(entry, asked) for entry in shown["menu"]],
        "commands": [item for item in shown["commands"] if item["href"]],
    }


def _without_foreign_badge(entry: Item, asked: list[re.Pattern[str]]) -> Item:
    path = (entry.get("badge") or "").removeprefix("GET").strip().partition("?")[0]
    return entry if any(one.fullmatch(path) for one in asked) else entry | {"badge": None}


def reach_of(contributions: Contributions, root: str) -> list[Item]:
    """The HTTP routes that a plugin itself answers: all that its frame may ask, with the viewer's session.

    In a path `*` stands for a part of one segment, `**` for anything. No methods: all.
    """
    routes = [
        {"path": root + _starred(route.path), "methods": list(route.methods)}
        for route in contributions.routes
        if not route.websocket
    ]
    mounts = [base.rstrip("/") for base in contributions.mounts]
    return routes + [{"path": root + path, "methods": []} for base in mounts for path in (base, f"{base}/**")]


def _starred(template: str) -> str:
    return _PARAMETER.sub(lambda found: "**" if found[1] == "path" else "*", template)


def pattern(path: str) -> re.Pattern[str]:
    """The paths that one of `reach_of` stands for; the console has the same rule."""
    parts = re.split(r"(\*{1,2})", path)
    return re.compile("".join({"*": "[^/]+", "**": ".*"}.get(part, re.escape(part)) for part in parts))
