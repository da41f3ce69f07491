"""From a package's folder to a compiled frontend: three runs of esbuild and one of QuickJS, each in a cell.

1. Bundled with stand-ins for the shared modules: every import is resolved, every name that is imported is checked,
   and what was read is known.
2. The configuration alone, for QuickJS.
3. The pages and components, with the shared modules left to the browser's import map.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from hotbay.errors import Problem
from hotbay.folder import new_file, tree
from hotbay.frontend.bundle import DIST, FILE, INDEX, Bundle, digest_of, imports_of, integrity, read_dist, read_files
from hotbay.frontend.bundle import source_hash as hash_sources
from hotbay.frontend.config import NAMES, read_config
from hotbay.frontend.contributions import Reading, read_contributions
from hotbay.frontend.esbuild import Exports, compile_with, refused, stub_file
from hotbay.frontend.repeat import as_config
from hotbay.frontend.toolchain import Toolchain
from hotbay.process import me
from hotbay_sdk.manifest import Manifest

LAYER = "plugins"
_DROPPED = frozenset({"tsconfig.json", "jsconfig.json", "package.json", "package-lock.json"})
_SCRIPTS = (".tsx", ".ts", ".jsx", ".js", ".mjs")
_MOST_FILES, _MOST_BYTES = 500, 20 * 1024 * 1024
_HARMLESS = ("data:", "#")
Meta = dict[str, Any]


def has_frontend(package: Path) -> bool:
    """True when a package adds something to the shell: a configuration, or what was compiled from one."""
    return (package / DIST / INDEX).is_file() or any((package / "frontend" / name).is_file() for name in NAMES)


@contextmanager
def build(
    package: Path, manifest: Manifest, toolchain: Toolchain, within: Path | None = None
) -> Iterator[tuple[Bundle, Path]]:
    """The frontend of the package in the folder `package`, and the folder of its files for the block.

    That lies `within` a folder (None: the system's for temporary ones), and its name begins with this process's number,
    so that what a killed one left can be told. What `hotbay pack` compiled is verified and used, unless the sources
    beside it are other ones. Raises InvalidPackage with file, line and mend of everything that is wrong, StateError
    without compiler or console.
    """
    dist = package / DIST
    with tempfile.TemporaryDirectory(prefix=f"{me()}-hotbay-frontend-", dir=within) as folder:
        place = Path(folder).resolve()
        if (dist / INDEX).is_file():
            bundle = read_dist(dist)
            if bundle.sources == hash_sources(package) or toolchain.esbuild is None:
                yield _packed(bundle, package, manifest, toolchain), _copy(dist, place / "files")
                return
        yield _compile(package, manifest, toolchain, place)


# ── compiled here ───────────────────────────────────────────────────────────────────────────────────────────────


def _compile(package: Path, manifest: Manifest, toolchain: Toolchain, place: Path) -> tuple[Bundle, Path]:
    program, exports = toolchain.compiler(), toolchain.exports
    toolchain.refuse_unbuilt()
    config = f"frontend/{next(name for name in NAMES if (package / 'frontend' / name).is_file())}"
    _lay_out(package, place, exports)
    meta = compile_with(program, [config, "--format=esm", "--splitting", "--outdir=checked"], place, exports)
    _refuse_imports(meta, place, exports)
    lazy = {item["original"]: item["path"] for item in _lazy(meta, config)}
    found = read_config(program, config, lazy, place, exports)
    reading = Reading(config, (package / config).read_text(encoding="utf-8", errors="replace"), manifest)
    contributions = read_contributions(found, reading)
    _refuse_modules(reading, lazy, meta)
    if reading.problems:
        raise refused(tuple(reading.problems))
    entries = sorted({lazy[name] for name, _ in reading.modules})
    outputs = _bundle(program, entries, place, exports) if entries else {}
    bundle = _finished(place / "built", _named(contributions, lazy, outputs), reading.warnings)
    return replace(bundle, sources=hash_sources(package)), place / "built"


def _lay_out(package: Path, place: Path, exports: Exports) -> None:
    """Copy what counts of a frontend, beside stand-ins for the shared modules."""
    for name, file in tree(package):
        inside = name.startswith("frontend/") and not name.startswith((DIST + "/", "frontend/node_modules/"))
        if inside and PurePosixPath(name).name not in _DROPPED:
            with new_file(place, name) as target:
                target.write(file.read_bytes())
    # Ends the search for one in the folders above, and says that nothing has side effects by being imported.
    (place / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    for module, names in exports.items():
        stub = place / stub_file(module)
        stub.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"export {{ it as {json.dumps(name)} }};" for name in names]
        stub.write_text("\n".join(["const it = () => {};", *lines]), encoding="utf-8")


def _lazy(meta: Meta, config: str) -> Iterator[dict[str, str]]:
    for item in meta["inputs"][config]["imports"]:
        if item["kind"] == "dynamic-import" and not item.get("external"):
            yield item


def _refuse_imports(meta: Meta, place: Path, exports: Exports) -> None:
    """Whatever was read must lie in the package, and whatever is left to the browser must be in its import map."""
    stubs = {stub_file(module): module for module in exports}
    problems = []
    for name, about in meta["inputs"].items():
        if not name.startswith(("frontend/", "data:", "<data:")) and name not in stubs:
            problems.append(_reaching_out(name, meta, place))
        for item in about["imports"]:
            if rule := _unfit(item, stubs):
                problems.append(_at(place, name, item.get("original", item["path"]), *rule))
    if problems:
        raise refused(tuple(dict.fromkeys(problems)))


def _unfit(item: dict[str, Any], stubs: Mapping[str, str]) -> tuple[str, str] | None:
    """What is wrong with one import, and its mend."""
    original = item.get("original", item["path"])
    if item.get("external"):
        if original.startswith(_HARMLESS):
            return None
        if "*" in original:
            return "is made while running, so that nobody can check it", "write each path into an import of its own"
        return "comes from another place than the package", "put a copy below frontend/ and name that"
    if item["path"] in stubs and original != stubs[item["path"]]:
        return "is none of the shared modules", f"import {stubs[item['path']]!r}"
    if item["path"] in stubs and item["kind"] == "require-call":
        return "require() does not exist in a browser", f'write import … from "{original}"'
    return None


def _reaching_out(name: str, meta: Meta, place: Path) -> Problem:
    mend = "name a file below frontend/ by a relative path"
    for importer, about in meta["inputs"].items():
        for item in about["imports"]:
            if item["path"] == name:
                return _at(place, importer, item.get("original", ""), "lies outside the package", mend)
    return Problem("(package)", "an import lies outside the package", file="frontend", mend=mend)


def _at(place: Path, file: str, original: str, rule: str, mend: str) -> Problem:
    """A problem at the line of a file that names `original`."""
    path = place / file
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_relative_to(place) and path.is_file() else ""
    index = text.find(original)
    line = text.count("\n", 0, index) + 1 if index >= 0 else 1
    return Problem(f"line {line}", f"{original!r} {rule}", "", file, mend)


def _refuse_modules(reading: Reading, lazy: Mapping[str, str], meta: Meta) -> None:
    """What contributions name must be a module of the package with that export."""
    exported = {about["entryPoint"]: about["exports"] for about in meta["outputs"].values() if "entryPoint" in about}
    for module, export in sorted(reading.modules):
        path = lazy.get(module, "")
        if not path:
            mend = f"write the path into the import itself: () => import('{module}')"
            reading.wrong("import", "is imported in a way that can't be followed", module, mend)
        elif not path.endswith(_SCRIPTS):
            reading.wrong("import", "is no module of components", module, f"name one of {', '.join(_SCRIPTS)}")
        elif export not in exported.get(path, ()):
            mend = "add export default to it" if export == "default" else f"export {export} from it"
            reading.problems.append(Problem("line 1", f"has no export {export!r}", "", path, mend))


def _bundle(program: Path, entries: list[str], place: Path, exports: Exports) -> dict[str, Meta]:
    """Compile the entries; answers esbuild's outputs by the entry that they came from."""
    outside = [f"--external:{module}" for module in exports]
    names = ["--entry-names=[name]-[hash]", "--chunk-names=chunk-[hash]", "--asset-names=[name]-[hash]"]
    flags = ["--format=esm", "--splitting", "--minify", "--legal-comments=none", "--outdir=built"]
    meta = compile_with(program, [*entries, *flags, *names, *outside], place, exports)
    renamed = dict(_tidy(place / "built"))
    return {
        about["entryPoint"]: {"file": _renamed(output, renamed), "style": _renamed(about.get("cssBundle", ""), renamed)}
        for output, about in meta["outputs"].items()
        if about.get("entryPoint")
    }


def _renamed(output: str, renamed: Mapping[str, str]) -> str:
    name = PurePosixPath(output).name
    return renamed.get(name, name)


def _tidy(built: Path) -> Iterator[tuple[str, str]]:
    """Put each stylesheet into the layer of plugins, below the host's own; its name is that of its new content."""
    for file in sorted(built.glob("*.css")):
        data = f"@layer {LAYER}{{{file.read_text(encoding='utf-8').strip()}}}\n".encode()
        hashed = hashlib.sha256(data).hexdigest()[:8].upper()
        name = f"{file.stem.rpartition('-')[0]}-{hashed}.css"
        file.unlink()
        (built / name).write_bytes(data)
        yield f"{file.stem}.css", name


def _named(contributions: Meta, lazy: Mapping[str, str], outputs: Mapping[str, Meta]) -> Meta:
    """The contributions with the compiled files' names in the place of the modules'."""

    def name(item: Any) -> Any:
        if isinstance(item, list):
            return [name(one) for one in item]
        if isinstance(item, dict) and item.get("module"):
            return item | {"module": outputs[lazy[item["module"]]]["file"]}
        return item

    return {kind: name(items) for kind, items in contributions.items()}


def _finished(built: Path, contributions: Meta, warnings: Iterable[Problem]) -> Bundle:
    built.mkdir(exist_ok=True)
    files = read_files(built)
    total = sum(map(len, files.values()))
    if len(files) > _MOST_FILES or total > _MOST_BYTES:
        rule = f"compiles to {len(files)} files of {total:,} bytes; at most {_MOST_FILES} of {_MOST_BYTES:,}"
        raise refused((Problem("(package)", rule, file="frontend", mend="leave out what is not needed"),))
    odd = [file for file in files if not FILE.fullmatch(file)]
    if odd:
        mend = "use letters, digits, dots, dashes and _ in names of files"
        raise refused(tuple(Problem("(package)", f"no good name: {name}", file="frontend", mend=mend) for name in odd))
    hashes = {file: integrity(data) for file, data in files.items()}
    styles = tuple(file for file in sorted(files) if file.endswith(".css"))
    return Bundle(digest_of(files), hashes, styles, contributions, "", tuple(warnings))


# ── compiled before ─────────────────────────────────────────────────────────────────────────────────────────────


def _copy(dist: Path, into: Path) -> Path:
    into.mkdir()
    for name, file in tree(dist):
        if name != INDEX:
            shutil.copyfile(file, into / name)
    return into


def _packed(bundle: Bundle, package: Path, manifest: Manifest, toolchain: Toolchain) -> Bundle:
    """A packed bundle whose files are what was promised: are its imports and contributions good here, too?"""
    toolchain.refuse_unbuilt()
    problems = [problem for name in bundle.files for problem in _strange(package / DIST / name, toolchain.exports)]
    problems += _undeclared(bundle, manifest)
    if problems:
        raise refused(tuple(problems))
    return bundle


def _strange(file: Path, exports: Exports) -> Iterator[Problem]:
    """Imports of a compiled module that this shell does not offer."""
    if file.suffix != ".js":
        return
    where, mend = f"{DIST}/{file.name}", "install the version made for this Hotbay, or pack it again with it"
    for module, names in imports_of(file.read_text(encoding="utf-8", errors="replace")):
        if module.startswith("./"):
            if not (file.parent / module).is_file():
                yield Problem("line 1", f"there is no {module}", "", where, mend)
        elif module not in exports:
            yield Problem("line 1", f"{module!r} is none of the shared modules", "", where, mend)
        else:
            missing = [name for name in names if name not in exports[module]]
            for name in missing:
                yield Problem("line 1", f"{module} does not export {name!r}", "", where, mend)


def _undeclared(bundle: Bundle, manifest: Manifest) -> Iterator[Problem]:
    """Contributions of a packed bundle are read again by the rules, with its files in the place of modules."""
    reading = Reading(f"{DIST}/{INDEX}", "", manifest)
    again = read_contributions(as_config(bundle.contributions), reading)
    yield from reading.problems
    if not reading.problems and again != bundle.contributions:
        yield Problem("contributions", "are not what a configuration would give", "", reading.file, "pack it again")
    for module, _ in sorted(reading.modules):
        if module not in bundle.files:
            yield Problem("contributions", f"name {module}, which is not packed", "", reading.file, "pack it again")
    if set(bundle.styles) != {name for name in bundle.files if name.endswith(".css")}:
        yield Problem("styles", "are not the style sheets that are packed", "", reading.file, "pack it again")
