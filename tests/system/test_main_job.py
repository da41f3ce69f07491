"""The main job on real input: the billing panel, the AI chatbot, two workers that are never restarted."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from hotbay.errors import HotbayError
from hotbay.model import DataPolicy, Kind
from system.conftest import PASSWORD, Server, until
from system.packages import BROKEN, packed, probe, with_table, write

CHAT = "/api/v1/chat/bot"


def serving(server: Server, plugin: str) -> set[str]:
    """The versions of a plugin that the workers serve."""
    return {status.of(plugin).get("version", "") for status in server.statuses()}


def chat_paths(server: Server) -> list[str]:
    return [path for path in server.get("/openapi.json").json()["paths"] if "/chat" in path]


def test_the_whole_life_of_the_chatbot_without_a_restart(billing: Server) -> None:
    pids, tables = billing.pids(), billing.tables()
    assert billing.codes(CHAT) == {404}
    said = billing.get(CHAT).json()
    assert said["plugin"] == "ai_chatbot"
    assert "install" in said["mend"]

    billing.run(Kind.INSTALL, "ai_chatbot", version="1.0.0")
    assert billing.codes(CHAT) == {200}
    assert serving(billing, "ai_chatbot") == {"1.0.0"}
    assert chat_paths(billing)
    assert {"chat_sessions", "chat_messages"} <= billing.tables()
    session = httpx.post(billing.url + "/api/v1/chat/sessions", json={"name": "Ada", "email": "ada@example.com"})
    assert session.status_code == 201

    billing.run(Kind.UPGRADE, "ai_chatbot")
    assert serving(billing, "ai_chatbot") == {"1.1.0"}
    assert any("rating" in path for path in chat_paths(billing))
    headers = {"x-chat-token": session.json()["token"]}
    kept = f"/api/v1/chat/sessions/{session.json()['session']['id']}"
    assert billing.get(kept, headers=headers).status_code == 200

    billing.run(Kind.ROLLBACK, "ai_chatbot")
    assert serving(billing, "ai_chatbot") == {"1.0.0"}
    assert not any("rating" in path for path in chat_paths(billing))
    assert billing.get(kept, headers=headers).status_code == 200

    billing.run(Kind.DEACTIVATE, "ai_chatbot")
    assert billing.codes(CHAT) == {404}
    assert "chat_sessions" in billing.tables()
    billing.run(Kind.ACTIVATE, "ai_chatbot")
    assert billing.codes(CHAT) == {200}

    billing.run(Kind.UNINSTALL, "ai_chatbot")
    assert billing.codes(CHAT) == {404}
    assert chat_paths(billing) == []
    assert billing.tables() == tables
    assert "ai_chatbot" not in billing.registry()
    assert [path.name for path in (billing.home / "plugins").iterdir()] == ["addon_registry.json"]
    assert list((billing.home / "images").iterdir()) == []
    # What a worker still tells of it is the proof that its code is gone.
    here = {"revision", "prepared"}
    until(lambda: not any(here & set(status.of("ai_chatbot")) for status in billing.statuses()))
    until(lambda: not any(status.of("ai_chatbot").get("leaving") for status in billing.statuses()))
    assert all(not status.of("ai_chatbot").get("alive") for status in billing.statuses())
    assert billing.pids() == pids

    billing.run(Kind.INSTALL, "ai_chatbot", restore="latest")
    assert billing.get(kept, headers=headers).status_code == 200
    assert billing.pids() == pids


def test_an_admin_does_it_over_http(billing: Server) -> None:
    with httpx.Client(base_url=billing.url, timeout=30) as client:
        assert client.post("/api/v1/marketplace/install", json={"addon_id": "ai_chatbot"}).status_code in (401, 403)
        login = client.post("/api/v1/auth/login", json={"email": "admin@example.com", "password": PASSWORD})
        client.headers["authorization"] = f"Bearer {login.json()['access_token']}"
        done = client.post("/api/v1/marketplace/install", json={"addon_id": "ai_chatbot", "version": "1.0.0"})
        assert done.status_code == 200, done.text
        assert done.json()["restart_required"] is False
        assert billing.codes(CHAT) == {200}
        assert client.post("/api/v1/marketplace/upgrade/ai_chatbot", json={}).status_code == 200
        assert serving(billing, "ai_chatbot") == {"1.1.0"}
        assert client.post("/api/v1/marketplace/toggle/ai_chatbot", json={}).status_code == 200
        assert billing.codes(CHAT) == {404}
        gone = client.delete("/api/v1/marketplace/uninstall/ai_chatbot")
        assert gone.status_code == 200, gone.text
        assert "chat_sessions" not in billing.tables()


def test_renamed_folders_are_operations(server: Server, tmp_path: Path) -> None:
    packed(probe(tmp_path / "one"), server.modules)
    server.run(Kind.INSTALL, "probe")
    folder, resting = server.home / "plugins" / "probe", server.home / "plugins" / "_probe"
    pids = server.pids()
    assert len(server.from_every_worker()) == 2

    folder.rename(resting)
    until(lambda: server.codes("/api/v1/probe", 8) == {404})
    resting.rename(folder)
    until(lambda: server.codes("/api/v1/probe", 8) == {200})

    (folder / "backend" / "version.py").write_text("NUMBER = 'edited'\n")
    until(lambda: server.get("/api/v1/probe").json()["version"] == "edited")

    import shutil

    shutil.rmtree(folder)
    until(lambda: server.codes("/api/v1/probe", 8) == {404})
    until(lambda: "probe" not in server.registry())
    assert server.pids() == pids

    probe(tmp_path / "two", "3.0.0").rename(folder)
    until(lambda: server.get("/api/v1/probe").status_code == 200)
    assert server.from_every_worker().keys() == pids


@pytest.fixture
def running(server: Server, tmp_path: Path) -> Server:
    """A host that serves the probe 1.0.0, with short patience for what hangs."""
    packed(with_table(tmp_path / "good"), server.modules)
    server.run(Kind.INSTALL, "probe")
    return server


def test_broken_packages_leave_the_old_version_serving(running: Server, tmp_path: Path) -> None:
    before, pids = running.tables(), running.pids()
    live = running.host.store.get_live("probe")
    for number, (name, files) in enumerate(BROKEN.items()):
        folder = write(with_table(tmp_path / f"bad{number}", "2.0.0"), files)
        if name == "wrong manifest":
            archive = tmp_path / "wrong.zip"
            import zipfile

            with zipfile.ZipFile(archive, "w") as bundle:
                bundle.writestr("metadata.json", files["metadata.json"])
        else:
            archive = packed(folder, tmp_path / f"out{number}")
        with pytest.raises(HotbayError) as caught:
            running.run(Kind.UPGRADE, "probe", file=archive)
        assert caught.value.status in (409, 422), name
        assert {answer["version"] for answer in running.from_every_worker().values()} == {"1.0.0"}, name
        assert running.tables() == before, name
        after = running.host.store.get_live("probe")
        assert (after.image, after.revision, after.candidate) == (live.image, live.revision, None), name
        assert sorted(path.name for path in (running.home / "plugins").iterdir()) == ["addon_registry.json", "probe"]
        assert running.host.applier.images.all() == [live.image], name
    assert running.pids() == pids
    running.run(Kind.UNINSTALL, "probe", data=DataPolicy.PURGE)
    assert "probe_notes" not in running.tables()
