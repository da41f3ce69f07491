"""kill -9 at any instant leaves, after recovery, exactly the old or exactly the new state.

A process runs an operation and kills itself; another recovers; then the whole state is compared with that of a host
to which nothing, or all of it, happened.
"""

from __future__ import annotations

import gc
import os
import pkgutil
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from engine_host import (
    ITEMS,
    ROW,
    TWO,
    build,
    die,
    elsewhere,
    opened,
    operate_and_die,
    query,
    recover_here,
    run,
    settings_for,
    shop,
    state,
)
from hotbay import journal
from hotbay.errors import StateError
from hotbay.model import Kind
from hotbay.offline import OfflineHost, open_host
from hotbay.outcome import Progress
from hotbay.recover import Recovery, sweep_keys, sweep_marks
from hotbay.request import Request
from hotbay.steps import STEPS

KILLED = -9


@dataclass(frozen=True)
class Case:
    """An operation on a host that was brought `start` (`empty`, `one`, `two`, `resting`), and its steps."""

    start: str
    kind: Kind
    verbs: tuple[str, ...]
    values: dict[str, Any] = field(default_factory=dict)


NARROW = {"0001_initial.up": ITEMS + ROW, "0002_less.up": "ALTER TABLE shop_items DROP COLUMN name;"}
SPLIT = {
    "0001_initial.up": ITEMS + ROW,
    "0002_title.up": "ALTER TABLE shop_items ADD COLUMN title TEXT;",
    "0002_title.contract": "UPDATE shop_items SET title = name; ALTER TABLE shop_items DROP COLUMN name;",
}
CASES = {
    "install": Case("empty", Kind.INSTALL, ("stage", "shelve", "expand", "start", "switch", "publish")),
    "upgrade": Case(
        "one", Kind.UPGRADE, ("stage", "shelve", "backup", "expand", "start", "switch", "publish", "prune")
    ),
    "deactivate": Case("one", Kind.DEACTIVATE, ("switch", "publish", "drain")),
    "activate": Case("resting", Kind.ACTIVATE, ("start", "switch", "publish")),
    "rollback": Case(
        "two",
        Kind.ROLLBACK,
        ("stage", "shelve", "hold", "backup", "restore", "start", "switch", "publish"),
        {"accept_loss": True},
    ),
    "restore": Case(
        "two",
        Kind.RESTORE,
        ("hold", "backup", "restore", "expand", "start", "switch", "publish"),
        {"accept_loss": True},
    ),
    "uninstall": Case("two", Kind.UNINSTALL, ("hold", "export", "switch", "drain", "publish", "prune")),
}
EXCLUSIVE = ("stage", "shelve", "hold", "backup", "expand", "start", "switch", "publish", "prune")
CASES["exclusive"] = Case("one", Kind.UPGRADE, EXCLUSIVE, {"version": "1.2.0rc1"})
CONTRACT = ("stage", "shelve", "backup", "expand", "start", "switch", "publish", "drain", "contract", "prune")
CASES["contract"] = Case("one", Kind.UPGRADE, CONTRACT, {"version": "1.2.0rc2"})
CRASHES = [(name, verb) for name, case in CASES.items() for verb in case.verbs if name not in ("exclusive", "contract")]
CRASHES += [("contract", verb) for verb in ("switch", "contract", "prune")]
CRASHES += [("exclusive", verb) for verb in ("hold", "backup", "expand", "start", "switch", "publish")]


class World:
    """Hosts in every state that an operation begins in, and what each looks like when the operation has ended."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for version, migrations in (("0.9.0", None), ("1.0.0", None), ("1.1.0", TWO)):
            shop(root / "packages", version, migrations=migrations)
        shop(root / "packages", "1.2.0rc1", migrations=NARROW, exclusive=True)
        shop(root / "packages", "1.2.0rc2", migrations=SPLIT)
        self._make("empty", "", lambda host: None)
        self._make("older", "empty", lambda host: run(host, Kind.INSTALL, version="0.9.0"))
        self._make("one", "older", lambda host: run(host, Kind.UPGRADE, version="1.0.0"))
        self._make("two", "one", lambda host: run(host, Kind.UPGRADE))
        self._make("resting", "one", lambda host: run(host, Kind.DEACTIVATE))
        self._ends: dict[str, dict[str, Any]] = {}
        self._starts = {name: self.look(root / name) for name in ("empty", "one", "two", "resting")}
        self._count = 0

    def _make(self, name: str, base: str, work: Callable[[Any], Any]) -> None:
        if base:
            shutil.copytree(self.root / base, self.root / name)
        with opened(self.root / name, keep_versions=1) as host:
            work(host)
            if base == "older":
                data = host.settings.data / "shop"
                data.mkdir(parents=True)
                (data / "file.txt").write_text("the plugin's own")

    def copy(self, name: str) -> Path:
        """A home of one's own."""
        self._count += 1
        home = self.root / f"home{self._count}"
        shutil.copytree(self.root / name, home)
        return home

    def look(self, home: Path) -> dict[str, Any]:
        """The state of a home."""
        with opened(home) as host:
            return state(host)

    def end(self, name: str) -> dict[str, Any]:
        """The state after an operation that nobody disturbed."""
        if name not in self._ends:
            case = CASES[name]
            home = self.copy(case.start)
            with opened(home, keep_versions=1) as host:
                assert tuple(step["verb"] for step in run(host, case.kind, **case.values).steps) == case.verbs
                self._ends[name] = state(host)
        return self._ends[name]

    def start(self, name: str) -> dict[str, Any]:
        """The state before any operation."""
        return self._starts[name]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """All hosts."""
    return World(tmp_path_factory.mktemp("world"))


def assert_state(world: World, home: Path, name: str, *, new: bool) -> None:
    expected = world.end(name) if new else world.start(CASES[name].start)
    found = world.look(home)
    for part, value in expected.items():
        assert found[part] == value, part


def assert_closed(home: Path, name: str, *, new: bool) -> None:
    """The journal and the audit say how it ended, and nothing is said to run."""
    with opened(home) as host:
        operation = journal.list_operations(host.store, limit=1)[0]
        entry = host.store.audit_entries(limit=1)[0]
        assert journal.cut_off(host.store) == []
        steps = [row["state"] for row in journal.step_rows(host.store, operation["id"])]
    ending = journal.DONE if new else journal.UNDONE
    assert (operation["kind"], operation["state"], operation["switched"]) == (CASES[name].kind, ending, new)
    assert (entry["action"], entry["result"], entry["actor"]) == (operation["kind"], f"recovered: {ending}", "ann")
    assert journal.RUNNING not in steps
    assert not new or set(steps) == {journal.DONE}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(("name", "verb"), CRASHES)
def test_killed_before_or_after_a_steps_effect(world: World, name: str, verb: str, moment: str) -> None:
    case = CASES[name]
    home = world.copy(case.start)
    elsewhere(operate_and_die, home, case.kind.value, case.values, verb, moment, expect=KILLED)
    elsewhere(recover_here, home)
    at, switch = case.verbs.index(verb), case.verbs.index("switch")
    new = at > switch or (at == switch and moment == "after")
    assert_closed(home, name, new=new)
    assert_state(world, home, name, new=new)


# ── inside a step ──


def die_in(home: Path, kind: str, function: str, moment: str) -> None:
    """Die before or after the call of a function (`module:name`), wherever in the operation that is."""
    gc.freeze()
    place, _, name = function.replace(":", ".").rpartition(".")
    owner, real = pkgutil.resolve_name(place), pkgutil.resolve_name(function)

    def deadly(*arguments: Any, **values: Any) -> Any:
        if moment == "after":
            real(*arguments, **values)
        die()

    setattr(owner, name, deadly)
    with opened(home, keep_versions=1) as host:
        run(host, Kind(kind))


INSIDE = [
    ("install", "hotbay.images:Images.adopt", "before", False),
    ("install", "hotbay.folders:Folders.shelve", "after", False),
    ("install", "hotbay.store:record_migrations", "after", False),
    ("install", "hotbay.store:set_candidate", "after", False),
    ("install", "hotbay.journal:mark_switched", "after", False),
    ("upgrade", "hotbay.store:record_migrations", "after", False),
    ("upgrade", "hotbay.store:put_live", "after", False),
    ("upgrade", "hotbay.journal:mark_switched", "after", False),
    ("upgrade", "hotbay.folders:Folders._discard", "after", True),
    ("upgrade", "hotbay.folders:Folders.publish", "after", True),
    ("upgrade", "hotbay.store:forget_versions", "after", True),
    ("upgrade", "hotbay.journal:close_operation", "before", True),
    ("deactivate", "hotbay.journal:mark_switched", "after", False),
    ("activate", "hotbay.folders:Folders.publish", "before", True),
    ("upgrade", "hotbay.preserve:record_backup", "after", False),
    ("rollback", "hotbay.preserve:put_back", "after", False),
    ("rollback", "hotbay.preserve:mark_restored", "after", False),
    ("rollback", "hotbay.journal:mark_switched", "after", False),
    ("uninstall", "shutil:copytree", "after", False),
    ("uninstall", "hotbay.store:remove_live", "after", False),
    ("uninstall", "hotbay.journal:mark_switched", "after", False),
    ("uninstall", "hotbay.folders:Folders.remove", "before", True),
    ("uninstall", "hotbay.images:Images.remove", "before", True),
    ("uninstall", "hotbay.journal:close_operation", "after", True),
]


@pytest.mark.parametrize(("name", "function", "moment", "new"), INSIDE)
def test_killed_inside_a_step(world: World, name: str, function: str, moment: str, new: bool) -> None:
    home = world.copy(CASES[name].start)
    elsewhere(die_in, home, CASES[name].kind.value, function, moment, expect=KILLED)
    elsewhere(recover_here, home)
    assert_closed(home, name, new=new)
    assert_state(world, home, name, new=new)


def test_killed_while_it_plans(world: World) -> None:
    """Nothing is in the journal yet; what was unpacked is gone after the next operation."""
    home = world.copy("empty")
    elsewhere(die_in, home, "install", "hotbay.journal:open_operation", "before", expect=KILLED)
    assert list((home / "staging").iterdir())
    elsewhere(recover_here, home)
    assert world.look(home) == world.start("empty")
    assert list((home / "staging").iterdir()) == []


def test_a_plan_that_is_made_meanwhile_keeps_its_folder(world: World) -> None:
    home = world.copy("empty")
    with opened(home) as host, host.applier.drafter.draft(Request(Kind.INSTALL, "shop")) as draft:
        elsewhere(recover_here, home)
        assert draft.tree is not None
        assert (draft.tree / "metadata.json").is_file()


# ── recovery itself is cut off ──


def recover_and_die(home: Path, verb: str, moment: str) -> None:
    """Die in recovery: in the undoing of a step, or in its finishing."""
    gc.freeze()
    step = type(STEPS[verb])
    for name in ("do", "undo"):
        real = getattr(step, name)

        def deadly(self: Any, *arguments: Any, real: Any = real) -> Any:
            if moment == "after":
                real(self, *arguments)
            die()

        setattr(step, name, deadly)
    with opened(home) as host:
        host.applier.recover_at_start()


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    ("name", "killed_in", "verb"),
    [
        ("install", "start", "start"),
        ("install", "start", "expand"),
        ("install", "start", "stage"),
        ("upgrade", "start", "expand"),
        ("rollback", "start", "restore"),
        ("rollback", "restore", "backup"),
        ("upgrade", "publish", "publish"),
        ("uninstall", "export", "export"),
        ("uninstall", "drain", "prune"),
    ],
)
def test_recovery_is_killed_and_done_again(world: World, name: str, killed_in: str, verb: str, moment: str) -> None:
    case = CASES[name]
    home = world.copy(case.start)
    elsewhere(operate_and_die, home, case.kind.value, case.values, killed_in, "after", expect=KILLED)
    elsewhere(recover_and_die, home, verb, moment, expect=KILLED)
    elsewhere(recover_here, home)
    new = case.verbs.index(killed_in) > case.verbs.index("switch")
    assert_closed(home, name, new=new)
    assert_state(world, home, name, new=new)


# ── what can't be closed ──


def full(*_: Any) -> Any:
    raise OSError("no space left on device")


def begin(host: OfflineHost, plugin: str) -> None:
    """An installation that is in the journal and was cut off in its first step."""
    with host.applier.drafter.draft(Request(Kind.INSTALL, plugin)) as draft, host.store.write() as connection:
        assert draft.row is not None
        plan = draft.plan.to_json() | {"row": draft.row.to_json()}
        verbs = [step.verb for step in draft.plan.steps]
        number = journal.open_operation(connection, kind="install", plugin=plugin, actor="ann", plan=plan, verbs=verbs)
        journal.mark_step(connection, number, 0, journal.RUNNING)


def running(host: OfflineHost) -> list[tuple[int, str]]:
    return [(row["id"], (row["error"] or {}).get("detail", "")) for row in journal.cut_off(host.store)]


def test_one_that_can_not_be_undone_blocks_its_plugin_only(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    file = shop(world.root / "packages", "1.0.0")
    build(world.root / "packages", "mail")
    build(world.root / "packages", "post", requires=["shop<1.1"])
    home = world.copy("empty")
    elsewhere(operate_and_die, home, "install", {}, "expand", "after", expect=KILLED)
    with opened(home) as host:
        begin(host, "mail")
        images = host.images.all()
        with monkeypatch.context() as patch:
            patch.setattr(type(STEPS["expand"]), "undo", full)
            assert host.applier.recover_at_start() == [2]
            assert running(host) == [(1, "OSError: no space left on device")]
            assert host.images.all() == images, "what is needed to close it was swept away"
            said = r"operation 1, install of shop, .* can't be undone: OSError: no space left on device"
            for wish in (Request(Kind.INSTALL, "shop"), Request(Kind.INSTALL, file=file)):
                with pytest.raises(StateError, match=said):
                    host.applier.run(wish)
            with pytest.raises(StateError, match=said):
                run(host, Kind.INSTALL, "post", with_requirements=True)
            with pytest.raises(StateError, match=said):
                run(host, Kind.UNINSTALL)  # Before it is planned: that would say that it is not installed.
            run(host, Kind.INSTALL, "mail")
            assert host.store.audit_entries(limit=2)[1]["result"] == "refused: state-error"
        run(host, Kind.INSTALL, version="1.0.0")  # the cause is mended
        assert journal.get_operation(host.store, 1)["state"] == journal.UNDONE
        assert set(host.store.all_live()) == {"mail", "shop"}
        assert query(host, "SELECT name FROM shop_items") == [("first",)]


def test_one_that_can_not_be_finished_keeps_what_it_needs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    home = world.copy("one")
    elsewhere(operate_and_die, home, "upgrade", {}, "publish", "before", expect=KILLED)
    with opened(home, keep_versions=1) as host:
        with monkeypatch.context() as patch:
            patch.setattr(type(STEPS["publish"]), "do", full)
            assert host.applier.recover_at_start() == []
            with pytest.raises(StateError, match="upgrade of shop, was cut off and can't be finished: OSError"):
                run(host, Kind.DEACTIVATE)
        assert list((home / "plugins").glob(".hotbay-new-*"))
        assert host.applier.beacon.value % 2 == 0
        assert host.applier.recover_at_start() == [1 + max(row["id"] for row in older(host))]
    assert_closed(home, "upgrade", new=True)
    assert_state(world, home, "upgrade", new=True)


def older(host: OfflineHost) -> list[dict[str, Any]]:
    """All operations but the last."""
    return journal.list_operations(host.store)[1:]


def test_a_journal_that_can_not_be_read_blocks_its_plugin_only(world: World) -> None:
    home = world.copy("one")
    with opened(home) as host:
        with host.store.write() as connection:
            journal.open_operation(connection, kind="upgrade", plugin="mail", actor="ann", plan={}, verbs=[])
        host.applier.beacon.begin()
        run(host, Kind.DEACTIVATE)
        assert [reason for _, reason in running(host)] == ["KeyError: 'kind'"]


# ── what a start wrote ──


def start_and_die(home: Path) -> None:
    """Install a plugin that writes into its own folder when it starts; die before that is in the journal."""
    operate_and_die(home, "install", {"version": "1.3.0rc1"}, "start", "after")


def test_a_first_start_that_was_cut_off_leaves_no_folder(world: World) -> None:
    writes = 'def start(context):\n    (context.data / "x").write_text("")\n'
    shop(world.root / "packages", "1.3.0rc1", backend=writes)
    home = world.copy("empty")
    elsewhere(start_and_die, home, expect=KILLED)
    assert (home / "data" / "shop" / "x").is_file()
    elsewhere(recover_here, home)
    assert not (home / "data" / "shop").exists()
    assert world.look(home) == world.start("empty")


# ── who recovers ──


def test_the_next_operation_recovers_first(world: World) -> None:
    home = world.copy("empty")
    elsewhere(operate_and_die, home, "install", {}, "expand", "after", expect=KILLED)
    with opened(home) as host:
        assert query(host, "SELECT name FROM shop_items") == [("first",)]
        outcome = run(host, Kind.INSTALL, version="1.0.0")
        assert outcome.operation == 2
        assert query(host, "SELECT name FROM shop_items") == [("first",)]
        assert [row["state"] for row in journal.list_operations(host.store)] == [journal.DONE, journal.UNDONE]


def test_undoing_goes_backwards(world: World) -> None:
    """The held requests go on last, when the tables are as the old version knows them."""
    home = world.copy("one")
    elsewhere(operate_and_die, home, "upgrade", {"version": "1.2.0rc1"}, "start", "after", expect=KILLED)
    seen: list[Progress] = []
    host = open_host(settings_for(home), progress=seen.append)
    host.applier.recover_at_start()
    host.close()
    undone = ["start", "expand", "backup", "hold", "shelve", "stage"]
    assert [(item.verb, item.state) for item in seen] == [(verb, "undone") for verb in undone]


def test_what_nothing_points_at_goes_with_it(world: World) -> None:
    home = world.copy("one")
    for name in (f"images/{'0' * 64}", f"images/.gone-{'1' * 64}", "plugins/.hotbay-old-9-shop", "plugins/.mine"):
        (home / name).mkdir()
    elsewhere(operate_and_die, home, "upgrade", {"version": "1.1.0"}, "stage", "before", expect=KILLED)
    elsewhere(recover_here, home)
    assert world.look(home) == world.start("one")
    assert (home / "plugins" / ".mine").is_dir()
    assert not list((home / "plugins").glob(".hotbay*"))


def test_a_start_removes_what_a_power_cut_kept_without_its_record(world: World) -> None:
    home = world.copy("one")
    for name in (f"images/{'0' * 64}", "plugins/.hotbay-new-9-shop"):
        (home / name).mkdir()
    with opened(home) as host:
        host.applier.recover()
        assert "0" * 64 in host.images.all(), "an operation does not take the time to look"
    elsewhere(recover_here, home)
    assert world.look(home) == world.start("one")


def test_who_holds_the_lease_is_left_in_peace(world: World) -> None:
    home = world.copy("empty")
    elsewhere(operate_and_die, home, "install", {}, "expand", "after", expect=KILLED)
    with opened(home) as host:
        with host.applier.lease.hold(0):
            assert host.applier.recover_at_start() == []
            assert len(journal.cut_off(host.store)) == 1
        assert host.applier.recover_at_start() == [1]


def test_nothing_to_recover(world: World) -> None:
    home = world.copy("two")
    with opened(home) as host:
        assert host.applier.recover_at_start() == []
    assert world.look(home) == world.start("two")


def test_whether_something_is_left_is_asked_in_one_transaction(world: World) -> None:
    with opened(world.copy("two")) as host:
        begun: list[object] = []
        event.listen(host.store.engine, "begin", begun.append)
        assert host.applier.recover() == Recovery()
        assert len(begun) == 1


def test_half_a_mark_of_a_dead_process_is_swept(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    kept = {f"{os.getpid()}-ab.new", f"{child.pid}-ab.mark"}
    for name in (*kept, f"{child.pid}-cd.new"):
        (tmp_path / name).touch()
    sweep_marks(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == kept


def test_a_key_that_a_killed_process_had_half_made_is_deleted(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    kept = {"receipts.key", f".receipts.key.{os.getpid()}.0a1b2c3d", ".other.txt"}
    for name in (*kept, f".receipts.key.{child.pid}.0a1b2c3d", f".secret.key.{child.pid}.0a1b2c3d"):
        (tmp_path / name).touch()
    sweep_keys(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == kept
