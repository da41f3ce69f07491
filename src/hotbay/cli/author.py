"""Verbs for authors of plugins: new, check, pack."""

from __future__ import annotations

from pathlib import Path

import click

from hotbay.cli.shell import Shell, Verb, pass_shell
from hotbay.cli.words import size
from hotbay.errors import InvalidManifest, InvalidPackage, Problem, Refused

_folder = click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))


@click.command(cls=Verb)
@_folder
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Where to. [default: beside it]")
@click.option("--tar", is_flag=True, help="A .tar.gz instead of a .zip.")
@click.option("--raw", is_flag=True, help="Do not compile the frontend: every host that installs it will.")
@pass_shell
def pack(shell: Shell, /, folder: Path, output: Path | None, tar: bool, raw: bool) -> None:
    """Build the package of a plugin's folder, its frontend compiled: the same files give the same bytes."""
    from hotbay.frontend import packing
    from hotbay.package import pack as pack_files
    from hotbay.package import read_manifest, sha256_file

    build = pack_files if raw else packing.pack
    file = build(folder, output, kind="tar.gz" if tar else "zip")
    manifest, length, sha256 = read_manifest(file), file.stat().st_size, sha256_file(file)
    document = {"id": manifest.id, "version": manifest.version, "path": str(file), "size": length, "sha256": sha256}
    shell.put(document, f"{file}\n{size(length)}, sha256 {sha256}")


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
    lines.append(f"{named}: {_count(len(report.errors), 'error')}, {_count(len(report.warnings), 'warning')}")
    shell.put(report.to_json(), "\n".join(lines))
    ctx.exit(0 if report.ok else InvalidPackage.exit_code)


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


VERBS = (new, check, pack)
