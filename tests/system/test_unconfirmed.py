"""Commit-confirm on the billing panel with two workers: what nobody confirms goes back, under load and after kills."""

from __future__ import annotations

import os
import runpy
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from hotbay import journal
from hotbay.confirmations import find_confirmation
from hotbay.model import Kind
from system.conftest import BILLING, PASSWORD, ROOT, Server, until
from system.packages import packed, probe, write
from system.test_workers import Load

CHAT, MARKET = "/api/v1/chat", "/api/v1/marketplace"
HEALTH = "def health(context):\n    return not (context.data / 'sick').exists()\n"


@pytest.fixture
def billing(tmp_path: Path) -> Iterator[Server]:
    """The panel with the chatbot 1.0.0, whose admins look closely at what is not confirmed."""
    wish = {"HOTBAY_CONFIRM_CHECK_SECONDS": "0.2"}
    made = Server(tmp_path, app="app.main:app", app_dir=BILLING, **wish)
    try:
        runpy.run_path(str(ROOT / "plugins" / "build.py"))["build_all"](made.modules)
        made.start()
        made.run(Kind.INSTALL, "ai_chatbot", version="1.0.0")
        yield made
    finally:
        made.stop()


@pytest.fixture
def admin(billing: Server) -> Iterator[httpx.Client]:
    """Who may change the panel."""
    with httpx.Client(base_url=billing.url, timeout=60) as client:
        login = client.post("/api/v1/auth/login", json={"email": "admin@example.com", "password": PASSWORD})
        client.headers["authorization"] = f"Bearer {login.json()['access_token']}"
        yield client


def chat(billing: Server) -> tuple[str, dict[str, str]]:
    """A visitor's session: its address, and what opens it."""
    said = httpx.post(f"{billing.url}{CHAT}/sessions", json={"name": "Ada", "email": "ada@example.com"}, timeout=20)
    assert said.status_code == 201, said.text
    return f"{CHAT}/sessions/{said.json()['session']['id']}", {"x-chat-token": said.json()["token"]}


def opens(billing: Server, session: tuple[str, dict[str, str]]) -> bool:
    return billing.get(session[0], headers=session[1]).status_code == 200


def serving(billing: Server, plugin: str = "ai_chatbot") -> set[str]:
    return {status.of(plugin).get("version", "") for status in billing.statuses()}


def shown(admin: httpx.Client, plugin: str = "ai_chatbot") -> Any:
    rows = admin.get(f"{MARKET}/installed").json()["addons"]
    return next(row["confirmation"] for row in rows if row["id"] == plugin)


def test_who_is_not_confirmed_goes_back_without_a_failed_request_and_who_is_stays(
    billing: Server, admin: httpx.Client
) -> None:
    before, pids = chat(billing), billing.pids()
    with Load(billing, f"{CHAT}/bot", people=2) as load:
        done = admin.post(f"{MARKET}/upgrade/ai_chatbot", json={"confirm_within": "2s"})
        assert done.status_code == 200, done.text
        assert serving(billing) == {"1.1.0"}
        since = chat(billing)
        until(lambda: shown(admin)["state"] == "reverted", 30)
        assert serving(billing) == {"1.0.0"}
        assert (opens(billing, before), opens(billing, since)) == (True, False)
        late = admin.post(f"{MARKET}/confirm/ai_chatbot")
        assert (late.status_code, late.json()["code"]) == (409, "too-late")

        again = admin.post(f"{MARKET}/upgrade/ai_chatbot", json={"confirm_within": 3, "keep_new_rows": True}).json()
        assert admin.post(f"{MARKET}/confirm/ai_chatbot").json()["state"] == "confirmed"
        time.sleep(max(0.0, again["confirmation"]["seconds_left"]) + 0.5)
        assert (serving(billing), opens(billing, before)) == ({"1.1.0"}, True)
    assert load.failures == []
    assert {status for _, _, status, _ in load.answers} == {200}
    assert billing.pids() == pids
    kinds = [item["kind"] for item in admin.get(f"{MARKET}/operations").json()["operations"]]
    assert kinds == ["upgrade", "rollback", "upgrade", "install"]


def test_bad_health_reverts_it_early(billing: Server, admin: httpx.Client, tmp_path: Path) -> None:
    packed(probe(tmp_path / "one", "1.0.0"), billing.modules)
    billing.run(Kind.INSTALL, "probe", version="1.0.0")
    packed(write(probe(tmp_path / "two", "2.0.0"), {"backend/plugin.py": HEALTH}), billing.modules)
    assert admin.post(f"{MARKET}/upgrade/probe", json={"confirm_within": "1h"}).status_code == 200
    until(lambda: all("health" in status.of("probe") for status in billing.statuses()))
    assert serving(billing, "probe") == {"2.0.0"}
    folder = billing.home / "data" / "probe"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sick").touch()
    with Load(billing, "/api/v1/probe", people=2) as load:
        until(lambda: shown(admin, "probe")["state"] == "reverted", 30)
    assert "it was not healthy" in shown(admin, "probe")["reason"]
    assert serving(billing, "probe") == {"1.0.0"}
    assert (load.failures, {status for _, _, status, _ in load.answers}) == ([], {200})


def test_a_server_that_was_killed_before_the_deadline_reverts_when_it_starts(billing: Server) -> None:
    """No worker is there: the command line upgrades, and time runs on without a server."""
    kill(billing)
    billing.run(Kind.UPGRADE, "ai_chatbot", confirm_within=1.0)
    time.sleep(1.2)
    assert billing.host.store.get_live("ai_chatbot").version == "1.1.0"
    billing.start()
    until(lambda: serving(billing) == {"1.0.0"}, 30)
    found = find_confirmation(billing.host.store, "ai_chatbot")
    assert found is not None
    assert (found.state, found.reason) == ("reverted", "nobody confirmed it within 1 s")


def test_who_is_killed_while_it_reverts_is_followed_by_another(billing: Server) -> None:
    """All workers die in the middle of the revert; the next start does the whole of it, once."""
    tries = 1
    while not killed_reverting(billing):  # It was quicker than this test.
        assert (tries := tries + 1) <= 5
        billing.start()
        until(lambda: serving(billing) == {"1.0.0"})
    billing.start()
    until(lambda: state_of(billing) == "reverted")
    until(lambda: serving(billing) == {"1.0.0"})
    assert [item["action"] for item in billing.host.store.audit_entries()].count("revert: rollback") == tries
    assert billing.codes(f"{CHAT}/bot", 6) == {200}


def state_of(server: Server) -> str:
    found = find_confirmation(server.host.store, "ai_chatbot")
    return found.state if found is not None else ""


def killed_reverting(server: Server) -> bool:
    """Upgrade, wait until the workers revert that, and kill them all. False when they had ended it by then."""
    server.run(Kind.UPGRADE, "ai_chatbot", confirm_within=1.0)
    upgrade = journal.list_operations(server.host.store)[0]["id"]
    until(lambda: journal.list_operations(server.host.store)[0]["id"] > upgrade)
    until(lambda: server.host.store.all_candidates() or state_of(server) == "reverted")
    kill(server)
    return bool(journal.cut_off(server.host.store))


def kill(server: Server) -> None:
    """As a power cut would: the parent first, so that it starts no other worker."""
    assert server.process is not None
    pids = server.pids()
    server.process.kill()
    server.process.wait(10)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    until(lambda: not server.host.applier.workers.present())
