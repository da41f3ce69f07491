"""What each viewer may see, without a host."""

from __future__ import annotations

import pytest

from hotbay.frontend.bundle import Bundle
from hotbay.frontend.snapshot import Page, Viewer, snapshot, visible
from hotbay.model import Contributions, Live, Route, State

GUEST, ANN, ROOT = Viewer(), Viewer("user", "ann"), Viewer("admin", "root")
ADDED = {
    "pages": [{"path": "/a", "module": "m", "title": "A", "requireAuth": True, "requireAdmin": True}],
    "menu": [{"name": "A", "href": "/a"}, {"name": "B", "href": "/b", "requireAuth": True}, {"name": "C", "href": "/"}],
    "components": [],
    "widgets": [{"slot": "x", "requireAuth": True, "requireAdmin": False}],
    "settings": [{"name": "S"}],
    "commands": [{"id": "a", "href": "/a"}, {"id": "b", "href": None}],
    "messages": {},
}


@pytest.mark.parametrize(
    ("viewer", "menu", "widgets", "settings", "commands", "module"),
    [(GUEST, "C", 0, 0, "b", ""), (ANN, "BC", 1, 0, "b", ""), (ROOT, "ABC", 1, 1, "ab", "m")],
)
def test_what_is_visible(viewer: Viewer, menu: str, widgets: int, settings: int, commands: str, module: str) -> None:
    found = visible(ADDED, viewer)
    assert "".join(entry["name"] for entry in found["menu"]) == menu
    assert (len(found["widgets"]), len(found["settings"])) == (widgets, settings)
    assert "".join(item["id"] for item in found["commands"]) == commands
    assert found["pages"][0]["module"] == module
    assert found["pages"][0]["path"] == "/a"
    assert ADDED["pages"][0]["module"] == "m"  # Nothing of the row itself was changed.


def row(plugin: str, state: State = State.ACTIVE, problem: str = "") -> Live:
    manifest = {"name": plugin.title()}
    found = Contributions(routes=(Route(f"/api/v1/{plugin}", ("GET",)),))
    return Live(plugin, "1.0.0", "", "", state, 1, manifest, found, problem=problem)


def test_only_what_serves_is_told_and_addresses_have_the_root() -> None:
    bundle = Bundle("d" * 16, {}, (), ADDED)
    shown = [
        (row("a"), bundle),
        (row("b"), None),
        (row("c", State.INACTIVE), bundle),
        (row("d", problem="left out"), bundle),
    ]
    claims = [Page("/x", "x", "X", False), Page("/x", "x", "X", False)]
    found = snapshot(shown, claims, GUEST, epoch="e", rev=3, root="/app")
    assert [plugin["id"] for plugin in found["plugins"]] == ["a", "b"]
    assert found["plugins"][0]["base"] == f"/app/hotbay/assets/a/{'d' * 16}/"
    assert (found["plugins"][1]["base"], found["plugins"][1]["contributions"]["pages"]) == ("", [])
    assert found["claims"] == [{"path": "/x", "plugin": "x", "name": "X", "installed": False}]
    assert (found["epoch"], found["rev"]) == ("e", 3)


@pytest.mark.parametrize(("viewer", "told"), [(GUEST, []), (ANN, []), (ROOT, ["a", "b"])])
def test_what_waits_for_a_confirmation_is_for_administrators(viewer: Viewer, told: list[str]) -> None:
    found = snapshot([], [], viewer, epoch="e", rev=3, root="", unconfirmed=["b", "a"])
    assert found["unconfirmed"] == told


def test_who_is_not_trusted_is_framed_and_says_what_it_may_ask() -> None:
    shown = [(row("a"), Bundle("d" * 16, {}, (), ADDED)), (row("b"), Bundle("d" * 16, {}, (), ADDED))]
    found = snapshot(shown, [], ROOT, epoch="e", rev=3, root="", framed=["b"])
    trusted, framed = found["plugins"]
    assert (trusted["trusted"], framed["trusted"]) == (True, False)
    assert (trusted["reach"], framed["reach"]) == ([], [{"path": "/api/v1/b", "methods": ["GET"]}])
    assert "framed" not in trusted["contributions"]["pages"][0]
    assert framed["contributions"]["pages"][0]["framed"]
