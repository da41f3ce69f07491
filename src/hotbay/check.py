"""`hotbay check`: everything that install would refuse, and what it would warn of. Reads, executes nothing."""

from __future__ import annotations

import ast
import re
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from hotbay.code import CAPABILITY_FILES, capabilities, warnings_in
from hotbay.errors import HotbayError, InvalidPackage, NotFound, Problem, StateError
from hotbay.frontend import Toolchain, build, has_frontend
from hotbay.lint import breaking, judge
from hotbay.package import read_manifest, tree, unpack
from hotbay.seal import fits
from hotbay.signature import beside, read_envelope, sidecar
from hotbay_sdk.manifest import FILES, Manifest
from hotbay_sdk.rules import RESERVED

__all__ = ["RESERVED", "Report", "check"]

_MIGRATION = re.compile(r"([0-9]{4})_[A-Za-z0-9_-]+(?:\.(sqlite|postgres))?\.(up|down|contract)\.sql")
_SINGLE = re.compile(r"(?:(sqlite|postgres)\.)?(up|down|contract)\.sql")
_PAGES = (".tsx", ".jsx")
Files = dict[str, Path]


@dataclass(frozen=True)
class Report:
    """What `check` found. With `errors` an install is refused. `manifest` is None when it can't be read.

    `signature` says in whose name and with which keys an archive is signed, when that is about these bytes; whether it
    is genuine is seen only by who has the public keys.
    """

    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    manifest: Manifest | None
    signature: dict[str, Any] | None = None

    @property
    def ok(self) -> bool:
        """True when nothing would be refused."""
        return not self.errors

    def to_json(self) -> dict[str, Any]:
        """Errors and warnings as JSON, with id and version."""
        known = self.manifest
        return {
            "ok": self.ok,
            "id": known.id if known else "",
            "version": known.version if known else "",
            "errors": [problem.to_json() for problem in self.errors],
            "warnings": [problem.to_json() for problem in self.warnings],
            "signature": self.signature,
        }


def check(path: Path) -> Report:
    """Check a package: a folder, or an archive (unpacked to a temporary folder). Raises NotFound only."""
    if not path.exists():
        raise NotFound(f"there is no package at {path}")
    if path.is_dir():
        return _check_folder(path)
    with tempfile.TemporaryDirectory(prefix="hotbay-check-") as place:
        try:
            unpacked = unpack(path, Path(place) / "package")
        except HotbayError as error:
            return Report(_problems(error), (), None)
        return _with_signature(_check_folder(unpacked.root), path)


def _with_signature(report: Report, archive: Path) -> Report:
    """What lies beside the archive: a host refuses the package when that is no signature of these bytes."""
    try:
        data = beside(archive)
        found = read_envelope(data) if data else None
    except HotbayError as error:
        return replace(report, errors=(*report.errors, *_of_signature(error, archive)))
    if found is None or report.manifest is None:
        return report
    if not fits(found, archive):
        rule, mend = "is of another package than this one", "sign it again with `hotbay sign`"
        problem = Problem("(signature)", rule, file=sidecar(archive).name, mend=mend)
        return replace(report, errors=(*report.errors, problem))
    told = {"publisher": found.statement.publisher, "keyids": list(found.keyids)}
    return replace(report, signature=told)


def _of_signature(error: HotbayError, archive: Path) -> Iterator[Problem]:
    for problem in _problems(error):
        yield replace(problem, file=sidecar(archive).name, mend=problem.mend or error.mend)


def _check_folder(folder: Path) -> Report:
    errors: list[Problem] = []
    files: Files = {}
    manifest = None
    try:
        files = dict(tree(folder))
    except HotbayError as error:
        errors += _problems(error)
    try:
        manifest = read_manifest(folder)
    except HotbayError as error:
        errors += _problems(error)
    advice = [*_layout(files), *_migrations(files, errors, manifest)]
    modules = _parse(files, errors)
    if manifest:
        name = next(name for name in FILES if (folder / name).exists())
        errors += _identity(manifest, name)
        advice += _dependencies(manifest, name, errors)
        advice += _backend(manifest, files, modules)
        advice += _frontend(manifest, folder, errors)
    return Report(tuple(errors), tuple(advice), manifest)


def _problems(error: HotbayError) -> tuple[Problem, ...]:
    return error.problems or (Problem("(package)", error.message, mend=error.mend),)


def _parse(files: Files, errors: list[Problem]) -> dict[str, ast.Module]:
    """The syntax trees of all Python files; files that are none go to `errors`."""
    modules: dict[str, ast.Module] = {}
    for path, file in files.items():
        if not path.endswith(".py"):
            continue
        try:
            with warnings.catch_warnings(action="ignore"):  # of escapes and the like: not what this is about
                modules[path] = ast.parse(file.read_bytes(), path)
        except SyntaxError as error:
            errors.append(Problem(f"line {error.lineno or 1}", f"no valid Python: {error.msg}", file=path))
        except (ValueError, RecursionError, MemoryError) as error:
            errors.append(Problem("line 1", f"no valid Python: {error}", file=path))
    return modules


def _identity(manifest: Manifest, name: str) -> Iterator[Problem]:
    if manifest.id in RESERVED:
        yield Problem("id", "is a reserved name", manifest.id, name, "choose another id, such as my_" + manifest.id)
    if any(re.split(r"[^a-z0-9_]", text)[0] == manifest.id for text in manifest.requires):
        yield Problem("requires", "the plugin requires itself", manifest.id, name, "leave it away")


def _dependencies(manifest: Manifest, name: str, errors: list[Problem]) -> Iterator[Problem]:
    """Requirements that are none go to `errors`; those without a range are warnings."""
    for index, text in enumerate(manifest.backend.dependencies):
        where = f"backend.dependencies[{index}]"
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            rule = f"must be a PEP 508 requirement: {str(error).splitlines()[0]}"
            errors.append(Problem(where, rule, text, name, 'write it as "openai>=1.0,<2"'))
            continue
        if not requirement.specifier and not requirement.url:
            mend = f'write "{text}>=…" with the version that you test with'
            yield Problem(where, "names no range of versions", text, name, mend)


def _backend(manifest: Manifest, files: Files, modules: dict[str, ast.Module]) -> Iterator[Problem]:
    prefix = "backend/" if any(path.startswith("backend/") for path in files) else ""
    inside = [path for path in modules if path.startswith(prefix)]
    for path in inside:
        yield from warnings_in(modules[path], path, manifest.id)
    heads = {path: modules[path] for path in inside if path.removeprefix(prefix) in CAPABILITY_FILES}
    django = prefix == "" and "plugin.json" in files
    found = manifest.backend.entry or any(capabilities(module, path) for path, module in heads.items())
    if inside and not django and not found:
        mend = "define router in routes.py, app, start, an addon class, or mark functions with hotbay_sdk"
        yield Problem("(package)", "the backend offers nothing", file=prefix.rstrip("/") or ".", mend=mend)
    if prefix and "backend/__init__.py" not in files:
        yield Problem("(package)", "backend/__init__.py is missing", file="backend", mend="add an empty one")


def _layout(files: Files) -> Iterator[Problem]:
    if files and not any(path.lower().split(".")[0] == "readme" for path in files):
        yield Problem("(package)", "README is missing", mend="say in README.md what the plugin does")
    pages = [path for path in files if path.startswith("frontend/") and path.endswith(_PAGES)]
    if pages and "frontend/addon.config.ts" not in files:
        mend = "add frontend/addon.config.ts with routes and components"
        yield Problem("(package)", "pages and components are shown by nobody", file=pages[0], mend=mend)


def _frontend(manifest: Manifest, folder: Path, errors: list[Problem]) -> Iterator[Problem]:
    """Compile it, as install does. Pages that the manifest names and nobody shows are warnings."""
    shown: set[str] = set()
    if not errors and has_frontend(folder):
        try:
            with build(folder, manifest, Toolchain.installed()) as (bundle, _):
                shown = {page["path"] for page in bundle.contributions["pages"]}
                yield from bundle.warnings
        except StateError as error:
            yield Problem("(package)", f"can't be checked: {error.message}", file="frontend", mend=error.mend)
            return
        except HotbayError as error:
            errors += _problems(error)
            return
    for path in manifest.frontend.routes if shown else ():
        if path not in shown and not path.endswith("/*"):
            mend = "add it to routes of frontend/addon.config.ts"
            yield Problem("frontend.routes", "names a page that nothing shows", path, mend=mend)


Scripts = dict[tuple[int, str], dict[str, list[str]]]  # by number and engine, by way: the paths


def _migrations(files: Files, errors: list[Problem], manifest: Manifest | None) -> Iterator[Problem]:
    """`up.sql` counts as 0001. Two of one number can't be ordered (error); gaps and missing downs are warnings."""
    found: Scripts = defaultdict(lambda: defaultdict(list))
    for path in files:
        folder, _, name = path.partition("/")
        if folder != "migrations" or not name.endswith(".sql"):
            continue
        if single := _SINGLE.fullmatch(name):
            found[1, single[1] or ""][single[2]].append(path)
        elif match := _MIGRATION.fullmatch(name):
            found[int(match[1]), match[2] or ""][match[3]].append(path)
        else:
            mend = "name it 0001_name.up.sql and 0001_name.down.sql"
            yield Problem("(package)", "no name of a migration: it is never run", file=path, mend=mend)
    for way in ("up", "down", "contract"):
        errors += [_twice(parts[way]) for parts in found.values() if len(parts[way]) > 1]
    yield from _pairs(found)
    yield from _gaps(sorted({number for number, _ in found}))
    yield from _expansion(files, found, errors, exclusive=manifest is not None and manifest.migrations == "exclusive")


def _expansion(files: Files, found: Scripts, errors: list[Problem], *, exclusive: bool) -> Iterator[Problem]:
    """What a version in service could not live with. The first migration meets none, and what was released stays as
    it is: so these are warnings, and an upgrade that would run them is what refuses.
    """
    mine = {key: parts for key, parts in sorted(found.items()) if key[1] != "postgres"}
    first = min((number for number, _ in mine), default=0)
    for (number, _), parts in mine.items():
        for path in (path for paths in parts.values() for path in paths):
            try:
                findings = judge([(path, files[path].read_bytes().decode("utf-8-sig"))])
            except UnicodeDecodeError as error:
                mend = "write it as UTF-8 text"
                errors.append(Problem("content", f"is not UTF-8 (byte {error.start})", "", path, mend))
            except InvalidPackage as error:
                errors.extend(error.problems)
            else:
                warned = path in parts["up"] and number != first and not exclusive
                yield from (item.problem() for item in (breaking(findings) if warned else ()))


def _twice(paths: list[str]) -> Problem:
    names = ", ".join(path.partition("/")[2] for path in paths)
    return Problem("(package)", "two migrations have one number", names, paths[1], "number them one after the other")


def _pairs(found: Scripts) -> Iterator[Problem]:
    ups = {number for (number, _), parts in found.items() if parts["up"] or parts["contract"]}
    downs = {number for (number, _), parts in found.items() if parts["down"]}
    for (number, _), parts in sorted(found.items()):
        for path in parts["up"] if number not in downs else ():
            mend = "add " + path.replace("up.sql", "down.sql").rpartition("/")[2]
            yield Problem("(package)", "the migration can't be undone", file=path, mend=mend)
        for path in parts["down"] if number not in ups else ():
            yield Problem("(package)", "undoes a migration that is not there", file=path, mend="add its up.sql")


def _gaps(numbers: list[int]) -> Iterator[Problem]:
    for before, number in zip([0, *numbers], numbers, strict=False):
        if number != before + 1:
            rule = f"after {before:04} comes {number:04}: a gap in the numbers of migrations"
            yield Problem("(package)", rule, file="migrations", mend=f"number it {before + 1:04}")
