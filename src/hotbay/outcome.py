"""What an operation tells: how far it is, how it ended, and its failure as an error of ours."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from hotbay import journal
from hotbay.errors import HotbayError, OperationFailed
from hotbay.mishap import explain
from hotbay.plan import Plan

log = logging.getLogger("hotbay.outcome")


@dataclass(frozen=True)
class Progress:
    """What happens to an operation: `state` of the step `verb` (number `seq` of `total`), or of the whole (verb "").

    `reason` is why Hotbay does it by itself.
    """

    operation: int
    kind: str
    plugin: str
    verb: str
    state: str
    seq: int
    total: int
    seconds: float = 0.0
    summary: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Outcome:
    """How an operation ended."""

    operation: int
    plan: Plan
    seconds: float
    steps: tuple[dict[str, Any], ...]
    notes: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """JSON for API and command line."""
        after = self.plan.after
        return {
            "operation": self.operation,
            "kind": self.plan.kind.value,
            "plugin": self.plan.plugin,
            "addon_id": self.plan.plugin,
            "version": after.version if after else None,
            "before": self.plan.before.version if self.plan.before else None,
            "state": "done",
            "message": f"{self.plan.title}: done",
            "restart_required": False,
            "seconds": round(self.seconds, 6),
            "steps": list(self.steps),
            "warnings": list(self.plan.warnings),
            **self.notes,
        }


def as_hotbay(error: Exception, verb: str) -> HotbayError:
    """Our own error for anything that a step raised."""
    if isinstance(error, HotbayError):
        return error
    refused = explain(error)
    if refused is not None:
        refused.step = verb
        return refused
    log.error("step %s failed", verb, exc_info=error)
    mend = "see the server's log; everything done was undone"
    return OperationFailed(f"{verb}: {type(error).__name__}: {error}", mend=mend, step=verb)


def slim_steps(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Steps as they are told."""
    return [step | {"record": journal.slim(step["record"])} for step in steps]
