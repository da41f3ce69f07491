"""What there is: offers, and what is installed."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from hotbay.console.shapes import Json, Problem


class Trust(TypedDict):
    """Who made a package; unless it is verified, publisher and key are only claimed, or empty."""

    state: Literal["verified", "unknown", "unsigned", "pinned", "invalid"]
    publisher: str
    keyid: str


class AddonLine(TypedDict):
    """One line of the marketplace: of the newest offer, else of what is installed.

    `trust` is of what is installed, else of the latest version.
    """

    id: str
    name: str
    description: str | None
    category: str | None
    price: float | str | None
    author: str | None
    icon: str | None
    features: list[str] | None
    homepage: str | None
    license: str | None
    runtime: Literal["inprocess", "isolated"]
    versions: list[str]
    latest: str
    offered: bool
    installed: bool
    enabled: bool
    installed_version: str | None
    update_available: bool
    problem: str
    trust: Trust


class Addons(TypedDict):
    """A part of the marketplace. `total` counts what fits, `problems` says what is wrong with the source."""

    addons: list[AddonLine]
    total: int
    limit: int
    offset: int
    categories: list[str]
    source: str
    problems: list[Problem]


class BackendPart(TypedDict):
    """`backend` of a manifest."""

    routes: NotRequired[list[str]]
    dependencies: NotRequired[list[str]]
    runtime: NotRequired[str]


class FrontendPart(TypedDict):
    """`frontend` of a manifest."""

    routes: NotRequired[list[str]]
    components: NotRequired[list[str]]


class DatabasePart(TypedDict):
    """`database` of a manifest."""

    tables: NotRequired[list[str]]
    reads: NotRequired[list[str]]


class Manifest(TypedDict):
    """A package's manifest as it is written, with whatever else it has; `docs/manifest.schema.json` says all of it."""

    name: NotRequired[str]
    description: NotRequired[str]
    category: NotRequired[str]
    author: NotRequired[str]
    icon: NotRequired[str]
    homepage: NotRequired[str]
    changelog: NotRequired[str]
    requires: NotRequired[list[str | Json]]
    hotbay: NotRequired[str]
    python: NotRequired[str]
    permissions: NotRequired[list[str]]
    migrations: NotRequired[str]
    backend: NotRequired[BackendPart]
    frontend: NotRequired[FrontendPart]
    database: NotRequired[DatabasePart]


class Offered(TypedDict):
    """A package that is offered; `size` in bytes."""

    version: str
    sha256: str
    size: int
    trust: Trust


class Kept(TypedDict):
    """A version that is kept here, to go back to."""

    version: str
    sha256: str
    revision: int
    at: str


class Confirmation(TypedDict):
    """A change that goes back unless somebody confirms it, or what became of the last one. Times in seconds."""

    plugin: str
    name: NotRequired[str]
    operation: int
    kind: str
    actor: str
    version: str
    before_version: str
    keep_new_rows: bool
    seconds: float
    state: Literal["pending", "confirmed", "reverted", "failed", "dropped"]
    reason: str
    attempts: int
    at: str
    ended_at: str | None
    deadline: str | None
    seconds_left: float | None
    text: str


class Confirmations(TypedDict):
    """What waits to be confirmed, the most urgent first."""

    confirmations: list[Confirmation]


class Leak(TypedDict):
    """A plugin that stayed in memory after unloading, `times` in a row."""

    times: int
    version: str
    operation: int
    holders: list[str]


class Live(TypedDict):
    """What this host runs of one plugin."""

    id: str
    addon_id: str
    name: str
    version: str
    enabled: bool
    state: str
    sha256: str
    image: str
    revision: int
    source: str
    grants: list[str]
    installed_at: str
    updated_at: str
    problem: str
    trust: Trust
    leak: Leak | None
    confirmation: Confirmation | None
    has_settings: bool
    in_progress: bool
    manifest: Manifest


class AddonDetail(AddonLine):
    """One plugin: its packages and README, names of its pictures, and what is installed of it."""

    manifest: Manifest
    packages: list[Offered]
    history: list[Kept]
    readme: str
    screenshots: list[str]
    live: Live | None


class Checked(TypedDict):
    """How a generation's health check answered last."""

    failed: int
    problem: str


class Worker(TypedDict):
    """What one worker says of one plugin, with whatever else it says. Before it knows it, the first three."""

    worker: str
    pid: int
    beacon: int
    version: NotRequired[str]
    generation: NotRequired[int]
    loaded: NotRequired[bool]
    in_flight: NotRequired[int]
    requests: NotRequired[int]
    failures: NotRequired[int]
    held: NotRequired[bool]
    problem: NotRequired[str]
    health: NotRequired[Checked]


class Place(TypedDict):
    """A plugin's folder in the folder registry."""

    name: str
    active: bool


class Refusal(TypedDict):
    """Why a folder is not brought in."""

    problem: str
    at: str


class InstalledRow(Live):
    """A plugin that is installed, with what each worker and the plugins folder say."""

    workers: list[Worker]
    folder: Place | None
    refusal: Refusal | None


class Waiting(TypedDict):
    """A folder whose plugin is not installed (yet)."""

    id: str
    folder: str
    active: bool
    refusal: Refusal | None


class Installed(TypedDict):
    """What is installed at a revision; `strangers` are names in the plugins folder that are no plugins."""

    epoch: str
    rev: int
    safe_mode: bool
    addons: list[InstalledRow]
    waiting: list[Waiting]
    strangers: list[str]


class Publisher(TypedDict):
    """A publisher's key that this host trusts: `key` in one line, since when, and who said so."""

    name: str
    keyid: str
    key: str
    at: str
    actor: str


class Publishers(TypedDict):
    """The trusted publishers, by name. `required`: packages of others are refused."""

    publishers: list[Publisher]
    required: bool
