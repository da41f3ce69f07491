"""Who is there: pings through pipes, status files, and a lease that the system frees when its holder dies."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hotbay.errors import LeaseHeld
from hotbay.presence import LOOK, MARK, NEVER, TELL, Fifo, Lease, Status, Workers, ping, stopped, wish, wishes

HOLD = """
import sys, time
from pathlib import Path
from hotbay.presence import Lease
with Lease(Path(sys.argv[1])).hold(5, kind="upgrade", plugin="shop", actor="ann"):
    print("held", flush=True)
    sys.stdin.read()
"""
PING = "import sys; from pathlib import Path; from hotbay.presence import ping; print(ping(Path(sys.argv[1])))"


@contextmanager
def process(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A Python process that said its first word."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            assert child.stdout.readline()
            yield child
        finally:
            child.kill()


@pytest.fixture
def workers(tmp_path: Path) -> Workers:
    """A place to meet."""
    return Workers(tmp_path / "run")


@pytest.fixture
def fifo(workers: Workers) -> Iterator[Fifo]:
    """A worker's pipe."""
    made = Fifo(workers.fifo("w-1"))
    yield made
    made.close()


def took(fifo: Fifo, seconds: float) -> float:
    began = time.monotonic()
    fifo.wait(seconds)
    return time.monotonic() - began


# ── pipes ──


def test_a_ping_of_another_process_wakes_the_reader(fifo: Fifo) -> None:
    done = subprocess.run([sys.executable, "-c", PING, str(fifo.path)], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
    assert took(fifo, 5) < 1


def test_many_pings_are_one_and_a_full_pipe_is_no_error(fifo: Fifo) -> None:
    assert all(ping(fifo.path) for _ in range(70_000))
    assert took(fifo, 5) < 1
    assert 0.05 < took(fifo, 0.1) < 2


def test_nobody_reads(tmp_path: Path) -> None:
    assert not ping(tmp_path / "none")
    os.mkfifo(tmp_path / "dead")
    assert not ping(tmp_path / "dead")


def test_a_reader_takes_the_place_of_a_dead_one(fifo: Fifo, workers: Workers) -> None:
    second = Fifo(fifo.path)
    ping(fifo.path)
    assert took(second, 5) < 1
    second.close()
    second.close()
    assert not fifo.path.exists()


def test_a_pipe_is_seen_only_when_it_is_read(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    """An actor that looks between the making and the opening must not take the worker for dead."""
    make = os.mkfifo

    def make_and_look(path: Path, mode: int) -> None:
        make(path, mode)
        workers.signal()
        workers.tell_actors()

    monkeypatch.setattr(os, "mkfifo", make_and_look)
    made = [Fifo(workers.fifo("w-1")), Fifo(workers.fifo("a-1"))]
    assert workers.signal() == ["w-1"]
    assert [item.name for item in sorted(workers.folder.iterdir())] == ["a-1.fifo", "w-1.fifo"]
    for item in made:
        item.close()


def test_a_server_with_thousands_of_connections(fifo: Fifo) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 3000), hard), hard))
    high = fcntl.fcntl(fifo.fd, fcntl.F_DUPFD_CLOEXEC, 2000)
    os.close(fifo.fd)
    fifo.fd = high
    ping(fifo.path)
    assert took(fifo, 5) < 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# ── workers ──


def status(name: str, **values: int) -> Status:
    return Status(name, os.getpid(), values.get("beacon", 0), {"shop": {"revision": 3}})


def test_a_status_is_published_and_read(workers: Workers) -> None:
    workers.write(status("w-1", beacon=4))
    found = workers.read("w-1")
    assert found == status("w-1", beacon=4)
    assert found is not None
    assert (found.of("shop"), found.of("other")) == ({"revision": 3}, {})
    assert workers.read("w-2") is None


@pytest.mark.parametrize("text", ["", "{", "[]", "1", '{"worker": 1}', '{"worker":"a","pid":1,"new":1}'])
def test_a_status_of_another_release_or_half_a_disk_is_none(workers: Workers, text: str) -> None:
    (workers.folder / "w-1.json").write_text(text)
    assert workers.read("w-1") is None


def test_a_reader_never_sees_half_a_status(workers: Workers) -> None:
    big = Status("w-1", 1, 1, {f"plugin{number}": {"revision": number} for number in range(2000)})
    workers.write(big)
    ended = threading.Event()

    def write() -> None:
        while not ended.is_set():
            workers.write(big)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert all(workers.read("w-1") == big for _ in range(40))
    finally:
        ended.set()
        thread.join()


def test_the_living_are_named_and_the_dead_swept(workers: Workers, fifo: Fifo) -> None:
    workers.write(status("w-1"))
    os.mkfifo(workers.fifo("w-dead"))
    workers.write(status("w-dead"))
    assert workers.signal() == ["w-1"]
    assert not list(workers.folder.glob("w-dead*"))
    assert [item.worker for item in workers.statuses()] == ["w-1"]


def test_who_asks_what_they_say_wakes_none(workers: Workers, fifo: Fifo) -> None:
    workers.write(status("w-1"))
    os.mkfifo(workers.fifo("w-dead"))
    workers.write(status("w-dead"))
    assert workers.present() == ["w-1"]
    assert [item.worker for item in workers.statuses()] == ["w-1"]
    assert fifo.drain() == set()
    workers.signal()
    assert fifo.drain() == {LOOK}


def test_a_worker_that_is_killed_is_gone(workers: Workers) -> None:
    code = """
import sys
from pathlib import Path
from hotbay.presence import Fifo, Status, Workers
workers = Workers(Path(sys.argv[1]))
fifo = Fifo(workers.fifo("w-child"))
workers.write(Status("w-child", 1, 0, {}))
print("here", flush=True)
sys.stdin.read()
"""
    with process(code, workers.folder) as child:
        assert workers.signal() == ["w-child"]
        child.kill()
        child.wait()
        assert workers.signal() == []
        assert not list(workers.folder.iterdir())


def test_what_killed_processes_left_is_swept(workers: Workers) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    dead = (f".a-{child.pid}-ab.fifo", f"a-{child.pid}-ab.fifo", f"w-{child.pid}-ab.json", f"w-{child.pid}-ab.tmp")
    kept = (f"w-{os.getpid()}-ab.json", f".a-{os.getpid()}-ab.fifo", "beacon", "lease", "watch", "w-x.json")
    for name in dead + kept:
        (workers.folder / name).touch()
    workers.sweep()
    assert {path.name for path in workers.folder.iterdir()} == set(kept)


def test_actors_are_told_and_dead_ones_swept(workers: Workers) -> None:
    actor = Fifo(workers.fifo("a-1"))
    os.mkfifo(workers.fifo("a-dead"))
    workers.tell_actors()
    assert took(actor, 5) < 1
    assert not workers.fifo("a-dead").exists()
    actor.close()


# ── stopped ──


def until(question: bool, pid: int) -> bool:
    end = time.monotonic() + 5
    while stopped(pid) != question and time.monotonic() < end:
        time.sleep(0.01)
    return stopped(pid) == question


def test_a_stopped_a_zombie_and_a_gone_process() -> None:
    assert not stopped(os.getpid())
    with subprocess.Popen(["sleep", "60"]) as child:
        assert until(False, child.pid)
        child.send_signal(signal.SIGSTOP)
        assert until(True, child.pid)
        child.send_signal(signal.SIGCONT)
        assert until(False, child.pid)
        child.kill()
        assert until(True, child.pid)
        child.wait()
        assert stopped(child.pid)


# ── the lease ──


def test_one_holder_at_a_time_and_the_other_is_told_who(tmp_path: Path) -> None:
    lease = Lease(tmp_path / "run" / "lease")
    with process(HOLD, lease.path) as child:
        words = f"upgrade of shop is in progress .process {child.pid}, by ann."
        with pytest.raises(LeaseHeld, match=words) as caught, lease.hold(0):
            raise AssertionError
        assert caught.value.detail["holder"]["pid"] == child.pid
        began = time.monotonic()
        with pytest.raises(LeaseHeld), lease.hold(0.2):
            raise AssertionError
        assert 0.2 <= time.monotonic() - began < 30


def test_the_system_frees_the_lease_of_a_killed_holder(tmp_path: Path) -> None:
    lease = Lease(tmp_path / "lease")
    with process(HOLD, lease.path) as child:
        killer = threading.Timer(0.2, child.kill)
        killer.start()
        with lease.hold(5, kind="install", plugin="x"):
            assert lease.holder()["plugin"] == "x"
        killer.join()
    assert lease.holder() == {}


def test_a_stopped_holder_keeps_it(tmp_path: Path) -> None:
    lease = Lease(tmp_path / "lease")
    with process(HOLD, lease.path) as child:
        child.send_signal(signal.SIGSTOP)
        with pytest.raises(LeaseHeld), lease.hold(0.1):
            raise AssertionError
        child.send_signal(signal.SIGCONT)


def test_it_is_free_after_the_block_however_that_ended(tmp_path: Path) -> None:
    lease = Lease(tmp_path / "lease")
    with pytest.raises(KeyError), lease.hold(0):
        raise KeyError
    with lease.hold(0), pytest.raises(LeaseHeld, match="an operation of a plugin"), lease.hold(0):
        raise AssertionError
    with lease.hold(0):
        pass


def test_threads_wait_for_each_other(tmp_path: Path) -> None:
    lease, inside, most = Lease(tmp_path / "lease"), 0, 0

    def work() -> None:
        nonlocal inside, most
        with lease.hold(20):
            inside += 1
            most = max(most, inside)
            time.sleep(0.01)
            inside -= 1

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (inside, most) == (0, 1)


@pytest.mark.parametrize("text", ["", "{", "[1]"])
def test_an_unreadable_note_of_the_holder_is_no_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "lease").write_text(text)
    assert Lease(tmp_path / "lease").holder() == {}


def test_a_reader_hears_each_word_once_however_often_it_was_said(tmp_path: Path) -> None:
    fifo = Fifo(tmp_path / "w-1.fifo")
    for word in (LOOK, TELL + "shop", MARK, LOOK, TELL + "shop", TELL):
        ping(fifo.path, word)
    assert fifo.drain() == {LOOK, MARK, TELL, TELL + "shop"}
    assert fifo.drain() == set()
    fifo.close()


def test_of_many_who_ask_the_one_who_wants_most_decides() -> None:
    words = [wish("shop", 7.25), wish("shop", 3.5), wish("shop", NEVER), wish("mail", NEVER), wish("", NEVER)]
    assert wishes(words) == {"shop": 3.5, "mail": NEVER, "": NEVER}
    assert wishes([wish("shop", -1.0)]) == {"shop": -1.0}
