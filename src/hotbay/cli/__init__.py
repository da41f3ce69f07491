"""The command line `hotbay`: one file a group of verbs. Heavy libraries are imported by the verb that needs them."""

from __future__ import annotations

from hotbay.cli.commands import commands

__all__ = ["commands", "main"]


def main() -> None:
    """Run the command line and leave the process with the error's exit code."""
    commands.main(prog_name="hotbay")
