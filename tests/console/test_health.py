"""What is wrong, over HTTP: told to administrators, and mended for those that they name."""

from __future__ import annotations

from typing import Any

from desks import LIVE, Desk


def mend(desk: Desk, findings: Any, status: int = 200) -> dict[str, Any]:
    answer = desk.client.post(f"{LIVE}/health/mend", json={"findings": findings})
    assert answer.status_code == status, answer.text
    return dict(answer.json())


def faults(desk: Desk) -> list[str]:
    found = desk.client.get(f"{LIVE}/health").json()["findings"]
    return [item["id"] for item in found if item["level"] != "ok"]


def test_a_finding_is_mended_by_its_id_and_all_are(desk: Desk) -> None:
    desk.install()
    images = [letter * 64 for letter in "ef"]
    for image in images:
        (desk.hotbay.settings.images / image).mkdir()
    (desk.hotbay.settings.data / "gone").mkdir(parents=True)
    wanted = [f"images:unused:{image}" for image in images]
    assert sorted(faults(desk)) == ["data:orphaned:gone", *wanted]
    answer = mend(desk, wanted[:1])
    assert answer["ok"] and [item["id"] for item in answer["mended"]] == wanted[:1]
    assert [item["id"] for item in mend(desk, "all")["mended"]] == wanted[1:]
    assert faults(desk) == ["data:orphaned:gone"]
    assert mend(desk, ["data:orphaned:gone"])["failed"] == []
    assert faults(desk) == []
    entries = [item for item in desk.hotbay.store.audit_entries() if item["action"] == "mend"]
    assert [item["detail"]["finding"] for item in entries] == ["data:orphaned:gone", *wanted[::-1]]
    assert {item["actor"] for item in entries} == {"root@example.com"}


def test_what_is_no_finding_is_refused(desk: Desk) -> None:
    assert mend(desk, ["tables:orphaned:nobody"], 404)["code"] == "not-found"
    assert mend(desk, [], 422)["status"] == 422
    assert mend(desk, "some", 422)["status"] == 422
    assert mend(desk, ["disk:free"], 409)["code"] == "refused"


def test_only_administrators_mend(desk: Desk) -> None:
    answer = desk.client.post(f"{LIVE}/health/mend", json={"findings": "all"}, headers={"authorization": "Bearer bob"})
    assert answer.status_code == 403
