"""Verbs for the host: init, serve (as far as it refuses)."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from terminal import Terminal

from hotbay.cli.commands import commands
from hotbay.settings import Settings, load


def run(*args: str, code: int = 0) -> str:
    done = CliRunner().invoke(commands, list(args))
    assert done.exit_code == code, done.output
    return done.output


def test_init_makes_a_host_that_works(terminal: Terminal) -> None:
    terminal.config.unlink()
    said = run("init")
    assert "application: main:app" in said
    settings = load(terminal.config)
    assert (settings.app, settings.app_dir) == ("main:app", terminal.folder)
    assert settings.database_path == terminal.home / "hotbay.db"
    assert settings.plugins.is_dir() and settings.packages == terminal.modules
    terminal.offer()
    terminal.run("install", "shop")
    assert terminal.state() == {"shop": ("1.0.0", "active")}


def test_init_explains_every_setting(terminal: Terminal) -> None:
    run("init", "new")
    text = (terminal.folder / "new" / "hotbay.toml").read_text()
    for name in Settings.model_fields:
        assert f"{name} = " in text, name
    # What stands there commented out is the default, and is valid.
    lines = [line.removeprefix("# ").partition("  #")[0] for line in text.splitlines() if " = " in line]
    given = {name: value for line in lines for name, value in tomllib.loads(line).items()}
    for name, field in Settings.model_fields.items():
        if name not in ("app", "app_dir", "database_url", "local_packages", "plugin_server_url"):
            plain = {"home": str, "metrics_token": lambda token: token.get_secret_value()}.get(
                name, lambda value: value
            )
            assert given[name] == plain(field.default), name


def test_init_overwrites_only_when_forced(terminal: Terminal) -> None:
    before = terminal.config.read_text()
    assert "--force" in run("init", code=5)
    assert terminal.config.read_text() == before
    run("init", "--force", "--app", "other:application", "--home", 'st"ate', "--database", "data/host.db")
    settings = load(terminal.config)
    assert (settings.app, settings.home) == ("other:application", terminal.folder / 'st"ate')
    assert settings.database_path == terminal.folder / "data" / "host.db"
    assert not list(terminal.folder.glob(".hotbay.toml*"))


@pytest.mark.parametrize(("file", "app"), [("main.py", "main:app"), ("app/main.py", "app.main:app"), ("x.py", "")])
def test_init_finds_the_application(tmp_path: Path, file: str, app: str) -> None:
    folder = tmp_path / "project"
    (folder / file).parent.mkdir(parents=True)
    (folder / file).write_text("app = None\n")
    run("init", str(folder))
    assert load(folder / "hotbay.toml").app == app


def test_init_writes_where_config_says(terminal: Terminal) -> None:
    file = terminal.folder / "etc" / "host.toml"
    run("--config", str(file), "init", "--app", "main:app")
    assert load(file).home == terminal.folder / "etc" / "var"


def test_serve_refuses_what_every_worker_would_fail_with(terminal: Terminal) -> None:
    assert "there is no module 'nowhere'" in terminal.run("serve", "nowhere:app", code=2).stderr
    assert "there is no module 'no.where'" in terminal.run("serve", "no.where:app", code=2).stderr
    assert "module:name" in terminal.run("serve", "main", code=2).stderr
    terminal.config.write_text('home = "var"\n')
    assert "no application is named" in terminal.run("serve", code=2).stderr
    terminal.run("serve", "--workers", "0", code=2)
    terminal.run("serve", "--port", "70000", code=2)
