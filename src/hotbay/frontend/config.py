"""`addon.config.ts`: what it says, read by running it in QuickJS. Nothing of it runs in the host.

A function that imports a module is called, and the import answers which module and which export was meant.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hotbay.errors import InvalidPackage, Problem
from hotbay.frontend.esbuild import COMMON, Exports, messages, refused
from hotbay.frontend.sandbox import evaluate, run

NAMES = ("addon.config.ts", "addon.config.tsx", "addon.config.js")
MODULE, EXPORT = "$module", "$export"
_MEND = "it runs without files, network and browser, for at most a second: let it only define AddonConfig"

# `import()` is compiled to `Promise.resolve().then(() => __toESM(require("…")))`: this Promise is not asynchronous.
_PRELUDE = """
const __is = Symbol();
class __Mark { constructor(module, name) { this.module = module; this.name = name; } }
class __Now {
  constructor(value) { this.value = value; }
  static resolve(value) { return value instanceof __Now ? value : new __Now(value); }
  then(go) { return go ? __Now.resolve(go(this.value)) : this; }
  catch() { return this; }
  finally(go) { if (go) go(); return this; }
}
globalThis.Promise = __Now;
globalThis.require = (module) => Object.create(
  new Proxy({}, { get: (_, key) => key === __is ? module
    : typeof key === "string" && key !== "then" ? new __Mark(module, key) : undefined }),
  { __esModule: { value: true } });
"""
_EPILOGUE = """
;(() => {
  const settle = (value, depth) => {
    if (value instanceof __Now) return settle(value.value, depth);
    if (value instanceof __Mark) return { $module: value.module, $export: value.name };
    if (value === null || typeof value !== "object") return { $function: true };
    if (typeof value[__is] === "string") return { $module: value[__is], $export: "default" };
    return depth > 4 ? { $function: true } : settle(value.default, depth + 1);
  };
  const plain = (value, depth) => {
    if (depth > 12) throw new Error("AddonConfig is nested too deeply, or refers to itself");
    if (typeof value === "function") return settle(value(), 0);
    if (value instanceof __Mark || value instanceof __Now) return settle(value, 0);
    if (Array.isArray(value)) return value.map((item) => plain(item, depth + 1));
    if (value === null || typeof value !== "object") {
      return ["string", "number", "boolean"].includes(typeof value) ? value : null;
    }
    if (typeof value[__is] === "string") return settle(value, 0);
    return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)
      .map(([key, item]) => [key, plain(item, depth + 1)]));
  };
  const found = __addon.AddonConfig ?? __addon.default;
  if (found === undefined) throw new Error("nothing is exported: write export const AddonConfig = { … }");
  return JSON.stringify(plain(found, 0));
})()
"""
_PLACE = re.compile(r"(?:<input>|<anonymous>|<evalScript>|\S*):(\d+):(\d+)\)?")
_DIGITS = {char: index for index, char in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")}


def read_config(program: Path, config: str, lazy: Iterable[str], folder: Path, exports: Exports) -> dict[str, Any]:
    """The configuration in the file `config` as plain data; a lazily imported module is {"$module", "$export"}.

    `lazy` are the specifiers that it imports with `import()`. Raises InvalidPackage with the line that failed.
    """
    flags = ["--format=iife", "--global-name=__addon", "--supported:dynamic-import=false", "--sourcemap=inline"]
    outside = [f"--external:{name}" for name in (*lazy, *exports)]
    said = run(program, [config, *COMMON, *flags, *outside, "--sources-content=false", "--outfile=config.js"], folder)
    problems = tuple(problem for problem, serious in messages(said.err, exports) if serious)
    if said.code or problems:
        raise refused(problems or (Problem("(package)", "can't be compiled", file=config),))
    script = (folder / "config.js").read_text(encoding="utf-8")
    try:
        found = json.loads(evaluate(_PRELUDE.lstrip() + script + _EPILOGUE, folder))
    except InvalidPackage as error:
        raise refused((_failed(error, config, script),)) from None
    if not isinstance(found, dict):
        raise refused((Problem("AddonConfig", "must be an object", file=config, mend="export const AddonConfig = {"),))
    return found


def _failed(error: InvalidPackage, config: str, script: str) -> Problem:
    """What the script raised, with its line in the file that the author wrote."""
    lines = error.message.strip().splitlines() or ["it failed"]
    line = 0
    for match in _PLACE.finditer("\n".join(lines[1:])):
        line = source_line(script, int(match[1]) - _PRELUDE.lstrip().count("\n"), int(match[2]), config)
        if line:
            break
    rule = "takes too long or too much memory" if _at_a_limit(lines[0]) else f"can't be evaluated: {lines[0][:300]}"
    return Problem(f"line {line}" if line else "(document)", rule, file=config, mend=_MEND)


def _at_a_limit(message: str) -> bool:
    return any(word in message for word in ("interrupted", "out of memory", "ended QuickJS", "InternalError: null"))


def source_line(script: str, line: int, column: int, config: str) -> int:
    """The line of `config` that a place in the compiled script came from, by its source map; 0 if unknown."""
    _, found, encoded = script.rpartition("sourceMappingURL=data:application/json;base64,")
    if not found:
        return 0
    document = json.loads(base64.b64decode(encoded.strip()))
    source = origin = result = 0
    for number, row in enumerate(document["mappings"].split(";"), 1):
        start = 0
        for segment in filter(None, row.split(",")):
            moves = _decode(segment)
            if len(moves) < 4:
                continue
            start, source, origin = start + moves[0], source + moves[1], origin + moves[2]
            if number == line and start < column and document["sources"][source].endswith(config):
                result = origin + 1
    return result


def _decode(segment: str) -> list[int]:
    """The numbers of one segment of a source map (base 64, five bits at a time, the sign in the lowest)."""
    numbers, value, shift = [], 0, 0
    for char in segment:
        digit = _DIGITS[char]
        value |= (digit & 31) << shift
        shift += 5
        if not digit & 32:
            numbers.append(-(value >> 1) if value & 1 else value >> 1)
            value = shift = 0
    return numbers
