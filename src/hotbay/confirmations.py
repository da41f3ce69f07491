"""Changes that go back unless somebody confirms them: one row a plugin, and how much of its time is left."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update

from hotbay import asked, store
from hotbay.errors import BadInput, Refused, Unconfirmed
from hotbay.model import Kind, Live, Rows, Standing
from hotbay.moments import Moment, moment, read_seconds, tell_seconds
from hotbay.plan import Plan
from hotbay.schema import confirmations, operations
from hotbay.store import Store

log = logging.getLogger("hotbay.confirm")
ACTOR = "commit-confirm"
_GOES_BACK = (Kind.INSTALL, Kind.UPGRADE)
_SHOWN = (
    *("plugin", "operation", "kind", "actor", "version", "before_version", "keep_new_rows", "seconds"),
    *("state", "reason", "attempts", "at", "ended_at"),
)
_CODE = (*_GOES_BACK, Kind.ROLLBACK, Kind.UNINSTALL)


@dataclass(frozen=True)
class Confirmation:
    """What is to be confirmed: `image` serves since `operation`; before it `before_image` did (empty: nothing).

    `requests` and `failed` are the plugin's before it. Of the `seconds` to confirm it, `used` were over at the moment
    that `wall`, `up` and `boot` say. `attempts` counts reverts that failed. `reason` is why the state is what it is.
    """

    plugin: str
    operation: int
    kind: Kind
    actor: str
    version: str
    image: str
    before_version: str
    before_image: str
    keep_new_rows: bool
    requests: int
    failed: int
    seconds: float
    used: float
    wall: float
    up: float
    boot: str
    state: Standing
    reason: str
    attempts: int
    at: str
    ended_at: str | None = None

    @property
    def share(self) -> float:
        """The part of the requests that failed before the change; 0 without requests."""
        return min(1.0, self.failed / max(1, self.requests))

    def elapsed(self, now: Moment) -> float:
        """Seconds since the change."""
        return self.used + now.since(self.counted)

    @property
    def counted(self) -> Moment:
        """When the time that is over was last written down."""
        return Moment(self.wall, self.up, self.boot)

    def left(self, now: Moment) -> float:
        """Seconds to the deadline; negative after it."""
        return self.seconds - self.elapsed(now)

    def to_json(self, now: Moment | None = None) -> dict[str, Any]:
        """What may be shown; `deadline` by the wall clock as it goes now, and `seconds_left`, while it is pending."""
        shown: dict[str, Any] = {name: getattr(self, name) for name in _SHOWN}
        now = now or moment()
        left = self.left(now) if self.state is Standing.PENDING else None
        deadline = None if left is None else datetime.fromtimestamp(now.wall + left, UTC).isoformat(timespec="seconds")
        rest = None if left is None else round(max(0.0, left), 1)
        return shown | {"deadline": deadline, "seconds_left": rest, "text": self.text(now)}

    def text(self, now: Moment | None = None) -> str:
        """One line for people."""
        now = now or moment()
        if self.state is not Standing.PENDING:
            return f"{self.version}: {self.state}{f' ({self.reason})' if self.reason else ''}"
        left = self.left(now)
        when = self.reason or (f"{tell_seconds(left)} left" if left > 0 else "its time is over")
        back = f"it goes back to {self.before_version}" if self.before_version else "it is uninstalled"
        return f"{self.version} is not confirmed ({when}): `hotbay confirm {self.plugin}`, or {back}"


def all_confirmations(registry: Store) -> dict[str, Confirmation]:
    """What is to be confirmed, or was last, by plugin id."""
    with registry.read() as connection:
        rows = connection.execute(asked.EVERY_CONFIRMATION).mappings().all()
    found = (_confirmation(row) for row in rows)
    return {item.plugin: item for item in found if item is not None}


def unreadable_confirmations(registry: Store) -> list[str]:
    """The plugins whose rows something else wrote over."""
    known = all_confirmations(registry)
    with registry.read() as connection:
        return [plugin for plugin in connection.scalars(select(confirmations.c.plugin)) if plugin not in known]


def pending(registry: Store) -> list[Confirmation]:
    """What waits for a confirmation."""
    return [item for item in all_confirmations(registry).values() if item.state is Standing.PENDING]


def read_confirmation(connection: Connection, plugin: str) -> Confirmation | None:
    """One row, in the caller's transaction."""
    row = connection.execute(asked.CONFIRMATION, {"of": plugin}).mappings().first()
    return None if row is None else _confirmation(row)


def find_confirmation(registry: Store, plugin: str) -> Confirmation | None:
    """What is to be confirmed of a plugin, or was last."""
    with registry.read() as connection:
        return read_confirmation(connection, plugin)


def _confirmation(row: Mapping[Any, Any]) -> Confirmation | None:
    """A row as an object; None for one that something else wrote over: it must not hide the others."""
    try:
        return Confirmation(**{**row, "kind": Kind(row["kind"]), "state": Standing(row["state"])})
    except ValueError:
        log.error("what is to be confirmed of %s is not readable; nothing reverts it", row["plugin"])
        return None


def refuse_unconfirmed(registry: Store, plugin: str) -> None:
    """Raise Unconfirmed while the change before is pending: the way back leads over one change, not over two."""
    found = find_confirmation(registry, plugin)
    if found is not None and found.state is Standing.PENDING:
        raise Unconfirmed(
            f"{found.kind} of {plugin} {found.version} is not confirmed yet",
            mend=f"`hotbay confirm {plugin}`, or go back with `hotbay rollback {plugin}`",
            confirmation=found.to_json(),
        )


def unconfirmed_rows(seconds: float, *, keep_new: bool) -> Rows:
    """What going back unconfirmed does with the rows. Raises BadInput where nothing is to be confirmed."""
    if keep_new and not seconds:
        raise BadInput(
            "there is nothing that would keep new rows", mend="it belongs to a time to confirm the upgrade in"
        )
    return Rows.chosen(keep_new=keep_new)


def refuse_unconfirmable(kind: Kind, seconds: float) -> None:
    """Raise Refused for kinds of operations that can't be confirmed later, BadInput for a time that is none."""
    if seconds and kind not in _GOES_BACK:
        raise Refused(f"{kind} can't be confirmed later", mend="only install and upgrade can")
    if seconds:
        read_seconds(seconds)


# ── writing: each function is part of the caller's transaction ──────────────────────────────────────────────────


def note_switch(connection: Connection, plan: Plan, operation: int, row: Live | None, notes: Mapping[str, Any]) -> None:
    """In the transaction of a switch: begin what the plan wants confirmed; end what other code takes the place of.

    `row` is the live row to be. `notes` are the operation's (`lost`, `backup`).
    """
    params = next((step.params.get("confirm") for step in plan.steps if step.verb == "switch"), None)
    if params and row is not None:
        _begin(connection, plan, operation, row, params)
        return
    found = read_confirmation(connection, plan.plugin)
    if found is None or plan.kind not in _CODE:  # It rests, it serves again, its rows are others: it is still the same.
        return
    if found.state.open and plan.reason:
        settle(connection, found, Standing.REVERTED, plan.reason)
        told = {"reason": plan.reason, "lost": notes.get("lost", {}), "backup": notes.get("backup")}
        _audit(connection, found, ACTOR, f"revert: {plan.kind}", plan.reason, operation, told)
    elif found.state is Standing.PENDING and row is not None:
        settle(connection, found, Standing.DROPPED, f"{plan.kind} in operation {operation}")
    else:
        forget_confirmation(connection, plan.plugin)


def forget_confirmation(connection: Connection, plugin: str) -> None:
    """Delete a plugin's row, if there is one."""
    connection.execute(delete(confirmations).where(confirmations.c.plugin == plugin))


def _begin(connection: Connection, plan: Plan, operation: int, row: Live, params: Mapping[str, Any]) -> None:
    before = plan.before
    actor = connection.scalar(select(operations.c.actor).where(operations.c.id == operation)) or ""
    item = Confirmation(
        plugin=plan.plugin,
        operation=operation,
        kind=plan.kind,
        actor=actor,
        version=row.version,
        image=row.image,
        before_version=before.version if before else "",
        before_image=before.image if before else "",
        keep_new_rows=bool(params["keep_new_rows"]),
        requests=params["requests"],
        failed=params["failed"],
        seconds=params["seconds"],
        used=0.0,
        **asdict(moment()),
        state=Standing.PENDING,
        reason="",
        attempts=0,
        at=store.now(),
    )
    connection.execute(asked.put(confirmations), asdict(item))


def settle(connection: Connection, item: Confirmation, state: Standing, reason: str) -> Confirmation:
    """Write down what became of it."""
    ended = replace(item, state=state, reason=reason, ended_at=store.now())
    _change(connection, item, state=state, reason=reason, ended_at=ended.ended_at)
    return ended


def count_on(connection: Connection, item: Confirmation, now: Moment) -> Confirmation:
    """After a start of the machine: write down how much time is over, and count on from here."""
    used = item.elapsed(now)
    _change(connection, item, used=used, **asdict(now))
    return replace(item, used=used, wall=now.wall, up=now.up, boot=now.boot)


def note_attempt(connection: Connection, item: Confirmation, problem: str, *, last: bool) -> None:
    """A revert failed. With `last` it is given up: the change stays, and somebody has to see to it."""
    _change(connection, item, attempts=item.attempts + 1, reason=problem)
    if last:
        settle(connection, item, Standing.FAILED, problem)
        _audit(connection, item, ACTOR, "revert", "failed: it is given up", None, {"reason": problem})


def note_confirmed(connection: Connection, item: Confirmation, actor: str) -> Confirmation:
    """It stays. Folders that had to wait for that get another try."""
    store.clear_refusal(connection, item.plugin)
    _audit(connection, item, actor, "confirm", "done", None, {"confirmed": item.operation})
    return settle(connection, item, Standing.CONFIRMED, f"by {actor}")


def note_refused(connection: Connection, plugin: str, actor: str, code: str) -> None:
    """A confirmation that was refused leaves a trace as well."""
    entry = {"actor": actor, "action": "confirm", "plugin": plugin, "result": f"refused: {code}"}
    store.add_audit(connection, **entry, before="", after="", operation=None, detail={})


def _change(connection: Connection, item: Confirmation, **values: Any) -> None:
    mine = (confirmations.c.plugin == item.plugin) & (confirmations.c.operation == item.operation)
    connection.execute(update(confirmations).where(mine).values(**values))
    store.bump_rev(connection)


def _audit(
    connection: Connection,
    item: Confirmation,
    actor: str,
    action: str,
    result: str,
    operation: int | None,
    detail: dict[str, Any],
) -> None:
    back = action.startswith("revert")
    store.add_audit(
        connection,
        actor=actor,
        action=action,
        plugin=item.plugin,
        before=item.version if back else item.before_version,
        after=item.before_version if back else item.version,
        result=result,
        operation=operation,
        detail=detail,
    )
