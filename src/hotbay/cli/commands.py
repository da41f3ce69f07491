"""All verbs of the command line, in one group."""

from __future__ import annotations

from pathlib import Path

import click

from hotbay import __version__
from hotbay.cli.author import VERBS as AUTHOR
from hotbay.cli.belongings import VERBS as BELONGINGS
from hotbay.cli.change import VERBS as CHANGE
from hotbay.cli.complete import VERBS as COMPLETE
from hotbay.cli.health import VERBS as HEALTH
from hotbay.cli.keep import VERBS as KEEP
from hotbay.cli.look import VERBS as LOOK
from hotbay.cli.past import VERBS as PAST
from hotbay.cli.project import VERBS as PROJECT
from hotbay.cli.publishers import VERBS as PUBLISHERS
from hotbay.cli.receipts import VERBS as RECEIPTS
from hotbay.cli.shell import Commands, Shell
from hotbay.cli.values import VERBS as VALUES


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="hotbay")
@click.option(
    "--config", type=click.Path(path_type=Path, dir_okay=False), help="The host's hotbay.toml. [default: the one here]"
)
@click.option("-v", "--verbose", is_flag=True, help="Say more: each step of an operation.")
@click.pass_context
def commands(ctx: click.Context, config: Path | None, verbose: bool) -> None:
    """Install, upgrade and remove plugins in a Python web application while it serves traffic.

    Works with the server running or stopped, on the same state. The exit code tells the kind of error.
    """
    ctx.obj = Shell(config.absolute() if config else None, verbose)


_HOST = (*PROJECT, *LOOK, *BELONGINGS, *CHANGE, *KEEP, *PAST, *RECEIPTS, *PUBLISHERS, *VALUES, *HEALTH)
for verb in (*_HOST, *AUTHOR, *COMPLETE):
    commands.add_command(verb)
