"""Runs modules of the console that need no browser: bundled by the console's own esbuild, evaluated in QuickJS."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from hotbay.frontend.toolchain import STATIC

SOURCES = Path(__file__).parents[2] / "console" / "src"


def evaluate(module: str, expression: str, **given: Any) -> Any:
    """The value of an expression, in which `it` is the module and each of `given` a name."""
    import _quickjs

    command = [STATIC / "bin" / "esbuild", SOURCES / module, "--bundle", "--format=iife", "--global-name=it"]
    bundled = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    context = _quickjs.Context()
    context.eval(bundled)
    names = "".join(f"const {name} = {json.dumps(value)};" for name, value in given.items())
    return json.loads(context.eval(f"{names} JSON.stringify({expression})"))
