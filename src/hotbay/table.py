"""The table: which paths are whose, immutable, so that a switch is one assignment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hotbay.activate import Scope

if TYPE_CHECKING:
    from hotbay.serve import Serving

_PARAMETER = re.compile(r"{[^}:]+(?::([^}]+))?}")
_CONVERTORS = {"path": ".*", "int": "[0-9]+", "float": r"[0-9]+(?:\.[0-9]+)?", "uuid": "[0-9a-fA-F-]{32,36}"}


@dataclass(frozen=True)
class Claim:
    """A path that a known plugin would answer if it were active. `shop` is the console's page of it."""

    pattern: str
    plugin: str
    name: str
    how: str
    page: bool = False
    shop: str = ""


class Table:
    """The immutable map from paths to servings."""

    def __init__(self, servings: Mapping[str, Serving], claims: tuple[Claim, ...] = ()) -> None:
        self.servings = dict(servings)
        self._exact: dict[str, Serving] = {}
        self._below: dict[str, list[tuple[re.Pattern[str], Serving]]] = {}
        self._claims = [(_claim_regex(claim.pattern), claim) for claim in claims]
        for serving in self.servings.values():
            self._add(serving)

    def _add(self, serving: Serving) -> None:
        found = serving.live.contributions
        for route in found.routes:
            if "{" in route.path:
                self._add_pattern(route.path, path_regex(route.path), serving)
            else:
                self._exact[route.path] = serving
        for mount in found.mounts:
            base = mount.rstrip("/")
            self._add_pattern(base + "/", re.compile(re.escape(base) + "(/.*)?$"), serving)

    def _add_pattern(self, path: str, regex: re.Pattern[str], serving: Serving) -> None:
        fixed = path.partition("{")[0]
        self._below.setdefault(fixed[: fixed.rfind("/")], []).append((regex, serving))

    def find(self, path: str) -> Serving | None:
        """Who answers a path."""
        found = self._exact.get(path)
        if found is not None:
            return found
        base = path
        while True:
            for regex, serving in self._below.get(base, ()):
                if regex.match(path):
                    return serving
            if not base:
                return None
            base = base[: base.rfind("/")]

    def claimed(self, path: str) -> Claim | None:
        """The known plugin that would answer a path that nobody answers."""
        return next((claim for regex, claim in self._claims if regex.match(path)), None)


def path_regex(template: str) -> re.Pattern[str]:
    """The paths of a Starlette path template."""
    parts, position = [], 0
    for match in _PARAMETER.finditer(template):
        parts += [re.escape(template[position : match.start()]), _CONVERTORS.get(match[1] or "", "[^/]+")]
        position = match.end()
    return re.compile("".join(parts) + re.escape(template[position:]) + "$")


def _claim_regex(pattern: str) -> re.Pattern[str]:
    if pattern.endswith("/*"):
        return re.compile(re.escape(pattern[:-2]) + "(/.*)?$")
    return path_regex(pattern)


def route_path(scope: Scope) -> str:
    """The path below the application's root (ASGI's `root_path`)."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    below = path[len(root) :]
    return below if root and path.startswith(root) and below[:1] in ("", "/") else path
