"""What is written of late beats is read as it was, and the machine's own pauses are told apart."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import stall  # noqa: E402
import stall_record  # noqa: E402


def test_what_a_hypervisor_took_is_that_of_all_processors() -> None:
    lines = [line.split() for line in Path("/proc/stat").read_text().splitlines() if line.startswith("cpu")]
    each = sum(int(fields[8]) for fields in lines if fields[0] != "cpu") / os.sysconf("SC_CLK_TCK")
    assert stall_record.stolen() == pytest.approx(each, abs=1.0)


def test_what_was_taken_is_that_of_the_readings_around(tmp_path: Path) -> None:
    machine = stall_record.Machine(tmp_path / "machine")
    machine._times, machine._taken = [1.0, 2.0, 3.0, 4.0], [0.0, 0.01, 0.01, 0.05]
    assert machine.took(2.5, 2.6) == 0.0
    assert machine.took(1.5, 2.5) == pytest.approx(0.01)
    assert machine.took(3.5, 9.0) == pytest.approx(0.04)
    assert machine.took(0.5, 0.6) == 0.0


def test_the_machine_stood_still_while_no_processor_woke_anybody(tmp_path: Path) -> None:
    machine = stall_record.Machine(tmp_path / "machine")
    assert machine.stood(0.0, 9.0) == 0.0
    machine._witnesses = [types.SimpleNamespace(pid=1), types.SimpleNamespace(pid=2)]  # type: ignore[list-item]
    machine._seen = [stall_record.Late(1, 5.0, 0.3, 0.0, 0.0), stall_record.Late(1, 8.0, 1.0, 0.0, 0.0)]
    assert machine.stood(0.0, 9.0) == 0.0, "the other processor went on"
    machine._seen.append(stall_record.Late(2, 5.1, 0.3, 0.0, 0.0))
    assert machine.stood(0.0, 9.0) == pytest.approx(0.3)
    assert machine.stood(4.9, 5.0) == pytest.approx(0.1)
    assert machine.stood(6.0, 6.5) == 0.0


def test_a_processor_that_does_not_even_run_a_real_time_process_stands_still(tmp_path: Path) -> None:
    machine = stall_record.Machine(tmp_path / "machine")
    machine.real_time = True
    machine._witnesses = [types.SimpleNamespace(pid=1), types.SimpleNamespace(pid=2)]  # type: ignore[list-item]
    machine._seen = [stall_record.Late(1, 5.0, 0.3, 0.0, 0.0), stall_record.Late(2, 4.9, 0.1, 0.0, 0.0)]
    assert machine.stood(0.0, 9.0) == pytest.approx(0.3)
    assert machine.stood(0.0, 4.8) == pytest.approx(0.1)


def test_the_longest_own_stall_need_not_be_in_the_longest(tmp_path: Path) -> None:
    machine = stall_record.Machine(tmp_path / "machine")
    machine.real_time = True
    machine._witnesses = [types.SimpleNamespace(pid=1)]  # type: ignore[list-item]
    machine._seen = [stall_record.Late(1, 5.0, 0.3, 0.0, 0.0)]
    found = [stall_record.Late(9, 5.0, 0.31, 0.0, 0.0), stall_record.Late(9, 6.0, 0.02, 0.0, 0.0)]
    phase = stall.Phase("install", 4.0, 7.0)
    assert stall.longest(found, phase).late == 0.31
    assert stall.longest_own(found, [phase], machine) == pytest.approx(0.02)
    assert stall.longest_own(found, [stall.Phase("install", 8.0, 9.0)], machine) == 0.0


def test_a_witness_on_each_processor_is_late_when_it_is_stopped(tmp_path: Path) -> None:
    with stall_record.Machine(tmp_path / "machine") as machine:
        deadline = time.monotonic() + 20
        while len(list(tmp_path.glob("machine.*"))) < len(machine._witnesses) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.2)
        began = time.monotonic()
        for process in machine._witnesses:
            process.send_signal(signal.SIGSTOP)
        time.sleep(0.3)
        for process in machine._witnesses:
            process.send_signal(signal.SIGCONT)
        time.sleep(0.2)
    assert len(machine._witnesses) == len(os.sched_getaffinity(0))
    assert all(process.poll() is not None for process in machine._witnesses)
    assert machine.stood(began, time.monotonic()) >= 0.2
    hurry = "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))"
    allowed = subprocess.run([sys.executable, "-c", hurry], check=False, capture_output=True).returncode == 0
    assert machine.real_time == allowed


def test_late_beats_are_read_as_they_were_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stall_record, "MOST", 2)
    sheet = stall_record.Sheet(tmp_path / "stalls")
    sheet.add(5.0, 0.2, 0.1, 0.15)
    assert stall_record.read(tmp_path / "stalls") == [stall_record.Late(os.getpid(), 5.0, 0.2, 0.1, 0.15)]
    sheet.add(6.0, 0.3, 0.1, 0.15)
    assert len(stall_record.read(tmp_path / "stalls")) == 2
    with pytest.raises(ValueError, match="more than 2"):
        sheet.add(7.0, 0.3, 0.1, 0.15)
