"""What every verb shares: the options, the host that it works on, and the one place where errors become exit codes."""

from __future__ import annotations

import errno
import getpass
import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.shell_completion import CompletionItem

from hotbay.cli.words import clean
from hotbay.errors import HotbayError, InvalidConfig, StateError

if TYPE_CHECKING:
    from hotbay.offline import OfflineHost
    from hotbay.outcome import Progress
    from hotbay.settings import Settings
    from hotbay.store import Store

_NAMES_A_HOST = ("HOTBAY_CONFIG", "HOTBAY_HOME", "HOTBAY_DATABASE_URL")


@dataclass
class Shell:
    """One run of the command line: its global options and its output."""

    config: Path | None = None
    verbose: bool = False
    json: bool = False

    def settings(self, **overrides: Any) -> Settings:
        """The host's settings. Raises InvalidConfig, also where nothing says which host is meant."""
        from hotbay.settings import CONFIG_NAME, load

        if self.config is None and not Path(CONFIG_NAME).is_file() and not any(map(os.environ.get, _NAMES_A_HOST)):
            raise InvalidConfig(
                f"there is no {CONFIG_NAME} in {Path.cwd()}",
                mend="go to the host's folder, name the file with --config, or make one with `hotbay init`",
            )
        return load(self.config, **overrides)

    @contextmanager
    def registry(self) -> Iterator[Store]:
        """The registry's rows for the block, for verbs that only read: they need not wait for the whole engine."""
        from hotbay.store import Store

        store = Store(self.settings().database_path)
        try:
            with _database_errors(store.path):
                yield store
        finally:
            store.close()

    @contextmanager
    def host(
        self, progress: Callable[[Progress], None] = lambda progress: None, **overrides: Any
    ) -> Iterator[OfflineHost]:
        """The host's state for the block, whether its server runs or not."""
        try:
            from hotbay.offline import open_host
        except ModuleNotFoundError as error:
            mend = "install it with: pip install 'hotbay[fastapi]'"
            raise HotbayError(f"running plugins needs {error.name}", mend=mend) from None

        host = open_host(self.settings(**overrides), actor(), progress)
        try:
            with _database_errors(host.settings.database_path):
                yield host
        finally:
            host.close()

    def put(self, data: Any, text: str | Callable[[], None]) -> None:
        """The verb's answer: one JSON document with --json, otherwise words for people."""
        if self.json:
            click.echo(json.dumps(data, indent=2, default=str))
        elif isinstance(text, str):
            click.echo(clean(text))
        else:
            text()

    def note(self, text: str) -> None:
        """A remark on stderr."""
        if not self.json:
            click.echo(clean(text), err=True)


@contextmanager
def _database_errors(path: Path) -> Iterator[None]:
    """A database that breaks in the middle is a StateError."""
    from sqlalchemy.exc import DatabaseError

    try:
        yield
    except DatabaseError as error:
        mend = "`hotbay doctor` examines it; a database that is only locked needs patience"
        raise StateError(f"{path}: {error.orig}", mend=mend) from error


pass_shell = click.make_pass_decorator(Shell, ensure=True)


def actor() -> str:
    """Who acts, for journal and audit: `cli:<user>`."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError, ImportError):  # a user id without a name
        return f"cli:{os.getuid()}"


def plugin_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Completion: the ids of installed plugins, read without waking the engine; none when they can't be read."""
    import sqlite3

    found: list[str] = []
    with suppress(HotbayError, OSError, sqlite3.Error):
        shell = ctx.find_object(Shell) or Shell()
        path = shell.settings().database_path
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        try:
            found = [row[0] for row in connection.execute("SELECT plugin FROM hotbay_live ORDER BY plugin")]
        finally:
            connection.close()
    return [name for name in found if name.startswith(incomplete)]


def plugin_ids_or_files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completion: installed plugins, and files."""
    found = [CompletionItem(name) for name in plugin_ids(ctx, param, incomplete)]
    return [*found, CompletionItem(incomplete, type="file")]


def offered_ids_or_files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completion: plugins that the local folder offers (a repository is not asked at each key), and files."""
    found: set[str] = set()
    with suppress(HotbayError, OSError):
        from hotbay.source import LocalSource

        shell = ctx.find_object(Shell) or Shell()
        found = {offer.id for offer in LocalSource(shell.settings().packages).list()}
    names = sorted(name for name in found if name.startswith(incomplete))
    return [*map(CompletionItem, names), CompletionItem(incomplete, type="file")]


class Verb(click.Command):
    """A command with --json, whose HotbayErrors become exit codes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        text = "Answer with one JSON document on stdout."
        self.params.append(
            click.Option(["--json"], is_flag=True, expose_value=False, is_eager=True, callback=_as_json, help=text)
        )

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb. Raises Failure for what went wrong in a way that we know."""
        try:
            return super().invoke(ctx)
        except HotbayError as error:
            raise Failure(error) from error
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            raise Failure(HotbayError(f"{error.filename or 'the system'}: {error.strerror or error}")) from error


def _as_json(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        ctx.ensure_object(Shell).json = True


class Failure(click.ClickException):
    """A HotbayError on its way out of the process."""

    def __init__(self, error: HotbayError) -> None:
        super().__init__(error.message)
        self.error = error


class Commands(click.Group):
    """All verbs. A failure is told in words on stderr, or with --json as a problem document on stdout."""

    command_class = Verb

    def main(
        self, args: Sequence[str] | None = None, prog_name: str | None = None, *rest: Any, **extra: Any
    ) -> NoReturn:
        """Run, and leave the process."""
        args = list(sys.argv[1:] if args is None else args)
        _write_anything()
        as_json = "--json" in args
        extra["standalone_mode"] = False
        try:
            code = super().main(args, prog_name, *rest, **extra)
        except Failure as failure:
            _tell(failure.error, as_json=as_json)
            code = failure.error.exit_code
        except click.ClickException as error:
            _tell_usage(error, as_json=as_json)
            code = error.exit_code
        except click.Abort:
            click.echo("Aborted.", err=True)
            code = 130
        sys.exit(code if isinstance(code, int) else 0)


def _write_anything() -> None:
    """A terminal that can't show a character gets its number instead of a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _tell(error: HotbayError, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(error.to_json(), indent=2, default=str))
    else:
        click.echo(clean(f"{click.style('error:', fg='red')} {error}"), err=True)


def _tell_usage(error: click.ClickException, *, as_json: bool) -> None:
    if as_json:
        document = {"type": "urn:hotbay:error:usage", "title": "UsageError", "status": 422, "code": "usage"}
        click.echo(json.dumps(document | {"detail": error.format_message()}, indent=2))
    else:
        error.show()
