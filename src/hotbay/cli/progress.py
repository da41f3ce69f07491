"""Progress of operations on stderr: live on a terminal once half a second has passed, plain lines with --verbose."""

from __future__ import annotations

import sys
import threading
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from hotbay.cli.words import clean, seconds

if TYPE_CHECKING:
    from hotbay.outcome import Progress

PATIENCE = 0.5


class Reporter(AbstractContextManager["Reporter"]):
    """Called with each Progress of an operation. Steps that are done are told; the one that runs is shown live."""

    def __init__(self, *, quiet: bool, verbose: bool, live: bool | None = None) -> None:
        self._live = (sys.stderr.isatty() if live is None else live) and not quiet
        self._verbose = verbose and not quiet
        self._lock = threading.Lock()
        self._status: Any = None
        self._text = ""
        self._told: list[str] = []
        self._timer = threading.Timer(PATIENCE, self._show)
        self._timer.daemon = True

    def __enter__(self) -> Reporter:
        if self._live:
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            self._live = False
            if self._status is not None:
                self._status.stop()

    def __call__(self, progress: Progress) -> None:
        """Take note of what happens."""
        with self._lock:
            if not progress.verb:
                return
            place = f"{progress.seq + 1}/{progress.total} {progress.verb}"
            if progress.state == "running":
                self._text = f"{place}: {progress.summary}"
                if self._status is not None:
                    self._status.update(_plain(self._text))
            else:
                time = f" ({seconds(progress.seconds)})" if progress.seconds else ""
                self._tell(f"{place}: {progress.state}{time}")

    def _tell(self, line: str) -> None:
        if self._verbose or self._status is not None:
            self._print(line)
        elif self._live:
            self._told.append(line)

    def _print(self, line: str) -> None:
        if self._status is not None:
            self._status.console.print(_plain(line))
        else:
            click.echo(clean(line), err=True)

    def _show(self) -> None:
        """It takes long enough to be shown, with what was done so far."""
        from rich.console import Console

        with self._lock:
            if not self._live:
                return
            self._status = Console(stderr=True, highlight=False).status(_plain(self._text))
            for line in self._told:
                self._print(line)
            self._status.start()


def _plain(text: str) -> Any:
    from rich.text import Text

    return Text(clean(text))
