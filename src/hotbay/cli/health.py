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
@click.option(
    "--mend",
    "wanted",
    multiple=True,
    metavar="ID|all",
    help="Mend this finding, or all that need no decision. May be repeated.",
)
@click.option("--fix", is_flag=True, help="The same as --mend all.")
@click.pass_context
@pass_shell
def doctor(shell: Shell, /, ctx: click.Context, wanted: tuple[str, ...], fix: bool) -> None:
    """Examine the host: settings, database, code, folders, what is left over, workers, secrets; mend what you name.

    Exit code 11 when something is wrong.
    """
    made: dict[str, Any] = {"mended": [], "failed": []}
    try:
        settings = shell.settings()
        if fix or wanted:
            made = _mend(shell, settings, None if fix or "all" in wanted else wanted)
        findings = _examined(settings)
    except InvalidConfig as error:
        findings = [_finding("wrong", "error", str(error), error.mend)]
    levels = [item["level"] for item in findings]
    sound = "error" not in levels and not made["failed"]
    done = [item["done"] for item in made["mended"]]
    document = {"ok": sound, "fixed": done, **made, "findings": findings}
    shell.put(document, lambda: _print(findings, made, levels))
    ctx.exit(0 if sound else StateError.exit_code)


def _finding(about: str, level: str, message: str, mend: str = "") -> dict[str, Any]:
    from hotbay.doctor import Finding

    return Finding("settings", about, level, message, mend).to_json()


def _examined(settings: Settings) -> list[dict[str, Any]]:
    from hotbay.doctor import examine

    return [_finding("all", "ok", "the settings are valid"), *(finding.to_json() for finding in examine(settings))]


def _mend(shell: Shell, settings: Settings, wanted: tuple[str, ...] | None) -> dict[str, Any]:
    """A host that never ran has nothing to mend. Raises NotFound and Refused for ids that are none, or not mended."""
    from hotbay.doctor import Mended, mend

    if not settings.database_path.exists():
        return Mended().to_json()
    with shell.host() as host:
        return mend(host.applier, wanted).to_json()


def _print(findings: list[dict[str, Any]], made: dict[str, Any], levels: list[str]) -> None:
    for item in made["mended"]:
        click.echo(clean(f"mended: {item['done']}"))
    for item in made["failed"]:
        click.echo(clean(f"not mended: {item['id']}: {item['error']['detail']}"))
    for item in findings:
        word, colour = _MARKS[item["level"]]
        click.echo(clean(f"{click.style(word, fg=colour)} {item['check']}: {item['message']}"))
        if item["mend"]:
            click.echo(clean(f"        {item['mend']}"))
    errors, warnings = levels.count("error"), levels.count("warning")
    click.echo(f"{errors} error(s), {warnings} warning(s)")
    if any(item["fixable"] for item in findings):
        click.echo("`hotbay doctor --mend all` mends what needs no decision.")


VERBS = (doctor,)
