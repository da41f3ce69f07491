"""Operations that were cut off, plugins that do not serve, and rows of the registry that belong to nothing."""

from __future__ import annotations

from functools import partial

from sqlalchemy import delete, select

from hotbay import journal, store
from hotbay.contract import all_owed
from hotbay.doctor.finding import ERROR, OK, WARNING, Finding, Findings, Patient, Surgeon
from hotbay.errors import StateError
from hotbay.heal import restore_rows
from hotbay.leaks import all_leaks, marked
from hotbay.liverows import UNREADABLE
from hotbay.recover import settle, stuck_because
from hotbay.schema import operations, steps, versions
from hotbay.suspects import Suspects


def open_operations(patient: Patient) -> Findings:
    """Operations that were begun and have not ended."""
    for row in patient.cut_off:
        what, about = f"operation {row['id']}: {row['kind']} of {row['plugin']}", f"cut-off:{row['id']}"
        if patient.busy:
            yield Finding("operations", about, OK, f"{what} is in progress", plugin=row["plugin"])
            continue
        how, reason = "finish" if row["switched"] else "undo", stuck_because(row)
        stuck = f" and can't be closed: {reason}" if reason else ""
        mend = f"{'mend the cause; ' if reason else ''}--mend will {how} it; so does the next start or operation"
        message = f"{what} was cut off{stuck}"
        yield Finding("operations", about, ERROR, message, mend, row["plugin"], partial(_closed, row["id"]))


def _closed(number: int, surgeon: Surgeon) -> str:
    """Recovery has tried already: it comes before everything else that is mended."""
    for row in journal.cut_off(surgeon.store):
        if row["id"] == number:
            raise StateError(f"operation {number} can't be closed: {stuck_because(row)}", mend="mend the cause first")
    return f"closed operation {number}"


def owed_contracts(patient: Patient) -> Findings:
    """Contract scripts that have not run: the plugin serves on tables that are wider than it needs."""
    for plugin, debt in all_owed(patient.registry).items():
        message = f"contract scripts of {plugin} have not run: {debt['problem']}"
        mend = f"{'' if debt['late'] else 'mend the cause; '}--mend tries them again, and so does the next start"
        yield Finding("contracts", f"owed:{plugin}", WARNING, message, mend, plugin, partial(_contracted, plugin))


def _contracted(plugin: str, surgeon: Surgeon) -> str:
    settle(surgeon, every=True)
    debt = all_owed(surgeon.store).get(plugin)
    if debt is not None:
        raise StateError(f"contract scripts of {plugin} can't run: {debt['problem']}", mend="mend the cause first")
    return f"ran the contract scripts of {plugin}"


def serving(patient: Patient) -> Findings:
    """What the registry says of each plugin."""
    suspects = Suspects(patient.settings.loading)
    suspects.collect()
    for plugin, row in patient.rows.items():
        strikes = suspects.of(row.image)
        if row.problem.startswith(UNREADABLE):
            mend, cure = "--mend restores it from its image, and so does the next start", partial(_row, plugin)
            yield Finding("plugins", f"unreadable:{plugin}", ERROR, f"{plugin}: {row.problem}", mend, plugin, cure)
        elif row.problem:
            mend = f"`hotbay logs {plugin}`; then upgrade, roll back or deactivate it, or `hotbay activate {plugin}`"
            message = f"{plugin} does not serve: {row.problem}"
            yield Finding("plugins", f"silent:{plugin}", ERROR, message, mend, plugin)
        elif row.active and strikes is not None:
            mend = "it is tried again at its next use; one success clears it, a second failure leaves it out"
            yield Finding("plugins", f"suspect:{plugin}", WARNING, str(strikes), mend, plugin)
    states = [row.state.value for row in patient.rows.values()]
    yield Finding("plugins", "all", OK, f"{states.count('active')} active, {states.count('inactive')} inactive")


def _row(plugin: str, surgeon: Surgeon) -> str:
    if plugin not in restore_rows(surgeon.store, surgeon.settings):
        raise StateError(f"the row of {plugin} can't be restored", mend="uninstall it and install it anew")
    return f"restored the row of {plugin}"


def unloading(patient: Patient) -> Findings:
    """Plugins that stay in memory."""
    leaks = all_leaks(patient.registry)
    for plugin in leaks:
        if text := marked(leaks, plugin, patient.settings.leak_limit):
            mend = "its author finds what holds it there; until then, restart the workers now and then"
            yield Finding("unloading", f"leak:{plugin}", WARNING, text, mend, plugin)


def stray_rows(patient: Patient) -> Findings:
    """Rows that belong to no plugin and no operation. They are the registry's own: nobody's data is in them."""
    if not patient.at_rest:
        return
    mend = "--mend deletes it"
    for plugin in patient.registry.all_candidates():
        message, cure = f"workers are asked for something of {plugin} by no operation", partial(_wish, plugin)
        yield Finding("registry", f"wish:{plugin}", WARNING, message, mend, plugin, cure)
    with patient.registry.read() as connection:
        known = set(connection.scalars(select(versions.c.plugin).distinct()))
        gone = steps.c.operation.not_in(select(operations.c.id))
        lost = list(connection.scalars(select(steps.c.operation).where(gone).distinct().order_by(steps.c.operation)))
    for plugin in sorted(known - set(patient.rows)):
        message, cure = f"versions of {plugin} are kept, which is not installed", partial(_versions, plugin)
        yield Finding("registry", f"versions:{plugin}", WARNING, message, mend, plugin, cure)
    for number in lost:
        message, cure = f"the journal has steps of operation {number}, which is not in it", partial(_steps, number)
        yield Finding("registry", f"steps:{number}", WARNING, message, mend, cure=cure)


def _wish(plugin: str, surgeon: Surgeon) -> str:
    with surgeon.store.write() as connection:
        store.set_candidate(connection, plugin, None)
    surgeon.beacon.bump()
    surgeon.workers.signal()
    return f"withdrew what was asked for of {plugin}"


def _versions(plugin: str, surgeon: Surgeon) -> str:
    with surgeon.store.write() as connection:
        connection.execute(delete(versions).where(versions.c.plugin == plugin))
    return f"forgot the versions of {plugin}"


def _steps(number: int, surgeon: Surgeon) -> str:
    with surgeon.store.write() as connection:
        connection.execute(delete(steps).where(steps.c.operation == number))
    return f"deleted the steps of operation {number}"
