"""docs/cli.md tells every command, option and exit code."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from hotbay import errors
from hotbay.cli.commands import commands

TEXT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
SECTIONS = {
    match[1]: match[2] for match in re.finditer(r"^### hotbay (\S+)\n(.*?)(?=^##|\Z)", TEXT, re.MULTILINE | re.DOTALL)
}
COMMON = TEXT.partition("## Options of all commands")[2].partition("\n## ")[0]


def names(command: click.Command) -> list[str]:
    """All spellings of the options of a command, or of a group's commands."""
    inside = command.commands.values() if isinstance(command, click.Group) and command is not commands else ()
    options = [param for param in command.params if isinstance(param, click.Option)]
    own = [name for param in options for name in (*param.opts, *param.secondary_opts)]
    return [*own, *(name for inner in inside for name in names(inner))]


def test_every_command_has_its_section_and_no_other_has() -> None:
    assert set(SECTIONS) == set(commands.commands)


@pytest.mark.parametrize("name", sorted(commands.commands))
def test_every_option_is_told(name: str) -> None:
    told = set(re.findall(r"`(-{1,2}[a-z0-9-]+)", SECTIONS[name]))
    real = set(names(commands.commands[name])) - {"--json"}
    assert real <= told
    assert {option for option in told if option.startswith("--")} <= real | {"--restore"}


def test_every_argument_is_told() -> None:
    for name, command in commands.commands.items():
        for param in command.params:
            if isinstance(param, click.Argument):
                word = (param.metavar or param.name or "").strip("[].").split("|")[0].split("=")[0].upper()
                assert word in SECTIONS[name] or word in ("SHELL", "LIST"), (name, word)


def test_the_options_of_all_commands_are_told() -> None:
    for name in [*names(commands), "--json", "-h", "--help"]:
        assert f"`{name}" in COMMON, name


def test_every_exit_code_is_told() -> None:
    rows = dict(re.findall(r"^\| (\d+) \| (.*?) \|", TEXT, re.MULTILINE))
    classes = [thing for thing in vars(errors).values() if isinstance(thing, type)]
    for one in (item for item in classes if issubclass(item, errors.HotbayError)):
        assert f"`{one.code}`" in rows[str(one.exit_code)], one
