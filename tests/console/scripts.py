"""Runs modules of the console that need no browser: bundled by the console's own esbuild, evaluated in QuickJS."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from hotbay.frontend.toolchain import STATIC

SOURCES = Path(__file__).parents[2] / "console" / "src"


def evaluate(module: str, expression: str, **given: Any) -> Any:
    """The value of an expression, or what it promises, in which `it` is the module and each of `given` a name."""
    import _quickjs

    # As it is built: React's other form wants a browser's console.
    options = ["--bundle", "--format=iife", "--global-name=it", '--define:process.env.NODE_ENV="production"']
    command = [STATIC / "bin" / "esbuild", SOURCES / module, *options]
    bundled = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    context = _quickjs.Context()
    context.eval(bundled)
    names = "".join(f"const {name} = {json.dumps(value)};" for name, value in given.items())
    context.eval(f"{names} Promise.resolve({expression}).then(value => {{ globalThis.found = JSON.stringify(value) }})")
    while context.execute_pending_job():
        pass
    return json.loads(context.eval("found"))
