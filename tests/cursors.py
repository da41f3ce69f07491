"""What a search through the heap does to a connection: it holds the cursors that it meets."""

from __future__ import annotations

import sqlite3
from typing import Any


def holding(base: type[sqlite3.Connection]) -> tuple[type[sqlite3.Connection], list[sqlite3.Cursor]]:
    """Connections like those of `base` each of whose cursors stays in the list that comes with them."""
    held: list[sqlite3.Cursor] = []

    class Held(sqlite3.Cursor):
        def __init__(self, connection: sqlite3.Connection) -> None:
            super().__init__(connection)
            held.append(self)

    class Holding(base):  # type: ignore[valid-type, misc]
        def execute(self, *given: Any) -> sqlite3.Cursor:
            return self.cursor(Held).execute(*given)

    return Holding, held
