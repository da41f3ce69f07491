"""What a host should be, as little as can be said: the state machine compares the real one with it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace


@dataclass
class Plugin:
    """One plugin: what runs, whether it serves, and the rows that its visitors were told are kept."""

    name: str
    version: str = ""
    edition: str = ""
    active: bool = False
    rows: list[str] = field(default_factory=list)
    left: list[str] | None = None  # Rows that `uninstall --data keep` left.
    ran: set[tuple[str, str]] = field(default_factory=set)  # What was here before, since it was installed.
    kept: dict[tuple[str, str], list[list[str]]] = field(default_factory=dict)  # The rows whenever a version was left.

    @property
    def installed(self) -> bool:
        """True when there is a version of it."""
        return bool(self.version)

    @property
    def serves(self) -> tuple[str, str] | None:
        """What its route says; None for a 404."""
        return (self.version, self.edition) if self.active else None

    def brought(self, version: str, edition: str, *, active: bool) -> Plugin:
        """After an install or a change of version."""
        rows = list(self.rows if self.installed else self.left or ())
        ran = self.ran | ({(self.version, self.edition)} if self.installed else set())
        after = replace(self, version=version, edition=edition, active=active, ran=ran, rows=rows, left=None)
        return replace(after, kept=self.left_behind())

    def left_behind(self) -> dict[tuple[str, str], list[list[str]]]:
        """What backups may have, once this version is left."""
        if not self.installed:
            return self.kept
        here = self.version, self.edition
        return self.kept | {here: [*self.kept.get(here, []), list(self.rows)]}

    def turned(self, *, active: bool) -> Plugin:
        """After an activation or a deactivation."""
        return replace(self, active=active)

    def removed(self, *, keep: bool) -> Plugin:
        """After an uninstall."""
        return Plugin(self.name, left=list(self.rows) if keep else None, kept=self.left_behind())
