"""At a terminal: questions, Ctrl-C, progress."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import threading
import time

import pytest
from terminal import Terminal, command, environment

from hotbay.cli.progress import Reporter
from hotbay.outcome import Progress


def test_purging_asks_for_the_id_on_a_terminal(terminal: Terminal) -> None:
    terminal.offer()
    terminal.run("install", "shop")
    code, said = in_pty(terminal, ["uninstall", "shop", "--data", "purge"], [("go on", "shap\n")])
    assert code == 5
    assert "will be deleted, but for one backup" in said and "nothing was done" in said
    assert terminal.state() == {"shop": ("1.0.0", "active")}
    code, said = in_pty(terminal, ["uninstall", "shop", "--data", "purge"], [("go on", "shop\n")])
    assert code == 0, said
    assert terminal.state() == {}


def in_pty(terminal: Terminal, args: list[str], answers: list[tuple[str, str]]) -> tuple[int, str]:
    """Run at a terminal that types when it is asked."""
    mine, theirs = pty.openpty()
    process = subprocess.Popen(
        command(args), cwd=terminal.folder, env=environment(TERM="xterm"), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    said = b""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if not select.select([mine], [], [], 0.1)[0]:
            continue
        try:
            said += os.read(mine, 4096)
        except OSError:
            break
        if answers and answers[0][0].encode() in said:
            os.write(mine, answers.pop(0)[1].encode())
    os.close(mine)
    return process.wait(60), said.decode("utf-8", "replace")


def test_secrets_are_typed_unseen(terminal: Terminal) -> None:
    terminal.offer()
    terminal.run("install", "shop")
    answers = [("token:", "hush-hush\n"), ("confirmation:", "hush-hush\n")]
    code, said = in_pty(terminal, ["settings", "shop", "--secret", "token"], answers)
    assert code == 0, said
    assert "hush" not in said and "********" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_takes_an_operation_back_at_once(terminal: Terminal, number: int) -> None:
    folder = terminal.plugin()
    (folder / "backend" / "plugin.py").write_text(
        "import asyncio\nasync def start(context):\n    context.log.info('x')\n    await asyncio.sleep(90)\n"
    )
    process = subprocess.Popen(
        command(["-v", "install", str(folder)]), cwd=terminal.folder, env=environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    timer = threading.Timer(100, process.kill)
    timer.start()
    said = ""
    while "expand: done" not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    time.sleep(0.5)
    process.send_signal(number)
    _, rest = process.communicate()
    timer.cancel()
    assert process.returncode == 130, said + rest
    assert "operation 1 was closed" in rest and "Traceback" not in rest
    assert terminal.state() == {} and terminal.tables() == set()
    assert terminal.json("operation", "1")["state"] == "undone"


# ── progress ────────────────────────────────────────────────────────────────────────────────────────────────────


def step(seq: int, verb: str, state: str, seconds: float = 0.0) -> Progress:
    return Progress(1, "install", "shop", verb, state, seq, 3, seconds, f"do [red]{verb}[/red]")


def test_progress_is_shown_only_for_what_takes_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, patched(patch, 600.0) as reporter:
        reporter(step(0, "stage", "running"))
        reporter(step(0, "stage", "done", 0.1))
    assert capsys.readouterr() == ("", "")
    with Reporter(quiet=False, verbose=False, live=True) as reporter:
        reporter(step(0, "stage", "running"))
        reporter(step(0, "stage", "done", 0.1))
        reporter(step(1, "start", "running"))
        out, err = "", ""
        deadline = time.monotonic() + 90
        while "1/3 stage: done (100 ms)" not in err:
            assert time.monotonic() < deadline
            time.sleep(0.02)
            more = capsys.readouterr()
            out, err = out + more.out, err + more.err
        reporter(step(1, "start", "done", 0.8))
    more = capsys.readouterr()
    assert out + more.out == ""
    assert "2/3 start: done (800 ms)" in more.err


def patched(patch: pytest.MonkeyPatch, patience: float) -> Reporter:
    """A live reporter that waits longer than a busy machine may take."""
    patch.setattr("hotbay.cli.progress.PATIENCE", patience)
    return Reporter(quiet=False, verbose=False, live=True)


def test_progress_is_plain_lines_when_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    for quiet, verbose, expected in ((False, True, "1/3 stage: done (100 ms)\n"), (True, True, ""), (False, False, "")):
        with Reporter(quiet=quiet, verbose=verbose, live=False) as reporter:
            reporter(step(0, "stage", "running"))
            reporter(step(0, "stage", "done", 0.1))
            reporter(step(3, "", "done"))
        assert capsys.readouterr() == ("", expected)
