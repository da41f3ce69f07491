"""Wanted plugin and what is there → one consistent set, or every reason why not. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version as Number

from hotbay.errors import Conflict, Problem, Refused, Unresolvable
from hotbay.model import Live
from hotbay_sdk.manifest import Manifest, dump

_REQUIREMENT = re.compile(r"^\s*([a-z][a-z0-9_]*)\s*(.*)$")


@dataclass(frozen=True)
class HostFacts:
    """What the resolver must know of a host. `routes` are path templates, `reserved` ids that no plugin may have,
    `kept` tables of plugins that were uninstalled without them."""

    api: str
    python: str
    distributions: Mapping[str, str] = field(default_factory=dict)
    modules: frozenset[str] = frozenset()
    reserved: frozenset[str] = frozenset()
    routes: tuple[str, ...] = ()
    tables: frozenset[str] = frozenset()
    menu: frozenset[str] = frozenset()
    kept: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Resolution:
    """`needs` are plugins (id, version) that must be installed or activated before, in order."""

    needs: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()


def resolve(
    wanted: Manifest,
    live: Mapping[str, Live],
    facts: HostFacts,
    catalogue: Mapping[str, Sequence[Manifest]] | None = None,
) -> Resolution:
    """Check that `wanted` can join (or replace its older version among) the live plugins.

    `catalogue` offers packages for plugins that are required and not there. Raises Unresolvable or Conflict with all
    problems at once.
    """
    others = {plugin: row for plugin, row in live.items() if plugin != wanted.id}
    problems = [*_identity(wanted, facts, fresh=wanted.id not in live), *_ranges(wanted, facts)]
    problems += [*_distributions(wanted, facts), *_dependents(wanted, others)]
    needs, missing = _requirements(wanted, others, catalogue or {})
    problems += missing
    conflicts = [
        *_routes(wanted, others, facts),
        *_tables(wanted, others, facts),
        *_menu(wanted, others, facts),
    ]
    if problems:
        raise Unresolvable(f"{wanted.id} {wanted.version} can't be used here", problems=tuple(problems + conflicts))
    if conflicts:
        raise Conflict(f"{wanted.id} {wanted.version} claims what is taken", problems=tuple(conflicts))
    return Resolution(tuple(needs), _warnings(wanted))


def refuse_if_needed(plugin: str, live: Mapping[str, Live]) -> None:
    """Raise Refused when an active plugin requires `plugin`."""
    needed = needed_by(plugin, live)
    if needed:
        names = ", ".join(needed)
        raise Refused(
            f"{plugin} is needed by {names}",
            mend=f"deactivate or uninstall {names} first",
            needed_by=list(needed),
        )


def needed_by(plugin: str, live: Mapping[str, Live]) -> tuple[str, ...]:
    """The active plugins that require `plugin`."""
    return tuple(
        sorted(
            row.plugin
            for row in live.values()
            if row.active and row.plugin != plugin and any(name == plugin for name, _ in _needs(row))
        )
    )


def overlap(one: str, other: str) -> bool:
    """True when some path fits both patterns (`{x}` any segment, a last `*` or `{x:path}` any rest)."""
    return _fit(_segments(one), _segments(other))


def _fit(left: list[str], right: list[str]) -> bool:
    for a, b in zip(left, right, strict=False):
        if a == "**" or b == "**":
            return True
        if a != b and ("*" not in (a, b) or "" in (a, b)):
            return False
    longer = left if len(left) > len(right) else right
    return len(left) == len(right) or longer[min(len(left), len(right))] == "**"


def _segments(pattern: str) -> list[str]:
    parts: list[str] = []
    for part in pattern.strip("/").split("/"):
        if part == "*" or (part.startswith("{") and part.endswith(":path}")):
            return [*parts, "**"]
        parts.append("*" if "{" in part else part)
    return parts


def parse_requirement(text: str) -> tuple[str, SpecifierSet]:
    """`email_marketing>=1.2` → id and range; raises ValueError."""
    match = _REQUIREMENT.match(text)
    if match is None:
        raise ValueError(f"{text!r} is no plugin requirement")
    try:
        return match[1], SpecifierSet(match[2])
    except InvalidSpecifier as error:
        raise ValueError(str(error)) from None


def _needs(row: Live) -> list[tuple[str, SpecifierSet]]:
    return [parse_requirement(text) for text in row.manifest.get("requires", ())]


def _identity(wanted: Manifest, facts: HostFacts, *, fresh: bool) -> Iterable[Problem]:
    if not fresh:
        return
    if wanted.id in facts.reserved:
        yield Problem("id", "is reserved by the host", wanted.id, mend="choose another id")
    elif wanted.id in facts.modules:
        yield Problem("id", "is the name of a Python module of the host", wanted.id, mend="choose another id")


def _ranges(wanted: Manifest, facts: HostFacts) -> Iterable[Problem]:
    for name, text, have in (("hotbay", wanted.hotbay, facts.api), ("python", wanted.python, facts.python)):
        if text and not SpecifierSet(text).contains(have, prereleases=True):
            yield Problem(name, f"needs {text}", have, mend=f"use a package for {name} {have}")
    if wanted.backend.runtime not in ("", "inprocess"):
        mend = "only in-process plugins can be run so far"
        yield Problem("backend.runtime", "is not built yet", wanted.backend.runtime, mend=mend)


def _distributions(wanted: Manifest, facts: HostFacts) -> Iterable[Problem]:
    for text in wanted.backend.dependencies:
        problem = _distribution(text, facts)
        if problem is not None:
            yield problem


def _distribution(text: str, facts: HostFacts) -> Problem | None:
    place = "backend.dependencies"
    try:
        need = Requirement(text)
        if need.marker is not None and not need.marker.evaluate():
            return None
    except (InvalidRequirement, UndefinedEnvironmentName) as error:
        return Problem(place, f"is no requirement: {error}", text)
    have = facts.distributions.get(canonicalize_name(need.name))
    how = "an isolated runtime can bring its own; in-process plugins use the host's packages, which are never changed"
    if have is None:
        return Problem(place, f"needs {text}, which the host does not have", mend=how)
    if not need.specifier.contains(have, prereleases=True):
        return Problem(place, f"needs {text}, the host has {need.name} {have}", mend=how)
    return None


def _dependents(wanted: Manifest, others: Mapping[str, Live]) -> Iterable[Problem]:
    """An upgrade must stay in the ranges of those that require it."""
    for row in others.values():
        for name, span in _needs(row) if row.active else ():
            if name == wanted.id and not span.contains(wanted.version, prereleases=True):
                yield Problem("version", f"{row.plugin} needs {wanted.id}{span}", wanted.version)


def _requirements(
    wanted: Manifest, others: Mapping[str, Live], catalogue: Mapping[str, Sequence[Manifest]]
) -> tuple[list[tuple[str, str]], list[Problem]]:
    """What must come first, in order. One host runs one version: a choice that a later need can't live with is
    made again within the ranges of both."""
    limits: dict[str, SpecifierSet] = {}
    while True:
        search = _Search(others, catalogue, limits, {}, [])
        again = search.visit(wanted, (wanted.id,))
        if again is None:
            return [(name, item.version) for name, item in search.chosen.items()], search.problems
        limits[again[0]] = limits.get(again[0], SpecifierSet()) & again[1]


@dataclass(frozen=True)
class _Search:
    """One walk through the requirements; `limits` are the ranges that earlier walks ran against."""

    others: Mapping[str, Live]
    catalogue: Mapping[str, Sequence[Manifest]]
    limits: Mapping[str, SpecifierSet]
    chosen: dict[str, Manifest]
    problems: list[Problem]

    def visit(self, manifest: Manifest, trail: tuple[str, ...]) -> tuple[str, SpecifierSet] | None:
        """Depth first, so that what is needed comes before who needs it. Answers the range that a choice breaks."""
        for text in manifest.requires:
            name, span = parse_requirement(text)
            if name in trail:
                circle = " → ".join((*trail[trail.index(name) :], name))
                mend = "remove one requirement"
                self.problems.append(Problem("requires", f"goes in a circle: {circle}", text, mend=mend))
                continue
            again = self._choose(name, span, trail)
            if again is not None:
                return again
        return None

    def _choose(self, name: str, span: SpecifierSet, trail: tuple[str, ...]) -> tuple[str, SpecifierSet] | None:
        there = self.chosen.get(name)
        if there is not None:
            return None if span.contains(there.version, prereleases=True) else (name, span)
        found = _satisfier(name, span & self.limits.get(name, SpecifierSet()), self.others, self.catalogue)
        if isinstance(found, Problem):
            self.problems.append(found)
        elif found is not None:
            again = self.visit(found, (*trail, name))
            self.chosen[name] = found
            return again
        return None


def _satisfier(
    name: str, span: SpecifierSet, others: Mapping[str, Live], catalogue: Mapping[str, Sequence[Manifest]]
) -> Manifest | Problem | None:
    """None when what is live fits; else what would have to be installed or activated; else why nothing does."""
    row = others.get(name)
    if row is not None:
        if not span.contains(row.version, prereleases=True):
            return Problem("requires", f"needs {name}{span}", f"{name} {row.version}", mend=f"upgrade {name} first")
        return None if row.active else row.parsed
    fitting = [item for item in catalogue.get(name, ()) if span.contains(item.version, prereleases=True)]
    if fitting:
        return max(fitting, key=lambda item: Number(item.version))
    offered = ", ".join(item.version for item in catalogue.get(name, ())) or "none"
    return Problem("requires", f"needs {name}{span}", f"versions offered: {offered}", mend=f"install {name} first")


def claims(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """The paths a manifest claims: routes of the backend, pages of the frontend, the mount of an application.

    Takes the manifest as it lies in a live row: that was parsed when it was installed, and there may be hundreds.
    """
    backend, frontend = manifest.get("backend", {}), manifest.get("frontend", {})
    mount = backend.get("mount", "").rstrip("/")
    return (*backend.get("routes", ()), *frontend.get("routes", ()), *((mount + "/*",) if mount else ()))


def _taken(row: Live) -> tuple[str, ...]:
    found = row.contributions
    mounts = tuple(f"{mount.rstrip('/')}/*" for mount in found.mounts)
    return (*claims(row.manifest), *(route.path for route in found.routes), *mounts)


def route_conflicts(
    plugin: str, paths: Iterable[str], others: Mapping[str, Live], host_routes: Iterable[str]
) -> list[Problem]:
    """Who else answers one of `paths`."""
    owners = [("the host", path) for path in host_routes]
    owners += [(row.plugin, path) for row in others.values() if row.plugin != plugin for path in _taken(row)]
    # Taken apart once: hundreds of plugins have thousands of paths.
    apart = [(owner, theirs, _segments(theirs)) for owner, theirs in owners]
    return [
        Problem("routes", f"is answered by {owner} ({theirs})", mine, mend="choose another path")
        for mine, left in ((mine, _segments(mine)) for mine in paths)
        for owner, theirs, right in apart
        if _fit(left, right)
    ]


def _routes(wanted: Manifest, others: Mapping[str, Live], facts: HostFacts) -> list[Problem]:
    return route_conflicts(wanted.id, claims(dump(wanted)), others, facts.routes)


def _tables(wanted: Manifest, others: Mapping[str, Live], facts: HostFacts) -> Iterable[Problem]:
    owned = {name: f"{plugin}, whose data was kept" for name, plugin in facts.kept.items() if plugin != wanted.id}
    owned |= {name.lower(): row.plugin for row in others.values() for name in _listed(row.manifest)}
    for name in wanted.database.tables:
        lower = name.lower()
        owner = owned.get(lower) or next((p for p in others if lower.startswith(f"{p}_")), None)
        if lower in facts.tables:
            owner = "the host"
        if lower.startswith(("sqlite_", "hotbay_")):
            owner = "the system"
        if owner and not lower.startswith(f"{wanted.id}_"):
            yield Problem("database.tables", f"belongs to {owner}", name, mend=f"name it {wanted.id}_{name}")


def _listed(manifest: Mapping[str, object]) -> Iterable[str]:
    database = manifest.get("database")
    return database.get("tables", ()) if isinstance(database, Mapping) else ()


def menu_paths(manifest: Mapping[str, object]) -> frozenset[str]:
    """The addresses of a manifest's menu entries (seed 004)."""
    menu = manifest.get("menu")
    items = menu.get("items", ()) if isinstance(menu, Mapping) else ()
    return frozenset(str(item["url"]) for item in items if isinstance(item, Mapping) and "url" in item)


def _menu(wanted: Manifest, others: Mapping[str, Live], facts: HostFacts) -> Iterable[Problem]:
    mine = menu_paths({"menu": wanted.menu})
    taken = dict.fromkeys(facts.menu, "the host")
    taken |= {path: row.plugin for row in others.values() for path in menu_paths(row.manifest)}
    for path in sorted(mine & taken.keys()):
        yield Problem("menu", f"leads where {taken[path]} leads", path, mend="choose another address")


def _warnings(wanted: Manifest) -> tuple[str, ...]:
    found = []
    if wanted.id and not wanted.backend.routes and not wanted.backend.mount:
        found.append("the manifest claims no routes: conflicts show only when the code is loaded")
    return tuple(found)
