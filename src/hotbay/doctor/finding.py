"""What an examination finds, and whom it looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from hotbay import journal
from hotbay.errors import LeaseHeld
from hotbay.model import Live
from hotbay.presence import Lease
from hotbay.recover import Recovery, Writer
from hotbay.request import Request
from hotbay.settings import Settings
from hotbay.store import Store

OK, WARNING, ERROR = "ok", "warning", "error"


class Surgeon(Writer, Protocol):
    """Who mends: the writer of operations, who holds the lease meanwhile."""

    lease: Lease
    actor: str

    def recover(self, *, thorough: bool = False) -> Recovery:
        """Finish or undo operations that were cut off."""

    def run_held(self, request: Request, *, unless: Callable[[], bool]) -> object:
        """Run an operation under the lease; raises Superseded when `unless` is true."""


Cure = Callable[[Surgeon], str]


@dataclass(frozen=True)
class Finding:
    """What one check says of one thing (`about`). `mend` says in words what to do.

    `cure` does it, under the lease, and answers what was done; it is safe to repeat. A cure that takes away what
    somebody may still want is a `choice`: it is done for those that are named, never for all.
    """

    check: str
    about: str
    level: str
    message: str
    mend: str = ""
    plugin: str = ""
    cure: Cure | None = field(default=None, repr=False, compare=False)
    choice: bool = False

    @property
    def id(self) -> str:
        """Its name, the same as long as it lasts."""
        return f"{self.check.replace(' ', '-')}:{self.about}"

    @property
    def fixable(self) -> bool:
        """True where it is mended without a decision."""
        return self.cure is not None and not self.choice

    def to_json(self) -> dict[str, Any]:
        """Flat JSON."""
        names = ("id", "check", "level", "message", "mend", "plugin", "fixable", "choice")
        return {name: getattr(self, name) for name in names}


Findings = Iterator[Finding]


class Patient:
    """One host's state, as far as it can be read. `ours`: the lease is held by who asks."""

    def __init__(self, settings: Settings, *, ours: bool = False) -> None:
        self.settings = settings
        self.store: Store | None = None
        self._ours = ours

    @cached_property
    def registry(self) -> Store:
        """The registry; only for checks that run after the database was found sound."""
        assert self.store is not None
        return self.store

    @cached_property
    def rows(self) -> dict[str, Live]:
        """The live rows."""
        return self.registry.all_live()

    @cached_property
    def busy(self) -> dict[str, Any]:
        """Who else holds the lease; empty when nobody does."""
        if self._ours:
            return {}
        lease = Lease(self.settings.run / "lease")
        try:
            with lease.hold(0, kind="examination", plugin="all plugins", actor="doctor"):
                return {}
        except LeaseHeld as error:
            return dict(error.detail["holder"]) or {"pid": "?"}

    @cached_property
    def cut_off(self) -> list[dict[str, Any]]:
        """The operations that are recorded as running."""
        return journal.cut_off(self.registry)

    @property
    def at_rest(self) -> bool:
        """True when no operation is open: only then is what nothing points at left over."""
        return not self.busy and not self.cut_off

    def close(self) -> None:
        """Close the database."""
        if self.store is not None:
            self.store.close()
