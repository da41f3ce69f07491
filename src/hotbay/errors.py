"""Every error of Hotbay, one tree.

    HotbayError                  exit 1   status 500  code "error"
    ├── BadInput                 exit 2   status 422  "bad-input"
    │   ├── InvalidManifest      exit 3   status 422  "invalid-manifest"
    │   ├── InvalidPackage       exit 3   status 422  "invalid-package"
    │   ├── InvalidSettings      exit 2   status 422  "invalid-settings"
    │   └── InvalidConfig        exit 2   status 500  "invalid-config"
    ├── NotFound                 exit 4   status 404  "not-found"
    ├── Refused                  exit 5   status 409  "refused"
    │   ├── Conflict             exit 5   status 409  "conflict"
    │   ├── Unresolvable         exit 5   status 409  "unresolvable"
    │   ├── Superseded           exit 5   status 409  "superseded"
    │   ├── NotAdditive          exit 5   status 409  "not-additive"
    │   ├── LosesRows            exit 5   status 409  "loses-rows"
    │   ├── OtherPublisher       exit 5   status 409  "other-publisher"
    │   ├── Unconfirmed          exit 5   status 409  "unconfirmed"
    │   └── TooLate              exit 5   status 409  "too-late"
    ├── NotVerified              exit 6   status 422  "not-verified"
    ├── LeaseHeld                exit 7   status 409  "lease-held"
    ├── SourceError              exit 8   status 502  "source-error"
    ├── OperationFailed          exit 9   status 500  "operation-failed"
    │   ├── MigrationFailed      exit 9   status 422  "migration-failed"
    │   ├── ActivationFailed     exit 9   status 422  "activation-failed"
    │   │   ├── LeftOut          exit 9   status 503  "left-out"
    │   │   └── SafeMode         exit 9   status 503  "safe-mode"
    │   └── WorkerTimeout        exit 9   status 504  "worker-timeout"
    ├── BeingChanged             exit 7   status 503  "being-changed"
    ├── Forbidden                exit 10  status 403  "forbidden"
    └── StateError               exit 11  status 500  "state-error"
        └── StorageError         exit 12  status 507  "storage-error"

The command line exits with `exit_code`, the HTTP API answers with `status` and `code` (problem+json, RFC 9457).
Codes are stable: scripts may test them.
"""

from __future__ import annotations

from typing import Any, ClassVar

from hotbay_sdk.rules import Problem as Problem  # noqa: PLC0414 - re-exported: it belongs to the errors


class HotbayError(Exception):
    """Anything that Hotbay itself raises. `mend` says what to do about it, `problems` lists details."""

    exit_code: ClassVar[int] = 1
    status: ClassVar[int] = 500
    code: ClassVar[str] = "error"

    def __init__(
        self,
        message: str,
        *,
        mend: str = "",
        problems: tuple[Problem, ...] = (),
        step: str = "",
        **detail: Any,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend
        self.problems = problems
        self.step = step
        self.detail = detail

    def __str__(self) -> str:
        lines = [self.message, *(f"  - {problem}" for problem in self.problems)]
        return "\n".join(lines + ([f"  mend: {self.mend}"] if self.mend else []))

    def to_json(self) -> dict[str, Any]:
        """A problem document (RFC 9457) with Hotbay's members `code`, `mend`, `step`, `problems`."""
        body: dict[str, Any] = {
            "type": f"urn:hotbay:error:{self.code}",
            "title": type(self).__name__,
            "status": self.status,
            "detail": self.message,
            "code": self.code,
        }
        extra = {"mend": self.mend, "step": self.step, **self.detail}
        body.update({key: value for key, value in extra.items() if value not in ("", None)})
        if self.problems:
            body["problems"] = [problem.to_json() for problem in self.problems]
        return body


class BadInput(HotbayError):
    """The caller gave something that can't be used."""

    exit_code, status, code = 2, 422, "bad-input"


class InvalidManifest(BadInput):
    """A manifest breaks the format; `problems` lists every violation, not the first only."""

    exit_code, code = 3, "invalid-manifest"


class InvalidPackage(BadInput):
    """An archive or folder is no acceptable package; nothing of it was kept."""

    exit_code, code = 3, "invalid-package"


class InvalidSettings(BadInput):
    """Values for a plugin's settings do not fit its model; the stored ones are unchanged."""

    code = "invalid-settings"


class InvalidConfig(BadInput):
    """`hotbay.toml` or the environment configures Hotbay wrongly."""

    status, code = 500, "invalid-config"


class NotFound(HotbayError):
    """No such plugin, package, version or operation."""

    exit_code, status, code = 4, 404, "not-found"


class Refused(HotbayError):
    """The operation makes no sense in the present state, or needs a consent that was not given."""

    exit_code, status, code = 5, 409, "refused"


class Conflict(Refused):
    """Routes, tables or menu entries belong to somebody else already."""

    code = "conflict"


class Unresolvable(Refused):
    """No consistent set of plugins and dependencies contains what was asked for; `problems` says why."""

    code = "unresolvable"


class Superseded(Refused):
    """What was asked for is no longer what is wanted: somebody else changed it meanwhile."""

    code = "superseded"


class NotAdditive(Refused):
    """A migration would break the version in service, and requests are not held; `problems` has each statement."""

    code = "not-additive"


class LosesRows(Refused):
    """Rows that were written since a backup would be lost, and nobody agreed to that; `lost` has their numbers."""

    code = "loses-rows"


class OtherPublisher(Refused):
    """An upgrade would take a plugin away from the verified publisher it is from, and nobody agreed to that."""

    code = "other-publisher"


class Unconfirmed(Refused):
    """The change before is not confirmed yet, and this one would leave nothing to go back to."""

    code = "unconfirmed"


class TooLate(Refused):
    """A confirmation came after its deadline: the change was reverted, or is about to be."""

    code = "too-late"


class NotVerified(HotbayError):
    """The package's bytes are not the ones that were promised, or nobody trusted vouches for them."""

    exit_code, status, code = 6, 422, "not-verified"


class LeaseHeld(HotbayError):
    """Another operation is in progress and did not end in the time that the caller would wait."""

    exit_code, status, code = 7, 409, "lease-held"


class SourceError(HotbayError):
    """A source of packages could not be reached or answered nonsense."""

    exit_code, status, code = 8, 502, "source-error"


class OperationFailed(HotbayError):
    """A step failed; everything done before it was undone and the old version serves."""

    exit_code, status, code = 9, 500, "operation-failed"


class MigrationFailed(OperationFailed):
    """A plugin's SQL failed or touched what is not its own; the database is as it was."""

    status, code = 422, "migration-failed"


class ActivationFailed(OperationFailed):
    """A plugin's code could not be imported, started or was not healthy."""

    status, code = 422, "activation-failed"


class LeftOut(ActivationFailed):
    """A plugin is not loaded any more, because loading it killed or hung the host before."""

    status, code = 503, "left-out"


class SafeMode(ActivationFailed):
    """The host was started without plugins."""

    status, code = 503, "safe-mode"


class WorkerTimeout(OperationFailed):
    """A worker did not answer in time."""

    status, code = 504, "worker-timeout"


class BeingChanged(HotbayError):
    """What was asked of a plugin was not done, or not finished, because the plugin is being changed."""

    exit_code, status, code = 7, 503, "being-changed"


class Forbidden(HotbayError):
    """The caller may not do this."""

    exit_code, status, code = 10, 403, "forbidden"


class StateError(HotbayError):
    """Hotbay's own state (files, rows) is not readable or contradicts itself."""

    exit_code, code = 11, "state-error"


class StorageError(StateError):
    """The disk or the database refused: full, read-only, failing, locked, damaged. What was is as it was."""

    exit_code, status, code = 12, 507, "storage-error"
