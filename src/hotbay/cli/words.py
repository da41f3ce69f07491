"""Words for people: tables, times, sizes. What plugins and packages say is never trusted with the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

# Control characters, but for tab and line break, could move the cursor, hide text or type into the terminal.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"}


def clean(text: str) -> str:
    """The text with its control characters made visible; only the colours that click adds itself stay."""
    parts = text.split("\x1b[")
    safe = [parts[0].translate(_CONTROLS)]
    for part in parts[1:]:
        code, mark, _ = part.partition("m")
        colour = bool(mark) and all(item in _COLOURS for item in code.split(";"))
        safe.append(("\x1b[" if colour else "\\x1b[") + part.translate(_CONTROLS))
    return "".join(safe)


_COLOURS = {"0", "1", "2", "31", "32", "33", "34", "36"}


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print columns: with rich on a terminal, and unwrapped where another program reads."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    columns = Table(*headers, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        columns.add_row(*(Text(clean(str(cell))) for cell in row))
    width = None if sys.stdout.isatty() else 10_000
    Console(width=width, highlight=False, soft_wrap=False).print(columns)


def pairs(items: Iterable[tuple[str, Any]]) -> str:
    """`name   value` lines; empty values are left out, further lines of a value stand below its first."""
    shown = [(name, str(value)) for name, value in items if value not in ("", None, [], (), {})]
    width = max((len(name) for name, _ in shown), default=0)
    gap = "\n".ljust(width + 3)
    return "\n".join(f"{name:{width}}  {value.replace(chr(10), gap)}" for name, value in shown)


def seconds(value: float | None) -> str:
    """A duration as people read it."""
    if value is None:
        return ""
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def size(count: int) -> str:
    """A number of bytes as people read it."""
    value = float(count)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def moment(text: str | None) -> str:
    """A time of the registry, to the second."""
    return (text or "")[:19].replace("T", " ")
