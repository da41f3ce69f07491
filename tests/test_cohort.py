"""The actor's view of the workers: it waits for those who act, and not for those who can't."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hotbay.cohort import Answers, Cohort
from hotbay.presence import Fifo, Status, Workers

WORKER = """
import os, sys, time
from pathlib import Path
from hotbay.presence import Fifo, Status, Workers
workers, name, seconds = Workers(Path(sys.argv[1])), sys.argv[2], float(sys.argv[3])
fifo = Fifo(workers.fifo(name))
workers.write(Status(name, os.getpid(), 0, {}))
print("here", flush=True)
fifo.wait(30)
time.sleep(seconds)
workers.write(Status(name, os.getpid(), 1, {}))
workers.tell_actors()
sys.stdin.read()
"""


@pytest.fixture
def workers(tmp_path: Path) -> Workers:
    """A place to meet."""
    return Workers(tmp_path)


@contextmanager
def worker(workers: Workers, name: str, seconds: float = 0) -> Iterator[subprocess.Popen[str]]:
    """A worker process that acts once, `seconds` after it was told."""
    command = [sys.executable, "-c", WORKER, str(workers.folder), name, str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            assert child.stdout.readline()
            yield child
        finally:
            child.kill()


def acted(status: Status) -> str:
    return "done" if status.beacon >= 1 else "silent"


def gather(workers: Workers, judge: Callable[[Status], str], *, ack: float, seconds: float) -> tuple[Answers, float]:
    began = time.monotonic()
    answers = Cohort(workers, ack).gather(judge, seconds)
    return answers, time.monotonic() - began


def test_nobody_is_there(workers: Workers) -> None:
    answers, seconds = gather(workers, acted, ack=60, seconds=60)
    assert (answers, seconds < 30) == (Answers(), True)
    assert list(workers.folder.iterdir()) == []


def test_all_act(workers: Workers) -> None:
    with worker(workers, "w-1"), worker(workers, "w-2", 0.3):
        answers, seconds = gather(workers, acted, ack=20, seconds=20)
    assert (sorted(answers.done), answers.late) == (["w-1", "w-2"], [])
    assert 0.3 <= seconds < 10


def test_a_silent_worker_is_late(workers: Workers) -> None:
    with worker(workers, "w-1", 30):
        answers, seconds = gather(workers, acted, ack=0.3, seconds=20)
    assert (answers.done, answers.late) == ([], ["w-1"])
    assert 0.3 <= seconds < 5


def test_a_busy_worker_is_waited_for_longer_but_not_for_ever(workers: Workers) -> None:
    def busy(status: Status) -> str:
        return "busy"

    with worker(workers, "w-1"):
        answers, seconds = gather(workers, busy, ack=0.1, seconds=0.6)
    assert answers.late == ["w-1"]
    assert 0.6 <= seconds < 5


def test_a_stopped_worker_is_not_waited_for(workers: Workers) -> None:
    with worker(workers, "w-1", 30) as child:
        child.send_signal(signal.SIGSTOP)
        answers, seconds = gather(workers, acted, ack=20, seconds=20)
        child.send_signal(signal.SIGCONT)
    assert answers.late == ["w-1"]
    assert seconds < 5


def test_a_worker_that_dies_meanwhile_is_not_waited_for(workers: Workers) -> None:
    with worker(workers, "w-1", 30) as child:
        killer = threading.Timer(0.3, lambda: (child.kill(), child.wait()))
        killer.start()
        answers, seconds = gather(workers, acted, ack=20, seconds=20)
        killer.join()
    assert "w-1" not in answers.done
    assert seconds < 10


def test_a_worker_that_appears_meanwhile_is_asked_too(workers: Workers) -> None:
    made: list[Fifo] = []

    def appear() -> None:
        made.append(Fifo(workers.fifo("w-2")))
        workers.write(Status("w-2", os.getpid(), 1, {}))

    with worker(workers, "w-1", 1):
        timer = threading.Timer(0.2, appear)
        timer.start()
        answers, _ = gather(workers, acted, ack=20, seconds=20)
        timer.join()
    assert sorted(answers.done) == ["w-1", "w-2"]
    made[0].close()


def test_a_worker_without_a_status_gets_the_time_of_a_silent_one(workers: Workers) -> None:
    fifo = Fifo(workers.fifo("w-1"))
    answers, seconds = gather(workers, acted, ack=0.2, seconds=20)
    assert answers.late == ["w-1"]
    assert 0.2 <= seconds < 5
    fifo.close()


def test_the_actors_pipe_goes_whatever_the_judge_raises(workers: Workers) -> None:
    def raises(status: Status) -> str:
        raise KeyError

    fifo = Fifo(workers.fifo("w-1"))
    workers.write(Status("w-1", os.getpid(), 0, {}))
    with pytest.raises(KeyError):
        Cohort(workers, 1).gather(raises, 1)
    assert not list(workers.folder.glob("a-*"))
    fifo.close()


def test_a_worker_whose_pipe_outlives_it_is_neither_done_nor_late(tmp_path: Path) -> None:
    """The files of a process that dies go with the last of its threads: until then somebody seems to listen."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    workers, name = Workers(tmp_path), f"w-{child.pid}-abcdef"
    fifo = Fifo(workers.fifo(name))
    workers.write(Status(name, child.pid, 0, {}))
    answers = Cohort(workers, 60.0).gather(lambda status: "silent", 60.0)
    child.wait()
    fifo.close()
    assert (answers.done, answers.late) == ([], [])
