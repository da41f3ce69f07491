"""Verbs for authors of plugins: new, check, pack, keygen, sign."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hotbay.cli.shell import Shell, Verb, pass_shell
from hotbay.cli.words import size
from hotbay.errors import InvalidManifest, InvalidPackage, Problem, Refused

if TYPE_CHECKING:
    from hotbay.seal import SigningKey

Entry = dict[str, Any]
_key_file = click.Path(path_type=Path, dir_okay=False)
_folder = click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))


@click.command(cls=Verb)
@_folder
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Where to. [default: beside it]")
@click.option("--tar", is_flag=True, help="A .tar.gz instead of a .zip.")
@click.option("--raw", is_flag=True, help="Do not compile the frontend: every host that installs it will.")
@click.option("--sign", "key", type=_key_file, metavar="KEYFILE", help="Sign it, as `hotbay sign` does.")
@pass_shell
def pack(shell: Shell, /, folder: Path, output: Path | None, tar: bool, raw: bool, key: Path | None) -> None:
    """Build the package of a plugin's folder, its frontend compiled: the same files give the same bytes."""
    from hotbay.frontend import packing
    from hotbay.package import pack as pack_files
    from hotbay.package import read_manifest, sha256_file

    signer = _load(key) if key is not None else None
    build = pack_files if raw else packing.pack
    file = build(folder, output, kind="tar.gz" if tar else "zip")
    manifest, length, sha256 = read_manifest(file), file.stat().st_size, sha256_file(file)
    document: Entry = {"id": manifest.id, "version": manifest.version, "path": str(file), "size": length}
    document["sha256"] = sha256
    lines = [str(file), f"{size(length)}, sha256 {sha256}"]
    if signer is not None:
        document["signature"] = _signed(file, signer)
        lines.append(_told(document["signature"]))
    else:
        _warn_of_old(shell, file)
    shell.put(document, "\n".join(lines))


def _load(key: Path) -> SigningKey:
    from hotbay.seal import load_key

    return load_key(key)


def _signed(archive: Path, key: SigningKey) -> Entry:
    """Sign, and say what may be said of it."""
    from hotbay.seal import sign_archive

    file = sign_archive(archive, key)
    return {"path": str(file), "publisher": key.publisher, "keyid": key.public.keyid, "key": key.public.text}


def _told(signature: Entry) -> str:
    return f"signed by {signature['publisher']} (key {signature['keyid']}): {signature['path']}"


def _warn_of_old(shell: Shell, archive: Path) -> None:
    """Hosts refuse a package whose signature is of other bytes: whoever packs anew should hear of it here."""
    from hotbay.seal import fitting
    from hotbay.signature import sidecar

    if sidecar(archive).exists() and fitting(archive) is None:
        shell.note(f"warning: {sidecar(archive)} is not of these bytes; `hotbay sign` makes it anew")


@click.command(cls=Verb)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--publisher", "name", required=True, metavar="NAME", help="In whose name it signs.")
@pass_shell
def keygen(shell: Shell, /, file: Path, name: str) -> None:
    """Make a key to sign packages with: the private one in FILE, the public one in FILE.pub. Overwrites nothing."""
    from hotbay.seal import make_key

    key = make_key(file, name).public
    document = {"file": str(file), "publisher": name, "keyid": key.keyid, "key": key.text}
    lines = [
        f"wrote {file} (keep it to yourself) and {file}.pub",
        f"key id      {key.keyid}",
        f"public key  {key.text}",
    ]
    shell.put(document, "\n".join(lines))


@click.command(cls=Verb)
@click.argument("archive", type=click.Path(path_type=Path, exists=True))
@click.option("--key", type=_key_file, required=True, metavar="KEYFILE", help="What `hotbay keygen` wrote.")
@pass_shell
def sign(shell: Shell, /, archive: Path, key: Path) -> None:
    """Sign a package: write the signature beside it. Safe to repeat; a publisher's other keys stay in it."""
    document = _signed(archive, _load(key))
    shell.put(document, _told(document))


@click.command(cls=Verb)
@click.argument("package", metavar="FOLDER|ARCHIVE", type=click.Path(path_type=Path))
@click.pass_context
@pass_shell
def check(shell: Shell, /, ctx: click.Context, package: Path) -> None:
    """Say what an install would refuse (exit code 3), and what it would warn of."""
    from hotbay.check import check as examine

    report = examine(package)
    lines = [f"error: {problem}" for problem in report.errors]
    lines += [f"warning: {problem}" for problem in report.warnings]
    named = f"{report.manifest.id} {report.manifest.version}" if report.manifest else str(package)
    lines += [f"signature: {_fits(report.signature)}"] if report.signature else []
    lines.append(f"{named}: {_count(len(report.errors), 'error')}, {_count(len(report.warnings), 'warning')}")
    shell.put(report.to_json(), "\n".join(lines))
    ctx.exit(0 if report.ok else InvalidPackage.exit_code)


def _fits(signature: Entry) -> str:
    keys = ", ".join(signature["keyids"]) or "without an id"
    return f"it fits; in the name of {signature['publisher']}, key {keys}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


@click.command(cls=Verb)
@click.argument("plugin", metavar="ID")
@click.option("--dir", "folder", type=click.Path(path_type=Path, file_okay=False), help="Where to. [default: ./ID]")
@click.option("--name", default="", help="Its name for people. [default: from the id]")
@click.option("--author", default="", help="Who makes it.")
@pass_shell
def new(shell: Shell, /, plugin: str, folder: Path | None, name: str, author: str) -> None:
    """Write a complete plugin to begin with: routes, settings, a table, its migration, a test."""
    from hotbay.cli.scaffold import files

    _refuse_names(plugin, name, author)
    target = folder or Path(plugin)
    if target.exists() and any(target.iterdir()):
        raise Refused(f"{target} is there and not empty", mend="choose another --dir")
    written = files(plugin, name or plugin.replace("_", " ").title(), author)
    for path, text in written.items():
        file = target / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    document = {"id": plugin, "folder": str(target.absolute()), "files": sorted(written)}
    where = target if target.is_absolute() else f"./{target}"
    shell.put(document, f"wrote {target} ({len(written)} files)\nnext: hotbay install {where}")


def _refuse_names(plugin: str, name: str, author: str) -> None:
    """The rules of manifests, said before anything is written. Raises InvalidManifest."""
    from hotbay_sdk.manifest import ManifestError, parse
    from hotbay_sdk.rules import RESERVED

    try:
        parse({"id": plugin, "name": name or plugin, "version": "0.1.0", "author": author})
    except ManifestError as error:
        problems = tuple(Problem(one.field, one.rule, one.value, "", one.mend) for one in error.problems)
        raise InvalidManifest(f"no plugin can be made of {plugin!r}", problems=problems) from None
    if plugin in RESERVED:
        raise InvalidManifest(f"{plugin!r} is a reserved name", mend=f"choose another id, such as my_{plugin}")


VERBS = (new, check, pack, keygen, sign)
