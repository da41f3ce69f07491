"""Mend what was found: all that needs no decision, or what is named. Each finding on its own, and in the audit."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from hotbay import store
from hotbay.doctor.examination import examine
from hotbay.doctor.finding import Finding, Surgeon
from hotbay.errors import HotbayError, NotFound, Refused, StateError
from hotbay.mishap import explain

log = logging.getLogger("hotbay.doctor")
_ROUNDS = 3  # What is mended may uncover more: versions that are forgotten leave images that nothing points at.


@dataclass
class Mended:
    """What was done (in words, by finding), and the errors of what could not be."""

    done: dict[str, str] = field(default_factory=dict)
    failed: dict[str, HotbayError] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """JSON for API and command line."""
        return {
            "mended": [{"id": name, "done": text} for name, text in self.done.items()],
            "failed": [{"id": name, "error": error.to_json()} for name, error in self.failed.items()],
        }


def mend(surgeon: Surgeon, wanted: Collection[str] | None = None) -> Mended:
    """Mend the findings with these ids; None: every one that needs no decision. Safe to repeat.

    Cut-off operations are closed before. One finding that can't be mended stops no other: see `failed`. Raises
    LeaseHeld while an operation is in progress; NotFound for an id that is none, Refused for one that nothing here
    mends: then nothing is changed.
    """
    settings = surgeon.settings
    about = {"kind": "mending", "plugin": "all plugins", "actor": surgeon.actor}
    with surgeon.lease.hold(settings.lease_seconds, **about):
        before = _examined(surgeon)
        if wanted is not None:
            _refuse_unfit(wanted, before)
        made = Mended()
        now = _recovered(surgeon, before, made)
        if wanted is not None:
            _mend(surgeon, [now[name] for name in wanted if name in now], made)
            return made
        for _ in range(_ROUNDS):
            _mend(surgeon, [item for item in now.values() if item.fixable and item.id not in made.failed], made)
            now = _examined(surgeon)
    return made


def _examined(surgeon: Surgeon) -> dict[str, Finding]:
    return {item.id: item for item in examine(surgeon.settings, ours=True)}


def _refuse_unfit(wanted: Iterable[str], known: dict[str, Finding]) -> None:
    for name in wanted:
        if name not in known:
            raise NotFound(f"there is no finding {name!r}", mend="`hotbay doctor --json` tells their ids")
        if known[name].cure is None:
            raise Refused(f"{name} is not mended from here: {known[name].message}", mend=known[name].mend)


def _recovered(surgeon: Surgeon, before: dict[str, Finding], made: Mended) -> dict[str, Finding]:
    """Recovery is first of all: it decides which images and folders are still needed. Answers what is left to mend."""
    surgeon.recover()
    now = _examined(surgeon)
    for item in before.values():
        if item.cure is not None and item.id not in now:
            closed = f"closed operation {item.about.rpartition(':')[2]}"
            made.done[item.id] = closed if item.check == "operations" else f"cleared away: {item.message}"
            _audit(surgeon, item, "done", {"said": made.done[item.id]})
    return now


def _mend(surgeon: Surgeon, found: Iterable[Finding], made: Mended) -> None:
    for item in found:
        assert item.cure is not None
        try:
            made.done[item.id] = item.cure(surgeon)
            _audit(surgeon, item, "done", {"said": made.done[item.id]})
        except Exception as error:
            refused = _as_hotbay(error)
            made.failed[item.id] = refused
            log.exception("%s can't be mended", item.id)
            _audit(surgeon, item, f"failed: {refused.code}", {"error": refused.to_json()})


def _as_hotbay(error: Exception) -> HotbayError:
    """What is mended may be anything: one thing that nobody thought of must not keep the rest from being mended."""
    if isinstance(error, HotbayError):
        return error
    return explain(error) or StateError(f"{type(error).__name__}: {error}", mend="see the log")


def _audit(surgeon: Surgeon, item: Finding, result: str, detail: dict[str, Any]) -> None:
    with surgeon.store.write() as connection:
        store.add_audit(
            connection,
            actor=surgeon.actor,
            action="mend",
            plugin=item.plugin,
            result=result,
            operation=None,
            detail={"finding": item.id, **detail},
        )
