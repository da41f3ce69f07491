"""The table: whose path it is, as Starlette would say, and which plugin would answer it if it were active."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.routing import compile_path

from hotbay.serve import Serving
from hotbay.table import Claim, Table, path_regex, route_path
from rows import live


async def never(_: Serving) -> Any:
    raise AssertionError("nothing is to be loaded here")


def serving(plugin: str = "shop", *routes: str, mounts: tuple[str, ...] = ()) -> Serving:
    return Serving(live(plugin, routes=routes, mounts=mounts), never)


def table(*found: Serving, claims: tuple[Claim, ...] = ()) -> Table:
    return Table({item.plugin: item for item in found}, claims)


@pytest.mark.parametrize(
    ("path", "plugin"),
    [
        ("/shop", "shop"),
        ("/shop/", None),
        ("/items/5", "shop"),
        ("/items/five", None),
        ("/items/5/tags", "shop"),
        ("/items/", None),
        ("/files/a/b/c.txt", "shop"),
        ("/files/", "shop"),
        ("/files", None),
        ("/mail", "mail"),
        ("/mail/", "mail"),
        ("/mail/in/box", "mail"),
        ("/mailing", None),
        ("/", None),
        ("", None),
        ("/a.b", "dots"),
        ("/axb", None),
    ],
)
def test_who_answers_a_path(path: str, plugin: str | None) -> None:
    shop = serving("shop", "/shop", "/items/{id:int}", "/items/{id}/tags", "/files/{rest:path}")
    dots = serving("dots", "/a.b")
    mail = serving("mail", mounts=("/mail/",))
    found = table(shop, mail, dots).find(path)
    assert (found.plugin if found else None) == plugin


def test_a_parameter_at_the_first_place() -> None:
    one = serving("shop", "/{page}", "/{lang}/about")
    assert table(one).find("/home") is one
    assert table(one).find("/en/about") is one
    assert table(one).find("/en/contact") is None


def test_a_parameter_that_is_no_whole_segment() -> None:
    one = table(serving("shop", "/list-{page:int}.txt"))
    assert one.find("/list-5.txt") is one.servings["shop"]
    assert one.find("/list-5xtxt") is None


def test_an_exact_path_goes_before_a_pattern() -> None:
    shop, mail = serving("shop", "/x/{id}"), serving("mail", "/x/new")
    assert table(shop, mail).find("/x/new") is mail
    assert table(shop, mail).find("/x/old") is shop


def test_the_longest_mount_wins() -> None:
    outer, inner = serving("outer", mounts=("/a",)), serving("inner", mounts=("/a/b",))
    for both in (table(outer, inner), table(inner, outer)):
        assert both.find("/a/b/c") is inner
        assert both.find("/a/b") is inner
        assert both.find("/a/c") is outer


def test_an_application_mounted_at_the_root_answers_everything() -> None:
    root = serving("root", mounts=("/",))
    for path in ("/", "/x", "/x/y"):
        assert table(root).find(path) is root


def test_claims_of_plugins_that_are_not_active() -> None:
    claims = (
        Claim("/api/chat/*", "chat", "Chat", "how"),
        Claim("/items/{id}", "shop", "Shop", "how"),
        Claim("/page", "cms", "CMS", "how", page=True),
    )
    found = table(claims=claims)
    expected = {"/api/chat": "chat", "/api/chat/x/y": "chat", "/items/3": "shop", "/page": "cms"}
    assert {path: claim.plugin for path in expected if (claim := found.claimed(path))} == expected
    assert [found.claimed(path) for path in ("/api/chatter", "/items/3/4", "/pages", "/")] == [None] * 4


SEGMENTS = st.sampled_from(["a", "b.c", "x+y", "{id}", "{n:int}", "{f:float}", "{u:uuid}", "a-{id}", "{id}.json", "ü"])
VALUES = st.sampled_from(
    ["a", "b.c", "x+y", "7", "7.5", "0", "b0c", "a-7", "7.json", "ü", "", "12345678-1234-5678-1234-567812345678", "x y"]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(SEGMENTS, min_size=1, max_size=4), st.lists(VALUES, min_size=1, max_size=5), st.booleans())
def test_a_path_is_matched_as_starlette_matches_it(template: list[str], path: list[str], rest: bool) -> None:
    counted = [re.sub(r"{(\w+)", rf"{{\g<1>{number}", part) for number, part in enumerate(template)]
    text = "/" + "/".join(counted) + ("/{rest:path}" if rest else "")
    wanted = "/" + "/".join(path)
    theirs = compile_path(text)[0].match(wanted) is not None
    assert (path_regex(text).match(wanted) is not None) == theirs
    assert (table(serving("shop", text)).find(wanted) is not None) == theirs


@given(st.text(alphabet="/ab\n", max_size=8))
def test_a_line_break_is_no_end_of_a_path(path: str) -> None:
    for text in ("/{id}", "/a", "/{rest:path}", "/a/{rest:path}"):
        theirs = compile_path(text)[0].match(path) is not None
        ours = table(serving("shop", text)).find(path) is not None
        assert ours == theirs or (path.endswith("\n") and not ours)


@pytest.mark.parametrize(
    ("path", "root", "rest"), [("/a/b", "", "/a/b"), ("/a/b", "/a", "/b"), ("/b", "/a", "/b"), ("/a", "/a", "")]
)
def test_the_path_below_the_root(path: str, root: str, rest: str) -> None:
    assert route_path({"path": path, "root_path": root}) == rest


def test_a_root_that_only_begins_alike_is_no_root() -> None:
    assert route_path({"path": "/apiary", "root_path": "/api"}) == "/apiary"


def test_a_table_does_not_change_with_what_it_was_made_from() -> None:
    found = {"shop": serving("shop", "/shop")}
    made = Table(found)
    found.clear()
    assert made.find("/shop") is made.servings["shop"]


@pytest.mark.parametrize(
    ("template", "path", "fits"),
    [
        ("/x/{n:int}", "/x/12", True),
        ("/x/{n:int}", "/x/-1", False),
        ("/x/{f:float}", "/x/1.5", True),
        ("/x/{f:float}", "/x/1.", False),
        ("/x/{u:uuid}", "/x/" + "a" * 31, False),
        ("/x/{u:uuid}", "/x/" + "a" * 32, True),
        ("/x/{unknown:odd}", "/x/one", True),
        ("/x/{unknown:odd}", "/x/one/two", False),
        ("/a.b/{id}.txt", "/a.b/1.txt", True),
        ("/a.b/{id}.txt", "/a.b/1_txt", False),
    ],
)
def test_the_paths_of_a_template(template: str, path: str, fits: bool) -> None:
    assert bool(path_regex(template).match(path)) is fits


def test_the_first_claim_of_a_path_counts() -> None:
    claims = (Claim("/a/*", "one", "One", "how"), Claim("/a/b", "two", "Two", "how"))
    found = [table(claims=order).claimed("/a/b") for order in (claims, claims[::-1])]
    assert [item.plugin for item in found if item] == ["one", "two"]
