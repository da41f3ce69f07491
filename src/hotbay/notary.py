"""Writes a receipt for every operation that has ended, however it ended, a few seconds after its end.

Nobody waits for it: an operation that has ended and has no receipt is found and gets one, now or at the next start, by
whichever worker is first; where no worker is there, by the command that ran the operation.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select

from hotbay import leaks
from hotbay.errors import BadInput, NotFound
from hotbay.history import prune_history
from hotbay.journal import RUNNING, get_operation, slim
from hotbay.meter import Slot, Tally, window
from hotbay.presence import Lease, Workers, pid_of, resident
from hotbay.readings import Reading, readings
from hotbay.receipt import FIRST, FORMAT, HostKey, Receipt, Signed, digest, plain
from hotbay.schema import operations, receipts
from hotbay.settings import Settings
from hotbay.store import Store, now

log = logging.getLogger("hotbay.notary")
BEFORE_SECONDS = 60.0
_UNDRAINED_SECONDS = 10.0
_CLOCK_SECONDS = 60.0
Row = dict[str, Any]


def clock(workers: Iterable[str]) -> Row:
    """What the journal keeps of the moment at which an operation begins: both clocks, and each worker's memory."""
    memory = {name: resident(pid_of(name)) for name in workers}
    return {"monotonic": time.monotonic(), "wall": time.time(), "memory": memory}


class Notary:
    """Writes the receipts of one host. Any process may have one: a lease lets one at a time write."""

    def __init__(self, settings: Settings, registry: Store, workers: Workers) -> None:
        self.settings = settings
        self.store = registry
        self.workers = workers
        self.key = HostKey(settings.home / "receipts.key")
        self._lease = Lease(settings.run / "notary")
        self._floor = 0
        self._seen: dict[int, float] = {}
        self._broken: set[int] = set()

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────

    def pending(self) -> list[int]:
        """The operations that have ended and have no receipt yet, the oldest first."""
        query = (
            select(operations.c.id, operations.c.state)
            .where(operations.c.id > self._floor, operations.c.id.not_in(select(receipts.c.operation)))
            .order_by(operations.c.id)
        )
        with self.store.read() as connection:
            rows = connection.execute(query).all()
            newest = connection.scalar(select(func.max(operations.c.id))) or 0
        # Everything up to here has its receipt: this is asked once a second, and the journal grows.
        self._floor = rows[0].id - 1 if rows else newest
        return [row.id for row in rows if row.state != RUNNING]

    def find(self, operation: int) -> Signed:
        """The signed receipt of an operation. Raises NotFound; `pending` in its detail says that it will be there."""
        with self.store.read() as connection:
            row = connection.execute(select(receipts).where(receipts.c.operation == operation)).mappings().first()
        if row is not None:
            return dict(row["signed"])
        state = get_operation(self.store, operation)["state"]
        wait = f"it is written about {self.settings.receipt_seconds:g} s after the operation's end"
        raise NotFound(
            f"operation {operation} has no receipt yet" + (": it is running" if state == RUNNING else ""),
            mend=wait,
            pending=True,
        )

    def unload(self, operation: int) -> Row | None:
        """By worker, the proof of each that left a loaded generation in this operation; None without a receipt."""
        try:
            workers = self.find(operation)["receipt"]["workers"]
        except NotFound:
            return None
        left = {item["worker"]: (item["passage"] or {}).get("unload") for item in workers}
        return {worker: proof for worker, proof in left.items() if proof is not None}

    def number_of(self, operation: int) -> int:
        """The number of an operation's receipt; 0 when it has none."""
        with self.store.read() as connection:
            found = connection.scalar(select(receipts.c.number).where(receipts.c.operation == operation))
        return found or 0

    def all(self, after: int = 0, limit: int = -1) -> list[Signed]:
        """The signed receipts whose number is above `after`, in the order of their numbers."""
        query = select(receipts.c.signed).where(receipts.c.number > after).order_by(receipts.c.number).limit(limit)
        with self.store.read() as connection:
            return list(connection.scalars(query))

    def latest(self, plugin: str = "", limit: int = 50) -> list[Signed]:
        """The signed receipts, the newest first."""
        query = select(receipts.c.signed).order_by(receipts.c.number.desc()).limit(limit)
        if plugin:
            query = query.join(operations, operations.c.id == receipts.c.operation).where(operations.c.plugin == plugin)
        with self.store.read() as connection:
            return list(connection.scalars(query))

    # ── writing ───────────────────────────────────────────────────────────────────────────────────────────────

    def write_due(self) -> int:
        """Write the receipts that are due; answers how many operations still wait for theirs. Safe to repeat."""
        waiting = self.pending()
        if not waiting:
            self._seen.clear()
            return 0
        fd = self._lease.try_acquire()
        if fd is None:
            return len(waiting)
        try:
            told: dict[str, list[Reading]] = {}
            waiting = self.pending()  # Whoever had the lease before may have written some.
            left = sum(not self._tried(number, told) for number in waiting if number not in self._broken)
            self.prune()
            return left
        finally:
            os.close(fd)

    def prune(self) -> int:
        """Delete a piece of what is beyond the retention; answers how many operations went. Safe to repeat."""
        return prune_history(self.settings, self.store, self.key)

    def _tried(self, number: int, told: dict[str, list[Reading]]) -> bool:
        """True when nobody has to wait for this receipt any more. One that can't be written stops no other."""
        try:
            return self._write_if_due(number, told)
        except (LookupError, TypeError, ValueError, BadInput):
            log.exception("the journal's rows of operation %d can't be understood: it gets no receipt", number)
            self._broken.add(number)
            return True

    def _write_if_due(self, number: int, told: dict[str, list[Reading]]) -> bool:
        row = get_operation(self.store, number)
        waited = self._waited(row)
        present = self.workers.present()
        if present and waited < self.settings.receipt_seconds:
            return False
        plugin = row["plugin"]
        if plugin not in told:
            # The first is the oldest that waits: what the workers did before it is in others' receipts.
            told[plugin] = readings(self.workers, plugin, since=_since(row)) if present else []
        patience = self.settings.receipt_seconds + self.settings.drain_seconds + _UNDRAINED_SECONDS
        if waited < patience and any(
            not item["done"] for reading in told[plugin] for item in passages_of(row, reading)
        ):
            return False
        self._write(row, told[plugin])
        self._seen.pop(number, None)
        return True

    def _waited(self, row: Row) -> float:
        """Seconds since an operation ended, or at least since it was seen here, if somebody changed the clock."""
        seen = time.monotonic() - self._seen.setdefault(row["id"], time.monotonic())
        return max(seen, time.time() - _stamp(row["finished_at"]))

    def _write(self, row: Row, told: list[Reading]) -> None:
        account = Account(self.settings, row, told, self._neighbours(row)).receipt()
        _ = self.key.public  # Making a key takes longer than others should wait for the database.
        with self.store.write() as connection:
            number, previous = _last(connection)
            receipt: Receipt = plain({"number": number + 1, "previous": previous, "written": now(), **account})
            values = {"number": number + 1, "operation": row["id"], "sha256": digest(receipt), "at": receipt["written"]}
            connection.execute(insert(receipts).values(**values, signed=self.key.sign(receipt)))
            note_leaks(connection, row, account["workers"])

    def _neighbours(self, row: Row) -> tuple[float, float]:
        """When the plugin's operation before this one ended, and the one after it began (`time.monotonic`)."""
        mine = select(operations).where(operations.c.plugin == row["plugin"])
        older = mine.where(operations.c.id < row["id"]).order_by(operations.c.id.desc()).limit(1)
        newer = mine.where(operations.c.id > row["id"]).order_by(operations.c.id).limit(1)
        with self.store.read() as connection:
            before = connection.execute(older).mappings().first()
            after = connection.execute(newer).mappings().first()
        return (
            _times(dict(before))[1] if before is not None else 0.0,
            _times(dict(after))[0] if after is not None else float("inf"),
        )


def note_leaks(connection: Connection, row: Row, workers: Iterable[Row]) -> None:
    """Count what the workers proved when they left the operation's old generation."""
    told = (item["passage"] for item in workers if item["passage"] is not None)
    version = (row["plan"]["before"] or {}).get("version", "")
    leaks.note(connection, row["plugin"], version, row["id"], [said for item in told if (said := item["unload"])])


def _last(connection: Connection) -> tuple[int, str]:
    row = connection.execute(select(receipts).order_by(receipts.c.number.desc()).limit(1)).mappings().first()
    return (0, FIRST) if row is None else (row["number"], row["sha256"])


def _stamp(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _times(row: Row) -> tuple[float, float]:
    """When an operation began and ended (`time.monotonic`); zeros when the clock is another one since."""
    began = row["plan"].get("clock") or {}
    moved = (time.time() - time.monotonic()) - (began.get("wall", 0.0) - began.get("monotonic", 0.0))
    if not began or abs(moved) > _CLOCK_SECONDS:
        return 0.0, 0.0
    return began["monotonic"], began["monotonic"] + _seconds(row)


def _seconds(row: Row) -> float:
    """How long an operation took."""
    told = (row["result"] or {}).get("seconds")
    if told is not None:
        return float(told)
    return max(0.0, _stamp(row["finished_at"]) - _stamp(row["created_at"])) if row["finished_at"] else 0.0


def passages_of(row: Row, reading: Reading) -> list[Mapping[str, Any]]:
    """What a worker remembers of the operation's switch: one passage, or none."""
    wanted = row["plan"].get("row") or {}
    active = row["plan"].get("state") == "active"
    revision = wanted.get("revision", 0) if active else 0
    since = _since(row)
    found = [
        item
        for item in reading.passages
        if item["plugin"] == row["plugin"] and item["revision"] == revision and item["at"] >= since
    ]
    return found[:1] if row["switched"] else []


def _since(row: Row) -> float:
    """The time of day before which no worker switched for this operation: a second before its beginning."""
    return float((row["plan"].get("clock") or {}).get("wall", 0.0)) - 1.0


class Account:
    """What one operation came to, from its rows in the journal and what the workers say."""

    def __init__(self, settings: Settings, row: Row, told: list[Reading], neighbours: tuple[float, float]) -> None:
        self.settings = settings
        self.row = row
        self.told = {reading.worker: reading for reading in told}
        self.memory: dict[str, int | None] = (row["plan"].get("clock") or {}).get("memory", {})
        self.neighbours = neighbours

    def receipt(self) -> Row:
        """The receipt without its number, its predecessor and its date."""
        row, plan = self.row, self.row["plan"]
        return {
            "format": FORMAT,
            "operation": row["id"],
            "kind": row["kind"],
            "plugin": row["plugin"],
            "actor": row["actor"],
            "state": row["state"],
            "switched": bool(row["switched"]),
            "recovered": bool((row["result"] or {}).get("recovered")),
            "before": _package(plan["before"]),
            "after": _package(plan["after"]),
            "began": row["created_at"],
            "ended": row["finished_at"],
            "microseconds": _microseconds(_seconds(row)),
            "steps": [_step(step) for step in row["steps"]],
            "error": row["error"],
            "reason": plan.get("reason", ""),
            "requests": self._requests(),
            "workers": [self._worker(name) for name in sorted({*self.memory, *self.told})],
        }

    def _requests(self) -> Row | None:
        """The plugin's requests before, during and after; None where no worker could tell."""
        began, ended = _times(self.row)
        if not began or not any(reading.fresh for reading in self.told.values()):
            return None
        left, right = self.neighbours
        until = min(ended + self.settings.receipt_seconds, right, time.monotonic())
        slots = [slot for reading in self.told.values() if reading.fresh for slot in reading.slots]
        return {
            "before": _window(slots, max(began - BEFORE_SECONDS, left), began),
            "during": _window(slots, began, ended),
            "after": _window(slots, ended, max(ended, until)),
        }

    def _worker(self, name: str) -> Row:
        reading = self.told.get(name)
        passage = next(iter(passages_of(self.row, reading)), None) if reading is not None else None
        return {
            "worker": name,
            "state": self._state(name, reading),
            "memory_before": self.memory.get(name),
            "memory_after": resident(pid_of(name)) if reading is not None else None,
            "passage": None if passage is None else _passage(passage),
        }

    def _state(self, name: str, reading: Reading | None) -> str:
        """`there`, `joined` (came during or after the operation), `silent` (did not answer) or `gone`."""
        if reading is None:
            return "gone"
        if not reading.fresh:
            return "silent"
        return "there" if name in self.memory else "joined"


def _package(version: Mapping[str, Any] | None) -> Row | None:
    return None if version is None else {name: version[name] for name in ("version", "sha256", "image")}


def _step(step: Mapping[str, Any]) -> Row:
    took = None if step["seconds"] is None else _microseconds(step["seconds"])
    return {
        "verb": step["verb"],
        "state": step["state"],
        "microseconds": took,
        "record": slim(step["record"] or {}),
        "error": step["error"],
    }


def _passage(item: Mapping[str, Any]) -> Row:
    names = ("left_generation", "generation", "version", "waited", "closed", "unload", "done")
    return {name: item[name] for name in names} | {"microseconds": _microseconds(item["seconds"])}


def _window(slots: list[Slot], start: float, end: float) -> Row:
    found = window(slots, start, end)
    return {"microseconds": _microseconds(end - start), **tally_json(found)}


def tally_json(tally: Tally) -> Row:
    """Counts and latencies as a receipt has them, latencies in whole microseconds."""
    quantiles = {name: tally.quantile(share) for name, share in (("p50", 0.5), ("p99", 0.99))}
    return {
        "requests": tally.requests,
        "failed": tally.failed,
        "failures": dict(tally.failures),
        "sockets": tally.sockets,
        **{name: None if value is None else _microseconds(value) for name, value in quantiles.items()},
    }


def _microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)
