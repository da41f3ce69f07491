"""The resolver: requirements, ranges and conflicts; all problems at once, and the same whoever asks first."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotbay import resolve as module
from hotbay.errors import Conflict, HotbayError, Refused, Unresolvable
from hotbay.model import Live, State
from hotbay.resolve import (
    HostFacts,
    Resolution,
    menu_paths,
    needed_by,
    overlap,
    parse_requirement,
    refuse_if_needed,
    resolve,
    route_conflicts,
)
from rows import live, manifest

FACTS = HostFacts(
    api="0.1.0",
    python="3.11.7",
    distributions={"pydantic": "2.9.0", "ruamel-yaml": "0.18.1"},
    modules=frozenset({"app"}),
    reserved=frozenset({"api"}),
    routes=("/", "/api/v1/orders/{id}", "/static/{path:path}"),
    tables=frozenset({"users"}),
    menu=frozenset({"/admin"}),
)


def rows(*found: Live) -> dict[str, Live]:
    return {row.plugin: row for row in found}


def refused(error: HotbayError) -> list[str]:
    return [f"{problem.field}: {problem.rule} {problem.value}" for problem in error.problems]


def fails(kind: type[HotbayError], wanted: Any, others: Any = None, catalogue: Any = None) -> list[str]:
    with pytest.raises(kind) as caught:
        resolve(wanted, others or {}, FACTS, catalogue)
    return refused(caught.value)


# ── requirements ──


def test_nothing_needed() -> None:
    found = resolve(manifest(backend={"routes": ["/api/v1/shop/*"]}), {}, FACTS)
    assert found == Resolution()


def test_what_is_live_and_fits_is_enough() -> None:
    assert resolve(manifest(requires=["base>=1,<2"]), rows(live("base", "1.5")), FACTS).needs == ()


def test_what_is_missing_comes_from_the_catalogue_the_highest_that_fits_and_in_order() -> None:
    catalogue = {
        "base": [manifest("base", version) for version in ("1.0.0", "1.10.0", "1.9.0", "2.0.0")],
        "mid": [manifest("mid", requires=["base<2"])],
        "other": [manifest("other", requires=["base"])],
    }
    wanted = manifest(requires=["mid", "base>=1,<2"])
    assert resolve(wanted, {}, FACTS, catalogue).needs == (("base", "1.10.0"), ("mid", "1.0.0"))


def test_an_inactive_requirement_is_activated_and_its_own_needs_before() -> None:
    resting = live("mid", state=State.INACTIVE, requires=["base"])
    catalogue = {"base": [manifest("base")]}
    found = resolve(manifest(requires=["mid"]), rows(resting), FACTS, catalogue)
    assert found.needs == (("base", "1.0.0"), ("mid", "1.0.0"))


def test_missing_and_out_of_range_are_both_told() -> None:
    wanted = manifest(requires=["gone>=3", "old>=2", "some>=9"])
    told = fails(Unresolvable, wanted, rows(live("old", "1.0.0")), {"some": [manifest("some", "1.2.0")]})
    assert told == [
        "requires: needs gone>=3 versions offered: none",
        "requires: needs old>=2 old 1.0.0",
        "requires: needs some>=9 versions offered: 1.2.0",
    ]


def test_a_circle_is_named() -> None:
    catalogue = {"b": [manifest("b", requires=["c"])], "c": [manifest("c", requires=["a"])]}
    assert fails(Unresolvable, manifest("a", requires=["b"]), {}, catalogue) == [
        "requires: goes in a circle: a → b → c → a a"
    ]
    assert fails(Unresolvable, manifest("a", requires=["a"])) == ["requires: goes in a circle: a → a a"]


def test_two_that_need_different_versions_of_a_third_are_refused() -> None:
    """There is one version of each plugin in a host."""
    catalogue = {
        "base": [manifest("base", "1.0.0"), manifest("base", "2.0.0")],
        "left": [manifest("left", requires=["base<2"])],
        "right": [manifest("right", requires=["base>=2"])],
    }
    told = fails(Unresolvable, manifest(requires=["left", "right"]), {}, catalogue)
    assert len(told) == 1
    assert "base" in told[0]


def test_the_highest_that_suits_all_is_chosen() -> None:
    catalogue = {
        "base": [manifest("base", "1.0.0"), manifest("base", "2.0.0")],
        "left": [manifest("left", requires=["base"])],
        "right": [manifest("right", requires=["base<2"])],
    }
    wanted = manifest(requires=["left", "right"])
    assert resolve(wanted, {}, FACTS, catalogue).needs == (
        ("base", "1.0.0"),
        ("left", "1.0.0"),
        ("right", "1.0.0"),
    )


def test_an_upgrade_must_please_those_that_need_it() -> None:
    dependent = live("shop", requires=["base<2"])
    told = fails(Unresolvable, manifest("base", "2.0.0"), rows(live("base"), dependent))
    assert told == ["version: shop needs base<2 2.0.0"]
    resting = live("shop", state=State.INACTIVE, requires=["base<2"])
    assert resolve(manifest("base", "2.0.0"), rows(live("base"), resting), FACTS).needs == ()


def test_deactivating_what_others_need_is_refused() -> None:
    there = rows(live("base"), live("b", requires=["base"]), live("a", requires=["base>=1"]), live("c"))
    assert needed_by("base", there) == ("a", "b")
    with pytest.raises(Refused, match="base is needed by a, b"):
        refuse_if_needed("base", there)
    refuse_if_needed("c", there)
    refuse_if_needed("base", rows(live("base"), live("b", state=State.INACTIVE, requires=["base"])))


@pytest.mark.parametrize(
    ("text", "name", "inside", "outside"), [("a", "a", "9", ""), ("a_1 >= 2, <3", "a_1", "2.5", "3")]
)
def test_requirements_are_read(text: str, name: str, inside: str, outside: str) -> None:
    found, span = parse_requirement(text)
    assert found == name
    assert inside in span
    assert not outside or outside not in span


@pytest.mark.parametrize("text", ["", "A", "a>>1", ">=1", "a b"])
def test_what_is_no_requirement(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_requirement(text)


# ── the host ──


def test_ranges_of_host_and_python() -> None:
    assert resolve(manifest(hotbay=">=0.1", python=">=3.11"), {}, FACTS).needs == ()
    told = fails(Unresolvable, manifest(hotbay=">=1", python="<3"))
    assert told == ["hotbay: needs >=1 0.1.0", "python: needs <3 3.11.7"]


def test_python_packages_against_the_hosts() -> None:
    fine = ["Pydantic>=2", "ruamel.yaml", "nothing; python_version < '3'"]
    assert resolve(manifest(backend={"dependencies": fine}), {}, FACTS).needs == ()
    told = fails(Unresolvable, manifest(backend={"dependencies": ["pydantic<2", "openai>=1", "x; no == '1'"]}))
    assert [line.partition(" ")[0] for line in told] == ["backend.dependencies:"] * 3
    assert "needs pydantic<2, the host has pydantic 2.9.0" in told[0]
    assert "needs openai>=1, which the host does not have" in told[1]
    assert "is no requirement" in told[2]


def test_ids_that_no_plugin_may_have_but_an_installed_one_keeps_its_own() -> None:
    assert fails(Unresolvable, manifest("api")) == ["id: is reserved by the host api"]
    assert fails(Unresolvable, manifest("app")) == ["id: is the name of a Python module of the host app"]
    assert resolve(manifest("app", "2.0.0"), rows(live("app")), FACTS).needs == ()


# ── conflicts ──


def test_routes_of_the_host_and_of_others() -> None:
    other = live("other", routes=("/api/v1/things/{id}",), mounts=("/files",), frontend={"routes": ["/pages/a"]})
    claims = ["/api/v1/orders/mine", "/api/v1/things/5", "/files/x", "/pages/a", "/api/v1/free"]
    told = fails(Conflict, manifest(backend={"routes": claims}), rows(other))
    assert [line.rpartition(" ")[2] for line in told] == claims[:-1]
    assert "is answered by the host (/api/v1/orders/{id})" in told[0]
    assert "is answered by other (/api/v1/things/{id})" in told[1]


def test_a_plugin_does_not_conflict_with_its_own_older_version() -> None:
    mine = live(routes=("/api/v1/shop/{id}",), backend={"routes": ["/api/v1/shop/*"]}, database={"tables": ["carts"]})
    new = manifest("shop", "2.0.0", backend={"routes": ["/api/v1/shop/*"]}, database={"tables": ["carts"]})
    assert resolve(new, rows(mine), FACTS).needs == ()
    assert route_conflicts("shop", ["/api/v1/shop/1"], rows(mine), ()) == []


def test_a_mount_claims_all_below() -> None:
    told = fails(Conflict, manifest(backend={"mount": "/static/x"}))
    assert len(told) == 1
    found = route_conflicts("shop", ["/m/*"], rows(live("other", backend={"mount": "/m/deep/"})), ())
    assert [problem.value for problem in found] == ["/m/*"]


@pytest.mark.parametrize(
    ("table", "owner"),
    [
        ("users", "the host"),
        ("Users", "the host"),
        ("carts", "other"),
        ("CARTS", "other"),
        ("other_things", "other"),
        ("sqlite_x", "the system"),
        ("hotbay_live", "the system"),
    ],
)
def test_tables_of_others(table: str, owner: str) -> None:
    told = fails(Conflict, manifest(database={"tables": [table]}), rows(live("other", database={"tables": ["carts"]})))
    assert told == [f"database.tables: belongs to {owner} {table}"]


def test_tables_that_are_free_or_ones_own_by_name() -> None:
    wanted = manifest(database={"tables": ["chat_sessions", "shop_items"]})
    assert resolve(wanted, rows(live("other", database={"tables": ["carts"]})), FACTS).needs == ()


def test_menu_entries() -> None:
    menu = {"items": [{"label": "x", "url": "/admin"}, {"label": "y", "url": "/b"}, {"label": "z", "url": "/c"}]}
    other = live("other", menu={"items": [{"label": "b", "url": "/b"}]})
    told = fails(Conflict, manifest(menu=menu), rows(other))
    assert told == ["menu: leads where the host leads /admin", "menu: leads where other leads /b"]


@pytest.mark.parametrize("menu", [None, {}, {"items": ["x"]}, {"items": [{"label": "x"}]}, "x"])
def test_menus_without_addresses(menu: Any) -> None:
    assert menu_paths({"menu": menu}) == frozenset()


def test_problems_and_conflicts_are_told_together() -> None:
    told = fails(Unresolvable, manifest(requires=["gone"], database={"tables": ["users"]}))
    assert len(told) == 2


def test_warnings() -> None:
    assert len(resolve(manifest(), {}, FACTS).warnings) == 1
    assert resolve(manifest(backend={"routes": ["/api/v1/a"]}), {}, FACTS).warnings == ()


def test_a_package_for_a_runtime_that_is_not_built_is_refused() -> None:
    with pytest.raises(Unresolvable) as caught:
        resolve(manifest(backend={"routes": ["/api/v1/a"], "runtime": "isolated"}), {}, FACTS)
    assert [problem.field for problem in caught.value.problems] == ["backend.runtime"]


# ── overlap, against all paths of a small world ──

PARTS = ["a", "b"]
PATHS = ["/" + "/".join(parts) for size in range(4) for parts in itertools.product(PARTS, repeat=size)]
segments = st.sampled_from(["a", "b", "{x}", "{x:int}"])
patterns = st.tuples(st.lists(segments, max_size=3), st.sampled_from(["", "*", "{rest:path}"])).map(
    lambda item: "/" + "/".join([*item[0], *([item[1]] if item[1] else [])])
)


def fits(pattern: str, path: str) -> bool:
    """Written apart from the code under test: does the pattern answer the path?"""
    want, have = pattern.strip("/").split("/"), path.strip("/").split("/")
    for place, part in enumerate(want):
        if part in ("*", "{rest:path}"):
            return len(have) >= place
        if place >= len(have) or (part != have[place] and not (part.startswith("{") and have[place])):
            return False
    return len(want) == len(have)


def test_each_path_is_taken_apart_once_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def counted(pattern: str, real: Any = module._segments) -> list[str]:
        seen.append(pattern)
        return real(pattern)  # type: ignore[no-any-return]

    monkeypatch.setattr(module, "_segments", counted)
    mine, theirs = [f"/mine/{number}" for number in range(30)], [f"/theirs/{number}" for number in range(300)]
    assert route_conflicts("shop", mine, {}, theirs) == []
    assert sorted(seen) == sorted([*mine, *theirs])


@given(patterns, patterns)
def test_overlap_is_what_some_path_shows_and_it_is_symmetric(one: str, other: str) -> None:
    assert overlap(one, other) == overlap(other, one)
    assert overlap(one, other) == any(fits(one, path) and fits(other, path) for path in PATHS)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("/", "/", True),
        ("/a", "/a/", True),
        ("/a/{id}", "/a/new", True),
        ("/a/{id}/x", "/a/new", False),
        ("/a/*", "/a", True),
        ("/a/*", "/ab", False),
        ("/{p:path}", "/a/b/c", True),
        ("/a/{n}.json", "/a/b", True),
    ],
)
def test_examples_of_overlap(one: str, other: str, expected: bool) -> None:
    assert overlap(one, other) is overlap(other, one) is expected
