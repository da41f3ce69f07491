"""The verb for receipts: show, list, verify, key."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hotbay.cli.shell import Shell, Verb, pass_shell, plugin_ids
from hotbay.cli.words import clean, moment, pairs, seconds, size, table
from hotbay.errors import NotFound, NotVerified, Problem

if TYPE_CHECKING:
    from hotbay.notary import Notary

Receipt = dict[str, Any]
_LOOK_SECONDS = 0.2
_number = click.argument("number", metavar="N", type=click.IntRange(1))


@click.group()
def receipt() -> None:
    """Show and verify the signed receipts of operations."""


@contextmanager
def _notary(shell: Shell) -> Iterator[Notary]:
    from hotbay.notary import Notary
    from hotbay.presence import Workers

    settings = shell.settings()
    with shell.registry() as store:
        yield Notary(settings, store, Workers(settings.run))


@receipt.command(cls=Verb)
@_number
@click.option("--wait", type=click.FloatRange(0), help="Wait so many seconds for one that is not written yet.")
@pass_shell
def show(shell: Shell, /, number: int, wait: float | None) -> None:
    """Show the receipt of operation N; with --json as it was signed."""
    with _notary(shell) as notary:
        patience = notary.settings.receipt_seconds + 3.0 if wait is None else wait
        signed = _awaited(notary, number, patience)
    shell.put(signed, lambda: _print(signed["receipt"]))


def _awaited(notary: Notary, number: int, patience: float) -> Receipt:
    """The receipt, when it is there: a worker writes it, and where no worker is, we do."""
    deadline = time.monotonic() + patience
    while True:
        if not notary.workers.present():
            notary.write_due()
        try:
            return notary.find(number)
        except NotFound as error:
            if not error.detail.get("pending") or time.monotonic() >= deadline:
                raise
        time.sleep(_LOOK_SECONDS)


def _print(found: Receipt) -> None:
    versions = [item["version"] for item in (found["before"], found["after"]) if item]
    title = f"{found['kind']} {found['plugin']} {' → '.join(dict.fromkeys(versions))}"
    head = [
        ("receipt", f"{found['number']}, of operation {found['operation']}: {title}"),
        ("state", found["state"] + (", recovered after a crash" if found["recovered"] else "")),
        ("by", found["actor"]),
        ("begun", moment(found["began"])),
        ("took", _time(found["microseconds"])),
        ("failure", (found["error"] or {}).get("detail")),
        ("previous", found["previous"][:16] + "…"),
    ]
    click.echo(clean(pairs(head)) + "\n")
    rows = [(step["verb"], step["state"], _time(step["microseconds"])) for step in found["steps"]]
    table(("STEP", "STATE", "TIME"), rows)
    _print_requests(found["requests"])
    _print_workers(found["workers"])


def _print_requests(windows: dict[str, Receipt] | None) -> None:
    if windows is None:
        return
    click.echo()
    rows = [
        (name, _time(item["microseconds"]), item["requests"], _failures(item), _time(item["p50"]), _time(item["p99"]))
        for name, item in windows.items()
    ]
    table(("REQUESTS", "IN", "SERVED", "FAILED", "P50", "P99"), rows)


def _failures(item: Receipt) -> str:
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(item["failures"].items()))
    return f"{item['failed']}" + (f" ({kinds})" if kinds else "")


def _print_workers(workers: list[Receipt]) -> None:
    if not workers:
        return
    click.echo()
    columns = ("WORKER", "STATE", "GENERATION", "FINISHED", "CLOSED", "STILL IN MEMORY", "MEMORY")
    table(columns, (_worker(item) for item in workers))
    for item in workers:
        for text in _holders((item["passage"] or {}).get("unload") or {}):
            click.echo(f"{item['worker']}: {text}")


def _holders(unload: Receipt) -> Iterator[str]:
    """What a worker's proof of unloading has to say beside that all is well."""
    for item in unload.get("holders", ()):
        where = f" ({item['file']}:{item['line']})" if item["file"] else ""
        yield f"{item['object']} is held by {item['holder']}{where}: {' → '.join(item['chain'])}"
    if undone := unload.get("undone"):
        yield f"left behind, and taken back: {', '.join(undone)}"
    if left := unload.get("left"):
        yield f"may have left behind: {', '.join(left)}"


def _worker(item: Receipt) -> tuple[str, ...]:
    passage = item["passage"] or {"left_generation": 0, "generation": 0, "waited": {}, "closed": {}}
    closed = sum(passage["closed"].values())
    memory = [size(value) if value else "" for value in (item["memory_before"], item["memory_after"])]
    return (
        item["worker"],
        item["state"],
        f"{passage['left_generation'] or '-'} → {passage['generation'] or '-'}",
        str(sum(passage["waited"].values()) - closed),
        str(closed),
        str(len((passage.get("unload") or {}).get("alive", ())) or ""),
        " → ".join(memory).strip(),
    )


def _time(microseconds: int | None) -> str:
    if microseconds is None:
        return ""
    return f"{microseconds / 1000:.1f} ms" if microseconds < 100_000 else seconds(microseconds / 1_000_000)


@receipt.command("list", cls=Verb)
@click.argument("plugin", metavar="[ID]", default="", shell_complete=plugin_ids)
@click.option("-n", "limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most so many.")
@pass_shell
def list_(shell: Shell, /, plugin: str, limit: int) -> None:
    """List the receipts, the newest first."""
    with _notary(shell) as notary:
        found = [signed["receipt"] for signed in notary.latest(plugin, limit)]
    rows = [
        (
            item["number"],
            item["operation"],
            moment(item["began"]),
            f"{item['kind']} {item['plugin']}",
            item["state"],
            _time(item["microseconds"]),
            "" if item["requests"] is None else item["requests"]["during"]["requests"],
            "" if item["requests"] is None else item["requests"]["during"]["failed"],
        )
        for item in found
    ]
    columns = ("NUMBER", "OPERATION", "BEGUN", "WHAT", "STATE", "TOOK", "REQUESTS MEANWHILE", "FAILED")
    shell.put({"receipts": found}, lambda: table(columns, rows))


@receipt.command(cls=Verb)
@click.argument("target", metavar="[N|FILE]", default="")
@click.option(
    "--key",
    "key_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The public key (PEM) to verify with, instead of the host's own.",
)
@pass_shell
def verify(shell: Shell, /, target: str, key_file: Path | None) -> None:
    """Verify a receipt: of operation N, in a FILE, or all of them and that none is missing.

    Exit code 6 when anything in it is not what was signed.
    """
    from hotbay import receipt as receipts
    from hotbay.history import find_anchor

    key = receipts.read_public(key_file.read_text("utf-8", "replace")) if key_file else None
    anchor = None
    if target and not target.isdigit():
        signed = [receipts.parse(_read(Path(target)))]
        key = key or _own_key(shell)
    else:
        with _notary(shell) as notary:
            signed = notary.all() if not target else _link(notary, int(target))
            key = key or notary.key.public
            anchor = find_anchor(notary.store)
    found = [receipts.verify(item, key) for item in signed]
    before = receipts.verify(anchor, key, receipts.ANCHOR) if anchor is not None else None
    problems = receipts.check_chain(found, before) if target else receipts.check_whole(found, before)
    if problems:
        raise NotVerified(
            "the receipts do not follow one another", problems=tuple(Problem("chain", item) for item in problems)
        )
    checked = found[-1:] if target else found
    answer = {"verified": [item["operation"] for item in checked], "key": receipts.key_id(key)}
    shell.put(answer, _words(checked, receipts.key_id(key)))


def _link(notary: Notary, operation: int) -> list[Receipt]:
    """The receipt of an operation, behind the one that it continues. Raises NotVerified when that one is not there."""
    from hotbay.history import find_anchor

    signed = notary.find(operation)
    number = notary.number_of(operation)
    before = [item for item in notary.all(after=number - 2, limit=2) if item["receipt"]["number"] == number - 1]
    anchor = find_anchor(notary.store)
    if not before and number > 1 and (anchor is None or anchor["receipt"]["number"] != number - 1):
        raise NotVerified(f"receipt {number - 1}, which this one continues, is missing")
    return [*before, signed]


def _words(checked: list[Receipt], key: str) -> str:
    if len(checked) == 1:
        item = checked[0]
        return clean(f"verified: operation {item['operation']}, {item['kind']} {item['plugin']}, with the key {key}")
    return f"verified: {len(checked)} receipts, none is missing or changed, with the key {key}"


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace")
    except FileNotFoundError:
        raise NotFound(f"there is no file {file}", mend="give the number of an operation, or a file") from None


def _own_key(shell: Shell) -> Any:
    with _notary(shell) as notary:
        return notary.key.public


@receipt.command(cls=Verb)
@pass_shell
def key(shell: Shell, /) -> None:
    """Print the public key that the host's receipts are signed with."""
    from hotbay.receipt import ALGORITHM, key_id, public_pem

    with _notary(shell) as notary:
        public = notary.key.public
    document = {"algorithm": ALGORITHM, "key": key_id(public), "pem": public_pem(public)}
    shell.put(document, document["pem"].rstrip("\n"))


VERBS = (receipt,)
