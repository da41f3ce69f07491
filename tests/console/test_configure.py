"""A plugin's settings over HTTP: schema, values, changes, and secrets that stay inside."""

from __future__ import annotations

from typing import Any

import httpx

from console.desks import MARKET, Desk, until

MASK = "********"


def send(desk: Desk, method: str, values: Any, status: int = 200, plugin: str = "notes") -> Any:
    response = desk.client.request(method, f"{MARKET}/settings/{plugin}", json=values)
    assert response.status_code == status, response.text
    return response.json()


def greeting(desk: Desk) -> str:
    return str(httpx.get(desk.url + "/api/v1/notes/version").json()["greeting"])


def test_schema_and_defaults_are_shown(desk: Desk) -> None:
    desk.install()
    shown = desk.get("/settings/notes")
    assert shown["values"] == {"greeting": "hello", "many": 3}
    assert set(shown["schema"]["properties"]) == {"greeting", "many", "key"}
    assert desk.get("/settings/nobody", 404)["code"] == "not-found"


def test_patch_changes_and_put_replaces_live(desk: Desk) -> None:
    desk.install()
    assert greeting(desk) == "hello"
    assert send(desk, "PATCH", {"greeting": "moin", "many": 4})["values"]["many"] == 4
    assert until(lambda: greeting(desk) == "moin")
    assert send(desk, "PATCH", {"many": None})["values"] == {"greeting": "moin", "many": 3}
    assert send(desk, "PUT", {"many": 5})["values"] == {"greeting": "hello", "many": 5}
    assert until(lambda: greeting(desk) == "hello")


def test_secrets_are_masked_kept_and_in_no_audit(desk: Desk) -> None:
    desk.install()
    assert send(desk, "PATCH", {"key": "s3cret"})["values"]["key"] == MASK
    assert send(desk, "PUT", {"key": MASK, "greeting": "moin"})["values"] == {
        "greeting": "moin",
        "many": 3,
        "key": MASK,
    }
    assert desk.hotbay.vault.read("notes")["key"] == "s3cret"
    entries = desk.get("/audit", plugin="notes")["entries"]
    assert (entries[0]["action"], entries[0]["actor"]) == ("settings", "root@example.com")
    assert entries[0]["detail"]["fields"] == ["greeting", "key"]
    everything = " ".join(desk.client.get(MARKET + path).text for path in ("/audit", "/settings/notes", "/installed"))
    assert "s3cret" not in everything


def test_values_that_do_not_fit_change_nothing(desk: Desk) -> None:
    desk.install()
    problem = send(desk, "PATCH", {"many": 99, "greeting": 5}, 422)
    assert problem["code"] == "invalid-settings"
    assert {item["field"] for item in problem["problems"]} == {"many", "greeting"}
    assert send(desk, "PATCH", {"unheard": 1}, 422)["problems"][0]["field"] == "unheard"
    assert desk.get("/settings/notes")["values"] == {"greeting": "hello", "many": 3}
    assert desk.get("/audit")["entries"][0]["result"] == "refused: invalid-settings"
    assert send(desk, "PATCH", [1], 422)["code"] == "bad-input"


def test_a_plugin_without_settings_says_so(desk: Desk) -> None:
    desk.pack("plain", files={"backend/plugin.py": "", "backend/routes.py": ""})
    desk.install("plain")
    shown = desk.get("/settings/plain")
    assert (shown["schema"], shown["values"]) == (None, {})
    assert send(desk, "PATCH", {"x": 1}, 422, "plain")["code"] == "invalid-settings"


def test_a_licence_key_is_taken_and_never_answered(desk: Desk) -> None:
    assert desk.get("/license/notes") == {"addon_id": "notes", "set": False}
    given = desk.client.put(f"{MARKET}/license/notes", json={"license_key": "AAAA-1234"})
    assert (given.status_code, given.json()) == (200, {"addon_id": "notes", "set": True})
    assert desk.get("/license/notes")["set"] is True
    assert desk.hotbay.licenses.read("notes") == "AAAA-1234"
    refused = desk.client.put(f"{MARKET}/license/notes", json={"license_key": "a\nb"})
    assert refused.status_code == 422
    assert "a\nb" not in refused.text
    assert desk.client.delete(f"{MARKET}/license/notes").status_code == 204
    assert desk.get("/license/notes")["set"] is False
