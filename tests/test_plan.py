"""Plans: steps as data, in the order that is the rollback design; printed, stored and read again."""

from __future__ import annotations

import ast
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotbay import plan as plans
from hotbay.errors import Refused
from hotbay.model import DataPolicy, Kind, Live, State, Version
from hotbay.plan import Plan, Step
from rows import live, manifest

names = st.text(max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
versions = st.builds(Version, plugin=names, version=names, sha256=names, image=names, source=names)
steps = st.builds(
    Step, verb=names, summary=names, params=st.dictionaries(names, values, max_size=3), right=st.booleans()
)
all_plans = st.builds(
    Plan,
    kind=st.sampled_from(Kind),
    plugin=names,
    before=st.none() | versions,
    after=st.none() | versions,
    state=st.none() | st.sampled_from(State),
    steps=st.lists(steps, max_size=4).map(tuple),
    permissions=st.lists(names, max_size=3).map(tuple),
    warnings=st.lists(names, max_size=3).map(tuple),
    reads=st.lists(names, max_size=3).map(tuple),
    added=st.dictionaries(names, st.lists(names, max_size=3), max_size=2),
    findings=st.lists(st.dictionaries(names, values, max_size=3), max_size=2).map(tuple),
    reason=names,
)


def target(version: str = "2.0.0") -> Version:
    return Version("shop", version, "6" * 64, f"image-{version}", "local")


def verbs(plan: Plan) -> list[str]:
    return [step.verb for step in plan.steps]


@given(all_plans)
def test_a_plan_comes_back_from_json(plan: Plan) -> None:
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_install() -> None:
    plan = plans.bring(Kind.INSTALL, target("1.0.0"), None, migrations=["0001_initial"], permissions=["mail"])
    assert verbs(plan) == ["stage", "shelve", "expand", "start", "switch", "publish"]
    assert (plan.before, plan.after, plan.state) == (None, target("1.0.0"), State.ACTIVE)
    assert plan.title == "install shop 1.0.0"
    text = str(plan)
    assert "3. run migrations 0001_initial" in text
    assert "serve 1.0.0 in every worker" in text
    assert text.endswith("permission: mail")


def test_upgrade_names_both_versions_and_prunes_at_the_end() -> None:
    plan = plans.bring(Kind.UPGRADE, target(), live(), prune=["a", "b"], warnings=["careful"])
    assert verbs(plan) == ["stage", "shelve", "start", "switch", "publish", "prune"]
    assert plan.title == "upgrade shop 1.0.0 → 2.0.0"
    assert plan.steps[-1].params == {"images": ["a", "b"]}
    assert "switch every worker from 1.0.0 to 2.0.0" in str(plan)
    assert str(plan).endswith("warning: careful")


def test_requests_are_held_only_for_a_change_that_the_old_version_could_not_live_with() -> None:
    def held(migrations: list[str], row: Live | None) -> bool:
        kind = Kind.UPGRADE if row else Kind.INSTALL
        return "hold" in verbs(plans.bring(kind, target(), row, migrations=migrations, exclusive=True))

    assert held(["0002_x"], live())
    assert not held([], live())
    assert not held(["0002_x"], None)
    plan = plans.bring(Kind.UPGRADE, target(), live(), migrations=["0002_x"], exclusive=True)
    assert verbs(plan).index("hold") < verbs(plan).index("expand")


def test_contract_scripts_run_when_the_version_before_is_gone() -> None:
    plan = plans.bring(Kind.UPGRADE, target(), live(), contract=["0002_x"], tables=["notes"], prune=["a"])
    assert verbs(plan) == ["stage", "shelve", "start", "switch", "publish", "drain", "contract", "prune"]
    step = next(step for step in plan.steps if step.verb == "contract")
    assert (step.right, step.params) == (True, {"image": "image-2.0.0", "tables": ["notes"]})
    assert "run contract scripts 0002_x" in str(plan)


def test_what_a_plugin_asks_to_read_is_shown_and_what_is_new_of_it() -> None:
    wanted = manifest(version="2.0.0", permissions=["mail.send", "mail.read"], database={"reads": ["users", "bills"]})
    fresh = plans.asking(plans.bring(Kind.INSTALL, target(), None), wanted, None)
    assert (fresh.reads, fresh.added) == (("users", "bills"), {})
    assert "  reads: table users of the host\n  reads: table bills of the host" in str(fresh)
    old = live(database={"reads": ["users"]})
    plan = plans.bring(Kind.UPGRADE, target(), old, permissions=wanted.permissions)
    grown = plans.asking(plan, wanted, old)
    assert grown.added == {"permissions": ["mail.read"], "reads": ["bills"]}
    lines = str(grown).splitlines()[-4:]
    assert lines == [
        "  permission: mail.send",
        "  permission: mail.read (new)",
        "  reads: table users of the host",
        "  reads: table bills of the host (new)",
    ]
    same = plans.asking(plan, manifest(permissions=["mail.send"]), old)
    assert (same.reads, same.added) == ((), {})


def test_statements_that_do_not_only_add_are_shown() -> None:
    told = {"file": "migrations/2_x.up.sql", "line": 3, "why": "changes rows of a", "code": "changes-rows"}
    plan = replace(plans.deactivate(live()), findings=(told | {"runs": "while requests are held"},))
    wanted = "  migrations/2_x.up.sql, line 3: changes rows of a [changes-rows]; runs while requests are held"
    assert str(plan).endswith(wanted)


def test_a_folder_has_its_content_already() -> None:
    assert "shelve" not in verbs(plans.bring(Kind.INSTALL, target(), None, shelve=False))


def test_an_inactive_upgrade_says_so() -> None:
    row = live(state=State.INACTIVE)
    plan = plans.bring(Kind.UPGRADE, target(), row, state=State.INACTIVE, expand={"restore": "x"}, migrations=["r"])
    assert "record 2.0.0 as installed, inactive" in str(plan)
    assert next(step for step in plan.steps if step.verb == "expand").params == {
        "image": "image-2.0.0",
        "restore": "x",
    }


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(Refused, match=r"shop 1\.0\.0 is installed already") as caught:
        plans.bring(Kind.INSTALL, target(), live())
    assert "upgrade shop" in caught.value.mend
    with pytest.raises(Refused, match="shop is not installed"):
        plans.bring(Kind.UPGRADE, target(), None)
    with pytest.raises(Refused, match="not installed"):
        plans.bring(Kind.ROLLBACK, target(), None)
    with pytest.raises(Refused, match=r"1\.0\.0 is older than 1\.10\.0") as caught:
        plans.bring(Kind.UPGRADE, target("1.0.0"), live(version="1.10.0"))
    assert "rollback shop" in caught.value.mend
    assert plans.bring(Kind.UPGRADE, target("1.0.0"), live(version="1.10.0"), older=True).kind is Kind.UPGRADE
    with pytest.raises(Refused, match="exactly this content") as caught:
        plans.bring(Kind.UPGRADE, target("1.0.0"), live(image="image-1.0.0"))
    assert caught.value.detail["unchanged"] is True


def test_versions_are_numbers_not_texts() -> None:
    assert plans.bring(Kind.UPGRADE, target("1.10.0"), live(version="1.9.0")).title == "upgrade shop 1.9.0 → 1.10.0"
    with pytest.raises(Refused, match=r"1\.9\.0 is older than 1\.10\.0"):
        plans.bring(Kind.UPGRADE, target("1.9.0"), live(version="1.10.0"))


def test_one_that_rests_is_not_switched_from() -> None:
    plan = plans.bring(Kind.ROLLBACK, target(), live(state=State.INACTIVE))
    assert "serve 2.0.0 in every worker" in str(plan)


def test_the_same_version_with_other_content_is_an_upgrade() -> None:
    plan = plans.bring(Kind.UPGRADE, target("1.0.0"), live(image="other"))
    assert plan.title == "upgrade shop 1.0.0"


def test_activate_and_deactivate() -> None:
    resting = live(state=State.INACTIVE)
    assert verbs(plans.activate(resting)) == ["start", "switch", "publish"]
    assert verbs(plans.activate(resting, migrations=["0002_x"])) == ["expand", "start", "switch", "publish"]
    assert verbs(plans.activate(live(problem="did not start"))) == ["start", "switch", "publish"]
    assert verbs(plans.deactivate(live())) == ["switch", "publish", "drain"]
    for make, row in ((plans.activate, live()), (plans.deactivate, resting)):
        with pytest.raises(Refused, match="already") as caught:
            make(row)
        assert caught.value.detail["unchanged"] is True
    assert plans.activate(resting).state is State.ACTIVE
    assert plans.deactivate(live()).state is State.INACTIVE


def test_uninstall_by_policy() -> None:
    tables, images = ["shop_items"], ["image-1"]
    export = plans.uninstall(live(), DataPolicy.EXPORT, tables, images)
    assert verbs(export) == ["hold", "export", "switch", "drain", "publish", "prune"]
    assert (export.before is not None, export.after, export.state) == (True, None, None)
    purge = plans.uninstall(live(), DataPolicy.PURGE, tables, images)
    assert "export" not in verbs(purge)
    assert purge.warnings == ("rows of shop_items are lost; a backup stays until it is deleted",)
    assert "drop shop_items" in str(purge)
    keep = plans.uninstall(live(), DataPolicy.KEEP, tables, images)
    params = {step.verb: step.params for step in keep.steps}
    assert (params["switch"], params["prune"]) == ({"drop": False}, {"images": images, "data": False})
    assert "drop" not in str(keep)
    assert "export" not in verbs(plans.uninstall(live(), DataPolicy.EXPORT, [], images))


def every() -> list[Plan]:
    return [
        plans.bring(Kind.INSTALL, target(), None, migrations=["a"], prune=["x"]),
        plans.bring(Kind.UPGRADE, target(), live(), migrations=["a"], exclusive=True, prune=["x"]),
        plans.bring(Kind.UPGRADE, target(), live(), migrations=["a"], contract=["a"], prune=["x"]),
        plans.activate(live(state=State.INACTIVE), migrations=["a"]),
        plans.deactivate(live()),
        *(plans.uninstall(live(), policy, ["t"], ["x"]) for policy in DataPolicy),
    ]


@pytest.mark.parametrize("number", range(len(every())))
def test_there_is_one_switch_and_only_what_is_right_of_it_is_right(number: int) -> None:
    plan = every()[number]
    assert verbs(plan).count("switch") == 1
    at = verbs(plan).index("switch")
    assert [step.right for step in plan.steps] == [seq > at for seq in range(len(plan.steps))]
    assert str(replace(plan, warnings=())).count("\n") == len(plan.steps)


def test_the_room_is_pure() -> None:
    tree = ast.parse(Path(plans.__file__).read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not modules & {"os", "pathlib", "sqlite3", "asyncio", "importlib"}


# ── every plan, as it is written down ──

TARGET = Version("shop", "2.0.0", "a" * 64, "image-two", "local")
BACKUP_ROWS = {"backup": 4, "rows": "merge", "accept_loss": False}
WRITTEN = Path(__file__).with_name("plans.json")
LATER = {"seconds": 90, "keep_new_rows": False}


def whole() -> dict[str, Plan]:
    """Made by each test, so that a changed line of `plan.py` is seen."""
    return {
        "install": plans.bring(Kind.INSTALL, TARGET, None, migrations=["0001_a", "0002_b"], permissions=["mail.send"]),
        "install inactive, without tables": plans.bring(Kind.INSTALL, TARGET, None, state=State.INACTIVE),
        "install a folder": plans.bring(
            Kind.INSTALL,
            TARGET,
            None,
            shelve=False,
            migrations=["0001_a"],
            expand={"addon": True},
            start={"fresh": True},
        ),
        "upgrade": plans.bring(
            Kind.UPGRADE, TARGET, live(), migrations=["0002_b"], backup=True, prune=["one", "two"], warnings=["careful"]
        ),
        "upgrade that holds": plans.bring(
            Kind.UPGRADE, TARGET, live(), migrations=["0002_b", "0003_c"], exclusive=True, backup=True
        ),
        "upgrade that contracts": plans.asking(
            plans.bring(
                Kind.UPGRADE,
                TARGET,
                live(),
                migrations=["0002_b"],
                contract=["0002_b"],
                tables=["notes"],
                backup=True,
                permissions=["mail.send", "mail.read"],
                prune=["one"],
            ),
            manifest(version="2.0.0", permissions=["mail.send", "mail.read"], database={"reads": ["invoices"]}),
            live(),
        ),
        "upgrade of one that rests": plans.bring(
            Kind.UPGRADE, TARGET, live(state=State.INACTIVE), state=State.INACTIVE, exclusive=True
        ),
        "rollback": plans.bring(Kind.ROLLBACK, TARGET, live(version="3.0.0"), restore=BACKUP_ROWS),
        "rollback of code": plans.bring(Kind.ROLLBACK, TARGET, live(version="3.0.0")),
        "activate": plans.activate(live(state=State.INACTIVE), start={"fresh": True}),
        "activate with migrations": plans.activate(live(state=State.INACTIVE), migrations=["0001_a", "0002_b"]),
        "deactivate": plans.deactivate(live()),
        **{
            f"uninstall {policy}": plans.uninstall(live(), policy, ["shop_items", "shop_notes"], ["one", "two"])
            for policy in DataPolicy
        },
        "uninstall without tables": plans.uninstall(live(), DataPolicy.PURGE, [], ["one"]),
        "uninstall without a backup": plans.uninstall(live(), DataPolicy.PURGE, ["shop_items"], [], backup=False),
        "uninstall of what nobody confirmed": plans.uninstall(
            live(), DataPolicy.EXPORT, ["shop_items"], ["one"], reason="nobody did"
        ),
        "backup": plans.back_up(live()),
        "restore": plans.restore(live(), BACKUP_ROWS, migrations=["0002_b"], expand={"x": 1}),
        "install with pages, to be confirmed": plans.bring(
            Kind.INSTALL, TARGET, None, migrations=["0001_a"], frontend=True, confirm=LATER, reason="a folder came"
        ),
        "upgrade with pages, to be confirmed": plans.bring(
            Kind.UPGRADE, TARGET, live(), frontend=True, backup=True, confirm=LATER
        ),
        "upgrade to be confirmed, whose new rows stay": plans.bring(
            Kind.UPGRADE, TARGET, live(), confirm=LATER | {"keep_new_rows": True, "seconds": 0.5}
        ),
        "activate with pages": plans.activate(live(state=State.INACTIVE), frontend=True),
        "restore of one that rests": plans.restore(live(state=State.INACTIVE), {"backup": 4, "rows": "restore"}),
    }


@pytest.mark.parametrize("name", whole())
def test_every_plan_is_as_it_is_written_down(name: str) -> None:
    """What admins read, the journal keeps and recovery goes by. Changed on purpose? Write the file anew and read it."""
    if os.environ.get("WRITE_PLANS"):
        found = {name: {"text": str(plan), **plan.to_json()} for name, plan in whole().items()}
        WRITTEN.write_text(json.dumps(found, indent=1, default=str) + "\n")
    wanted = json.loads(WRITTEN.read_text())[name]
    text = wanted.pop("text")
    plan = whole()[name]
    assert json.loads(json.dumps(plan.to_json())) == wanted
    assert str(plan) == text
