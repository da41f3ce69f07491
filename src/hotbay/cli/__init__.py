"""The command line `hotbay`: one file a group of verbs. Heavy libraries are imported by the verb that needs them."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and leave the process with the error's exit code."""
    try:
        from hotbay.cli.commands import commands
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        sys.exit("error: the command line needs click\n  mend: pip install 'hotbay[cli]'")
    commands.main(prog_name="hotbay")
