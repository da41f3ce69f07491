"""Commit-confirm: a change that nobody confirms in time, or that does worse than what was before, goes back.

One worker acts, through an operation like any other: a rollback of code and rows, or for an install an uninstall that
keeps the rows. Every worker looks after the health of its own generation, and says it in its status.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from hotbay.activate import Generation
from hotbay.apply import Applier
from hotbay.commits import Changes
from hotbay.confirmations import (
    Confirmation,
    count_on,
    note_attempt,
    note_confirmed,
    note_refused,
    pending,
    read_confirmation,
)
from hotbay.duty import Post, keep_looking
from hotbay.errors import HotbayError, LeaseHeld, NotFound, Refused, StateError, Superseded, TooLate
from hotbay.follow import Follower
from hotbay.model import Standing
from hotbay.moments import Moment, moment, tell_seconds
from hotbay.presence import Workers
from hotbay.readings import error_rate
from hotbay.revert import go_back, overdue
from hotbay.serve import Serving
from hotbay.settings import Settings
from hotbay.store import Store

log = logging.getLogger("hotbay.confirm")
ATTEMPTS = 3
_TURN_SECONDS = 0.25
_AGAIN_SECONDS = 5.0


def confirm(applier: Applier, plugin: str, *, clock: Callable[[], Moment] = moment) -> Confirmation:
    """Let the last install or upgrade of a plugin stay; in the audit. Safe to repeat.

    What counts is the moment of the call: an operation in progress is waited for. Raises TooLate after the deadline,
    NotFound when there is nothing to confirm, LeaseHeld.
    """
    asked = clock()
    about = {"kind": "confirmation", "plugin": plugin, "actor": applier.actor}
    with applier.lease.hold(applier.settings.lease_seconds, **about):
        try:
            with applier.store.write() as connection:
                found = read_confirmation(connection, plugin)
                if found is not None and found.state is Standing.CONFIRMED:
                    return found
                return note_confirmed(connection, _confirmable(plugin, found, asked), applier.actor)
        except Refused as error:
            with applier.store.write() as connection:
                note_refused(connection, plugin, applier.actor, error.code)
            raise


def _confirmable(plugin: str, found: Confirmation | None, asked: Moment) -> Confirmation:
    if found is None:
        mend = "only what was installed or upgraded with --confirm-within waits for it"
        raise NotFound(f"nothing of {plugin} waits for a confirmation", mend=mend)
    if found.state is Standing.DROPPED:
        raise NotFound(f"nothing of {plugin} waits for a confirmation any more: {found.reason}")
    what = f"{found.kind} of {plugin} {found.version}"
    if found.state is Standing.REVERTED:
        raise TooLate(f"{what} was reverted: {found.reason}", mend="do it again, with more time")
    late = -found.left(asked)
    if found.state is Standing.PENDING and late >= 0:
        mend = "it is being reverted, or will be as soon as the server runs; then do it again, with more time"
        raise TooLate(f"{what} had to be confirmed {tell_seconds(late)} ago", mend=mend)
    return found


class Confirmations:
    """Judges what is to be confirmed on one host, and reverts. Blocking: call it in a thread.

    `waiting` is False when the last look found nothing that is to be confirmed.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Store,
        workers: Workers,
        applier: Callable[[], Applier],
        clock: Callable[[], Moment] = moment,
    ) -> None:
        self.settings = settings
        self.store = registry
        self.workers = workers
        self.applier = applier
        self.clock = clock
        self.waiting = True
        self._again: dict[int, float] = {}
        self._looked = 0.0

    def look(self) -> list[str]:
        """Revert what is due or does badly; answers what was done. Only for the one who has the post."""
        found = pending(self.store)
        self.waiting = bool(found)
        due = time.monotonic() - self._looked >= self.settings.confirm_check_seconds
        self._looked = time.monotonic() if due else self._looked
        done = [self._look(self._counting(item), due=due) for item in found]
        return [what for what in done if what]

    def _look(self, item: Confirmation, *, due: bool) -> str:
        if time.monotonic() < self._again.get(item.operation, 0.0):
            return ""
        reason = overdue(item, self.clock())
        if not reason and due:
            reason = self._ill(item) or self._worse(item)
        return self.revert(item, reason) if reason else ""

    def _counting(self, item: Confirmation) -> Confirmation:
        now = self.clock()
        if not now.boot or now.same_run(item.counted):
            return item
        with self.store.write() as connection:
            return count_on(connection, item, now)

    # ── reasons ───────────────────────────────────────────────────────────────────────────────────────────────

    def _ill(self, item: Confirmation) -> str:
        """It was left out, or its health was bad in a worker more often in a row than that may be."""
        row = self.store.find_live(item.plugin)
        if row is not None and row.problem:
            return f"it does not serve: {row.problem.splitlines()[0]}"
        for status in self.workers.statuses():
            said = status.of(item.plugin).get("health") or {}
            if said.get("image") == item.image and said.get("failed", 0) >= self.settings.confirm_checks:
                return f"it was not healthy {said['failed']} times in a row: {said['problem']}"
        return ""

    def _worse(self, item: Confirmation) -> str:
        """More of its requests failed than before, by the margin; or more than its error budget allows."""
        span = min(self.settings.error_window, item.elapsed(self.clock()))
        rate = error_rate(self.workers, item.plugin, time.monotonic() - span)
        enough = self.settings.error_requests
        before = item.share if item.requests >= enough else 0.0
        policy = self.settings.error_policies.get(item.plugin, self.settings.error_policy)
        over = policy != "none" and rate.over(self.settings)
        if rate.requests < enough or not (over or rate.share > before + self.settings.confirm_margin):
            return ""
        told = f"before it {item.failed} of {item.requests}" if item.requests else "before it nobody asked"
        return f"{rate.failed} of {rate.requests} requests failed within {span:.0f} s, {told}"

    # ── going back ────────────────────────────────────────────────────────────────────────────────────────────

    def revert(self, item: Confirmation, reason: str) -> str:
        """Go back, unless it is confirmed meanwhile; answers what was done. One that fails is tried again, thrice."""
        try:
            go_back(self.applier().run, self.store, item, reason)
        except (LeaseHeld, Superseded) as error:
            log.info("%s %s is to be reverted (%s), but has to wait: %s", item.plugin, item.version, reason, error)
            return ""
        except StateError as error:  # The disk, the database: not the fault of what is to come back.
            log.error("%s %s could not be reverted yet: %s", item.plugin, item.version, error)
            self._again[item.operation] = time.monotonic() + _AGAIN_SECONDS
            return ""
        except HotbayError as error:
            return self._failed(item, reason, error)
        text = f"{item.kind} of {item.plugin} {item.version} was reverted: {reason}"
        logging.getLogger(f"hotbay.plugin.{item.plugin}").error(text)
        return text

    def _failed(self, item: Confirmation, reason: str, error: HotbayError) -> str:
        if error.detail.get("switched"):  # It has gone back; recovery does the rest.
            log.error("%s was reverted, and that is finished later: %s", item.plugin, error)
            return f"{item.plugin} {item.version} was reverted: {reason}"
        last = item.attempts + 1 >= ATTEMPTS
        with self.store.write() as connection:
            note_attempt(connection, item, f"{reason}; but it can't be reverted: {error.message}", last=last)
        self._again[item.operation] = time.monotonic() + _AGAIN_SECONDS * 2**item.attempts
        more = "it is given up: roll back by hand" if last else "that is tried again"
        log.error("%s %s can't be reverted (%s); %s", item.plugin, item.version, error, more)
        return ""


class Confirmer:
    """One worker's part: it asks its generations how they are, and competes for the post of who reverts."""

    def __init__(self, follower: Follower, confirmations: Confirmations) -> None:
        self.follower = follower
        self.confirmations = confirmations
        self.settings = confirmations.settings
        self.post = Post(self.settings.run / "confirm", "looking at what is to be confirmed", self._turn, _TURN_SECONDS)
        self._changes: Changes | None = None
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look from now on. Not in safe mode: what would come back could not be loaded."""
        if self.settings.safe_mode:
            return
        self._changes = Changes(self.confirmations.store.path)
        self.post.start()
        loop, seconds = asyncio.get_running_loop(), self.settings.confirm_check_seconds
        path, what = self.confirmations.store.path, "asking for the health of what is to be confirmed"
        look = partial(self._look, loop)
        self._task = asyncio.create_task(keep_looking(path, what, look, seconds, longest=seconds), name="hotbay health")

    async def stop(self) -> None:
        """Look no longer; a revert in progress is finished first."""
        tasks = [*([self._task] if self._task is not None else []), *self._asking.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.post.stop()
        if self._changes is not None:
            self._changes.close()

    async def _turn(self) -> None:
        """Most turns find that nothing was written and nothing waits: that costs 9 µs."""
        assert self._changes is not None
        if self._changes.any() or self.confirmations.waiting:
            for done in await asyncio.to_thread(self.confirmations.look):
                log.warning("%s", done)

    # ── health ────────────────────────────────────────────────────────────────────────────────────────────────

    def _look(self, loop: asyncio.AbstractEventLoop) -> bool:
        """In a thread: what is to be asked. True while something is."""
        waiting = pending(self.confirmations.store)
        with suppress(RuntimeError):  # The loop is closed: nobody is asked any more.
            loop.call_soon_threadsafe(self._check, waiting)
        return bool(waiting)

    def _check(self, waiting: list[Confirmation]) -> None:
        for plugin in self.follower.healths.keys() - {item.plugin for item in waiting}:
            del self.follower.healths[plugin]
        for item in waiting:
            serving = self.follower.dispatcher.table.servings.get(item.plugin)
            if serving is not None and serving.live.image == item.image and self._may_ask(serving):
                # A task of its own: nobody waits for it, and what still works at the drain deadline is cancelled.
                asking = asyncio.create_task(self._ask(item, serving), name=f"hotbay health {item.plugin}")
                self._asking[item.plugin] = asking
                asking.add_done_callback(partial(self._asked, item.plugin))

    def _asked(self, plugin: str, task: asyncio.Task[None]) -> None:
        self._asking.pop(plugin, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s could not be asked for its health", plugin, exc_info=error)

    def _may_ask(self, serving: Serving) -> bool:
        """One that sleeps is woken by the worker that has the post, and by no other."""
        if serving.retired or serving.held or serving.plugin in self._asking:
            return False
        return serving.generation is not None or self.post.held

    async def _ask(self, item: Confirmation, serving: Serving) -> None:
        problem = await _problem(serving)
        known = self.follower.healths.get(item.plugin, {})
        before = known.get("failed", 0) if known.get("image") == item.image else 0
        told = {"image": item.image, "failed": before + 1 if problem else 0, "problem": problem}
        if told != known:
            self.follower.tell_health(item.plugin, told)


async def _problem(serving: Serving) -> str:
    """What is wrong with a generation; empty when nothing is."""
    with serving.flight("health"):
        try:
            generation: Generation = await serving.ready()
            await generation.health()
        except HotbayError as error:
            return error.message
    return ""
