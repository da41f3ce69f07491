"""The verbs: each can be undone wherever it was cut off, and what is right of the switch can be repeated."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine_host import TWO, do, opened, prepared, run, seen, shop
from hotbay import journal
from hotbay.beacon import is_odd
from hotbay.bench import Bench
from hotbay.errors import ActivationFailed, Conflict, OperationFailed
from hotbay.model import Contributions, DataPolicy, Kind, Route
from hotbay.offline import OfflineHost
from hotbay.presence import Fifo, Status
from hotbay.steps import STEPS, as_error, judge_prepared
from hotbay.suspects import Suspects


@pytest.fixture
def host(tmp_path: Path) -> Iterator[OfflineHost]:
    """A host with shop 1.0.0 installed and 1.1.0 in its source."""
    shop(tmp_path / "packages", "1.0.0")
    shop(tmp_path / "packages", "1.1.0", migrations=TWO)
    with opened(tmp_path / "home", ack_seconds=0.5, keep_versions=1) as made:
        run(made, Kind.INSTALL, version="1.0.0")
        yield made


# ── undo ──


@pytest.mark.parametrize("record_is_known", [True, False])
def test_what_stands_left_of_the_switch_can_be_undone_from_anywhere(host: OfflineHost, record_is_known: bool) -> None:
    before = seen(host)
    with prepared(host, Kind.UPGRADE) as bench:
        left = [step for step in bench.plan.steps if not step.right and step.verb != "switch"]
        assert [step.verb for step in left] == ["stage", "shelve", "backup", "expand", "start"]
        for step in left:  # an undo before its step did anything
            STEPS[step.verb].undo(bench, {})
        assert seen(host) == before
        # As the journal gives them back.
        records = json.loads(json.dumps([STEPS[step.verb].do(bench, step.params) for step in left]))
        assert seen(host) != before
        for _ in range(2):
            for step, record in zip(reversed(left), reversed(records), strict=True):
                STEPS[step.verb].undo(bench, record if record_is_known else {})
        assert seen(host) == before


def test_the_image_of_another_version_is_never_undone(host: OfflineHost) -> None:
    """A rollback stages what is kept; undoing it must not delete what is kept."""
    run(host, Kind.UPGRADE, version="1.1.0")
    with prepared(host, Kind.ROLLBACK) as bench:
        assert do(bench, "stage") == {"fresh": False}
        STEPS["stage"].undo(bench, {})
        assert bench.plan.after is not None
        assert host.images.has(bench.plan.after.image)


def test_what_is_right_of_the_switch_is_repeated_and_not_undone(host: OfflineHost) -> None:
    with prepared(host, Kind.UNINSTALL, data=DataPolicy.PURGE) as bench:
        do(bench, "switch")
        for step in bench.plan.steps:
            if step.right:
                with pytest.raises(OperationFailed, match="can't be undone"):
                    STEPS[step.verb].undo(bench, {})
                for _ in range(2):
                    STEPS[step.verb].do(bench, step.params)
    found = seen(host)
    assert (found["live"], found["images"], found["folders"], found["registry"]) == ([], [], {}, {})


# ── the switch ──


def test_the_beacon_is_odd_while_the_switch_is_committed_and_even_after(
    host: OfflineHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd: list[bool] = []
    real = journal.mark_switched

    def look(*arguments: Any) -> None:
        odd.append(is_odd(host.applier.beacon.raw))
        real(*arguments)

    monkeypatch.setattr(journal, "mark_switched", look)
    for kind in (Kind.DEACTIVATE, Kind.UNINSTALL):
        before = host.applier.beacon.value
        with prepared(host, kind) as bench:
            do(bench, "switch")
            assert journal.get_operation(host.store, bench.operation)["switched"]
        assert (host.applier.beacon.value > before, host.applier.beacon.value % 2) == (True, 0)
    assert odd == [True, True]


@pytest.mark.parametrize("kind", [Kind.DEACTIVATE, Kind.UNINSTALL])
def test_a_switch_that_does_not_commit_did_nothing_and_nobody_waits(
    host: OfflineHost, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    def full(*_: Any) -> None:
        raise OSError("no space left on device")

    before = seen(host)
    monkeypatch.setattr(journal, "mark_switched", full)
    with prepared(host, kind) as bench:
        with pytest.raises(OSError, match="no space"):
            do(bench, "switch")
        assert not journal.get_operation(host.store, bench.operation)["switched"]
        STEPS["switch"].undo(bench, {})
    assert host.applier.beacon.value % 2 == 0
    assert seen(host) == before


# ── what workers say ──

Answer = Callable[[dict[str, Any] | None], dict[str, Any]]


@contextmanager
def worker(host: OfflineHost, answer: Answer, *, deaf: bool = False) -> Iterator[None]:
    """Somebody who reads a pipe and the candidates and publishes a status, as a worker does; `deaf`: looks never."""
    workers, ended = host.applier.workers, threading.Event()
    fifo = Fifo(workers.fifo("w-1"))

    def say() -> None:
        seen_number = 0 if deaf else host.applier.beacon.value
        candidate = host.store.all_candidates().get("shop")
        plugins = {"shop": {"revision": 1, **answer(candidate)}}
        workers.write(Status("w-1", os.getpid(), seen_number, plugins, attended=seen_number))
        workers.tell_actors()

    def work() -> None:
        while not ended.is_set():
            fifo.wait(0.02)
            say()

    say()
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        fifo.close()


def ready(candidate: dict[str, Any] | None) -> dict[str, Any]:
    """A worker that loaded what it was asked to."""
    if candidate is None or candidate["verb"] != "start":
        return {}
    found = Contributions(routes=(Route("/seen/by/worker"),)).to_json()
    return {"prepared": {"operation": candidate["operation"], "state": "ready", "contributions": found}}


def broken(candidate: dict[str, Any] | None) -> dict[str, Any]:
    """A worker that could not."""
    if candidate is None:
        return {}
    error = ActivationFailed("it is ill", mend="heal it", problems=()).to_json()
    return {"prepared": {"operation": candidate["operation"], "state": "failed", "error": error}}


def started(bench: Bench) -> dict[str, Any]:
    do(bench, "stage")
    return do(bench, "start")


def test_a_worker_that_is_ready_tells_what_it_found(host: OfflineHost) -> None:
    with worker(host, ready), prepared(host, Kind.UPGRADE) as bench:
        record = started(bench)
        assert (record["done"], record["late"]) == (["w-1"], [])
        assert bench.row is not None
        assert [route.path for route in bench.row.contributions.routes] == ["/seen/by/worker"]
        STEPS["start"].undo(bench, record)
        assert host.store.all_candidates() == {}


def test_a_start_that_succeeds_forgets_what_was_held_against_the_image(host: OfflineHost) -> None:
    suspects = Suspects(host.settings.loading)
    with worker(host, ready), prepared(host, Kind.UPGRADE) as bench:
        do(bench, "stage")
        assert bench.row is not None
        image = bench.row.image
        with pytest.raises(ActivationFailed), suspects.loading("shop", "1.1.0", image):
            raise ActivationFailed("it hangs", hung=True)
        assert suspects.of(image) is not None
        do(bench, "start")
        assert suspects.of(image) is None


def test_a_first_starts_folder_goes_when_the_workers_have_let_go(host: OfflineHost) -> None:
    run(host, Kind.UNINSTALL, data=DataPolicy.PURGE)
    own, asked = host.settings.data / "shop", list[int]()

    def slow(candidate: dict[str, Any] | None) -> dict[str, Any]:
        if candidate is not None:
            asked.append(candidate["operation"])
            return ready(candidate)
        if asked and len(asked) < 10:  # still discarding what it prepared, and that writes
            own.mkdir(parents=True, exist_ok=True)
            asked.append(asked[0])
            return {"prepared": {"operation": asked[0], "state": "ready", "contributions": {}}}
        return {}

    with worker(host, slow), prepared(host, Kind.INSTALL) as bench:
        record = started(bench)
        STEPS["start"].undo(bench, record)
        assert len(asked) >= 10
        assert not own.exists()
        STEPS["stage"].undo(bench, {})


def test_a_worker_that_fails_fails_the_step(host: OfflineHost) -> None:
    with worker(host, broken), prepared(host, Kind.UPGRADE) as bench:
        with pytest.raises(ActivationFailed, match="it is ill") as caught:
            started(bench)
        assert caught.value.mend == "heal it"
        STEPS["start"].undo(bench, {})


def test_without_an_answer_it_is_tried_here(host: OfflineHost) -> None:
    with worker(host, lambda candidate: {}), prepared(host, Kind.UPGRADE) as bench:
        record = started(bench)
        assert (record["done"], record["late"]) == ([], ["w-1"])
        assert bench.row is not None
        assert [route.path for route in bench.row.contributions.routes] == ["/api/v1/shop/version"]


def test_what_every_worker_ended_over_is_not_tried_here(host: OfflineHost) -> None:
    ended = threading.Event()

    workers = host.applier.workers
    fifo = Fifo(workers.fifo("w-1"))
    workers.write(Status("w-1", os.getpid(), host.applier.beacon.value, {}))

    def work() -> None:
        while not ended.is_set():
            fifo.wait(0.02)
            if host.store.all_candidates().get("shop") is not None:
                ended.set()
        fifo.close()

    thread = threading.Thread(target=work)
    thread.start()
    with prepared(host, Kind.UPGRADE) as bench:
        with pytest.raises(ActivationFailed, match="every worker ended"):
            started(bench)
        STEPS["start"].undo(bench, {})
    thread.join()


def test_hold_waits_until_the_requests_have_drained(host: OfflineHost) -> None:
    began: list[float] = []

    def draining(candidate: dict[str, Any] | None) -> dict[str, Any]:
        if candidate is None:
            return {}
        began.append(0)
        # Before that it still says what it drained for an older operation.
        return {"drained": candidate["operation"] if len(began) > 10 else candidate["operation"] - 1}

    with worker(host, draining), prepared(host, Kind.UNINSTALL) as bench:
        assert do(bench, "hold") == {"done": ["w-1"], "late": []}
        assert len(began) > 10
        assert host.store.all_candidates()["shop"] == {"verb": "hold", "operation": bench.operation}
        STEPS["hold"].undo(bench, {})
        assert host.store.all_candidates() == {}


@pytest.mark.parametrize("verb", ["shelve", "stage"])
def test_an_undo_waits_for_the_disk(host: OfflineHost, verb: str) -> None:
    """What still writes in a thread would write anew what was just deleted."""
    ended: list[int] = []

    def slow() -> None:
        time.sleep(0.1)
        ended.append(1)

    with prepared(host, Kind.UPGRADE) as bench:
        bench.later(slow)
        STEPS[verb].undo(bench, {})
        assert ended == [1]


def test_hold_does_not_wait_for_one_who_does_not_look(host: OfflineHost) -> None:
    with worker(host, lambda candidate: {}, deaf=True), prepared(host, Kind.UNINSTALL) as bench:
        assert do(bench, "hold") == {"done": [], "late": ["w-1"]}
        record = do(bench, "switch")
        assert record == {"done": [], "late": ["w-1"]}


def test_drain_waits_and_names_what_is_still_alive(host: OfflineHost) -> None:
    asked: list[int] = []

    def leaving(candidate: dict[str, Any] | None) -> dict[str, Any]:
        asked.append(0)
        return {"leaving": len(asked) < 10, "alive": ["shop.routes"], "unload": {"clean": False}}

    with worker(host, leaving), prepared(host, Kind.DEACTIVATE) as bench:
        record = do(bench, "drain")
    assert len(asked) >= 10
    pid = str(os.getpid())
    told = {"alive": {pid: ["shop.routes"]}, "unload": {pid: {"clean": False}}}
    assert record == {"done": ["w-1"], "late": []} | told


def test_the_verdict_on_a_workers_word(host: OfflineHost) -> None:
    with prepared(host, Kind.UPGRADE) as bench:

        def verdict(said: dict[str, Any], failed: list[Any], found: list[Any]) -> str:
            return judge_prepared(Status("w", 1, 0, {"shop": {"prepared": said}}), bench, failed, found)

        mine = {"operation": bench.operation}
        assert verdict({}, [], []) == "silent"
        assert verdict({"operation": bench.operation - 1, "state": "ready"}, [], []) == "silent"
        assert verdict({**mine, "state": "loading"}, [], []) == "busy"
        found: list[Any] = []
        assert verdict({**mine, "state": "ready", "contributions": {"eager": True}}, [], found) == "done"
        assert found == [{"eager": True}]
        failed: list[Any] = []
        assert verdict({**mine, "state": "failed", "error": {"detail": "x"}}, failed, []) == "done"
        # One failure ends the waiting for all.
        assert verdict({**mine, "state": "loading"}, failed, []) == "done"


def test_a_workers_error_arrives_as_it_was() -> None:
    problem = Conflict("x", problems=()).to_json()
    error = as_error(problem | {"problems": [{"field": "f", "value": "v", "rule": "r", "file": "", "mend": "m"}]})
    assert (error.message, error.step, str(error.problems[0])) == ("x", "start", "f: r (got v); m")
    assert as_error({}).message == "the plugin could not be started"
