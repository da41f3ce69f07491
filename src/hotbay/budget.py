"""Who fails too often: the share of a plugin's requests that failed in a window, in all workers together, and what is
done about it. One worker judges; it acts through an operation like any other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import monotonic

from hotbay import store
from hotbay.apply import Applier
from hotbay.confirmations import pending
from hotbay.duty import Post
from hotbay.errors import HotbayError, LeaseHeld, NotFound, Refused, Superseded
from hotbay.model import Kind, Live, Rows
from hotbay.presence import Workers
from hotbay.readings import age, error_rate
from hotbay.request import Request
from hotbay.settings import Settings
from hotbay.store import Store

log = logging.getLogger("hotbay.budget")
ACTOR = "error budget"


class Budgets:
    """Judges the plugins of one host, and acts. Blocking: call it in a thread."""

    def __init__(self, settings: Settings, registry: Store, workers: Workers, applier: Callable[[], Applier]) -> None:
        self.settings = settings
        self.store = registry
        self.workers = workers
        self.applier = applier

    @property
    def wanted(self) -> bool:
        """True when any plugin has a policy."""
        return any(policy != "none" for policy in (self.settings.error_policy, *self.settings.error_policies.values()))

    def policy(self, plugin: str) -> str:
        """What happens to a plugin that is over its budget."""
        return self.settings.error_policies.get(plugin, self.settings.error_policy)

    def judge(self) -> list[str]:
        """Look at every plugin that serves, and act on those that are over their budget; answers what was done.

        What is not confirmed yet is left to whoever reverts it, code and rows: the budget is a reason there, too.
        """
        waiting = {item.plugin for item in pending(self.store)}
        active = [row for row in self.store.all_live().values() if row.active and row.plugin not in waiting]
        rows = [row for row in active if self.policy(row.plugin) != "none"]
        return [done for row in rows if (done := self._judge(row))]

    def _judge(self, row: Live) -> str:
        if row.candidate is not None:
            return ""  # Somebody changes it right now.
        span = min(self.settings.error_window, age(row))
        rate = error_rate(self.workers, row.plugin, monotonic() - span)
        if not rate.over(self.settings):
            return ""
        reason = f"{rate.failed} of {rate.requests} requests failed within {span:.0f} s"
        try:
            return self._act(row, reason)
        except (LeaseHeld, Superseded) as error:
            log.info("%s is over its error budget (%s), but has to wait: %s", row.plugin, reason, error)
        except HotbayError as error:
            log.error("%s is over its error budget (%s), but nothing could be done: %s", row.plugin, reason, error)
        return ""

    def _act(self, row: Live, reason: str) -> str:
        kind = Kind.ROLLBACK if self.policy(row.plugin) == "rollback" else Kind.DEACTIVATE
        try:
            self._run(kind, row)
        except (NotFound, Refused) as error:
            if kind is not Kind.ROLLBACK or isinstance(error, Superseded):
                raise
            kind = Kind.DEACTIVATE  # No version before it is kept, or none that could live with the present tables.
            self._run(kind, row)
        self._tell(kind, row, reason)
        return f"{kind} {row.plugin}"

    def _run(self, kind: Kind, row: Live) -> None:
        def changed() -> bool:
            now = self.store.find_live(row.plugin)
            return now is None or now.revision != row.revision

        # Nobody is there to agree to a loss: the rows stay as they are.
        self.applier().run(Request(kind, row.plugin, force=True, rows=Rows.KEEP), unless=changed)

    def _tell(self, kind: Kind, row: Live, reason: str) -> None:
        what = "rolled back" if kind is Kind.ROLLBACK else "deactivated"
        text = f"{row.plugin} {row.version} was {what}: {reason}"
        logging.getLogger(f"hotbay.plugin.{row.plugin}").error(text)
        now = self.store.find_live(row.plugin)
        with self.store.write() as connection:
            if kind is Kind.DEACTIVATE:
                store.set_problem(connection, row.plugin, f"{what}: {reason}")
            store.add_audit(
                connection,
                actor=ACTOR,
                action=f"judge: {kind.value}",
                plugin=row.plugin,
                before=row.version,
                after=now.version if now is not None else "",
                result=reason,
                operation=None,
                detail={"reason": reason},
            )


class Judge:
    """One worker's part: it competes for the post, and judges while it has it. Costs nothing without a policy."""

    def __init__(self, budgets: Budgets) -> None:
        self.budgets = budgets
        seconds = min(5.0, max(0.5, budgets.settings.error_window / 12))
        self.post = Post(budgets.settings.run / "budget", "looking at the error budgets", self._turn, seconds)

    def start(self) -> None:
        """Compete from now on, if any plugin has a policy."""
        if self.budgets.wanted:
            self.post.start()

    async def stop(self) -> None:
        """Judge no longer; an operation in progress is finished first."""
        await self.post.stop()

    async def _turn(self) -> None:
        for item in await asyncio.to_thread(self.budgets.judge):
            log.warning("error budget: %s", item)
