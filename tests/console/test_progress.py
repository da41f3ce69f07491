"""What the journal tells of operations, and that each state is told once and never out of order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hotbay import journal
from hotbay.console.progress import Ladder, Since, read_progress
from hotbay.outcome import Progress
from hotbay.store import Store


def said(operation: int, verb: str, state: str, seq: int = 0) -> Progress:
    return Progress(operation, "install", "notes", verb, state, seq, 2)


def open_one(store: Store) -> int:
    plan = {"title": "install notes 1.0.0", "steps": [{"summary": "unpack"}, {"summary": "serve"}]}
    verbs = ["stage", "switch"]
    with store.write() as connection:
        return journal.open_operation(connection, kind="install", plugin="notes", actor="a", plan=plan, verbs=verbs)


def mark(store: Store, number: int, seq: int, state: str, **values: Any) -> None:
    with store.write() as connection:
        journal.mark_step(connection, number, seq, state, **values)


def test_states_climb_and_never_come_twice() -> None:
    ladder = Ladder()
    assert ladder.climbs(said(1, "", "running"))
    assert not ladder.climbs(said(1, "", "running"))
    assert ladder.climbs(said(1, "stage", "done"))
    assert not ladder.climbs(said(1, "stage", "running"))
    assert ladder.climbs(said(1, "stage", "undone"))
    assert ladder.climbs(said(1, "", "failed"))
    assert not ladder.climbs(said(1, "", "running"))
    assert not ladder.climbs(said(1, "stage", "pending"))


def test_steps_of_one_verb_are_told_apart() -> None:
    ladder = Ladder()
    assert ladder.climbs(said(1, "expand", "done", 1))
    assert ladder.climbs(said(1, "expand", "done", 3))


def test_open_operations_are_asked_for_until_they_end(tmp_path: Path) -> None:
    store, ladder = Store(tmp_path / "x.db"), Ladder()
    before = open_one(store)
    with store.write() as connection:
        journal.close_operation(connection, before, "done", result={"seconds": 1.5})
    assert ladder.news(read_progress(store, ladder.since())) == []

    number = open_one(store)
    mark(store, number, 0, "done", seconds=0.25)
    mark(store, number, 1, "running")
    news = ladder.news(read_progress(store, ladder.since()))
    assert [(item.verb, item.state, item.seconds, item.summary) for item in news] == [
        ("", "running", 0.0, "install notes 1.0.0"),
        ("stage", "done", 0.25, "unpack"),
        ("switch", "running", 0.0, "serve"),
    ]
    assert ladder.since() == Since(number, (number,))
    assert ladder.news(read_progress(store, ladder.since())) == []

    mark(store, number, 1, "done")
    with store.write() as connection:
        journal.close_operation(connection, number, "done", result={"seconds": 2.0})
    news = ladder.news(read_progress(store, ladder.since()))
    assert [(item.verb, item.state) for item in news] == [("switch", "done"), ("", "done")]
    assert news[-1].seconds == 2.0
    assert ladder.since() == Since(number, ())
    store.close()


def test_an_operation_between_two_looks_is_told_whole(tmp_path: Path) -> None:
    store, ladder = Store(tmp_path / "x.db"), Ladder()
    ladder.news(read_progress(store, ladder.since()))
    number = open_one(store)
    mark(store, number, 0, "undone")
    mark(store, number, 1, "failed")
    with store.write() as connection:
        journal.close_operation(connection, number, "undone", error={"detail": "cut off"})
    news = ladder.news(read_progress(store, ladder.since()))
    assert [(item.verb, item.state) for item in news] == [
        ("", "running"),
        ("stage", "undone"),
        ("switch", "failed"),
        ("", "failed"),
    ]
    store.close()


def test_what_ran_when_nobody_listened_is_forgotten() -> None:
    ladder = Ladder()
    ladder.climbs(said(7, "", "running"))
    ladder.forget()
    assert ladder.since() == Since(None, ())


def test_memory_is_bounded_and_open_operations_stay() -> None:
    ladder = Ladder()
    ladder.climbs(said(1, "", "running"))
    for number in range(2, 400):
        ladder.climbs(said(number, "", "running"))
        ladder.climbs(said(number, "", "done"))
    assert len(ladder._told) <= 101
    assert not ladder.climbs(said(1, "", "running"))
    assert ladder.since().open == (1,)
