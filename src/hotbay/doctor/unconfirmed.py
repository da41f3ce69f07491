"""Changes that wait for a confirmation which can't come any more, and those that nobody takes back in time."""

from __future__ import annotations

import os
from functools import partial

from sqlalchemy import select

from hotbay import store
from hotbay.confirmations import (
    Confirmation,
    all_confirmations,
    find_confirmation,
    forget_confirmation,
    pending,
    settle,
    unreadable_confirmations,
)
from hotbay.doctor.finding import ERROR, WARNING, Finding, Findings, Patient, Surgeon
from hotbay.errors import StateError
from hotbay.images import Images
from hotbay.model import Kind, Standing
from hotbay.moments import moment, tell_seconds
from hotbay.presence import Lease
from hotbay.revert import go_back
from hotbay.revert import overdue as why_overdue
from hotbay.schema import operations

CHECK = "confirmations"


def orphaned(patient: Patient) -> Findings:
    """What waits for a confirmation and can neither have it nor go back: its plugin, code or record is gone."""
    if not patient.at_rest:
        return
    for plugin in unreadable_confirmations(patient.registry):
        message = f"what is to be confirmed of {plugin} is not readable: nothing reverts it"
        cure = partial(_forget, plugin)
        yield Finding(CHECK, f"unreadable:{plugin}", WARNING, message, "--mend forgets it", plugin, cure)
    with patient.registry.read() as connection:
        known = set(connection.scalars(select(operations.c.id)))
    for item in pending(patient.registry):
        yield from _orphan(patient, item, item.operation in known)


def _orphan(patient: Patient, item: Confirmation, recorded: bool) -> Findings:
    what, row = f"{item.kind} of {item.plugin} {item.version}", patient.rows.get(item.plugin)
    about, mend = f"orphaned:{item.plugin}", "--mend forgets it: there is nothing left to confirm"
    if row is None:
        cure, why = (
            partial(_forget, item.plugin),
            f"{what} waits for a confirmation, but {item.plugin} is not installed",
        )
        yield Finding(CHECK, about, WARNING, why, mend, item.plugin, cure)
    elif row.image != item.image:
        why, cure = (
            f"{what} waits for a confirmation, but another code is installed",
            partial(_drop, item, "another code is installed"),
        )
        yield Finding(CHECK, about, WARNING, why, mend, item.plugin, cure)
    elif lost := _lost(patient, item, recorded):
        why, cure = f"{what} waits for a confirmation, but {lost}", partial(_drop, item, lost)
        mend = f"`hotbay confirm {item.plugin}`; or --mend {CHECK}:{about} lets it stay and forgets that it waits"
        yield Finding(CHECK, about, ERROR, why, mend, item.plugin, cure, choice=True)


def _lost(patient: Patient, item: Confirmation, recorded: bool) -> str:
    """What it would need to go back and does not have. The change itself serves: whether it stays is a decision."""
    if not recorded:
        return f"its operation {item.operation} is not in the journal"
    kept = {one["image"] for one in patient.registry.history(item.plugin)}
    there = item.before_image in kept and Images(patient.settings.images).has(item.before_image)
    return "" if item.kind is Kind.INSTALL or there else f"{item.before_version}, to which it would go back, is gone"


def overdue(patient: Patient) -> Findings:
    """What nobody confirmed in time, while no worker is there that takes it back."""
    if not patient.at_rest:
        return
    now = moment()
    late = [item for item in pending(patient.registry) if why_overdue(item, now) and _serves(patient, item)]
    if not late or _attended(patient):
        return
    for item in late:
        about, since = f"overdue:{item.plugin}", tell_seconds(-item.left(now))
        message = (
            f"{item.kind} of {item.plugin} {item.version} had to be confirmed {since} ago; nobody is there to revert it"
        )
        mend = f"start the server (not in safe mode), or --mend {CHECK}:{about} reverts it, code and rows"
        cure = partial(_revert, item)
        yield Finding(CHECK, about, WARNING, message, mend, item.plugin, cure, choice=True)


def _serves(patient: Patient, item: Confirmation) -> bool:
    row = patient.rows.get(item.plugin)
    return row is not None and row.image == item.image


def _attended(patient: Patient) -> bool:
    """True while a worker has the post of who reverts."""
    fd = Lease(patient.settings.run / "confirm").try_acquire()
    if fd is None:
        return True
    os.close(fd)
    return False


def given_up(patient: Patient) -> Findings:
    """What should have gone back and could not."""
    for item in all_confirmations(patient.registry).values():
        if item.state is Standing.FAILED:
            message = f"{item.kind} of {item.plugin} {item.version} could not be reverted: {item.reason}"
            mend = f"`hotbay confirm {item.plugin}`, `hotbay rollback {item.plugin}`, or upgrade it"
            yield Finding(CHECK, f"failed:{item.plugin}", WARNING, message, mend, item.plugin)


def _forget(plugin: str, surgeon: Surgeon) -> str:
    with surgeon.store.write() as connection:
        forget_confirmation(connection, plugin)
        store.bump_rev(connection)
    return f"forgot that a change of {plugin} was to be confirmed"


def _drop(item: Confirmation, why: str, surgeon: Surgeon) -> str:
    with surgeon.store.write() as connection:
        settle(connection, item, Standing.DROPPED, f"by {surgeon.actor}: {why}")
    return f"forgot that {item.kind} of {item.plugin} {item.version} was to be confirmed; it stays"


def _revert(item: Confirmation, surgeon: Surgeon) -> str:
    go_back(surgeon.run_held, surgeon.store, item, why_overdue(item, moment()))
    found = find_confirmation(surgeon.store, item.plugin)
    if found is not None and found.state is Standing.PENDING:
        raise StateError(f"{item.plugin} {item.version} could not be reverted", mend="see the server's log")
    return f"reverted {item.kind} of {item.plugin} {item.version}"
