"""Plans, operations, the audit and receipts."""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict

from hotbay.console.shapes import Json, Problem, Words
from hotbay.console.shapes.market import Confirmation, Trust


class Package(TypedDict):
    """One package as a host knows it."""

    plugin: str
    version: str
    sha256: str
    image: str
    source: str


class PlanStep(TypedDict):
    """A step; `right` of the switch it is finished. `words`: sentences with gaps, and what fills them."""

    verb: str
    summary: str
    params: Json
    right: bool
    words: Words


class Statement(TypedDict):
    """A statement of a migration that does more than add, and when it runs."""

    code: str
    effect: str
    file: str
    line: int
    statement: str
    why: str
    split: str
    runs: str


class Added(TypedDict):
    """Wishes that the version before did not have."""

    permissions: NotRequired[list[str]]
    reads: NotRequired[list[str]]


class PlanTrust(Trust):
    """Who made the package that comes in; `was`: the verified publisher whom it takes the plugin from, or empty."""

    was: str


class Plan(TypedDict):
    """The steps of an operation and what an admin should know before: `lost` rows by table, `reads` of the host."""

    kind: str
    plugin: str
    title: str
    before: Package | None
    after: Package | None
    state: str | None
    steps: list[PlanStep]
    permissions: list[str]
    warnings: list[str]
    lost: dict[str, dict[str, int]]
    reason: NotRequired[str]
    reads: list[str]
    added: Added
    findings: list[Statement]
    trust: NotRequired[PlanTrust]


class Planned(TypedDict):
    """A plan, as data and as text."""

    plan: Plan
    text: str


class DoneStep(TypedDict):
    """A step that was done."""

    verb: str
    seconds: float
    record: Json


class Outcome(TypedDict):
    """How an operation ended, with numbers of backups and folders of exports where it made some."""

    operation: int
    kind: str
    plugin: str
    addon_id: str
    version: str | None
    before: str | None
    state: str
    message: str
    restart_required: bool
    seconds: float
    steps: list[DoneStep]
    warnings: list[str]
    backup: NotRequired[int]
    export: NotRequired[str]
    restored: NotRequired[int]
    merged: NotRequired[dict[str, int]]
    lost: NotRequired[dict[str, dict[str, int]]]
    owed: NotRequired[str]
    confirmation: NotRequired[Confirmation]


class Begun(TypedDict):
    """An operation that goes on, and where to look after it."""

    operation: int
    href: str


# An operation that is waited for, and one that is not.
OPERATION: Json = {"response_model": None, "responses": {200: {"model": Outcome}, 202: {"model": Begun}}}


class OperationLine(TypedDict):
    """An operation without its steps; `detail` is why it failed."""

    id: int
    operation: int
    kind: str
    plugin: str
    actor: str
    state: str
    switched: bool
    created_at: str
    finished_at: str | None
    title: str
    before: str | None
    after: str | None
    detail: str


class Operations(TypedDict):
    """Operations, the newest first."""

    operations: list[OperationLine]


class StepRow(TypedDict):
    """A step as the journal has it."""

    seq: int
    verb: str
    state: str
    seconds: float | None
    error: str | None
    summary: str
    words: Words
    record: Json


class OperationDetail(OperationLine):
    """One operation. `unload`: each worker's proof for the old generation, none until the receipt is written."""

    steps: list[StepRow]
    result: Outcome | None
    error: Problem | None
    unload: Json | None


class Entry(TypedDict):
    """Who did what, when, with what result."""

    id: int
    at: str
    actor: str
    action: str
    plugin: str
    before: str
    after: str
    result: str
    operation: int | None
    detail: Json | None


class Audit(TypedDict):
    """The audit, the newest first."""

    entries: list[Entry]


class ReceiptSpan(TypedDict):
    """A plugin's requests in a time; latencies in microseconds."""

    requests: int
    failed: int
    p50: int | None
    p99: int | None


class ReceiptSpans(TypedDict):
    """Before, during and after an operation."""

    before: ReceiptSpan
    during: ReceiptSpan
    after: ReceiptSpan


class ReceiptWorker(TypedDict):
    """What one worker had to do with it; memory in bytes."""

    worker: str
    memory_before: int | None
    memory_after: int | None


class Receipt(TypedDict):
    """What was signed, with whatever else it has; `docs/receipts.md` says all of it."""

    number: int
    operation: int
    microseconds: int
    requests: ReceiptSpans
    workers: list[ReceiptWorker]


class Signed(TypedDict):
    """A receipt and its signature."""

    receipt: Receipt
    algorithm: str
    key: str
    signature: str


class Receipts(TypedDict):
    """Signed receipts, the newest first, and the anchor that stands for those that are not kept any more."""

    receipts: list[Signed]
    anchor: Json | None


class PublicKey(TypedDict):
    """What a host's receipts are verified with (PEM)."""

    algorithm: str
    key: str
    pem: str
