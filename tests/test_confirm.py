"""Commit-confirm: what nobody confirms in time, or does worse than what was before, goes back; code and rows."""

from __future__ import annotations

import asyncio
import gc
import re
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from engine import Engine, Worker
from engine_host import ITEMS, ROW, TWO, die, elsewhere, opened, operate_and_die, query, run, shop, tables
from hotbay import confirm as room
from hotbay import journal, store
from hotbay.confirm import Confirmations, Confirmer, confirm
from hotbay.confirmations import ACTOR, find_confirmation
from hotbay.errors import LeaseHeld, NotFound, StorageError, TooLate
from hotbay.model import DataPolicy, Kind, Rows
from hotbay.moments import Moment, moment
from hotbay.offline import OfflineHost
from hotbay.steps import STEPS
from plugs import hello, until

MINUTES = 600.0


def later(seconds: float = MINUTES) -> Moment:
    """This machine's clocks in some seconds."""
    now = moment()
    return Moment(now.wall + seconds, now.up + seconds, now.boot)


def judge(host: OfflineHost, ahead: float = 0.0) -> Confirmations:
    """Who reverts, with clocks that are ahead."""
    applier = host.applier
    return Confirmations(host.settings, host.store, applier.workers, lambda: applier, lambda: later(ahead))


@pytest.fixture
def host(tmp_path: Path) -> Iterator[OfflineHost]:
    """A host with shop 1.0.0 installed, and newer versions in its source."""
    shop(tmp_path / "packages", "1.0.0")
    shop(tmp_path / "packages", "1.1.0", migrations=TWO)
    with opened(tmp_path / "home", ack_seconds=0.5) as made:
        run(made, Kind.INSTALL, version="1.0.0")
        yield made


def upgrade(host: OfflineHost, **wish: Any) -> int:
    return run(host, Kind.UPGRADE, version="1.1.0", confirm_within=MINUTES, **wish).operation


def write(host: OfflineHost, sql: str) -> None:
    with closing(sqlite3.connect(host.settings.database_path)) as connection, connection:
        connection.execute(sql)


def names(host: OfflineHost) -> list[str]:
    return [row[0] for row in query(host, "SELECT name FROM shop_items ORDER BY id")]


def shown(host: OfflineHost) -> tuple[str, str, str]:
    """Which version is there, what became of the confirmation, and why."""
    item, row = find_confirmation(host.store, "shop"), host.store.find_live("shop")
    return row.version if row else "", item.state if item else "", item.reason if item else ""


# ── the deadline ──


def test_nobody_confirms_and_code_and_rows_go_back(host: OfflineHost) -> None:
    before = tables(host.settings.database_path)
    upgrade(host)
    write(host, "INSERT INTO shop_items (name, price) VALUES ('written since', 5)")
    assert judge(host, MINUTES - 5).look() == []
    assert shown(host) == ("1.1.0", "pending", "")
    why = "nobody confirmed it within 10 min"
    assert judge(host, MINUTES + 1).look() == [f"upgrade of shop 1.1.0 was reverted: {why}"]
    assert shown(host) == ("1.0.0", "reverted", why)
    assert tables(host.settings.database_path) == before
    operation, entry = journal.list_operations(host.store)[0], host.store.audit_entries()[1]
    assert (operation["kind"], operation["plan"]["reason"]) == ("rollback", why)
    assert (entry["actor"], entry["action"], entry["result"]) == (ACTOR, "revert: rollback", why)
    assert (entry["before"], entry["after"], entry["operation"]) == ("1.1.0", "1.0.0", operation["id"])
    assert entry["detail"]["lost"] == {"shop_items": {"added": 1}}
    done = host.store.audit_entries()[0]
    assert (done["action"], done["result"], done["detail"]["reason"]) == ("rollback", "done", why)
    host.applier.notary.write_due()
    assert host.applier.notary.find(operation["id"])["receipt"]["reason"] == why
    assert judge(host, MINUTES + 1).look() == []


def test_rows_that_were_added_stay_where_that_was_wanted(host: OfflineHost) -> None:
    upgrade(host, rows=Rows.MERGE)
    write(host, "INSERT INTO shop_items (name, price) VALUES ('written since', 5)")
    judge(host, MINUTES + 1).look()
    assert (shown(host)[:2], names(host)) == (("1.0.0", "reverted"), ["first", "written since"])


def test_rows_that_do_not_fit_the_older_tables_do_not_keep_it_from_going_back(tmp_path: Path) -> None:
    strict = "CREATE TABLE shop_items (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\n"
    loose = "ALTER TABLE shop_items RENAME TO shop_old;\nCREATE TABLE shop_items (id INTEGER PRIMARY KEY, name TEXT);\n"
    loose += "DROP TABLE shop_old;\n"
    shop(tmp_path / "packages", "1.0.0", migrations={"0001_a.up": strict})
    shop(tmp_path / "packages", "1.1.0", migrations={"0001_a.up": strict, "0002_b.up": loose}, exclusive=True)
    with opened(tmp_path / "home") as host:
        run(host, Kind.INSTALL, version="1.0.0")
        upgrade(host, rows=Rows.MERGE)
        write(host, "INSERT INTO shop_items (name) VALUES (NULL)")
        judge(host, MINUTES + 1).look()
        version, state, reason = shown(host)
        assert (version, state, names(host)) == ("1.0.0", "reverted", [])
        assert "the added rows are in the backup alone" in reason
        backup = host.store.audit_entries()[1]["detail"]["backup"]
        run(host, Kind.UPGRADE, version="1.1.0")
        run(host, Kind.RESTORE, backup=str(backup), accept_loss=True)
        assert names(host) == [None]


def test_one_that_rests_goes_back_and_rests(host: OfflineHost) -> None:
    upgrade(host)
    run(host, Kind.DEACTIVATE)
    judge(host, MINUTES + 1).look()
    assert shown(host)[:2] == ("1.0.0", "reverted")
    assert not host.store.get_live("shop").active


def test_an_upgrade_without_rows_goes_back(tmp_path: Path) -> None:
    for version in ("1.0.0", "1.1.0"):
        shop(tmp_path / "packages", version, migrations={"0001_none.up": "SELECT 1;\n"})
    with opened(tmp_path / "home") as host:
        run(host, Kind.INSTALL, version="1.0.0")
        upgrade(host)
        judge(host, MINUTES + 1).look()
        assert shown(host)[:2] == ("1.0.0", "reverted")


def test_what_a_contract_script_took_away_comes_back(host: OfflineHost, tmp_path: Path) -> None:
    before = tables(host.settings.database_path)
    scripts = {"0001_initial.up": ITEMS + ROW, "0002_label.up": "ALTER TABLE shop_items ADD COLUMN label TEXT;\n"}
    scripts["0002_label.contract"] = "ALTER TABLE shop_items DROP COLUMN name;\n"
    shop(tmp_path / "packages", "1.2.0", migrations=scripts)
    run(host, Kind.UPGRADE, version="1.2.0", confirm_within=MINUTES)
    assert [row[1] for row in query(host, "PRAGMA table_info(shop_items)")] == ["id", "label"]
    judge(host, MINUTES + 1).look()
    assert (shown(host)[:2], tables(host.settings.database_path)) == (("1.0.0", "reverted"), before)


def test_an_install_that_nobody_confirms_is_uninstalled_and_its_rows_are_kept(tmp_path: Path) -> None:
    shop(tmp_path / "packages", "1.0.0")
    with opened(tmp_path / "home") as host:
        run(host, Kind.INSTALL, confirm_within=MINUTES)
        write(host, "INSERT INTO shop_items (name) VALUES ('written since')")
        assert judge(host, MINUTES + 1).look() != []
        assert shown(host) == ("", "reverted", "nobody confirmed it within 10 min")
        assert tables(host.settings.database_path)["rows"] == {}
        with pytest.raises(TooLate, match="was reverted"):
            confirm(host.applier, "shop")
        run(host, Kind.INSTALL, restore="latest")
        assert (shown(host)[:2], names(host)) == (("1.0.0", ""), ["first", "written since"])


def test_tables_that_were_there_before_an_install_stay(host: OfflineHost) -> None:
    run(host, Kind.UNINSTALL, data=DataPolicy.KEEP)
    run(host, Kind.INSTALL, version="1.1.0", confirm_within=MINUTES)
    judge(host, MINUTES + 1).look()
    assert (shown(host)[:2], names(host)) == (("", "reverted"), ["first"])


# ── confirming ──


def test_what_is_confirmed_stays_and_is_confirmed_once(host: OfflineHost) -> None:
    number = upgrade(host)
    found = confirm(host.applier, "shop")
    assert (found.state, found.reason) == ("confirmed", "by ann")
    assert confirm(host.applier, "shop", clock=lambda: later(9 * MINUTES)) == find_confirmation(host.store, "shop")
    assert judge(host, 9 * MINUTES).look() == []
    assert shown(host)[:2] == ("1.1.0", "confirmed")
    entries = [entry for entry in host.store.audit_entries() if entry["action"] == "confirm"]
    assert [(entry["actor"], entry["result"], entry["detail"]) for entry in entries] == [
        ("ann", "done", {"confirmed": number})
    ]


def test_a_confirmation_after_the_deadline_is_too_late(host: OfflineHost) -> None:
    upgrade(host)
    with pytest.raises(TooLate, match=r"upgrade of shop 1\.1\.0 had to be confirmed 1 min ago") as caught:
        confirm(host.applier, "shop", clock=lambda: later(MINUTES + 60))
    assert (caught.value.code, caught.value.exit_code, caught.value.status) == ("too-late", 5, 409)
    assert host.store.audit_entries()[0]["result"] == "refused: too-late"
    judge(host, MINUTES + 1).look()
    with pytest.raises(TooLate, match="was reverted: nobody confirmed it"):
        confirm(host.applier, "shop")


def test_where_there_is_nothing_to_confirm(host: OfflineHost) -> None:
    with pytest.raises(NotFound, match="nothing of shop waits"):
        confirm(host.applier, "shop")
    upgrade(host)
    run(host, Kind.ROLLBACK, accept_loss=True)
    with pytest.raises(NotFound, match="any more: rollback in operation"):
        confirm(host.applier, "shop")


def test_what_counts_is_when_it_was_asked_for(host: OfflineHost) -> None:
    """Waiting for an operation in progress makes nobody late; and who reverts looks again when it is its turn."""
    upgrade(host)
    asked = iter([later(MINUTES - 1)])
    late = judge(host, MINUTES + 1)
    item = find_confirmation(host.store, "shop")
    assert item is not None
    confirm(host.applier, "shop", clock=lambda: next(asked))
    assert late.revert(item, "too late") == ""
    assert shown(host)[:2] == ("1.1.0", "confirmed")


def test_a_confirmation_waits_for_the_lease(tmp_path: Path) -> None:
    shop(tmp_path / "packages", "1.0.0")
    with opened(tmp_path / "home") as host:
        run(host, Kind.INSTALL, confirm_within=MINUTES)
        with host.applier.lease.hold(0, kind="upgrade", plugin="other"), pytest.raises(LeaseHeld):
            confirm(host.applier, "shop")
        with host.applier.lease.hold(0):
            assert judge(host, MINUTES + 1).look() == []
        assert shown(host)[:2] == ("1.0.0", "pending")


def test_a_folder_that_had_to_wait_gets_another_try(host: OfflineHost) -> None:
    upgrade(host)
    with host.store.write() as connection:
        store.put_refusal(connection, "shop", "digest", "not confirmed yet")
    confirm(host.applier, "shop")
    assert host.store.all_refusals() == {}


# ── reverts that fail ──


def test_a_revert_that_fails_is_given_up_and_then_it_can_be_confirmed(
    host: OfflineHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it is to go back to is gone: it does not go to something still older instead."""
    monkeypatch.setattr(room, "_AGAIN_SECONDS", 0.0)
    shop(tmp_path / "packages", "1.0.5")
    run(host, Kind.UPGRADE, version="1.0.5")
    upgrade(host)
    item = find_confirmation(host.store, "shop")
    assert item is not None
    shutil.rmtree(host.images.path(item.before_image))
    who = judge(host, MINUTES + 1)
    for attempt in range(1, room.ATTEMPTS + 1):
        assert shown(host)[1] == "pending"
        assert who.look() == []
        found = find_confirmation(host.store, "shop")
        assert found is not None
        assert found.attempts == attempt
    assert shown(host)[:2] == ("1.1.0", "failed")
    assert "it can't be reverted: no version" in shown(host)[2]
    assert who.look() == []
    assert host.store.audit_entries()[0]["result"] == "failed: it is given up"
    confirm(host.applier, "shop")
    assert shown(host)[:2] == ("1.1.0", "confirmed")


def test_it_is_not_tried_again_at_once(host: OfflineHost) -> None:
    upgrade(host)
    shutil.rmtree(host.images.path(find_confirmation(host.store, "shop").before_image))  # type: ignore[union-attr]
    who = judge(host, MINUTES + 1)
    who.look()
    who.look()
    assert find_confirmation(host.store, "shop").attempts == 1  # type: ignore[union-attr]


def test_a_full_disk_is_no_failed_attempt(host: OfflineHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_AGAIN_SECONDS", 0.0)
    upgrade(host)
    who, back = judge(host, MINUTES + 1), type(STEPS["backup"])
    with monkeypatch.context() as full:

        def refuse(*_: Any) -> None:
            raise StorageError("the disk is full")

        full.setattr(back, "do", refuse)
        assert who.look() == []
    assert find_confirmation(host.store, "shop").attempts == 0  # type: ignore[union-attr]
    assert len(who.look()) == 1


# ── the machine ──


def test_after_a_start_of_the_machine_the_time_goes_on_from_what_is_known(host: OfflineHost) -> None:
    upgrade(host)
    first = find_confirmation(host.store, "shop")
    assert first is not None
    who = judge(host)
    who.clock = lambda: Moment(first.wall + 60, 5.0, "next")
    assert who.look() == []
    found = find_confirmation(host.store, "shop")
    assert found is not None
    assert (found.boot, found.up, found.used) == ("next", 5.0, pytest.approx(60.0))
    who.clock = lambda: Moment(first.wall - 86400, 5.0 + MINUTES - 59, "next")  # Somebody set the clock back.
    assert len(who.look()) == 1
    assert shown(host)[:2] == ("1.0.0", "reverted")


# ── killed ──


def revert_and_die(home: Path, verb: str, when: str) -> None:
    """Revert in this process and die in a step: before or after its effect."""
    gc.freeze()
    do = type(STEPS[verb]).do

    def deadly(step: Any, bench: Any, params: Any) -> Any:
        if when == "after":
            do(step, bench, params)
        die()

    type(STEPS[verb]).do = deadly  # type: ignore[method-assign,assignment]
    with opened(home) as host:
        judge(host, MINUTES + 1).look()


def revert_here(home: Path) -> None:
    """What the server that is started next does."""
    gc.freeze()
    with opened(home) as host:
        host.applier.recover_at_start()
        judge(host, MINUTES + 1).look()


@pytest.mark.parametrize(
    ("verb", "when"),
    [("restore", "after"), ("start", "before"), ("switch", "before"), ("switch", "after"), ("publish", "after")],
)
def test_a_revert_that_is_killed_is_done_once_by_the_next(host: OfflineHost, verb: str, when: str) -> None:
    before = tables(host.settings.database_path)
    upgrade(host)
    write(host, "INSERT INTO shop_items (name, price) VALUES ('written since', 5)")
    home = host.settings.home
    elsewhere(revert_and_die, home, verb, when, expect=-9)
    switched = (verb, when) in (("switch", "after"), ("publish", "after"))
    assert shown(host)[:2] == (("1.0.0", "reverted") if switched else ("1.1.0", "pending"))
    if not switched:
        with pytest.raises(TooLate):
            confirm(host.applier, "shop", clock=lambda: later(MINUTES + 1))
    elsewhere(revert_here, home)
    assert shown(host) == ("1.0.0", "reverted", "nobody confirmed it within 10 min")
    assert tables(host.settings.database_path) == before
    assert journal.cut_off(host.store) == []
    reverted = [entry["detail"]["lost"] for entry in host.store.audit_entries() if entry["action"].startswith("revert")]
    assert reverted == [{"shop_items": {"added": 1}}]
    recovered = [entry["detail"] for entry in host.store.audit_entries() if entry["result"].startswith("recovered")]
    assert recovered == [{"reason": "nobody confirmed it within 10 min"}]


@pytest.mark.parametrize(("when", "state"), [("before", ""), ("after", "pending")])
def test_an_upgrade_that_is_killed_in_its_switch_is_to_be_confirmed_if_it_has_switched(
    host: OfflineHost, when: str, state: str
) -> None:
    wish = {"version": "1.1.0", "confirm_within": MINUTES}
    elsewhere(operate_and_die, host.settings.home, "upgrade", wish, "switch", when, expect=-9)
    host.applier.recover_at_start()
    assert shown(host)[:2] == ("1.1.0" if state else "1.0.0", state)


# ── early, with workers ──

SICK = """
from pathlib import Path

def health(context):
    return not (context.data / f"sick-{context.generation}").exists()
"""
BOOM = hello("shop", "2.0.0") + '\n@router.get("/boom")\nasync def boom():\n    raise RuntimeError("boom")\n'


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_TURN_SECONDS", 0.02)


@pytest.fixture
def engine(tmp_path: Path, quick: None) -> Iterator[Engine]:
    made = Engine(tmp_path, confirm_check_seconds=0.1, error_requests=5)
    yield made
    made.host.close()


@asynccontextmanager
async def confirming(engine: Engine, *workers: Worker, ahead: float = 0.0) -> AsyncIterator[list[Confirmer]]:
    """Every worker's part, for the block."""
    parts = [Confirmer(worker.follower, judge(engine.host, ahead)) for worker in workers]
    for part in parts:
        part.start()
    try:
        yield parts
    finally:
        for part in parts:
            await part.stop()


async def bring(engine: Engine, version: str, files: Any = None, **wish: Any) -> None:
    await engine.run(Kind.UPGRADE, file=engine.archive("shop", version, files), **wish)


def state(engine: Engine) -> str:
    return shown(engine.host)[1]


async def test_one_worker_reverts_what_nobody_confirmed(engine: Engine) -> None:
    await engine.install()
    async with engine.worker() as one, engine.worker() as other:
        await bring(engine, "2.0.0", confirm_within=MINUTES)
        async with confirming(engine, one, other, ahead=MINUTES):
            assert await one.version() == "2.0.0"
            await until(lambda: state(engine) == "reverted")
        assert [await one.version(), await other.version()] == ["1.0.0", "1.0.0"]
    kinds = [item["kind"] for item in journal.list_operations(engine.host.store)]
    assert kinds == ["rollback", "upgrade", "install"]


async def test_bad_health_in_any_worker_reverts_it_early(engine: Engine) -> None:
    await engine.install()
    async with engine.worker() as one, engine.worker() as other:
        files = {"routes.py": hello("shop", "2.0.0"), "plugin.py": SICK}
        await bring(engine, "2.0.0", files, confirm_within=MINUTES)
        folder = engine.host.settings.data / "shop"
        async with confirming(engine, one, other):
            await until(lambda: "health" in one.follower.status().of("shop"))
            assert one.follower.status().of("shop")["health"]["failed"] == 0
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"sick-{other.generation().number}").touch()
            await until(lambda: state(engine) == "reverted")
            await until(lambda: not one.follower.healths)
        assert await one.version() == "1.0.0"
    reason = shown(engine.host)[2]
    assert re.match(r"it was not healthy [3-9] times in a row: shop 2\.0\.0 says that it is not healthy", reason)


async def test_health_that_comes_back_reverts_nothing(engine: Engine) -> None:
    await engine.install()
    async with engine.worker() as worker:
        await bring(engine, "2.0.0", confirm_within=MINUTES)
        image = find_confirmation(engine.host.store, "shop").image  # type: ignore[union-attr]
        who = judge(engine.host)
        for failed, told in ((2, image), (9, "another image")):
            worker.follower.tell_health("shop", {"image": told, "failed": failed, "problem": "no"})
            await until(
                lambda told=told: (
                    worker.follower.workers.statuses()[0].of("shop").get("health", {}).get("image") == told
                )
            )
            who._looked = 0.0
            assert await asyncio.to_thread(who.look) == []
        async with confirming(engine, worker):
            await until(lambda: worker.follower.healths["shop"] == {"image": image, "failed": 0, "problem": ""})
        assert await worker.version() == "2.0.0"


async def test_one_that_sleeps_is_woken_by_the_worker_that_judges(engine: Engine) -> None:
    """After a restart nothing of it is loaded: whether it still loads is a matter of health."""
    await engine.install()
    await bring(engine, "2.0.0", confirm_within=MINUTES)
    shutil.rmtree(engine.host.images.path(engine.host.store.get_live("shop").image) / "backend")
    async with engine.worker() as worker, confirming(engine, worker):
        await until(lambda: state(engine) == "reverted" or worker.generation() is not None)


async def ask(worker: Worker, path: str, times: int) -> None:
    for _ in range(times):
        try:
            await worker.get(f"/api/v1/shop/{path}")
        except RuntimeError:
            assert path == "boom"


@pytest.mark.parametrize(
    ("before", "after", "reverted"),
    [
        ((0, 5), (1, 4), True),
        ((0, 10), (1, 9), False),  # Exactly the margin.
        ((3, 3), (3, 2), False),  # It was as bad before: 50 % and 60 %.
        ((0, 0), (4, 0), False),  # Too few to judge.
        ((1, 0), (1, 4), True),  # What was known before was too little: none is what one may expect.
    ],
)
async def test_more_failures_than_before_revert_it_early(
    engine: Engine, before: tuple[int, int], after: tuple[int, int], reverted: bool
) -> None:
    await engine.install("shop", "1.0.0", {"routes.py": BOOM.replace("2.0.0", "1.0.0")})
    async with engine.worker() as worker:
        await ask(worker, "boom", before[0])
        await ask(worker, "version", before[1])
        await bring(engine, "2.0.0", {"routes.py": BOOM}, confirm_within=MINUTES)
        found = find_confirmation(engine.host.store, "shop")
        assert found is not None
        assert (found.requests, found.failed) == (sum(before), before[0])
        await ask(worker, "boom", after[0])
        await ask(worker, "version", after[1])
        await asyncio.to_thread(judge(engine.host).look)
        assert state(engine) == ("reverted" if reverted else "pending")
        if reverted:
            assert shown(engine.host)[2].startswith(f"{after[0]} of {sum(after)} requests failed within ")


async def test_one_that_was_left_out_is_reverted(engine: Engine) -> None:
    await engine.install()
    await bring(engine, "2.0.0", confirm_within=MINUTES)
    with engine.host.store.write() as connection:
        store.set_problem(connection, "shop", "left out: it killed the host")
    await asyncio.to_thread(judge(engine.host).look)
    assert shown(engine.host) == ("1.0.0", "reverted", "it does not serve: left out: it killed the host")


async def test_safe_mode_judges_nothing(engine: Engine) -> None:
    await engine.install()
    await bring(engine, "2.0.0", confirm_within=MINUTES)
    async with engine.worker() as worker:
        who = judge(engine.host, MINUTES + 1)
        who.settings = engine.host.settings.model_copy(update={"safe_mode": True})
        part = Confirmer(worker.follower, who)
        part.start()
        await asyncio.sleep(0.1)
        await part.stop()
    assert state(engine) == "pending"
