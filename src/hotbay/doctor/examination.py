"""All checks, one after the other."""

from __future__ import annotations

from collections.abc import Callable

from hotbay.doctor import (
    folders,
    former,
    frontends,
    ground,
    images,
    keepsakes,
    plugins,
    processes,
    receipts,
    signatures,
    unconfirmed,
)
from hotbay.doctor.finding import ERROR, Finding, Findings, Patient
from hotbay.settings import Settings

_FIRST = (ground.folders_writable, ground.disk, ground.database, ground.local_packages)
# In the order in which what they find is mended: what was lost comes back before what is left over goes.
_OF_ROWS = (
    *(plugins.open_operations, plugins.owed_contracts, plugins.serving, plugins.unloading, plugins.stray_rows),
    *(unconfirmed.orphaned, unconfirmed.overdue, unconfirmed.given_up),
    *(images.images, folders.folders, images.leftovers, folders.registry_file),
    *(frontends.frontends, frontends.strays),
    *(former.missing_tables, former.left_behind, keepsakes.backups, keepsakes.exports, keepsakes.logs),
    *(receipts.chain, receipts.orphaned),
    *(processes.workers, processes.secrets, signatures.signatures),
)


def examine(settings: Settings, *, ours: bool = False) -> list[Finding]:
    """Run every check. Raises nothing that a check can say itself. `ours`: the caller holds the lease."""
    patient = Patient(settings, ours=ours)
    try:
        found = [finding for check in _FIRST for finding in _carefully(check, patient)]
        if patient.store is not None:
            for check in _OF_ROWS:
                found += _carefully(check, patient)
        return found
    finally:
        patient.close()


def _carefully(check: Callable[[Patient], Findings], patient: Patient) -> list[Finding]:
    """A check that fails is a finding itself: what it looks at may be anything."""
    try:
        return list(check(patient))
    except Exception as error:  # noqa: BLE001
        name = check.__name__.replace("_", " ")
        return [Finding(name, "failed", ERROR, f"can't be examined: {type(error).__name__}: {error}")]
