"""Verbs that change what is installed: plan, install, upgrade, confirm, activate, deactivate, rollback, uninstall."""

from __future__ import annotations

import re
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hotbay.cli.progress import Reporter
from hotbay.cli.shell import Shell, Verb, offered_ids_or_files, pass_shell, plugin_ids, plugin_ids_or_files
from hotbay.cli.words import moment, seconds
from hotbay.errors import BadInput, LosesRows, NotFound, Refused
from hotbay.model import DataPolicy, Kind, Rows

if TYPE_CHECKING:
    from hotbay.offline import OfflineHost
    from hotbay.outcome import Outcome
    from hotbay.request import Request

_ID = re.compile(r"[a-z][a-z0-9_]*")
Function = TypeVar("Function", bound=Callable[..., Any])


def _options(*decorators: Callable[[Function], Function]) -> Callable[[Function], Function]:
    """Several options as one decorator, in this order."""

    def decorate(function: Function) -> Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


_plugin = click.argument("plugin", metavar="ID", shell_complete=plugin_ids)
_thing = click.argument("thing", metavar="ID|FILE|FOLDER", shell_complete=plugin_ids_or_files)
_offered = click.argument("thing", metavar="ID|FILE|FOLDER", shell_complete=offered_ids_or_files)
_version = click.option("--version", default="", help="This version. [default: the latest, or the one before]")
_force = click.option("--force", is_flag=True, help="Even when other plugins need it.")
_needs = click.option("--with-requirements", is_flag=True, help="Install or activate first what it requires.")
wait = click.option(
    "--wait", type=click.FloatRange(0), help="Wait so many seconds for an operation in progress. [default: configured]"
)
_bringing = _options(
    _version,
    click.option("--sha256", default="", help="Refuse a package whose file has another SHA-256."),
    click.option("--remote", is_flag=True, help="From the repository at PLUGIN_SERVER_URL."),
)
_confirm = click.option(
    "--confirm-within",
    default="",
    metavar="TIME",
    help="Go back unless it is confirmed in this time (90s, 10m, 1h30m), or at once when it does worse.",
)
_publisher = click.option(
    "--accept-publisher", is_flag=True, help="Even when it is not signed by the publisher of what is installed."
)
_installing = _options(
    click.option("--restore", default="", metavar="latest|PATH", help="Bring back the data that an uninstall wrote."),
    click.option("--inactive", is_flag=True, help="Install it without letting it serve."),
)
_data = click.option(
    "--data",
    type=click.Choice([policy.value for policy in DataPolicy]),
    default=DataPolicy.EXPORT.value,
    show_default=True,
    help="Its tables: leave them, write them to a file and drop them, or drop them.",
)
_any_data = click.option(
    "--data",
    type=click.Choice([*(policy.value for policy in DataPolicy), Rows.RESTORE.value]),
    help="As for uninstall (keep, export, purge) or rollback (restore, keep).",
)
_backup = click.option("--backup", default="", metavar="NUMBER|latest", help="The backup that `restore` takes.")
_rows = click.option(
    "--data",
    type=click.Choice([Rows.RESTORE.value, Rows.KEEP.value]),
    default=Rows.RESTORE.value,
    show_default=True,
    help="Its rows: as they were when that version was left, or as they are now.",
)
_keep_then = click.option("--keep-new-rows", "new_rows", is_flag=True, help="Keep the added rows if it goes back.")
keep_new_rows = click.option("--keep-new-rows", "new_rows", is_flag=True, help="Keep the rows added since the backup.")
accept_loss = click.option("--yes", is_flag=True, help="Do not ask before rows are lost that were written since.")


@click.command(cls=Verb)
@click.argument("kind", type=click.Choice([kind.value for kind in Kind]))
@_thing
@_options(_bringing, _installing, _needs, _any_data, _force, _backup, keep_new_rows, _confirm)
@pass_shell
def plan(shell: Shell, /, kind: str, thing: str, remote: bool, data: str | None, new_rows: bool, **wishes: Any) -> None:
    """Print the steps of an operation without taking any, and the rows that would be lost."""
    wishes |= _policies(Kind(kind), data or "", new_rows) | _confirming(**wishes)
    with (
        _request(Kind(kind), thing, **wishes) as request,
        host_of(shell, remote=remote) as host,
    ):
        found = host.applier.plan(request)
    shell.put(found.to_json(), str(found))


def _policies(kind: Kind, data: str, new_rows: bool) -> dict[str, Any]:
    """What `--data` means to a kind of operation. Raises UsageError."""
    if kind is Kind.UNINSTALL and data != Rows.RESTORE:
        return {"data": DataPolicy(data or DataPolicy.EXPORT)}
    if data in ("", Rows.RESTORE, Rows.KEEP):
        return {"rows": Rows.chosen(data, keep_new=new_rows)}
    raise click.UsageError(f"--data {data} is nothing for {kind}.")


@click.command(cls=Verb)
@_offered
@_options(_bringing, _installing, _needs, _confirm, wait)
@pass_shell
def install(shell: Shell, /, thing: str, remote: bool, **wishes: Any) -> None:
    """Install a plugin from the source, from a package file, or from a folder."""
    carry_out(shell, Kind.INSTALL, thing, remote=remote, **wishes | _confirming(**wishes))


@click.command(cls=Verb)
@_thing
@_options(_bringing, _needs, _confirm, _keep_then, _publisher, wait)
@pass_shell
def upgrade(shell: Shell, /, thing: str, remote: bool, new_rows: bool, **wishes: Any) -> None:
    """Replace a plugin by a newer version, without a failed request."""
    from hotbay.confirmations import unconfirmed_rows

    wishes |= _confirming(**wishes)
    rows = unconfirmed_rows(wishes["confirm_within"], keep_new=new_rows)
    carry_out(shell, Kind.UPGRADE, thing, remote=remote, rows=rows, **wishes)


def _confirming(confirm_within: str = "", **_: Any) -> dict[str, float]:
    """The seconds of `--confirm-within`. Raises BadInput."""
    from hotbay.moments import read_seconds

    return {"confirm_within": read_seconds(confirm_within) if confirm_within else 0.0}


@click.command(cls=Verb)
@_plugin
@pass_shell
def confirm(shell: Shell, /, plugin: str) -> None:
    """Let an install or upgrade stay that was made with --confirm-within."""
    from hotbay.confirm import confirm as confirm_change

    with host_of(shell) as host:
        found = confirm_change(host.applier, plugin)
    shell.put(found.to_json(), f"{found.kind} of {plugin} {found.version} is confirmed ({found.reason})")


@click.command(cls=Verb)
@_plugin
@_options(_needs, wait)
@pass_shell
def activate(shell: Shell, /, plugin: str, **wishes: Any) -> None:
    """Let an inactive plugin serve."""
    carry_out(shell, Kind.ACTIVATE, plugin, **wishes)


@click.command(cls=Verb)
@_plugin
@_options(_force, wait)
@pass_shell
def deactivate(shell: Shell, /, plugin: str, **wishes: Any) -> None:
    """Let a plugin rest. Its data, settings and files stay."""
    carry_out(shell, Kind.DEACTIVATE, plugin, **wishes)


@click.command(cls=Verb)
@_plugin
@_options(_version, _rows, keep_new_rows, accept_loss, wait)
@pass_shell
def rollback(shell: Shell, /, plugin: str, data: str, new_rows: bool, yes: bool, **wishes: Any) -> None:
    """Go back to the version before, code and rows, or to another that is kept."""
    if new_rows and data == Rows.KEEP:
        raise click.UsageError("--data keep leaves all rows as they are: --keep-new-rows has nothing to add.")
    rows = Rows.chosen(data, keep_new=new_rows)
    losing(shell, Kind.ROLLBACK, plugin, rows=rows, accept_loss=yes, **wishes)


@click.command(cls=Verb)
@_plugin
@_options(_data, _force, wait)
@click.option("--yes", is_flag=True, help="Do not ask before data is lost.")
@pass_shell
def uninstall(shell: Shell, /, plugin: str, data: str, yes: bool, **wishes: Any) -> None:
    """Remove a plugin: its code, folder and, unless --data keep is given, its tables."""
    policy = DataPolicy(data)
    if policy is DataPolicy.PURGE and not yes:
        _consent(shell, plugin)
    carry_out(shell, Kind.UNINSTALL, plugin, data=policy, **wishes)


def _consent(shell: Shell, plugin: str) -> None:
    """Losing data for ever takes typing the plugin's id."""
    if shell.json or not sys.stdin.isatty():
        raise BadInput(
            "--data purge deletes the plugin's data, but for one backup", mend="add --yes if that is what you want"
        )
    with shell.registry() as store:
        store.get_live(plugin)
    question = f"The data of {plugin} will be deleted, but for one backup. Type {plugin} to go on"
    if click.prompt(question, default="", show_default=False, err=True) != plugin:
        raise Refused("nothing was done: the id was not typed", mend="`--data export` keeps the data in a file")


# ── how an operation is asked for and told ──────────────────────────────────────────────────────────────────────


@contextmanager
def _request(kind: Kind, thing: str, **wishes: Any) -> Iterator[Request]:
    """What is wanted. A folder is packed for the block. Raises what reading a package raises."""
    from hotbay.package import pack, read_manifest
    from hotbay.request import Request

    if _ID.fullmatch(thing):
        yield Request(kind, thing, **wishes)
        return
    path = Path(thing)
    plugin = read_manifest(path).id
    if kind not in (Kind.INSTALL, Kind.UPGRADE):
        raise BadInput(f"{kind} takes a plugin's id, not a file", mend=f"write {plugin}")
    with tempfile.TemporaryDirectory(prefix="hotbay-") as place:
        file = pack(path, Path(place)) if path.is_dir() else path
        yield Request(kind, plugin, file=file, **wishes)


@contextmanager
def _meant_the_folder(thing: str) -> Iterator[None]:
    """Who names a folder as if it were an id is told how to name it."""
    try:
        yield
    except NotFound as error:
        if _ID.fullmatch(thing) and Path(thing).is_dir():
            error.mend = f"write ./{thing} if you mean the folder"
        raise


@contextmanager
def host_of(shell: Shell, progress: Reporter | None = None, *, remote: bool = False) -> Iterator[OfflineHost]:
    overrides = {"PLUGIN_SOURCE": "remote"} if remote else {}
    told = progress or Reporter(quiet=True, verbose=False)
    with shell.host(told, **overrides) as host:
        yield host


def carry_out(shell: Shell, kind: Kind, thing: str, *, remote: bool = False, **wishes: Any) -> None:
    with (
        _request(kind, thing, **wishes) as request,
        Reporter(quiet=shell.json, verbose=shell.verbose) as reporter,
        host_of(shell, reporter, remote=remote) as host,
        _interruptible(shell, host),
        _meant_the_folder(thing),
    ):
        outcome = host.applier.run(request)
    shell.put(outcome.to_json(), _story(outcome))


def losing(shell: Shell, kind: Kind, plugin: str, **wishes: Any) -> None:
    """The same for what may lose rows: on a terminal it is asked for, elsewhere it takes --yes."""
    try:
        carry_out(shell, kind, plugin, **wishes)
    except LosesRows as error:
        if shell.json or not sys.stdin.isatty():
            raise
        question = f"{error.message}\nType {plugin} to go on"
        if click.prompt(question, default="", show_default=False, err=True) != plugin:
            raise Refused("nothing was done: the id was not typed", mend=error.mend) from error
        carry_out(shell, kind, plugin, **wishes | {"accept_loss": True})


@contextmanager
def _interruptible(shell: Shell, host: OfflineHost) -> Iterator[None]:
    """Ctrl-C takes the operation back at once, instead of leaving workers waiting for whoever comes next.

    So do SIGTERM and SIGHUP (a connection that broke), unless they are ignored (nohup).
    """
    caught = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    try:
        for number in caught:
            signal.signal(number, _interrupt)
        yield
    except KeyboardInterrupt:
        shell.note("interrupted: closing the operation …")
        for closed in host.applier.recover_at_start():
            shell.note(f"operation {closed} was closed; `hotbay operation {closed}` tells how")
        raise
    finally:
        for number in caught:
            signal.signal(number, signal.SIG_DFL)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _story(outcome: Outcome) -> str:
    lines = [f"{outcome.plan.title}: done in {seconds(outcome.seconds)} (operation {outcome.operation})"]
    lines += [f"warning: {text}" for text in outcome.plan.warnings]
    if "export" in outcome.notes:
        lines.append(f"its data is in {outcome.notes['export']}; `hotbay install --restore` brings it back")
    if "confirmation" in outcome.notes:
        lines.append(_until(outcome.notes["confirmation"]))
    if "owed" in outcome.notes:
        lines.append(f"warning: the contract scripts have not run: {outcome.notes['owed']}")
        lines.append("  they are tried again at the next start; `hotbay doctor --mend all` does it now")
    if "backup" in outcome.notes:
        lines.append(f"the rows before it are backup {outcome.notes['backup']}")
    lines += [f"{table}: {_told(numbers)} were lost" for table, numbers in outcome.notes.get("lost", {}).items()]
    lines += [f"{table}: {count} added rows were kept" for table, count in outcome.notes.get("merged", {}).items()]
    for step in outcome.steps:
        for worker in step["record"].get("late", ()):
            lines.append(f"warning: {worker} did not answer in {step['verb']}; it catches up before it serves again")
        for pid, names in step["record"].get("alive", {}).items():
            lines.append(f"warning: process {pid} could not let go of {', '.join(names)}")
        for pid, proof in step["record"].get("unload", {}).items():
            for item in proof["holders"]:
                lines.append(f"  {item['object']} in process {pid}: {' → '.join(item['chain'])}")
    return "\n".join(dict.fromkeys(lines))


def _until(confirmation: dict[str, Any]) -> str:
    plugin, before = confirmation["plugin"], confirmation["before_version"]
    back = f"it goes back to {before}" if before else "it is uninstalled"
    return f"`hotbay confirm {plugin}` until {moment(confirmation['deadline'])} UTC, or {back} while a server runs"


def _told(numbers: dict[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in numbers.items())


VERBS = (install, upgrade, confirm, activate, deactivate, rollback, uninstall, plan)
