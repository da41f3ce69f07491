"""What the endpoints share: the host, who asks, and the shapes of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import Depends, Path, Query, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from hotbay.errors import BadInput
from hotbay.moments import read_seconds
from hotbay_sdk import rules

Id = Annotated[str, StringConstraints(pattern=f"^{rules.ID}$", max_length=64)]
AddonId = Annotated[str, Path(pattern=f"^{rules.ID}$", max_length=64)]
VersionText = Annotated[str, StringConstraints(max_length=64)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^(?:[0-9a-fA-F]{64})?$")]
Limit = Annotated[int, Query(ge=1, le=1000)]
Wait = Annotated[bool, Query(description="answer when it is done (200), or as soon as it has begun (202)")]


async def _host(request: Request) -> Any:
    return request.app.state.hotbay


async def _runner(request: Request) -> Any:
    return request.app.state.runner


async def _actor(request: Request) -> str:
    return str(request.scope["hotbay.actor"])


async def _root(request: Request) -> str:
    return str(request.scope.get("root_path", ""))


def _seconds(value: float | str) -> float:
    """A time to confirm in, as the command line takes it; nothing means none. Raises what pydantic reports."""
    if value in ("", 0):
        return 0.0
    try:
        return read_seconds(value)
    except BadInput as error:
        raise ValueError(error.message) from None


if TYPE_CHECKING:
    from hotbay.asgi import Hotbay
    from hotbay.console.runner import Runner

    Host = Annotated[Hotbay, Depends(_host)]
    Runs = Annotated[Runner, Depends(_runner)]
else:
    Host = Annotated[Any, Depends(_host)]
    Runs = Annotated[Any, Depends(_runner)]
Actor = Annotated[str, Depends(_actor)]
Root = Annotated[str, Depends(_root)]
Within = Annotated[
    float | Annotated[str, StringConstraints(max_length=32)],
    AfterValidator(_seconds),
    Field(description="seconds, or such as `10m`, after which it goes back unless it was confirmed"),
]


class Body(BaseModel):
    """A request's body: unknown members are refused, so that a slip of the pen is seen."""

    model_config = ConfigDict(extra="forbid")


class InstallBody(Body):
    """What to install. `restore` is `latest` or the name of an export; `settings` are stored in the same go.

    Not confirmed within `confirm_within`, it is uninstalled, and its rows are kept in an export.
    """

    addon_id: Id
    version: VersionText = ""
    sha256: Sha256 = ""
    settings: dict[str, Any] | None = None
    inactive: bool = False
    with_requirements: bool = False
    restore: Annotated[str, StringConstraints(max_length=255)] = ""
    confirm_within: Within = 0.0


class ToggleBody(Body):
    """The state to be; left out, the plugin changes its state."""

    enabled: bool | None = None


class UpgradeBody(Body):
    """The version to be (empty: the highest), and the hash that the caller expects.

    Not confirmed within `confirm_within`, it goes back, code and rows; `keep_new_rows` keeps those added since. A
    package that takes the plugin away from its verified publisher is refused, unless `accept_publisher`.
    """

    version: VersionText = ""
    sha256: Sha256 = ""
    with_requirements: bool = False
    confirm_within: Within = 0.0
    keep_new_rows: bool = False
    accept_publisher: bool = False


class RollbackBody(Body):
    """The version to go back to (empty: the one before), and what becomes of the rows.

    `data`: as they were when that version was left, or as they are; `keep_new_rows` keeps those added since. Rows that
    would be lost are named in a refusal, unless `accept_loss`.
    """

    version: VersionText = ""
    data: Literal["restore", "keep"] = "restore"
    keep_new_rows: bool = False
    accept_loss: bool = False


class RestoreBody(Body):
    """The backup to put in place: a number, or `latest`. The rest is as for a rollback."""

    backup: Annotated[str, StringConstraints(pattern=r"^(?:latest|[0-9]{1,18})$")] = "latest"
    keep_new_rows: bool = False
    accept_loss: bool = False


class PlanBody(Body):
    """An operation that is only looked at."""

    kind: Literal["install", "activate", "deactivate", "upgrade", "rollback", "uninstall", "backup", "restore"]
    addon_id: Id
    version: VersionText = ""
    sha256: Sha256 = ""
    data: Literal["", "keep", "export", "purge", "restore"] = ""
    keep_new_rows: bool = False
    backup: Annotated[str, StringConstraints(pattern=r"^(?:latest|[0-9]{1,18})?$")] = ""
    restore: Annotated[str, StringConstraints(max_length=255)] = ""
    inactive: bool = False
    with_requirements: bool = False
    force: bool = False
    confirm_within: Within = 0.0


class LicenseBody(Body):
    """A licence key, as the seller gave it. It is never answered, nor part of an error."""

    license_key: SecretStr


class PublisherBody(Body):
    """A publisher's name, as they sign with it, and one of their public keys (`ed25519:…`)."""

    name: Annotated[str, StringConstraints(max_length=1000)]
    key: Annotated[str, StringConstraints(max_length=1000)]


class MendBody(Body):
    """Which findings are mended: their ids, or `all` that need no decision."""

    findings: (
        Literal["all"]
        | Annotated[list[Annotated[str, StringConstraints(max_length=512)]], Field(min_length=1, max_length=1000)]
    )
