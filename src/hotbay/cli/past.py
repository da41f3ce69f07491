"""Verbs that tell what happened: audit, operations, operation, logs."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from hotbay.cli.shell import Shell, Verb, pass_shell, plugin_ids
from hotbay.cli.words import clean, moment, pairs, seconds, table
from hotbay.errors import NotFound

Entry = dict[str, Any]
_LOOK_SECONDS = 0.2
_many = click.option(
    "-n", "limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most so many."
)


@click.command(cls=Verb)
@click.argument("plugin", metavar="[ID]", default="", shell_complete=plugin_ids)
@_many
@pass_shell
def audit(shell: Shell, /, plugin: str, limit: int) -> None:
    """Tell who did what, with which result, the newest first."""
    with shell.registry() as store:
        entries = store.audit_entries(plugin, limit)
    names = ("actor", "action", "plugin", "before", "after", "result", "operation")
    columns = ("WHEN", "WHO", "WHAT", "PLUGIN", "FROM", "TO", "RESULT", "OPERATION")
    rows = [(moment(item["at"]), *(item[name] or "" for name in names)) for item in entries]
    shell.put({"audit": entries}, lambda: table(columns, rows))


@click.command(cls=Verb)
@click.argument("plugin", metavar="[ID]", default="", shell_complete=plugin_ids)
@_many
@pass_shell
def operations(shell: Shell, /, plugin: str, limit: int) -> None:
    """List the operations of the journal, the newest first."""
    from hotbay.journal import list_operations

    with shell.registry() as store:
        found = list_operations(store, plugin=plugin, limit=limit)
    rows = [
        (item["id"], moment(item["created_at"]), item["plan"].get("title", item["kind"]), item["state"], item["actor"])
        for item in found
    ]
    shell.put({"operations": found}, lambda: table(("NUMBER", "BEGUN", "OPERATION", "STATE", "WHO"), rows))


@click.command(cls=Verb)
@click.argument("number", metavar="N", type=click.IntRange(1))
@pass_shell
def operation(shell: Shell, /, number: int) -> None:
    """Tell one operation with its steps."""
    from hotbay.journal import get_operation

    with shell.registry() as store:
        found = get_operation(store, number)
    shell.put(found, lambda: _print_operation(found))


def _print_operation(found: Entry) -> None:
    failure = found["error"] or {}
    head = [
        ("operation", f"{found['id']}: {found['plan'].get('title', found['kind'])}"),
        ("state", found["state"] + (" (switched)" if found["switched"] else "")),
        ("by", f"{found['actor']}, process {found['pid']}"),
        ("begun", moment(found["created_at"])),
        ("ended", moment(found["finished_at"])),
        ("failure", failure.get("detail")),
        ("mend", failure.get("mend")),
    ]
    click.echo(clean(pairs(head)) + "\n")
    plan = found["plan"].get("steps", [])
    summaries = [step["summary"] for step in plan] + [""] * len(found["steps"])
    rows = [
        (step["seq"] + 1, step["verb"], step["state"], seconds(step["seconds"]), step["error"] or summary)
        for step, summary in zip(found["steps"], summaries, strict=False)
    ]
    table(("", "STEP", "STATE", "TIME", ""), rows)


@click.command(cls=Verb)
@click.argument("plugin", metavar="ID", shell_complete=plugin_ids)
@_many
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on, until Ctrl-C.")
@pass_shell
def logs(shell: Shell, /, plugin: str, limit: int, follow: bool) -> None:
    """Show the last lines of a plugin's log, of all workers."""
    if follow and shell.json:
        raise click.UsageError("--json is one document: it can't follow.")
    file = shell.settings().logs / f"{Path(plugin).name}.log"
    if not file.is_file():
        _refuse_unknown(shell, plugin)
    lines, place = tail(file, limit)
    shell.put({"plugin": plugin, "file": str(file), "lines": lines}, lambda: _print_lines(lines))
    if follow:
        for line in grow(file, place):
            click.echo(clean(line))


def _refuse_unknown(shell: Shell, plugin: str) -> None:
    """A plugin that has logged nothing has an empty log; one that nobody knows has none."""
    with shell.registry() as store:
        if store.find_live(plugin) is None:
            raise NotFound(f"there is no log of {plugin!r}", mend="`hotbay list` shows what is installed")


def _print_lines(lines: list[str]) -> None:
    for line in lines:
        click.echo(clean(line))


def tail(file: Path, limit: int) -> tuple[list[str], int]:
    """The last lines of a file, and the place where it ends; nothing of a file that is not there."""
    if not file.is_file():
        return [], 0
    with file.open("rb") as stream:
        lines = deque(stream, maxlen=limit)
        return [line.decode("utf-8", "replace").rstrip("\n") for line in lines], stream.tell()


def grow(file: Path, place: int) -> Iterator[str]:
    """Lines as they are written, for ever. A file that was moved away or emptied (logrotate) is read from its start."""
    waiting, known = b"", 0
    while True:
        with suppress(FileNotFoundError), file.open("rb") as stream:
            status = os.fstat(stream.fileno())
            if (known and status.st_ino != known) or status.st_size < place:
                waiting, place = b"", 0
            known = status.st_ino
            stream.seek(place)
            waiting += stream.read()
            place = stream.tell()
        *whole, waiting = waiting.split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in whole)
        if not whole:
            time.sleep(_LOOK_SECONDS)


VERBS = (audit, operations, operation, logs)
