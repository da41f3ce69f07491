"""Verbs that keep a plugin's rows and bring them back: backup, restore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hotbay.cli.change import accept_loss, carry_out, host_of, keep_new_rows, losing, wait
from hotbay.cli.shell import Shell, Verb, pass_shell, plugin_ids
from hotbay.cli.words import moment, size, table
from hotbay.errors import BadInput
from hotbay.model import Kind, Rows

if TYPE_CHECKING:
    from hotbay.backups import Backup


@click.command(cls=Verb)
@click.argument("what", metavar="ID|list|delete", shell_complete=plugin_ids)
@click.argument("which", metavar="[ID|NUMBER]", default="")
@wait
@pass_shell
def backup(shell: Shell, /, what: str, which: str, **wishes: Any) -> None:
    """Write a plugin's rows to a file beside those that operations made; list the backups, or delete one."""
    if what == "list":
        _list(shell, which)
    elif what == "delete":
        _delete(shell, which)
    elif which:
        raise BadInput("back up one plugin at a time", mend=f"write `hotbay backup {what}`")
    else:
        carry_out(shell, Kind.BACKUP, what, **wishes)


def _list(shell: Shell, plugin: str) -> None:
    from hotbay.backups import list_backups

    with shell.registry() as store:
        found = list_backups(store, plugin)
    columns = ("NUMBER", "PLUGIN", "VERSION", "MADE", "BEFORE", "ROWS", "SIZE")
    rows = [_line(item) for item in found]
    shell.put({"backups": [item.to_json() for item in found]}, lambda: table(columns, rows))


def _line(item: Backup) -> tuple[Any, ...]:
    before = f"{item.reason} ({item.operation})" if item.reason != Kind.BACKUP else "-"
    return item.id, item.plugin, item.version or "-", moment(item.at), before, item.rows, size(item.bytes)


def _delete(shell: Shell, number: str) -> None:
    if not number.isdigit():
        raise BadInput("which backup?", mend="`hotbay backup list` shows their numbers")
    with host_of(shell) as host:
        gone = host.applier.delete_backup(int(number))
    shell.put({"deleted": gone.to_json()}, f"backup {gone.id} of {gone.plugin} {gone.version} is deleted")


@click.command(cls=Verb)
@click.argument("plugin", metavar="ID", shell_complete=plugin_ids)
@click.argument("number", metavar="NUMBER|latest")
@keep_new_rows
@accept_loss
@wait
@pass_shell
def restore(shell: Shell, /, plugin: str, number: str, new_rows: bool, yes: bool, **wishes: Any) -> None:
    """Put the rows of a backup in place. Requests wait; the present rows are backed up before."""
    rows = Rows.chosen(keep_new=new_rows)
    losing(shell, Kind.RESTORE, plugin, backup=number, rows=rows, accept_loss=yes, **wishes)


VERBS = (backup, restore)
