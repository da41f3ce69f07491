"""The esbuild program: how it is called, and what its messages mean to an author."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hotbay.errors import InvalidPackage, Problem
from hotbay.frontend.sandbox import run

COMMON = [
    "--bundle",
    "--jsx=automatic",
    "--platform=browser",
    "--target=es2022",
    # Given raw, no tsconfig.json is looked for, neither the plugin's nor one above the folder.
    '--tsconfig-raw={"compilerOptions":{"useDefineForClassFields":true}}',
    "--log-limit=0",
    "--color=false",
    # Images become part of what names them: a script does not know its own address. Fonts are named by styles only.
    *(f"--loader:.{kind}=dataurl" for kind in ("svg", "png", "jpg", "jpeg", "gif", "webp", "avif")),
    *(f"--loader:.{kind}=file" for kind in ("woff", "woff2")),
]
_MESSAGE = re.compile(r"^[✘▲] \[(ERROR|WARNING)\] (.*?)(?: \[([a-z-]+)\])?$", re.MULTILINE)
_PLACE = re.compile(r"\n\n    (\S[^\n]*?):(\d+):(\d+):\n")
_UNRESOLVED = re.compile(r'Could not resolve "(.*)"')
_UNREADABLE = re.compile(r"(?:Could|Cannot) not? ?read")
_NO_EXPORT = re.compile(r'No matching export in "(.+)" for import "(.+)"')
_UNDEFINED = re.compile(r'Import "(.+)" will always be undefined because there is no matching export in "(.+)"')
# Warnings of what would certainly not work in a browser.
_SERIOUS = frozenset({"css-syntax-error", "import-is-undefined", "js-comment-in-css", "unsupported-require-call"})
_OUTSIDE = "name a file below frontend/ by a relative path"
Exports = Mapping[str, tuple[str, ...]]


def compile_with(program: Path, arguments: list[str], folder: Path, exports: Exports) -> dict[str, Any]:
    """Run esbuild in `folder` and answer its metafile. Raises InvalidPackage with every error as a problem."""
    said = run(program, [*COMMON, *arguments, "--metafile=meta.json"], folder)
    problems = tuple(dict.fromkeys(problem for problem, serious in messages(said.err, exports) if serious))
    if said.code or problems:
        found = problems or (Problem("(package)", f"esbuild ended with {said.code}: {said.err.strip()[:300]}"),)
        raise refused(found)
    meta: dict[str, Any] = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    return meta


def refused(problems: tuple[Problem, ...]) -> InvalidPackage:
    """The error for a frontend with these problems."""
    first = problems[0]
    count = f"{first.file}: {first.field}: {first.rule}" if len(problems) == 1 else f"{len(problems)} errors"
    return InvalidPackage(f"the frontend can't be shown: {count}", mend=first.mend, problems=problems)


def messages(text: str, exports: Exports) -> Iterator[tuple[Problem, bool]]:
    """esbuild's messages as problems; True for those that refuse the package."""
    found = list(_MESSAGE.finditer(text))
    for number, match in enumerate(found):
        rest = text[match.end() : found[number + 1].start() if number + 1 < len(found) else len(text)]
        place = _PLACE.match(rest)
        file, line = (place[1], int(place[2])) if place else ("frontend", 0)
        rule, mend = _explain(match[2], exports)
        if file.startswith("node_modules/"):
            continue
        if file.startswith(("../", "/")):  # Not what it says: that may be what the file holds.
            file, line, rule, mend = "frontend", 0, "an import reaches outside the package", _OUTSIDE
        yield Problem(f"line {line}" if line else "(package)", rule, "", file, mend), _refuses(match)


def _refuses(match: re.Match[str]) -> bool:
    return match[1] == "ERROR" or match[3] in _SERIOUS


def _explain(text: str, exports: Exports) -> tuple[str, str]:
    """The rule that is broken, and how to mend it."""
    if match := _UNRESOLVED.match(text):
        return _unresolved(match[1], exports)
    if match := _NO_EXPORT.match(text):
        return _no_export(match[1], match[2], exports)
    if match := _UNDEFINED.match(text):
        return _no_export(match[2], match[1], exports)
    if _UNREADABLE.match(text):
        return "an import names what can't be read", _OUTSIDE
    return text, "correct the syntax" if text.startswith(
        ("Expected", "Unexpected", "Unterminated", "The character")
    ) else ""


def _unresolved(name: str, exports: Exports) -> tuple[str, str]:
    if name.startswith(("./", "../")) or name in (".", ".."):
        return f"there is no file {name!r} in the package", "correct the path, or add the file"
    if name.startswith("/"):
        return f"{name!r} lies outside the package", _OUTSIDE
    if name.removeprefix("node:").split("/")[0] in _NODE or name.startswith("node:"):
        mend = "a browser has no files, processes or sockets: call the plugin's backend with api of @hotbay/sdk"
        return f"{name!r} is a module of Node, which no browser has", mend
    near = get_close_matches(name, exports, 1)
    mend = f"did you mean {near[0]!r}? " if near else ""
    return f"{name!r} is none of the shared modules", f"{mend}put a copy below frontend/, or use {', '.join(exports)}"


def _no_export(file: str, name: str, exports: Exports) -> tuple[str, str]:
    module = module_of(file, exports)
    if module is None:
        return f"{file} does not export {name!r}", f"export it there, or correct the name {name!r}"
    near = get_close_matches(name, exports[module], 3)
    mend = f"did you mean {', '.join(near)}?" if near else f"docs/frontend.md lists what {module} exports"
    if name == "default":
        mend = f'import by name: import {{ … }} from "{module}"'
    return f"{module} does not export {name!r}", mend


def stub_file(module: str) -> str:
    """Where a shared module's stand-in lies: a file of the exports that it will have."""
    return f"node_modules/{module}/index.js"


def module_of(file: str, exports: Exports) -> str | None:
    """The shared module that a stand-in stands for."""
    return next((module for module in exports if stub_file(module) == file), None)


_NODE = frozenset(
    """assert async_hooks buffer child_process cluster console constants crypto dgram diagnostics_channel dns domain
    events fs http http2 https inspector module net os path perf_hooks process punycode querystring readline repl
    stream string_decoder sys timers tls trace_events tty url util v8 vm wasi worker_threads zlib""".split()  # noqa: SIM905 - a list of them is harder to read
)
