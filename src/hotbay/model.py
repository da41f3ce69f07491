"""The nouns that every room shares: plain data, no I/O."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

from hotbay_sdk.manifest import Manifest, parse


class State(StrEnum):
    """What an installed plugin is meant to do."""

    ACTIVE = "active"
    INACTIVE = "inactive"


class Kind(StrEnum):
    """The operations."""

    INSTALL = "install"
    ACTIVATE = "activate"
    DEACTIVATE = "deactivate"
    UPGRADE = "upgrade"
    ROLLBACK = "rollback"
    UNINSTALL = "uninstall"
    BACKUP = "backup"
    RESTORE = "restore"


class DataPolicy(StrEnum):
    """What uninstall does with the plugin's rows: leave the tables, write them to a file and drop, or drop."""

    KEEP = "keep"
    EXPORT = "export"
    PURGE = "purge"


class Rows(StrEnum):
    """What going back does with the rows: as the backup has them, so with those added since, or as they are now."""

    RESTORE = "restore"
    MERGE = "merge"
    KEEP = "keep"

    @classmethod
    def chosen(cls, data: str = "", *, keep_new: bool = False) -> Rows:
        """What `data` (`restore`, `keep`, or nothing) and `keep_new_rows` mean together; left as they are, all stay."""
        wanted = cls(data or cls.RESTORE)
        return cls.MERGE if keep_new and wanted is cls.RESTORE else wanted


class Standing(StrEnum):
    """What became of a change that somebody was to confirm.

    `failed`: it was to be reverted and can't be; `dropped`: somebody went another way (rolled back by hand).
    """

    PENDING = "pending"
    CONFIRMED = "confirmed"
    REVERTED = "reverted"
    DROPPED = "dropped"
    FAILED = "failed"

    @property
    def open(self) -> bool:
        """True while there may be a way back that needs what was kept for it."""
        return self in (Standing.PENDING, Standing.FAILED)


class TrustState(StrEnum):
    """What is known of who made a package.

    `verified`: signed with a publisher's key that this host trusts. `unknown`: signed with keys that it does not know,
    so nothing is known. `invalid`: what stands beside it as a signature is none; such a package is never brought in.
    """

    VERIFIED = "verified"
    UNKNOWN = "unknown"
    UNSIGNED = "unsigned"
    PINNED = "pinned"
    INVALID = "invalid"


@dataclass(frozen=True)
class Trust:
    """A policy's word on a package; publisher and key id are only claimed unless it is verified."""

    state: TrustState = TrustState.UNSIGNED
    publisher: str = ""
    keyid: str = ""

    @property
    def verified(self) -> bool:
        """True when it is known who made it."""
        return self.state is TrustState.VERIFIED

    def to_json(self) -> dict[str, str]:
        """Flat JSON."""
        return {"state": self.state.value, "publisher": self.publisher, "keyid": self.keyid}

    @classmethod
    def from_json(cls, data: Any) -> Trust:
        """Read what `to_json` wrote; anything else counts as unsigned."""
        try:
            return cls(TrustState(data["state"]), str(data["publisher"]), str(data["keyid"]))
        except (KeyError, TypeError, ValueError):
            return cls()


@dataclass(frozen=True)
class Version:
    """One package as a host knows it: identity (`plugin version sha256`) and the image it unpacks to."""

    plugin: str
    version: str
    sha256: str
    image: str
    source: str = ""

    def to_json(self) -> dict[str, Any]:
        """Flat JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Route:
    """A path that a generation answers: a path template (`/api/v1/chat/{id}`), its methods, `websocket` or not."""

    path: str
    methods: tuple[str, ...] = ()
    websocket: bool = False


@dataclass(frozen=True)
class Contributions:
    """What one image adds to the host, as found when it was loaded and as its manifest declares."""

    routes: tuple[Route, ...] = ()
    mounts: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    settings_schema: dict[str, Any] | None = None
    eager: bool = False

    def to_json(self) -> dict[str, Any]:
        """JSON for the live row."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Contributions:
        """Read what `to_json` wrote."""
        routes = tuple(
            Route(item["path"], tuple(item["methods"]), item["websocket"]) for item in data.get("routes", ())
        )
        lists = ("mounts", "events", "filters", "jobs", "services")
        return cls(
            routes=routes,
            **{name: tuple(data.get(name, ())) for name in lists},
            settings_schema=data.get("settings_schema"),
            eager=bool(data.get("eager")),
        )


@dataclass(frozen=True)
class Live:
    """A live row: what this host runs of one plugin. `revision` counts the switches of that plugin."""

    plugin: str
    version: str
    sha256: str
    image: str
    state: State
    revision: int
    manifest: dict[str, Any]
    contributions: Contributions
    source: str = ""
    grants: tuple[str, ...] = ()
    installed_at: str = ""
    updated_at: str = ""
    candidate: dict[str, Any] | None = None
    problem: str = ""
    settings_rev: int = 0
    extra: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """JSON for candidates and the journal."""
        return asdict(self) | {"candidate": None}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Live:
        """Read what `to_json` wrote."""
        known = {
            "state": State(data["state"]),
            "contributions": Contributions.from_json(data["contributions"]),
            "grants": tuple(data["grants"]),
        }
        return cls(**{**data, **known})

    @property
    def active(self) -> bool:
        """True when the plugin should serve."""
        return self.state is State.ACTIVE

    @property
    def parsed(self) -> Manifest:
        """The manifest, checked; rows with the same one share it, and nobody changes it. Raises ManifestError."""
        return _parsed(json.dumps(self.manifest))


# To check one takes 0.3 ms, an operation asks six times, and each switch asks for every plugin that is not active.
@lru_cache(maxsize=2048)
def _parsed(text: str) -> Manifest:
    return parse(json.loads(text))
