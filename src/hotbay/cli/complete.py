"""The verb for shell completion."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from hotbay.cli.shell import Shell, Verb, pass_shell
from hotbay.errors import BadInput

_HOW = {
    "bash": 'eval "$(hotbay completion bash)"  in ~/.bashrc',
    "zsh": 'eval "$(hotbay completion zsh)"  in ~/.zshrc',
    "fish": "hotbay completion fish > ~/.config/fish/completions/hotbay.fish",
}


@click.command(cls=Verb)
@click.argument("shell_name", metavar="SHELL", type=click.Choice(sorted(_HOW)))
@click.pass_context
@pass_shell
def completion(shell: Shell, /, ctx: click.Context, shell_name: str) -> None:
    """Print the completion script for bash, zsh or fish. Ids of installed plugins are completed too."""
    kind = get_completion_class(shell_name)
    if kind is None:
        raise BadInput(f"click knows no completion for {shell_name}")
    maker = kind(ctx.find_root().command, {}, "hotbay", "_HOTBAY_COMPLETE")
    script = maker.source_template % maker.source_vars()
    shell.put({"shell": shell_name, "how": _HOW[shell_name], "script": script}, lambda: click.echo(script))


VERBS = (completion,)
