"""The verb for the publishers that this host trusts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hotbay.cli.shell import Shell, Verb, actor, pass_shell
from hotbay.cli.words import moment, table

if TYPE_CHECKING:
    from hotbay.publishers import Publisher, Publishers

Entry = dict[str, Any]
_MOST = 1024


@click.command(cls=Verb)
@click.argument(
    "what", metavar="[list|trust|distrust]", default="list", type=click.Choice(["list", "trust", "distrust"])
)
@click.argument("who", metavar="[NAME|KEYID]", default="")
@click.argument("key", metavar="[KEY|FILE]", default="")
@pass_shell
def publishers(shell: Shell, /, what: str, who: str, key: str) -> None:
    """List the publishers whose packages count as verified here, trust another key, or trust one no more."""
    from hotbay.publishers import Publishers

    if bool(who) != (what != "list") or bool(key) != (what == "trust"):
        raise click.UsageError("Write `publishers`, `publishers trust NAME KEY|FILE` or `publishers distrust KEYID`.")
    settings = shell.settings()
    with shell.registry() as store:
        known = Publishers(store)
        changed = _change(known, what, who, key)
        document: Entry = {"publishers": [one.to_json() for one in known.all()], "required": settings.require_signature}
    if changed is not None:
        document["changed"] = changed.to_json()
        text = f"{_DONE[what]}: {changed.key.publisher}, key {changed.key.keyid}"
        shell.put(document, text)
    else:
        shell.put(document, lambda: _print(document))


_DONE = {"trust": "trusted from now on", "distrust": "not trusted any more"}


def _change(known: Publishers, what: str, who: str, key: str) -> Publisher | None:
    if what == "trust":
        return known.trust(who, _text(key), actor())
    return known.distrust(who, actor()) if what == "distrust" else None


def _text(key: str) -> str:
    """A public key as it was given, or of the file that was named: its one line."""
    from hotbay.errors import BadInput
    from hotbay.keys import PREFIX

    if key.startswith(PREFIX) or not Path(key).is_file():
        return key
    with Path(key).open("rb") as stream:
        data = stream.read(_MOST)
    if b"PRIVATE KEY" in data:
        raise BadInput(f"{key} is a private key", mend=f"give the public one, {key}.pub, and keep this one to yourself")
    return data.decode("utf-8", "replace")


def _print(document: Entry) -> None:
    rows = [(one["name"], one["keyid"][:16], moment(one["at"]), one["actor"]) for one in document["publishers"]]
    if rows:
        table(("PUBLISHER", "KEY", "TRUSTED SINCE", "BY"), rows)
    else:
        click.echo("No publisher is trusted: no package counts as verified.")
    if document["required"]:
        click.echo("Packages of others are refused (require_signature).")


VERBS = (publishers,)
