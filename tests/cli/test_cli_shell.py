"""What all verbs share: options, exit codes, JSON, start-up, completion."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from terminal import Terminal, command, environment

from hotbay.cli.commands import commands
from hotbay.cli.shell import Verb
from hotbay.cli.words import clean, pairs, seconds, size

HEAVY = ("sqlalchemy", "fastapi", "starlette", "uvicorn", "rich", "pydantic", "httpx", "cryptography")


@pytest.mark.parametrize("args", [["--help"], ["install", "--help"], ["--version"], ["completion", "fish"]])
def test_help_imports_nothing_heavy(args: list[str]) -> None:
    code = f"""
import sys
from hotbay.cli import main
sys.argv = ["hotbay", *{args!r}]
try:
    main()
finally:
    heavy = sorted(set({HEAVY!r}) & set(sys.modules))
    sys.stderr.write(" ".join(heavy))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_every_verb_takes_json_and_says_what_it_does() -> None:
    assert set(commands.commands) >= {
        "init", "serve", "list", "info", "plan", "install", "activate", "deactivate", "upgrade", "rollback",
        "uninstall", "pack", "check", "new", "logs", "settings", "audit", "operations", "operation", "doctor",
        "completion",
    }  # fmt: skip
    groups = {name: verb for name, verb in commands.commands.items() if isinstance(verb, click.Group)}
    assert all(group.help for group in groups.values())
    inside = {f"{name} {inner}": verb for name, group in groups.items() for inner, verb in group.commands.items()}
    for name, verb in ({**commands.commands, **inside}).items():
        if name in groups:
            continue
        assert isinstance(verb, Verb), name
        assert "--json" in [option for param in verb.params for option in param.opts], name
        assert verb.help, name


def test_errors_are_words_on_stderr_and_exit_codes(terminal: Terminal) -> None:
    done = terminal.run("info", "nobody", code=4)
    assert done.stdout == ""
    assert "there is no plugin 'nobody'" in done.stderr
    assert "mend: `hotbay list`" in done.stderr


def test_errors_are_problem_documents_with_json(terminal: Terminal) -> None:
    found = terminal.json("info", "nobody", code=4)
    assert (found["code"], found["status"], found["title"]) == ("not-found", 404, "NotFound")


def test_usage_errors_exit_2_and_are_json_too(terminal: Terminal) -> None:
    assert "Missing argument" in terminal.run("info", code=2).stderr
    assert terminal.json("info", code=2)["code"] == "usage"
    assert "No such command" in terminal.run("dance", code=2).stderr


def test_a_folder_without_a_host_is_no_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: Terminal
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    done = CliRunner().invoke(commands, ["list"])
    assert done.exit_code == 2
    assert "there is no hotbay.toml" in done.stderr
    assert list(empty.iterdir()) == []
    monkeypatch.setenv("HOTBAY_HOME", str(empty / "var"))
    assert CliRunner().invoke(commands, ["list"]).exit_code == 0


def test_config_can_be_named_from_anywhere(terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal.offer()
    monkeypatch.chdir("/")
    assert [one["id"] for one in terminal.json("list")["available"]] == ["shop"]
    wrong = CliRunner().invoke(commands, ["--config", str(tmp_path / "no.toml"), "list"])
    assert wrong.exit_code == 2
    assert "no.toml" in wrong.stderr


def test_wrong_settings_name_every_one(terminal: Terminal) -> None:
    terminal.config.write_text('drain_seconds = -1\nwhatever = 1\napi_prefix = "x"\n')
    found = terminal.json("list", code=2)
    assert {item["field"] for item in found["problems"]} == {"drain_seconds", "whatever", "api_prefix"}


def test_a_broken_database_is_a_storage_error(terminal: Terminal) -> None:
    (terminal.home / "hotbay.db").write_bytes(b"this is no database, but it is long enough to be looked at" * 100)
    assert terminal.json("list", code=12)["code"] == "storage-error"
    assert "can't be used" in terminal.run("install", "shop", code=12).stderr


def test_a_reader_that_leaves_is_no_traceback() -> None:
    process = subprocess.Popen(
        command(["completion", "bash"]), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(20) == 1
    assert b"Traceback" not in said


def test_what_plugins_say_can_not_command_the_terminal() -> None:
    assert clean("a\tb\nc") == "a\tb\nc"
    assert clean("\x1b]0;title\x07\x1b[2J\x1b[1;1Hx\x9b2J\r") == "\\x1b]0;title\\x07\\x1b[2J\\x1b[1;1Hx\\x9b2J\\x0d"
    assert clean(click.style("error:", fg="red")) == click.style("error:", fg="red")
    assert clean("\x1b[8mhidden") == "\\x1b[8mhidden"


def test_words() -> None:
    assert pairs([("a", 1), ("long", "x\ny"), ("none", "")]) == "a     1\nlong  x\n      y"
    assert [seconds(0.25), seconds(2.5), seconds(None)] == ["250 ms", "2.50 s", ""]
    assert [size(10), size(4096), size(5 * 1024**3)] == ["10 B", "4.0 KiB", "5.0 GiB"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(terminal: Terminal, shell: str) -> None:
    done = terminal.json("completion", shell)
    assert "_HOTBAY_COMPLETE" in done["script"]
    if shell == "bash":
        assert subprocess.run(["bash", "-n"], input=done["script"], text=True, timeout=10).returncode == 0
    terminal.run("completion", "tcsh", code=2)


def test_ids_of_installed_plugins_are_completed(terminal: Terminal) -> None:
    terminal.offer()
    terminal.run("install", "shop")
    found = terminal.spawn_completion("hotbay deactivate s")
    assert "shop" in found
    assert "shop" not in terminal.spawn_completion("hotbay deactivate x")
    assert "uninstall" in terminal.spawn_completion("hotbay un")
    terminal.offer("other")
    offered = terminal.spawn_completion("hotbay install o").split()
    assert offered == ["plain,other", "file,o"]


def test_a_terminal_of_old_shows_what_it_can(terminal: Terminal) -> None:
    terminal.offer(name="Lädchen →")
    done = subprocess.run(
        command(["list"]), cwd=terminal.folder, env=environment(PYTHONIOENCODING="latin-1"), capture_output=True,
        timeout=30,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert "Lädchen \\u2192" in done.stdout.decode("latin-1")


@pytest.mark.parametrize(("missing", "extra", "code"), [("click", "cli", 1), ("fastapi", "fastapi", 1)])
def test_a_missing_extra_is_named(terminal: Terminal, missing: str, extra: str, code: int) -> None:
    terminal.offer()
    script = f"import sys; sys.modules[{missing!r}] = None; from hotbay.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "install", "shop"], cwd=terminal.folder, env=environment(),
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == code and "Traceback" not in done.stderr
    assert missing in done.stderr and f"hotbay[{extra}]" in done.stderr


def test_json_is_json_wherever_it_is_written(terminal: Terminal) -> None:
    done = CliRunner().invoke(commands, ["--config", str(terminal.config), "list", "--json"])
    assert json.loads(done.stdout)["installed"] == []
