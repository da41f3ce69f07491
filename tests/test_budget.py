"""Who fails too often is rolled back or deactivated, visibly; and nobody else is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from console.desks import Desk, opened, until
from hotbay.budget import ACTOR, Budgets
from hotbay.confirm import Confirmations
from hotbay.readings import Rate, error_rate
from hotbay.settings import Settings

ROUTES = """
from fastapi import APIRouter, HTTPException

router = APIRouter(prefix="/notes")


@router.get("/version")
def version():
    return "VERSION"


@router.get("/boom")
def boom():
    raise RuntimeError("boom")


@router.get("/gone")
def gone():
    raise HTTPException(404)


@router.get("/busy")
def busy():
    raise HTTPException(503)
"""


def offer(desk: Desk, version: str = "1.0.0", plugin: str = "notes") -> None:
    text = ROUTES.replace("VERSION", version).replace("/notes", f"/{plugin}")
    desk.pack(plugin, version, files={"backend/routes.py": text})


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with opened(tmp_path) as made:
        for plugin in ("notes", "other"):
            offer(made, plugin=plugin)
            made.install(plugin)
        yield made


def budgets(desk: Desk, **values: Any) -> Budgets:
    wanted = {"error_policy": "deactivate", "error_requests": 10} | values
    settings = Settings.model_validate(desk.hotbay.settings.model_dump(by_alias=True) | wanted)
    return Budgets(settings, desk.hotbay.store, desk.hotbay.follower.workers, lambda: desk.hotbay.applier(ACTOR))


def ask(desk: Desk, path: str, times: int, plugin: str = "notes") -> None:
    for _ in range(times):
        desk.client.get(f"/api/v1/{plugin}/{path}")


def version(desk: Desk, plugin: str = "notes") -> Any:
    answer = desk.client.get(f"/api/v1/{plugin}/version")
    return answer.json() if answer.status_code == 200 else answer.status_code


@pytest.mark.parametrize("path", ["boom", "busy"])
def test_who_fails_too_often_is_deactivated_and_says_why(desk: Desk, path: str) -> None:
    ask(desk, path, 11)
    ask(desk, "version", 9)
    ask(desk, "version", 20, "other")
    assert budgets(desk).judge() == ["deactivate notes"]
    assert (version(desk), version(desk, "other")) == (404, "1.0.0")
    row = desk.hotbay.store.get_live("notes")
    assert row.problem.startswith("deactivated: 11 of 20 requests failed within ")
    judged, done = desk.get("/audit", plugin="notes")["entries"][:2]
    assert (judged["actor"], judged["action"]) == (ACTOR, "judge: deactivate")
    assert judged["result"].startswith("11 of 20 requests failed")
    assert (done["actor"], done["action"], done["result"]) == (ACTOR, "deactivate", "done")
    assert "was deactivated: 11 of 20" in (desk.hotbay.settings.logs / "notes.log").read_text()
    assert budgets(desk).judge() == []
    assert desk.post("/toggle/notes", {"enabled": True})["state"] == "done"
    assert desk.hotbay.store.get_live("notes").problem == ""
    assert budgets(desk).judge() == []  # What was before its activation is over.
    assert version(desk) == "1.0.0"


def test_the_version_before_comes_back_and_is_not_blamed_for_its_successor(desk: Desk) -> None:
    offer(desk, "2.0.0")
    desk.post("/upgrade/notes")
    ask(desk, "boom", 12)
    judge = budgets(desk, error_policy="rollback")
    assert judge.judge() == ["rollback notes"]
    assert version(desk) == "1.0.0"
    assert desk.hotbay.store.get_live("notes").problem == ""
    ask(desk, "version", 9)
    assert judge.judge() == []
    assert version(desk) == "1.0.0"


def test_where_no_version_is_kept_it_is_deactivated(desk: Desk) -> None:
    ask(desk, "boom", 12)
    assert budgets(desk, error_policy="rollback").judge() == ["deactivate notes"]
    assert version(desk) == 404


def test_an_upgrade_is_not_blamed_for_its_predecessor(desk: Desk) -> None:
    ask(desk, "boom", 12)
    offer(desk, "2.0.0")
    desk.post("/upgrade/notes")
    assert budgets(desk).judge() == []
    assert version(desk) == "2.0.0"


@pytest.mark.parametrize(
    ("paths", "values"),
    [
        ({"boom": 9}, {}),  # too few to judge
        ({"boom": 6, "version": 6}, {}),  # exactly the budget
        ({"gone": 30}, {}),  # what the client does wrong is no failure
        ({"boom": 30}, {"error_policy": "none"}),
        ({"boom": 30}, {"error_policies": {"notes": "none"}}),
        ({"boom": 30}, {"error_policy": "none", "error_policies": {"other": "deactivate"}}),
    ],
)
def test_who_is_not_over_the_budget_or_has_no_policy_serves_on(
    desk: Desk, paths: dict[str, int], values: dict[str, Any]
) -> None:
    for path, times in paths.items():
        ask(desk, path, times)
    assert budgets(desk, **values).judge() == []
    assert version(desk) == "1.0.0"


def test_a_policy_of_its_own(desk: Desk) -> None:
    ask(desk, "boom", 12)
    judge = budgets(desk, error_policy="none", error_policies={"notes": "deactivate"})
    assert judge.wanted and not budgets(desk, error_policy="none").wanted
    assert judge.judge() == ["deactivate notes"]


def test_who_is_needed_by_others_is_deactivated_all_the_same(desk: Desk) -> None:
    desk.pack("child", requires=["notes"])
    desk.install("child")
    ask(desk, "boom", 12)
    assert budgets(desk).judge() == ["deactivate notes"]


def test_the_rate_since_a_moment(desk: Desk) -> None:
    workers = desk.hotbay.follower.workers
    ask(desk, "boom", 3)
    ask(desk, "version", 1)
    assert error_rate(workers, "notes", monotonic() - 60) == Rate(4, 3)
    desk.hotbay.follower.meters.roll()
    moment = monotonic()
    ask(desk, "version", 2)
    assert error_rate(workers, "notes", moment) == Rate(2, 0)
    assert error_rate(workers, "nobody", moment) == Rate(0, 0)
    assert Rate(4, 3).share == 0.75 and Rate(0, 0).share == 0.0


def test_a_worker_judges_by_itself(tmp_path: Path) -> None:
    wanted = {"error_policy": "deactivate", "error_requests": 5, "error_window": 6.0}
    with opened(tmp_path, **wanted) as desk:
        offer(desk)
        desk.install()
        ask(desk, "boom", 8)
        until(lambda: "requests failed" in desk.get("/installed")["addons"][0]["problem"])
        assert version(desk) == 404


def test_what_is_not_confirmed_is_left_to_who_reverts_it(desk: Desk) -> None:
    offer(desk, "2.0.0")
    desk.post("/upgrade/notes", {"confirm_within": "10m"})
    ask(desk, "boom", 12)
    judge = budgets(desk)
    assert judge.judge() == []
    confirmations = Confirmations(judge.settings, judge.store, judge.workers, judge.applier)
    assert "12 of 12 requests failed" in confirmations.look()[0]
    assert version(desk) == "1.0.0"
