"""The host as a whole: findings, workers."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from hotbay.console.shapes import Json, Problem


class Finding(TypedDict):
    """What the doctor found: mended by itself (`fixable`), or when somebody decides so (`choice`)."""

    id: str
    check: str
    level: Literal["ok", "warning", "error"]
    message: str
    mend: str
    plugin: str
    fixable: bool
    choice: bool


class Health(TypedDict):
    """What the doctor finds."""

    ok: bool
    findings: list[Finding]


class MendedOne(TypedDict):
    """A finding that is mended, and how."""

    id: str
    done: str


class MendFailed(TypedDict):
    """A finding that could not be mended."""

    id: str
    error: Problem


class Mended(Health):
    """What was mended, and what was found then."""

    mended: list[MendedOne]
    failed: list[MendFailed]


class HostWorker(TypedDict):
    """A worker. `booted`: seconds since the machine's start; `attended`: the beacon up to which it knows all wishes."""

    worker: str
    pid: int
    beacon: int
    attended: int
    plugins: dict[str, Json]
    booted: float
    generations: int
    jobs: bool
    safe_mode: bool


class Versions(TypedDict):
    """Of Hotbay and of Python."""

    hotbay: str
    python: str


class Status(TypedDict):
    """The registry's revision, who serves, and who writes (`lease`: the present or last one)."""

    epoch: str
    rev: int
    worker: str
    safe_mode: bool
    workers: list[HostWorker]
    lease: Json | None
    versions: Versions
    api_prefix: str
    source: str
