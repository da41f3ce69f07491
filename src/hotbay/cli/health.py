"""The verb for what is wrong: doctor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hotbay.cli.shell import Shell, Verb, pass_shell
from hotbay.cli.words import clean
from hotbay.errors import InvalidConfig, StateError

if TYPE_CHECKING:
    from hotbay.settings import Settings

_MARKS = {"ok": ("ok     ", "green"), "warning": ("warning", "yellow"), "error": ("error  ", "red")}


@click.command(cls=Verb)
@click.option("--fix", is_flag=True, help="Close cut-off operations and clear away what processes that died left.")
@click.pass_context
@pass_shell
def doctor(shell: Shell, /, ctx: click.Context, fix: bool) -> None:
    """Examine the host: settings, database, images, folders, workers, secrets. Exit code 11 when something is wrong."""
    done: list[str] = []
    try:
        settings = shell.settings()
        if fix and settings.database_path.exists():
            done = _fix(shell)
        findings = [{"check": "settings", "level": "ok", "message": "the settings are valid"}, *_examined(settings)]
    except InvalidConfig as error:
        findings = [{"check": "settings", "level": "error", "message": str(error), "mend": error.mend}]
    levels = [item["level"] for item in findings]
    sound = "error" not in levels
    shell.put({"ok": sound, "fixed": done, "findings": findings}, lambda: _print(findings, done, levels))
    ctx.exit(0 if sound else StateError.exit_code)


def _examined(settings: Settings) -> list[dict[str, Any]]:
    from hotbay.doctor import examine

    return [finding.to_json() for finding in examine(settings)]


def _fix(shell: Shell) -> list[str]:
    """Recovery first: it decides which images and folders are still needed."""
    from hotbay.doctor import mend

    with shell.host() as host:
        done = [f"closed operation {number}" for number in host.applier.recover_at_start()]
        return [*done, *mend(host.settings, host.store)]


def _print(findings: list[dict[str, Any]], done: list[str], levels: list[str]) -> None:
    for text in done:
        click.echo(clean(f"fixed: {text}"))
    for item in findings:
        word, colour = _MARKS[item["level"]]
        click.echo(clean(f"{click.style(word, fg=colour)} {item['check']}: {item['message']}"))
        if item.get("mend"):
            click.echo(clean(f"        {item['mend']}"))
    errors, warnings = levels.count("error"), levels.count("warning")
    click.echo(f"{errors} error(s), {warnings} warning(s)")
    if any(item.get("fixable") for item in findings):
        click.echo("`hotbay doctor --fix` mends a part of it.")


VERBS = (doctor,)
