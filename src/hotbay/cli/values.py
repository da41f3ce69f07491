"""The verb for a plugin's settings."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from hotbay.cli.shell import Shell, Verb, actor, pass_shell, plugin_ids
from hotbay.cli.words import table
from hotbay.errors import BadInput, Problem

if TYPE_CHECKING:
    from hotbay.model import Live

Schema = dict[str, Any]


@click.command(cls=Verb)
@click.argument("plugin", metavar="ID", shell_complete=plugin_ids)
@click.argument("changes", metavar="[KEY=VALUE]...", nargs=-1)
@click.option("--unset", multiple=True, metavar="KEY", help="Back to the default. May be repeated.")
@click.option(
    "--secret", multiple=True, metavar="KEY", help="Ask for a secret, or read it from stdin. May be repeated."
)
@pass_shell
def settings(
    shell: Shell, /, plugin: str, changes: tuple[str, ...], unset: tuple[str, ...], secret: tuple[str, ...]
) -> None:
    """Show a plugin's settings, or change them live. Secrets are never shown."""
    with shell.host() as host:
        row = host.store.get_live(plugin)
        schema = row.contributions.settings_schema or {}
        wanted = _changes(plugin, schema, changes) | dict.fromkeys(unset) | {name: _ask(shell, name) for name in secret}
        values = host.change_settings(plugin, wanted, replace=False) if wanted else host.vault.show(plugin, schema)
    document = {"plugin": plugin, "changed": sorted(wanted), "settings": values, "schema": schema}
    shell.put(document, lambda: _print(row, schema, values))


def _changes(plugin: str, schema: Schema, given: tuple[str, ...]) -> dict[str, Any]:
    """The values of KEY=VALUE, each in the type that the schema asks for. Raises BadInput for what is none."""
    from hotbay.vault import secret_fields

    found: dict[str, Any] = {}
    hidden = secret_fields(schema)
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise BadInput(f"{text!r} is no KEY=VALUE", mend="write for example greeting=Hello")
        if name in hidden:
            rule = "is a secret: other users of this machine see command lines"
            problem = Problem(name, rule, mend=f"use `hotbay settings {plugin} --secret {name}`")
            raise BadInput("a secret does not belong on the command line", problems=(problem,))
        found[name] = typed(value, schema, name)
    return found


def typed(text: str, schema: Schema, name: str) -> Any:
    """The text as it is where the schema takes text; otherwise as JSON, if it is JSON (`5`, `true`, `["a"]`)."""
    if _takes_text(schema.get("properties", {}).get(name, {}), schema):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _takes_text(item: Schema, schema: Schema) -> bool:
    if "$ref" in item:
        item = schema.get("$defs", {}).get(str(item["$ref"]).rpartition("/")[2], {})
    choices = [*item.get("anyOf", ()), *item.get("allOf", ())]
    return item.get("type") == "string" or any(_takes_text(choice, schema) for choice in choices)


def _ask(shell: Shell, name: str) -> str:
    """A secret: typed unseen on a terminal, otherwise the next line of stdin."""
    if sys.stdin.isatty() and not shell.json:
        return str(click.prompt(name, hide_input=True, confirmation_prompt=True, err=True))
    line = sys.stdin.readline()
    if not line.strip("\r\n"):
        raise BadInput(f"there is no value for {name} on stdin", mend="pipe it in")
    return line.rstrip("\r\n")


def _print(row: Live, schema: Schema, values: dict[str, Any]) -> None:
    fields = schema.get("properties", {})
    if not fields:
        click.echo(f"{row.plugin} has no settings.")
        return
    rows = [
        (
            name,
            json.dumps(values[name], ensure_ascii=False) if name in values else "",
            fields[name].get("description", ""),
        )
        for name in fields
    ]
    table(("KEY", "VALUE", ""), rows)


@click.command(cls=Verb)
@click.argument("plugin", metavar="ID", shell_complete=plugin_ids)
@click.option("--set", "change", flag_value="set", help="Ask for the key, or read it from stdin.")
@click.option("--remove", "change", flag_value="remove", help="Forget the key.")
@pass_shell
def license(shell: Shell, /, plugin: str, change: str | None) -> None:  # noqa: A001 - a verb's name
    """Say whether there is a licence key for a paid plugin, or take one. The key is never shown."""
    from hotbay.licenses import Licenses

    with shell.host() as host:
        keys = Licenses(host.store, host.vault)
        if change == "set":
            keys.put(plugin, _ask(shell, "licence key"), actor())
        elif change == "remove":
            keys.forget(plugin, actor())
        there = keys.known(plugin)
    text = f"There is {'a' if there else 'no'} licence key for {plugin}."
    shell.put({"plugin": plugin, "license": there}, lambda: click.echo(text))


VERBS = (settings, license)
