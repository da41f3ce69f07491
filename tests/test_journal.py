"""The journal: an operation is on record before its first step, and what was cut off is found again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hotbay import journal, store
from hotbay.errors import NotFound
from hotbay.store import Store
from rows import live

CHILD = """
import os, signal, sys
from pathlib import Path
from hotbay import journal, store
from rows import live
registry = store.Store(Path(sys.argv[1]))
with registry.write() as connection:
    number = journal.open_operation(connection, kind="install", plugin="shop", actor="ann", plan={}, verbs=["a", "b"])
with registry.write() as connection:
    journal.mark_step(connection, number, 0, journal.RUNNING)
with registry.write() as connection:
    store.put_live(connection, live())
    journal.mark_switched(connection, number)
    if sys.argv[2] == "inside":
        os.kill(os.getpid(), signal.SIGKILL)
os.kill(os.getpid(), signal.SIGKILL)
"""


def opened(registry: Store, plugin: str = "shop", verbs: tuple[str, ...] = ("stage", "switch")) -> int:
    with registry.write() as connection:
        return journal.open_operation(
            connection, kind="install", plugin=plugin, actor="ann", plan={"a": [1]}, verbs=list(verbs)
        )


def test_all_steps_are_recorded_before_the_first(registry: Store) -> None:
    number = opened(registry)
    found = journal.get_operation(registry, number)
    assert (found["kind"], found["actor"], found["plan"], found["pid"]) == ("install", "ann", {"a": [1]}, os.getpid())
    assert (found["state"], found["switched"], found["finished_at"]) == (journal.RUNNING, False, None)
    assert [(row["seq"], row["verb"], row["state"]) for row in found["steps"]] == [
        (0, "stage", "running"),
        (1, "switch", "pending"),
    ]


def test_an_operation_without_steps(registry: Store) -> None:
    assert journal.step_rows(registry, opened(registry, verbs=())) == []


def test_a_step_is_marked_and_no_other(registry: Store) -> None:
    first, second = opened(registry), opened(registry)
    with registry.write() as connection:
        journal.mark_step(connection, second, 1, journal.DONE, record={"x": 1}, seconds=0.5)
    rows = journal.step_rows(registry, second)
    assert (rows[1]["state"], rows[1]["record"], rows[1]["seconds"]) == (journal.DONE, {"x": 1}, 0.5)
    assert rows[0]["state"] == journal.RUNNING
    assert [row["state"] for row in journal.step_rows(registry, first)] == [journal.RUNNING, "pending"]


def test_an_ended_operation_is_no_longer_cut_off(registry: Store) -> None:
    numbers = [opened(registry), opened(registry), opened(registry)]
    with registry.write() as connection:
        journal.mark_switched(connection, numbers[1])
        journal.close_operation(connection, numbers[1], journal.DONE, result={"ok": True})
    assert [row["id"] for row in journal.cut_off(registry)] == [numbers[0], numbers[2]]
    found = journal.get_operation(registry, numbers[1])
    assert (found["state"], found["switched"], found["result"], found["error"]) == ("done", True, {"ok": True}, None)
    assert found["finished_at"]


def test_what_can_not_be_closed_says_why_and_stays_cut_off(registry: Store) -> None:
    numbers = [opened(registry), opened(registry)]
    with registry.write() as connection:
        journal.mark_stuck(connection, numbers[0], {"detail": "no space"})
    found = [(row["id"], row["state"], row["error"]) for row in journal.cut_off(registry)]
    assert found == [(numbers[0], journal.RUNNING, {"detail": "no space"}), (numbers[1], journal.RUNNING, None)]


def test_lists_are_newest_first(registry: Store) -> None:
    numbers = [opened(registry, plugin) for plugin in ("a", "b", "a")]
    assert [row["id"] for row in journal.list_operations(registry)] == numbers[::-1]
    assert [row["id"] for row in journal.list_operations(registry, plugin="a", limit=1)] == [numbers[2]]


def test_an_operation_that_never_was(registry: Store) -> None:
    with pytest.raises(NotFound, match="no operation 9"):
        journal.get_operation(registry, 9)


def test_numbers_are_never_used_twice(registry: Store) -> None:
    number = opened(registry)
    with registry.write() as connection:
        connection.exec_driver_sql("DELETE FROM hotbay_operations")
    assert opened(registry) > number


@pytest.mark.parametrize("where", ["inside", "after"])
def test_the_switch_and_its_record_are_one(tmp_path: Path, where: str) -> None:
    """SIGKILL before COMMIT leaves neither the row nor the mark, after it both; the step says how far it came."""
    command = [sys.executable, "-c", CHILD, str(tmp_path / "host.db"), where]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    assert subprocess.run(command, check=False, env=environment).returncode == -signal.SIGKILL
    registry = Store(tmp_path / "host.db")
    (operation,) = journal.cut_off(registry)
    switched = where == "after"
    assert operation["switched"] is switched
    assert registry.find_live("shop") == (live() if switched else None)
    assert [row["state"] for row in journal.step_rows(registry, operation["id"])] == [journal.RUNNING, "pending"]
    with registry.write() as connection:
        store.remove_live(connection, "shop")
    registry.close()


def test_what_is_shown_of_a_record_leaves_the_contributions_out() -> None:
    record = {"contributions": {"routes": []}, "Contributions": 1, "image": "x"}
    assert journal.slim(record) == {"Contributions": 1, "image": "x"}
    assert "contributions" in record


def test_a_list_has_fifty_operations_where_nothing_else_is_said(registry: Store) -> None:
    with registry.write() as connection:
        for _ in range(52):
            journal.open_operation(connection, kind="install", plugin="shop", actor="ann", plan={}, verbs=[])
    assert [row["id"] for row in journal.list_operations(registry)] == list(range(52, 2, -1))
