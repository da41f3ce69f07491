"""What a statement of a migration does to a version in service, by rule: why that suffers, and how to split it. Pure.

The codes are stable: scripts may test them, and `docs/database.md` lists them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hotbay.errors import Problem
from hotbay.script import Statement


class Effect(StrEnum):
    """What a statement does to what was there before."""

    CHANGES = "changes"
    BREAKS = "breaks"


@dataclass(frozen=True)
class Rule:
    """Why the version in service would suffer, and how to split the change; `{name}` is the table or object."""

    effect: Effect
    why: str
    split: str


_HELD = 'or say "migrations": "exclusive" in the manifest (requests then wait while it runs)'
_LATER = (
    f"put it into the .contract.sql of the same number, which runs when the version before is gone everywhere, {_HELD}"
)
_COPY = (
    "expand: add the new one, and a trigger that fills it from what the version before writes; backfill: copy in the "
    f".contract.sql of the same number; contract: drop the old one there, {_HELD}"
)
_WAIT = (
    "nothing has to be done: requests of the plugin wait while it runs; in the .contract.sql of the same number it "
    "runs while the new version serves"
)

RULES: dict[str, Rule] = {
    "drops-table": Rule(Effect.BREAKS, "drops table {name}, which the version in service uses", _LATER),
    "drops-view": Rule(Effect.BREAKS, "drops view {name}, which the version in service may read", _LATER),
    "drops-index": Rule(
        Effect.BREAKS, "drops index {name}: ON CONFLICT and INDEXED BY of the version in service may need it", _LATER
    ),
    "drops-trigger": Rule(Effect.BREAKS, "drops trigger {name}: what the version in service writes lacks it", _LATER),
    "drops-column": Rule(Effect.BREAKS, "drops a column of {name}, which the version in service uses", _LATER),
    "rebuilds-table": Rule(
        Effect.BREAKS, "rebuilds table {name}: what the version in service writes meanwhile is lost or refused", _COPY
    ),
    "renames-table": Rule(
        Effect.BREAKS, "renames table {name}, which the version in service knows by its old name", _COPY
    ),
    "renames-column": Rule(
        Effect.BREAKS, "renames a column of {name}, which the version in service knows by its old name", _COPY
    ),
    "alters-column": Rule(Effect.BREAKS, "changes a column of {name} that the version in service uses", _COPY),
    "adds-required-column": Rule(
        Effect.BREAKS,
        "adds a NOT NULL column without a default to {name}: the INSERT of the version in service fails",
        "expand: give the column a constant DEFAULT, or allow NULL; backfill and tighten in the .contract.sql of the "
        f"same number, {_HELD}",
    ),
    "default-not-constant": Rule(
        Effect.BREAKS,
        "adds a column whose default is no constant to {name}: SQLite refuses that on a table with rows",
        f"expand: allow NULL; backfill: set the values in the .contract.sql of the same number, {_HELD}",
    ),
    "adds-checked-column": Rule(
        Effect.BREAKS,
        "adds a CHECK to {name} that the rows of the version in service may not pass",
        f"expand: let the CHECK look at the new column alone, and pass its default, {_HELD}",
    ),
    "adds-reference": Rule(
        Effect.BREAKS,
        "adds a reference with a default to {name}: the INSERT of the version in service refers to what may be missing",
        f"expand: let it be NULL by default; backfill in the .contract.sql of the same number, {_HELD}",
    ),
    "makes-unique": Rule(
        Effect.BREAKS, "makes rows of {name} unique: the version in service may write doubles", _LATER
    ),
    "trigger-refuses": Rule(
        Effect.BREAKS, "lets a trigger refuse rows of {name} that the version in service writes", _LATER
    ),
    "trigger-writes": Rule(
        Effect.BREAKS,
        "lets a trigger change rows beside what the version in service writes to {name}",
        f"expand: let the trigger write to new tables and new columns only, {_HELD}",
    ),
    "adds-rows": Rule(Effect.CHANGES, "puts rows into {name}, which the version in service reads", _WAIT),
    "changes-rows": Rule(
        Effect.CHANGES, "changes rows of {name}, which the version in service reads and writes", _WAIT
    ),
    "deletes-rows": Rule(Effect.CHANGES, "deletes rows of {name}, which the version in service reads", _WAIT),
    "copies-rows": Rule(
        Effect.CHANGES,
        "copies rows into {name}: those that the version in service writes later would be missing",
        _WAIT,
    ),
    "fills-column": Rule(
        Effect.CHANGES,
        "fills a new column of {name}: rows that the version in service writes later would lack it",
        _WAIT,
    ),
}


@dataclass(frozen=True)
class Finding:
    """A statement that does more than add: where it is, its stable code, and on what (`name`)."""

    code: str
    name: str
    file: str
    statement: Statement

    @property
    def effect(self) -> Effect:
        """Whether it changes rows or breaks the version in service."""
        return RULES[self.code].effect

    @property
    def why(self) -> str:
        """Why the version in service would suffer."""
        return RULES[self.code].why.format(name=self.name)

    def problem(self) -> Problem:
        """The same for people."""
        said = self.statement
        return Problem(said.field, self.why, said.excerpt, self.file, RULES[self.code].split, self.code)

    def to_json(self) -> dict[str, Any]:
        """Flat JSON for plans."""
        said = self.statement
        return {
            "code": self.code,
            "effect": self.effect.value,
            "file": self.file,
            "line": said.line,
            "statement": said.excerpt,
            "why": self.why,
            "split": RULES[self.code].split,
        }
