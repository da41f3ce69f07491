"""Verbs that look into a plugin: files, tables."""

from __future__ import annotations

from typing import Any

import click

from hotbay.cli.shell import Shell, Verb, pass_shell, plugin_ids
from hotbay.cli.words import size, table


@click.command(cls=Verb)
@click.argument("plugin", metavar="ID", shell_complete=plugin_ids)
@pass_shell
def files(shell: Shell, /, plugin: str) -> None:
    """List the files of a plugin's code and those in its own folder, with their sizes."""
    from hotbay.belongings import files as belonging

    with shell.registry() as store:
        found = belonging(shell.settings(), store, plugin)
    shell.put(found, lambda: _print_files(found))


def _print_files(found: dict[str, Any]) -> None:
    rows = [(what, file["name"], size(file["bytes"])) for what in ("code", "data") for file in found[what]["files"]]
    table(("OF", "FILE", "SIZE"), rows)
    for what in ("code", "data"):
        folder = found[what]
        click.echo(f"{what}: {folder['count']} files, {size(folder['bytes'])}, in {folder['path']}")


@click.command(cls=Verb)
@click.argument("plugin", metavar="ID", shell_complete=plugin_ids)
@pass_shell
def tables(shell: Shell, /, plugin: str) -> None:
    """List a plugin's tables with their rows and sizes, and the host's tables that it may read."""
    from hotbay.belongings import tables as belonging

    with shell.registry() as store:
        found = belonging(shell.settings(), store, plugin)
    shell.put(found, lambda: _print_tables(found))


def _print_tables(found: dict[str, Any]) -> None:
    own = [(one["name"], "own", one["rows"], _bytes(one["bytes"])) for one in found["tables"]]
    table(("TABLE", "ACCESS", "ROWS", "SIZE"), [*own, *((name, "reads", "", "") for name in found["reads"])])


def _bytes(count: int | None) -> str:
    return "" if count is None else size(count)


VERBS = (files, tables)
