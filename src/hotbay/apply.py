"""The only writer: takes the lease, recovers, plans, writes the journal, runs the steps, undoes them on failure.

Whoever asks (command line, API, console, a renamed folder) comes through `Applier`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection

from hotbay import journal, store
from hotbay.backups import Backup, get_backup, needed_backups, remove_backup
from hotbay.beacon import Beacon
from hotbay.bench import Bench, Workshop
from hotbay.cohort import Cohort
from hotbay.draft import Drafter
from hotbay.errors import HotbayError, LeaseHeld, OperationFailed, StorageError, Superseded, Unconfirmed
from hotbay.folders import Folders
from hotbay.images import Images
from hotbay.mishap import explain, explained
from hotbay.model import DataPolicy, Kind, Live
from hotbay.notary import Notary, clock
from hotbay.outcome import Outcome, Progress, as_hotbay, slim_steps
from hotbay.plan import Plan
from hotbay.presence import MARK, Lease, Workers
from hotbay.recover import Recovery, recover
from hotbay.request import Draft, Request
from hotbay.resolve import HostFacts
from hotbay.settings import Settings
from hotbay.source import Source
from hotbay.steps import STEPS
from hotbay.store import Store
from hotbay.suspects import Suspects

log = logging.getLogger("hotbay.apply")


class Applier:
    """Runs operations on one host's state. Safe to use in several processes and threads: the lease orders them."""

    def __init__(
        self,
        settings: Settings,
        registry: Store,
        *,
        sources: Callable[[], Source],
        facts: Callable[[], HostFacts],
        workshop: Workshop,
        actor: str = "cli",
        progress: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        self.settings = settings
        self.store = registry
        self.actor = actor
        self.progress = progress
        self.workshop = workshop
        self.images = Images(settings.images)
        self.folders = Folders(settings.plugins)
        self.beacon = Beacon(settings.run)
        self.workers = Workers(settings.run)
        self.lease = Lease(settings.run / "lease")
        self.suspects = Suspects(settings.loading)
        self.notary = Notary(settings, registry, self.workers)
        self._alone = False
        self._recovery = Recovery()
        self.drafter = Drafter(settings, registry, self.images, self.folders, sources, facts)

    def plan(self, request: Request) -> Plan:
        """What an operation would do; nothing is changed. Raises what the operation itself would raise at once.

        With `with_requirements`, a warning names what would be installed or activated first.
        """
        with self.drafter.draft(request, ahead=True) as draft:
            return draft.plan

    def run(
        self,
        request: Request,
        *,
        on_open: Callable[[int], None] = lambda number: None,
        unless: Callable[[], bool] = lambda: False,
    ) -> Outcome:
        """Do it. `on_open` gets the operation's number before its first step; `unless` is asked when the lease is ours
        and makes it raise Superseded.

        Raises LeaseHeld, the refusals of planning, StateError while an operation on this plugin can't be closed, or
        OperationFailed after everything done was undone.
        """
        with explained(self.settings.database_path), self._lease(request):
            return self.run_held(request, on_open=on_open, unless=unless)

    def run_held(
        self,
        request: Request,
        *,
        on_open: Callable[[int], None] = lambda number: None,
        unless: Callable[[], bool] = lambda: False,
    ) -> Outcome:
        """Do it for a caller who holds the lease. Raises as `run` does."""
        with explained(self.settings.database_path), self._audited(request):
            self.recover().refuse(request.plugin)
            if unless():
                raise Superseded(f"{request.kind} of {request.plugin} is no longer wanted")
            self._alone = False
            try:
                with self._requirements(request), self.drafter.draft(request) as draft:
                    return self._execute(draft, on_open)
            finally:
                self._write_receipts()

    def _write_receipts(self) -> None:
        """Where workers are, one of them does it, when it has seen what came of the operation."""
        if not self._alone:
            return
        try:
            self.notary.write_due()
        except Exception:
            log.exception("the receipt could not be written; the next operation or start writes it")

    @contextmanager
    def _lease(self, request: Request) -> Iterator[None]:
        seconds = self.settings.lease_seconds if request.wait is None else request.wait
        about = {"kind": request.kind.value, "plugin": request.plugin, "actor": self.actor}
        with self.lease.hold(seconds, **about):
            yield

    @contextmanager
    def _audited(self, request: Request) -> Iterator[None]:
        """A refusal leaves a trace as well; operations that were begun write their own."""
        try:
            yield
        except (OperationFailed, Superseded):
            raise
        except HotbayError as error:
            if "operation" not in error.detail:
                self._note_refusal(request, error)
            raise
        except Exception as error:
            refused = explain(error, self.settings.database_path)
            if refused is not None:
                self._note_refusal(request, refused)
            raise

    def _note_refusal(self, request: Request, error: HotbayError) -> None:
        try:
            with self.store.write() as connection:
                self._audit(connection, request.kind.value, request.plugin, f"refused: {error.code}", error=error)
        except StorageError as why:
            log.error("the refusal of %s %s is not in the audit: %s", request.kind.value, request.plugin, why)

    def _audit(
        self,
        connection: Any,
        action: str,
        plugin: str,
        result: str,
        *,
        plan: Plan | None = None,
        operation: int | None = None,
        error: HotbayError | None = None,
        steps: list[dict[str, Any]] | None = None,
    ) -> None:
        detail: dict[str, Any] = {"steps": steps or []} | ({"error": error.to_json()} if error is not None else {})
        if plan is not None:
            about = {"reason": plan.reason, "trust": plan.trust}
            detail |= {name: value for name, value in about.items() if value}
        store.add_audit(
            connection,
            actor=self.actor,
            action=action,
            plugin=plugin,
            before=plan.before.version if plan and plan.before else "",
            after=plan.after.version if plan and plan.after else "",
            result=result,
            operation=operation,
            detail=detail,
        )

    @contextmanager
    def _requirements(self, request: Request) -> Iterator[None]:
        """Install or activate first what the plugin needs, if the caller wants that; take it back if it fails."""
        done: list[Outcome] = []
        try:
            for need in self.drafter.needs(request) if request.with_requirements else ():
                with self.drafter.draft(need) as draft:
                    done.append(self._execute(draft, lambda number: None))
            yield
        except HotbayError:
            for outcome in reversed(done):
                self._take_back(outcome)
            raise

    def _take_back(self, outcome: Outcome) -> None:
        plugin = outcome.plan.plugin
        back = Kind.UNINSTALL if outcome.plan.kind is Kind.INSTALL else Kind.DEACTIVATE
        # Tables that were there before it came (`uninstall --data keep`) stay.
        fresh = all(row["operation"] == outcome.operation for row in self.store.applied(plugin))
        data = DataPolicy.PURGE if fresh else DataPolicy.KEEP
        with self.drafter.draft(Request(back, plugin, data=data, fresh=fresh)) as draft:
            self._execute(draft, lambda number: None)

    # ── one operation ─────────────────────────────────────────────────────────────────────────────────────────

    def _execute(self, draft: Draft, on_open: Callable[[int], None]) -> Outcome:
        plan = draft.plan
        self._recovery.refuse(plan.plugin)  # Only the draft knows whose package a file is.
        moment = clock(self.workers.signal(MARK))
        with self.store.write() as connection:
            number = journal.open_operation(
                connection,
                kind=plan.kind.value,
                plugin=plan.plugin,
                actor=self.actor,
                plan=plan.to_json() | {"row": draft.row.to_json() if draft.row else None, "clock": moment},
                verbs=[step.verb for step in plan.steps],
            )
        on_open(number)
        bench = self.bench(plan, number, draft.old, draft.row)
        bench.tree = draft.tree
        began = time.monotonic()
        self._tell(bench, "", "running", 0)
        steps = self._steps(bench)
        return self._finish(bench, steps, time.monotonic() - began)

    def bench(self, plan: Plan, number: int, old: Live | None, row: Live | None) -> Bench:
        """What the steps of an operation work on."""
        return Bench(
            settings=self.settings,
            store=self.store,
            images=self.images,
            folders=self.folders,
            beacon=self.beacon,
            cohort=Cohort(self.workers, self.settings.ack_seconds),
            workshop=self.workshop,
            plan=plan,
            operation=number,
            old=old,
            row=row,
        )

    def _steps(self, bench: Bench) -> list[dict[str, Any]]:
        done: list[dict[str, Any]] = []
        for seq, step in enumerate(bench.plan.steps):
            began = time.monotonic()
            self._tell(bench, step.verb, "running", seq)
            try:
                if seq:  # The first is recorded as running with the operation.
                    with self.store.write() as connection:
                        _mark_done(connection, bench.operation, done)
                        journal.mark_step(connection, bench.operation, seq, journal.RUNNING)
                record = STEPS[step.verb].do(bench, step.params)
            except Exception as error:
                raise self._failed(bench, seq, done, as_hotbay(error, step.verb)) from error
            seconds = time.monotonic() - began
            done.append({"verb": step.verb, "seconds": round(seconds, 6), "record": record})
            self._tell(bench, step.verb, "done", seq, seconds)
        return done

    def _finish(self, bench: Bench, steps: list[dict[str, Any]], seconds: float) -> Outcome:
        slimmed = slim_steps(steps)
        outcome = Outcome(bench.operation, bench.plan, seconds, tuple(slimmed), bench.notes)
        self._alone = not self.workers.signal(MARK)
        with self.store.write() as connection:
            _mark_done(connection, bench.operation, steps)
            journal.close_operation(connection, bench.operation, journal.DONE, result=outcome.to_json())
            plan = bench.plan
            self._audit(
                connection, plan.kind.value, plan.plugin, "done", plan=plan, operation=bench.operation, steps=slimmed
            )
        self._tell(bench, "", "done", len(steps), seconds)
        return outcome

    def _failed(self, bench: Bench, seq: int, done: list[dict[str, Any]], error: HotbayError) -> HotbayError:
        """Undo what was done; right of the switch there is nothing to undo, and recovery will finish it."""
        error.detail.setdefault("operation", bench.operation)
        if self._switched(bench.operation):
            log.error("%s: %s failed after the switch; it is finished at the next start", bench.plan.title, error)
            self._tell(bench, bench.plan.steps[seq].verb, "unfinished", seq)
            error.detail.setdefault("switched", True)
            error.mend = "the change itself is done; the rest follows with the next operation or start"
            return error
        try:
            for back in range(seq, -1, -1):
                self.undo_step(bench, back, None if back == seq else done[back].get("record"))
        except Exception:
            # The journal says that it runs: recovery repeats the undoing. Why it failed first is what matters here.
            log.exception("%s could not be undone; that is repeated by the next operation or start", bench.plan.title)
            error.detail.setdefault("undone", False)
            return error
        self._close_failed(bench, seq, done, error)
        return error

    def _close_failed(self, bench: Bench, seq: int, done: list[dict[str, Any]], error: HotbayError) -> None:
        plan = bench.plan
        error.step = error.step or plan.steps[seq].verb
        self._alone = not self.workers.signal(MARK)
        with self.store.write() as connection:
            journal.mark_step(connection, bench.operation, seq, journal.FAILED, error=str(error))
            journal.close_operation(connection, bench.operation, journal.FAILED, error=error.to_json())
            self._audit(
                connection,
                plan.kind.value,
                plan.plugin,
                f"failed: {error.code}",
                plan=plan,
                operation=bench.operation,
                error=error,
                steps=slim_steps(done),
            )
        self._tell(bench, plan.steps[seq].verb, "failed", seq)
        self._tell(bench, "", "failed", seq)

    def undo_step(self, bench: Bench, seq: int, record: Mapping[str, Any] | None) -> None:
        """Undo one step, and say so in the journal. An undo that fails is left to recovery, which repeats it."""
        step = bench.plan.steps[seq]
        STEPS[step.verb].undo(bench, dict(record or {}))
        with self.store.write() as connection:
            journal.mark_step(connection, bench.operation, seq, journal.UNDONE)
        self._tell(bench, step.verb, "undone", seq)

    def _switched(self, number: int) -> bool:
        return bool(journal.get_operation(self.store, number)["switched"])

    def _tell(self, bench: Bench, verb: str, state: str, seq: int, seconds: float = 0.0) -> None:
        summary = bench.plan.steps[seq].summary if verb else bench.plan.title
        plan = bench.plan
        total = len(plan.steps)
        self.progress(
            Progress(
                bench.operation, plan.kind.value, plan.plugin, verb, state, seq, total, seconds, summary, plan.reason
            )
        )

    # ── backups ───────────────────────────────────────────────────────────────────────────────────────────────

    def delete_backup(self, number: int) -> Backup:
        """Delete a backup for ever; in the audit. Raises NotFound, LeaseHeld, Unconfirmed."""
        with self.lease.hold(self.settings.lease_seconds, kind="deleting", plugin=f"backup {number}", actor=self.actor):
            found = get_backup(self.store, number)
            if number in needed_backups(self.store):
                mend = f"`hotbay confirm {found.plugin}`, or go back with `hotbay rollback {found.plugin}`"
                raise Unconfirmed(f"backup {number} is the way back of a change that is not confirmed", mend=mend)
            remove_backup(self.settings, self.store, found)
            with self.store.write() as connection:
                self._audit(connection, f"delete backup {number}", found.plugin, "done")
        return found

    # ── after a crash ─────────────────────────────────────────────────────────────────────────────────────────

    def recover(self, *, thorough: bool = False) -> Recovery:
        """Finish or undo operations that were cut off. Needs the lease."""
        self._recovery = recover(self, thorough=thorough)
        return self._recovery

    def recover_at_start(self) -> list[int]:
        """Recover if nobody holds the lease; whoever holds it recovers himself."""
        try:
            about = {"kind": "recovery", "plugin": "all plugins", "actor": self.actor}
            with explained(self.settings.database_path), suppress(LeaseHeld), self.lease.hold(0, **about):
                closed = self.recover(thorough=True).closed
                self.notary.prune()
                return list(closed)
        except StorageError as error:  # It must not keep the host from starting.
            log.error("what was cut off is not recovered yet: %s", error)
        return []


def _mark_done(connection: Connection, operation: int, steps: list[dict[str, Any]]) -> None:
    """Record the last of the steps as done, in the transaction that records what comes next: a commit less a step."""
    if steps:
        last = steps[-1]
        seq, record, seconds = len(steps) - 1, last["record"], last["seconds"]
        journal.mark_step(connection, operation, seq, journal.DONE, record=record, seconds=seconds)
