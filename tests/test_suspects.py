"""Marks that survive a crash, and the strikes that they turn into; with processes that really die."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from engine_host import die, elsewhere
from hotbay.errors import ActivationFailed
from hotbay.suspects import Suspects

IMAGE = "a" * 64


@pytest.fixture
def suspects(tmp_path: Path) -> Suspects:
    return Suspects(tmp_path / "loading")


def load_and_die(folder: Path, image: str, operation: int) -> None:
    with Suspects(folder).loading("shop", "1.0.0", image, operation):
        die()


def load_in_two_and_die(folder: Path) -> None:
    """Two workers begin the same load, and one blow ends both."""
    child = os.fork()
    with Suspects(folder).loading("shop", "1.0.0", IMAGE):
        if child:
            while len(list(folder.glob("*.mark"))) < 2:
                time.sleep(0.005)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            die()
        signal.pause()


def crash(suspects: Suspects, image: str = IMAGE, operation: int = 0) -> None:
    elsewhere(load_and_die, suspects.folder, image, operation, expect=-signal.SIGKILL)


def test_nothing_is_held_against_what_nobody_loaded(suspects: Suspects) -> None:
    assert suspects.of(IMAGE) is None
    assert suspects.collect() == suspects.all() == []
    assert suspects.killed_in(1) is None
    assert not suspects.folder.exists()


def test_a_load_that_succeeds_leaves_no_trace(suspects: Suspects) -> None:
    with suspects.loading("shop", "1.0.0", IMAGE):
        assert suspects.collect() == []  # Its process lives.
    assert [path.name for path in suspects.folder.iterdir()] == ["lock"]


def test_a_load_that_fails_is_no_strike(suspects: Suspects) -> None:
    with pytest.raises(ActivationFailed), suspects.loading("shop", "1.0.0", IMAGE):
        raise ActivationFailed("broken")
    assert suspects.all() == []
    assert suspects.collect() == []


def test_a_load_that_is_given_up_is_no_strike(suspects: Suspects) -> None:
    """Ctrl-C and a server that stops cancel it."""
    with pytest.raises(KeyboardInterrupt), suspects.loading("shop", "1.0.0", IMAGE):
        raise KeyboardInterrupt
    assert suspects.collect() == []


def test_two_deaths_are_two_strikes_and_out(suspects: Suspects) -> None:
    crash(suspects)
    (first,) = suspects.collect()
    assert (first.plugin, first.version, first.count, first.out) == ("shop", "1.0.0", 1, False)
    assert "loading shop 1.0.0 killed the process once" in str(first)
    assert suspects.collect() == []
    crash(suspects)
    (second,) = suspects.collect()
    assert (second.count, second.out) == (2, True)
    assert suspects.of(IMAGE) == second
    assert suspects.of("b" * 64) is None


def test_one_success_forgets_a_strike(suspects: Suspects) -> None:
    crash(suspects)
    suspects.collect()
    with suspects.loading("shop", "1.0.0", IMAGE):
        assert suspects.of(IMAGE) is not None
    assert suspects.of(IMAGE) is None
    crash(suspects)
    assert [item.count for item in suspects.collect()] == [1]


def test_workers_that_die_together_are_one_strike(suspects: Suspects) -> None:
    """An admin who kills all processes during a load is not two accidents of the plugin."""
    elsewhere(load_in_two_and_die, suspects.folder, expect=-signal.SIGKILL)
    assert len(list(suspects.folder.glob("*.mark"))) == 2
    assert [item.count for item in suspects.collect()] == [1]


def test_a_death_that_is_collected_late_is_not_counted_twice(suspects: Suspects) -> None:
    """The second worker was in the same load when the first one's death became known."""
    with pytest.raises(KeyboardInterrupt), suspects.loading("shop", "1.0.0", IMAGE):
        crash(suspects)
        suspects.collect()
        mark = next(suspects.folder.glob("*.mark")).read_text()
        raise KeyboardInterrupt
    (suspects.folder / "9-9.mark").write_text(mark)  # As if this process had died too.
    assert suspects.collect() == []
    found = suspects.of(IMAGE)
    assert found is not None and found.count == 1


def test_a_load_that_never_ends_is_a_strike(suspects: Suspects) -> None:
    for count in (1, 2):
        with pytest.raises(ActivationFailed), suspects.loading("shop", "1.0.0", IMAGE):
            raise ActivationFailed("not done within 30 s", hung=True)
        found = suspects.of(IMAGE)
        assert found is not None and (found.count, found.how) == (count, "never ended")


def test_an_operation_knows_what_killed_its_worker(suspects: Suspects) -> None:
    crash(suspects, operation=7)
    found = suspects.killed_in(7)
    assert found is not None and found.count == 1
    assert suspects.killed_in(8) is None
    crash(suspects, operation=8)
    assert suspects.killed_in(8) is not None and suspects.killed_in(7) is not None


def test_who_loads_for_an_operation_is_known_while_it_does(suspects: Suspects) -> None:
    with suspects.loading("shop", "1.0.0", IMAGE, 7):
        assert suspects.in_progress(7) == [os.getpid()]
        assert suspects.in_progress(8) == []
    assert suspects.in_progress(7) == []


@pytest.mark.parametrize("garbage", ["", "{", "[]", '{"image": 5}', '{"image": "x", "count": "many"}', "\0\0"])
def test_garbage_is_nobodys_strike(suspects: Suspects, garbage: str) -> None:
    suspects.folder.mkdir()
    (suspects.folder / "1-2.mark").write_text(garbage)
    (suspects.folder / f"{IMAGE}.strikes").write_text(garbage)
    assert suspects.collect() == []
    assert suspects.of(IMAGE) is None
    assert suspects.all() == []
    assert list(suspects.folder.glob("*.mark")) == []
    crash(suspects)
    assert [item.count for item in suspects.collect()] == [1]


def test_a_folder_that_can_not_be_written_stops_no_load(tmp_path: Path) -> None:
    (tmp_path / "loading").write_text("a file where the folder should be")
    with Suspects(tmp_path / "loading").loading("shop", "1.0.0", IMAGE):
        pass
