"""What somebody wants, and what is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hotbay.folders import Found
from hotbay.model import DataPolicy, Kind, Live, Rows
from hotbay.plan import Plan


@dataclass(frozen=True)
class Request:
    """What somebody wants. Only some fields matter to each kind of operation.

    `file` is an uploaded archive, `folder` a folder of the folder registry, `sha256` the hash that the caller expects,
    `restore` an export's folder or file or a backup's number, `backup` the backup to put in place (`latest` too),
    `rows` what going back does with the rows, `accept_loss` whether those written since may be lost, `fresh` that
    what goes came in this very go and needs no backup, `wait` how long to wait for the lease (seconds; None: as
    configured), `confirm_within` the seconds after which an install or upgrade goes back unless it was confirmed (0:
    never; `rows` is then what that does with the rows), `image` the exact code to roll back to, `reason` why Hotbay
    does it by itself, `accept_publisher` whether an upgrade may come from another publisher than the verified one.
    """

    kind: Kind
    plugin: str = ""
    version: str = ""
    file: Path | None = None
    folder: Found | None = None
    sha256: str = ""
    data: DataPolicy = DataPolicy.EXPORT
    restore: str = ""
    inactive: bool = False
    with_requirements: bool = False
    force: bool = False
    backup: str = ""
    rows: Rows = Rows.RESTORE
    accept_loss: bool = False
    fresh: bool = False
    wait: float | None = None
    confirm_within: float = 0.0
    image: str = ""
    reason: str = ""
    accept_publisher: bool = False


@dataclass(frozen=True)
class Draft:
    """A plan and what it was made from: the row that is, the row to be, and the verified tree to stage."""

    plan: Plan
    old: Live | None
    row: Live | None
    tree: Path | None = None
