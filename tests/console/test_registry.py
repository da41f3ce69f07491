"""What every visitor's browser may know of the registry, how it hears of changes, and what it reports."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from console.desks import LIVE, Desk, opened, until, user
from console.fronts import front
from hotbay.console.registry import PublicRegistry, View
from hotbay.frontend.snapshot import Viewer
from hotbay.model import Kind

NOBODY: dict[str, str] = {}
SIGNED_IN = {"authorization": "Bearer ann"}
ADMIN = {"authorization": "Bearer root"}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A host with `notes` 1.0.0, which has a frontend, installed."""
    with opened(tmp_path, user=user) as made:
        made.pack(**front())
        made.install()
        yield made


def registry(desk: Desk, headers: dict[str, str] = ADMIN) -> Any:
    answer = httpx.get(f"{desk.url}{LIVE}/registry", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


def notes(desk: Desk, headers: dict[str, str] = ADMIN) -> Any:
    (found,) = registry(desk, headers)["plugins"]
    return found


def test_those_who_hear_of_the_same_change_share_one_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as desk:
        public, reads = PublicRegistry(desk.hotbay, None), []  # type: ignore[arg-type]
        real = public._read
        monkeypatch.setattr(public, "_read", lambda *number: reads.append(1) or real(*number))
        monkeypatch.setattr("hotbay.console.registry._SHARED_SECONDS", 60.0)
        ann, root = (View(public, Viewer(role, role), "", shared=True) for role in ("user", "admin"))
        found = [json.loads(view.snapshot().text) for view in (ann, root, ann)]
        assert len(reads) == 1
        assert [item["viewer"]["name"] for item in found] == ["user", "admin", "user"]
        desk.pack()
        desk.install()
        reads.clear()
        assert [plugin["id"] for plugin in json.loads(ann.snapshot().text)["plugins"]] == ["notes"]
        monkeypatch.setattr("hotbay.console.registry._SHARED_SECONDS", 0.0)
        ann.snapshot()
        View(public, Viewer(), "").snapshot()
        assert len(reads) == 3


def test_administrators_are_told_what_waits_for_a_confirmation(desk: Desk) -> None:
    assert registry(desk)["unconfirmed"] == []
    desk.pack(version="2.0.0", **front())
    desk.post("/upgrade/notes", {"confirm_within": "10m"})
    assert registry(desk)["unconfirmed"] == ["notes"]
    assert [registry(desk, headers)["unconfirmed"] for headers in (NOBODY, SIGNED_IN)] == [[], []]
    desk.post("/confirm/notes")
    assert registry(desk)["unconfirmed"] == []


def test_an_administrator_sees_all_that_a_plugin_adds(desk: Desk) -> None:
    found = notes(desk)
    assert (found["id"], found["name"], found["version"], found["trusted"]) == ("notes", "Notes", "1.0.0", True)
    assert found["base"] == f"/hotbay/assets/notes/{found['digest']}/"
    added = found["contributions"]
    assert {kind: len(items) for kind, items in added.items()} == {
        "pages": 3, "menu": 3, "components": 1, "widgets": 2, "settings": 1, "commands": 1, "messages": 1,
    }  # fmt: skip
    assert all(page["module"] in found["integrity"] for page in added["pages"])
    assert set(found["styles"]) <= set(found["integrity"])


@pytest.mark.parametrize(
    ("headers", "viewer", "menu", "widgets", "pages"),
    [
        (NOBODY, {"role": "guest", "name": ""}, ["Notes"], 1, ["/notes"]),
        ({"authorization": "Bearer ann"}, {"role": "user", "name": "ann@example.com"}, ["Notes", "Mine"], 1,
         ["/notes", "/notes/mine"]),
        (ADMIN, {"role": "admin", "name": "root@example.com"}, ["Notes", "Mine", "All"], 2,
         ["/notes", "/notes/mine", "/notes/all"]),
    ],
)  # fmt: skip
def test_each_viewer_sees_what_he_may(
    desk: Desk, headers: dict[str, str], viewer: Any, menu: list[str], widgets: int, pages: list[str]
) -> None:
    assert registry(desk, headers)["viewer"] == viewer
    added = notes(desk, headers)["contributions"]
    assert [entry["name"] for entry in added["menu"]] == menu
    assert len(added["widgets"]) == widgets
    assert [page["path"] for page in added["pages"] if page["module"]] == pages
    assert [page["path"] for page in added["pages"]] == ["/notes", "/notes/mine", "/notes/all"]
    assert bool(added["settings"]) == bool(added["commands"]) == (viewer["role"] == "admin")


def test_pages_of_plugins_that_are_not_active_are_claims(desk: Desk) -> None:
    desk.pack("tools", frontend={"routes": ["/tools"]})
    desk.post("/toggle/notes")
    until(lambda: len(registry(desk)["claims"]) == 4)
    found = registry(desk, NOBODY)
    assert found["plugins"] == []
    claims = {claim["path"]: (claim["plugin"], claim["name"], claim["installed"]) for claim in found["claims"]}
    assert claims["/notes"] == ("notes", "Notes", True)
    assert claims["/tools"] == ("tools", "Tools", False)


def test_the_same_files_under_a_new_version(desk: Desk) -> None:
    before = notes(desk)
    desk.pack(version="1.1.0", **front())
    desk.post("/upgrade/notes")
    after = notes(desk)
    assert (after["version"], after["digest"]) == ("1.1.0", before["digest"])


def test_the_news_come_as_snapshots_for_the_viewer(desk: Desk) -> None:
    found: list[tuple[str, Any]] = []

    def listen() -> None:
        with httpx.stream("GET", f"{desk.url}{LIVE}/registry/events", timeout=30) as answer:
            number = ""
            for line in answer.iter_lines():
                if line.startswith("id: "):
                    number = line[4:]
                if line.startswith("event: "):
                    assert line == "event: snapshot"
                if line.startswith("data: "):
                    found.append((number, json.loads(line[6:])))
                if len(found) == 2:
                    return

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    until(lambda: found)
    desk.pack(version="1.1.0", **front("Other"))
    desk.post("/upgrade/notes")
    thread.join(20)
    (first, one), (second, two) = found
    assert (one["plugins"][0]["version"], two["plugins"][0]["version"]) == ("1.0.0", "1.1.0")
    assert one["viewer"]["role"] == two["viewer"]["role"] == "guest"
    assert second == f"{two['epoch']}:{two['rev']}" != first


def test_a_broken_frontend_is_refused_and_the_old_one_stays(desk: Desk) -> None:
    before = notes(desk)
    bad = "import _ from 'lodash';\nexport default () => _;"
    desk.pack(version="1.1.0", **front(**{"frontend/pages/Notes.tsx": bad}))
    answer = desk.post("/upgrade/notes", status=422)
    assert answer["step"] == "compile"
    assert (answer["problems"][0]["file"], answer["problems"][0]["field"]) == ("frontend/pages/Notes.tsx", "line 1")
    assert "put a copy below frontend/" in answer["problems"][0]["mend"]
    assert notes(desk) == before


def test_a_host_without_a_user_check_knows_administrators_and_guests(tmp_path: Path) -> None:
    with opened(tmp_path) as desk:
        assert registry(desk, SIGNED_IN)["viewer"]["role"] == "guest"
        assert registry(desk)["viewer"]["role"] == "admin"


def test_the_registry_of_another_process_operations(desk: Desk) -> None:
    desk.outside(Kind.DEACTIVATE)
    assert registry(desk)["plugins"] == []


# ── what browsers report ────────────────────────────────────────────────────────────────────────────────────────


def report(desk: Desk, headers: dict[str, str] | None = None, **changes: Any) -> httpx.Response:
    body = {
        "plugin": "notes",
        "digest": "0",
        "kind": "page",
        "name": "/notes",
        "message": "x is not a function",
    } | changes
    return httpx.post(f"{desk.url}{LIVE}/browser-errors", json=body, headers=headers or {})


def log(desk: Desk) -> str:
    return (desk.hotbay.settings.logs / "notes.log").read_text()


def test_an_error_in_a_browser_is_in_the_plugins_log(desk: Desk) -> None:
    answer = report(desk, stack="at Notes\n2026-01-01 ERROR forged\x1b[31m", url="http://x/notes")
    assert answer.status_code == 202
    written = log(desk)
    assert "in a browser: page /notes (0): x is not a function" in written
    assert "\n  | 2026-01-01 ERROR forged" in written
    assert "\x1b" not in written


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"plugin": "none"}, 404), ({"plugin": "../x"}, 422), ({"kind": "x"}, 422), ({"message": "x" * 3000}, 422)],
)
def test_what_is_no_report_is_refused(desk: Desk, changes: dict[str, str], status: int) -> None:
    assert report(desk, **changes).status_code == status


def test_reports_are_limited_in_size_in_number_and_to_this_site(desk: Desk) -> None:
    assert report(desk, stack="x" * 40_000).status_code == 413
    assert report(desk, {"sec-fetch-site": "cross-site"}).status_code == 403
    found = [report(desk).status_code for _ in range(31)]
    assert found == [202] * 30 + [429]
