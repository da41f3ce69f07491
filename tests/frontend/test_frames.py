"""What a framed plugin may ask, and what of it is left out."""

from __future__ import annotations

import pytest

from hotbay.frontend.frames import enframe, pattern, reach_of
from hotbay.model import Contributions, Route

FOUND = Contributions(
    routes=(
        Route("/api/v1/chat/{id}", ("GET", "HEAD")),
        Route("/api/v1/chat/{id:int}/lines/{rest:path}", ("POST",)),
        Route("/api/v1/chat/live", (), websocket=True),
    ),
    mounts=("/api/v1/raw/",),
)
REACH = reach_of(FOUND, "/app")


def test_the_reach_is_the_plugin_s_own_http_routes() -> None:
    assert REACH == [
        {"path": "/app/api/v1/chat/*", "methods": ["GET", "HEAD"]},
        {"path": "/app/api/v1/chat/*/lines/**", "methods": ["POST"]},
        {"path": "/app/api/v1/raw", "methods": []},
        {"path": "/app/api/v1/raw/**", "methods": []},
    ]


@pytest.mark.parametrize(
    ("path", "fits"),
    [
        ("/app/api/v1/chat/7", True),
        ("/app/api/v1/chat/7/lines", False),
        ("/app/api/v1/chat/7/lines/a/b", True),
        ("/app/api/v1/chat/", False),
        ("/app/api/v1/raw", True),
        ("/app/api/v1/raw/a/b", True),
        ("/app/api/v1/rawer", False),
        ("/api/v1/chat/7", False),
        ("/app/api/v1/chatty", False),
    ],
)
def test_which_paths_a_pattern_stands_for(path: str, fits: bool) -> None:
    assert any(pattern(item["path"]).fullmatch(path) for item in REACH) is fits


def test_points_in_a_path_are_points() -> None:
    assert pattern("/a/*.json").fullmatch("/a/b.json")
    assert not pattern("/a/*.json").fullmatch("/a/bXjson")


def added(badge: str | None = None) -> dict[str, object]:
    return {
        "pages": [{"path": "/a", "module": "m.js"}],
        "menu": [{"name": "A", "href": "/a", "badge": badge}],
        "components": [{"name": "C"}],
        "widgets": [{"slot": "x.y"}],
        "settings": [{"name": "S"}],
        "commands": [{"id": "go", "href": "/a"}, {"id": "run", "href": None, "module": "m.js"}],
        "messages": {"de": {"A": "B"}},
    }


def test_code_is_framed_and_commands_that_run_code_are_left_out() -> None:
    shown = added()
    found = enframe(shown, REACH)
    for kind in ("pages", "components", "widgets", "settings"):
        assert [item["framed"] for item in found[kind]] == [True]
    assert [item["id"] for item in found["commands"]] == ["go"]
    assert found["messages"] == {"de": {"A": "B"}}
    assert shown == added()  # Nothing of the row itself was changed.


@pytest.mark.parametrize(
    ("badge", "stays"),
    [
        ("/app/api/v1/chat/unread", True),
        ("GET /app/api/v1/chat/unread?all=1", True),
        ("/app/api/v1/raw/count", True),
        ("/app/api/v1/users", False),
        ("/app/api/v1/chat/7/lines/x", False),  # POST only
        (None, False),
    ],
)
def test_a_badge_asks_the_plugin_itself(badge: str | None, stays: bool) -> None:
    assert enframe(added(badge), REACH)["menu"][0]["badge"] == (badge if stays else None)
