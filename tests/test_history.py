"""What is beyond the retention goes from the beginning of the chain, which can still be verified."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine_host import Kind, die, elsewhere, opened, query, run, shop
from hotbay import history, journal
from hotbay.confirm import confirm
from hotbay.errors import NotVerified
from hotbay.history import find_anchor, prune_history
from hotbay.offline import OfflineHost
from hotbay.receipt import ANCHOR, check_whole, verify

KILLED = -9
KINDS = (Kind.INSTALL, Kind.DEACTIVATE, Kind.ACTIVATE, Kind.DEACTIVATE, Kind.ACTIVATE, Kind.BACKUP)


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A host that has done six operations."""
    folder = tmp_path_factory.mktemp("grown")
    (folder / "packages").mkdir()
    shop(folder / "packages", "1.0.0")
    with opened(folder / "home") as host:
        for kind in KINDS:
            run(host, kind)
    return folder


@pytest.fixture
def host(grown: Path, tmp_path: Path) -> Iterator[OfflineHost]:
    shutil.copytree(grown, tmp_path, dirs_exist_ok=True)
    with opened(tmp_path / "home") as made:
        yield made


def prune(host: OfflineHost, most: int = 0, days: float = 0.0) -> int:
    """With a retention that the settings refuse as too small."""
    settings = host.settings.model_copy(update={"history_max": most, "history_days": days})
    return prune_history(settings, host.store, host.applier.notary.key)


def seen(host: OfflineHost) -> tuple[list[int], list[int], list[int]]:
    """Operations, receipts, operations that steps are of. The chain is whole, and the anchor is signed."""
    key = host.applier.notary.key.public
    receipts = [verify(item, key) for item in host.applier.notary.all()]
    anchor = find_anchor(host.store)
    assert check_whole(receipts, None if anchor is None else verify(anchor, key, ANCHOR)) == []
    operations = [row[0] for row in query(host, "SELECT id FROM hotbay_operations ORDER BY id")]
    steps = [row[0] for row in query(host, "SELECT DISTINCT operation FROM hotbay_steps ORDER BY 1")]
    return operations, [item["number"] for item in receipts], steps


def age(host: OfflineHost, *numbers: int) -> None:
    with closing(sqlite3.connect(host.settings.database_path)) as connection, connection:
        for number in numbers:
            sql = "UPDATE hotbay_operations SET finished_at = '2020-01-01T00:00:00.000000+00:00' WHERE id = ?"
            connection.execute(sql, (number,))
            sql = "UPDATE hotbay_audit SET at = '2020-01-01T00:00:00.000000+00:00' WHERE operation = ?"
            connection.execute(sql, (number,))


def test_the_newest_stay_and_what_comes_later_continues_the_chain(host: OfflineHost) -> None:
    assert prune(host, most=4) == 2
    assert seen(host) == ([3, 4, 5, 6], [3, 4, 5, 6], [3, 4, 5, 6])
    run(host, Kind.DEACTIVATE)
    assert prune(host, most=4) == 1
    assert seen(host)[1] == [4, 5, 6, 7]
    assert [entry["operation"] for entry in host.store.audit_entries()] == [7, 6, 5, 4]


def test_the_old_go_but_not_the_last_one(host: OfflineHost) -> None:
    age(host, 1, 2, 4)
    assert prune(host, days=30) == 2
    assert seen(host)[1] == [3, 4, 5, 6]
    age(host, 3, 5, 6)
    prune(host, days=30)
    assert seen(host)[1] == [6]
    assert prune(host, days=30) == 0


def test_without_a_limit_all_stay(host: OfflineHost) -> None:
    age(host, 1, 2, 3)
    assert prune(host) == 0
    assert seen(host)[1] == [1, 2, 3, 4, 5, 6]
    assert find_anchor(host.store) is None


def test_a_piece_at_a_time(host: OfflineHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "PIECE", 2)
    assert [prune(host, most=1) for _ in range(4)] == [2, 2, 1, 0]
    assert seen(host)[1] == [6]
    assert len(host.store.audit_entries()) == 1


def test_what_runs_and_what_waits_for_its_receipt_stays(host: OfflineHost) -> None:
    with host.store.write() as connection:
        number = journal.open_operation(
            connection, kind="deactivate", plugin="shop", actor="x", plan={}, verbs=["drain"]
        )
    assert prune(host, most=1) == 5
    assert seen(host) == ([6, number], [6], [6, number])


def test_an_older_one_that_never_got_a_receipt_goes_with_the_others_unless_it_runs(host: OfflineHost) -> None:
    with closing(sqlite3.connect(host.settings.database_path)) as connection, connection:
        connection.execute("UPDATE hotbay_steps SET operation = 0 WHERE operation = 1 AND seq = 0")
        connection.execute(
            "INSERT INTO hotbay_operations SELECT 0, kind, plugin, actor, state, switched, plan, result, error, pid, "
            "created_at, finished_at FROM hotbay_operations WHERE id = 1"
        )
        connection.execute(
            "INSERT INTO hotbay_operations SELECT -1, kind, plugin, actor, 'running', switched, plan, "
            "result, error, pid, created_at, finished_at FROM hotbay_operations WHERE id = 1"
        )
    assert prune(host, most=4) == 2
    assert seen(host) == ([-1, 3, 4, 5, 6], [3, 4, 5, 6], [3, 4, 5, 6])


def test_a_beginning_that_somebody_cut_off_is_not_taken_for_pruned(host: OfflineHost) -> None:
    prune(host, most=4)
    with closing(sqlite3.connect(host.settings.database_path)) as connection, connection:
        connection.execute("DELETE FROM hotbay_receipts WHERE number = 3")
    with pytest.raises(AssertionError, match="receipt 3 is missing"):
        seen(host)
    anchor = find_anchor(host.store)
    assert anchor is not None
    forged = {**anchor, "receipt": {**anchor["receipt"], "number": 3}}
    with pytest.raises(NotVerified):
        verify(forged, host.applier.notary.key.public, ANCHOR)


def test_an_anchor_is_no_receipt(host: OfflineHost) -> None:
    prune(host, most=4)
    with pytest.raises(NotVerified, match="no hotbay-receipt/1"):
        verify(find_anchor(host.store), host.applier.notary.key.public)


def test_a_start_and_each_receipt_prune(host: OfflineHost, monkeypatch: pytest.MonkeyPatch) -> None:
    notary = host.applier.notary
    monkeypatch.setattr(notary, "settings", host.settings.model_copy(update={"history_max": 4}))
    host.applier.recover_at_start()
    assert seen(host)[1] == [3, 4, 5, 6]
    run(host, Kind.DEACTIVATE)
    assert seen(host)[1] == [4, 5, 6, 7]


def prune_and_die(home: Path, what: str) -> None:
    real: Any = getattr(history, what)

    def deadly(*arguments: Any) -> Any:
        real(*arguments)
        return die()

    setattr(history, what, deadly)
    with opened(home) as host:
        prune(host, most=4)


@pytest.mark.parametrize("what", ["_forget", "_forget_without_receipt"])
def test_killed_in_the_middle_nothing_is_gone(grown: Path, tmp_path: Path, what: str) -> None:
    shutil.copytree(grown, tmp_path, dirs_exist_ok=True)
    elsewhere(prune_and_die, tmp_path / "home", what, expect=KILLED)
    with opened(tmp_path / "home") as host:
        assert seen(host)[1] == [1, 2, 3, 4, 5, 6]
        assert find_anchor(host.store) is None
        assert prune(host, most=4) == 2


def test_what_waits_for_a_confirmation_stays(tmp_path: Path) -> None:
    shop(tmp_path / "packages", "1.0.0")
    with opened(tmp_path / "home") as host:
        for kind in (Kind.INSTALL, Kind.UNINSTALL):
            run(host, kind)
        waits = run(host, Kind.INSTALL, confirm_within=600.0).operation
        for kind in (Kind.DEACTIVATE, Kind.ACTIVATE):
            run(host, kind)
        prune(host, most=1)
        assert seen(host)[0][0] == waits
        confirm(host.applier, "shop")
        prune(host, most=1)
        assert seen(host)[0][0] > waits
