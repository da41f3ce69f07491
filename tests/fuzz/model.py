"""What a host should be, as little as can be said: the state machine compares the real one with it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from fuzz.packages import SPLIT, THORN


@dataclass(frozen=True)
class Kept:
    """The rows of a moment, as backups have them. `wide`: what SPLIT's contract script takes away was there."""

    rows: tuple[str, ...]
    wide: bool


@dataclass
class Plugin:
    """One plugin: what runs, whether it serves, and the rows that its visitors were told are kept.

    The tables are `wide` until SPLIT's contract script has run; it is `owed` where that could not be done.
    """

    name: str
    version: str = ""
    edition: str = ""
    active: bool = False
    rows: list[str] = field(default_factory=list)
    wide: bool = True
    owed: bool = False
    left: list[str] | None = None  # Rows that `uninstall --data keep` left.
    ran: set[tuple[str, str]] = field(default_factory=set)  # What was here before, since it was installed.
    kept: dict[tuple[str, str], list[Kept]] = field(default_factory=dict)  # The rows whenever a version was left.

    @property
    def installed(self) -> bool:
        """True when there is a version of it."""
        return bool(self.version)

    @property
    def serves(self) -> tuple[str, str] | None:
        """What its route says; None for a 404."""
        return (self.version, self.edition) if self.active else None

    def carries(self, version: str) -> bool:
        """True when this version's code could live with the tables as they are."""
        return self.wide or version >= SPLIT

    def brought(self, version: str, edition: str, *, active: bool) -> Plugin | None:
        """After an install, or after a version took the place of another with all its migrations; None: refused.

        The contract script runs behind the switch where an older version serves, and is owed there when it fails. Where
        nothing serves it runs before, and takes the whole operation with it.
        """
        thorns = any(row.startswith(THORN) for row in self.there)
        due = version >= SPLIT and self.wide
        if not self.carries(version) or (due and thorns and not self.active):
            return None
        owed = due and thorns
        return replace(self._moved(version, edition, active=active), wide=owed or version < SPLIT, owed=owed)

    def back(self, version: str, edition: str, *, active: bool) -> Plugin:
        """After the code alone went back: no migration runs."""
        return replace(self._moved(version, edition, active=active), owed=False)

    def restored(self, version: str, edition: str, kept: Kept, *, active: bool) -> Plugin:
        """After code and rows went back."""
        after = self._moved(version, edition, active=active)
        return replace(after, rows=list(kept.rows), wide=kept.wide, owed=False)

    def _moved(self, version: str, edition: str, *, active: bool) -> Plugin:
        ran = self.ran | ({(self.version, self.edition)} if self.installed else set())
        after = replace(self, version=version, edition=edition, active=active, ran=ran, rows=self.there, left=None)
        return replace(after, kept=self.left_behind())

    @property
    def there(self) -> list[str]:
        """The rows in the database."""
        return list(self.rows if self.installed else self.left or ())

    @property
    def now(self) -> Kept:
        """What a backup of this moment has."""
        return Kept(tuple(self.rows), self.wide)

    def left_behind(self) -> dict[tuple[str, str], list[Kept]]:
        """What backups may have, once this version is left."""
        if not self.installed:
            return self.kept
        here = self.version, self.edition
        return self.kept | {here: [*self.kept.get(here, []), self.now]}

    def turned(self, *, active: bool) -> Plugin:
        """After an activation or a deactivation."""
        return replace(self, active=active)

    def removed(self, *, keep: bool) -> Plugin:
        """After an uninstall."""
        left = list(self.rows) if keep else None
        return Plugin(self.name, left=left, wide=self.wide or not keep, kept=self.left_behind())

    def paid(self) -> Plugin:
        """After a recovery at start, which tries what is owed again."""
        if not self.owed or any(row.startswith(THORN) for row in self.rows):
            return self
        return replace(self, wide=False, owed=False)
