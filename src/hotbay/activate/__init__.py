"""How code runs: what a runtime and a host must offer. The runtimes are modules beside this one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from hotbay.model import Contributions, Route, Version
from hotbay_sdk.manifest import Manifest

# As many holders a proof tells others of: the rest is held by the same ones, as a rule.
_TOLD = 5
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True)
class Mounted:
    """What a host made of a router or application: the callable, its paths, what makes its OpenAPI document, and what
    answers the path of a route by its name and parameters, or raises what the framework raises."""

    app: App
    routes: tuple[Route, ...] = ()
    mounts: tuple[str, ...] = ()
    openapi: Callable[[], dict[str, Any]] | None = None
    locate: Callable[..., Any] | None = None


class Host(Protocol):
    """What a runtime asks of the web framework at the edge."""

    def mount(self, thing: Any, prefix: str) -> Mounted:
        """Make a plugin's router (below `prefix`) or ASGI application (mounted at `prefix`) callable.

        Raises ActivationFailed when the thing is neither.
        """

    def collect(self, register: Callable[[Any], Any]) -> Any:
        """Call seed 002's `register_routes(app)` with something that collects routes; answer a router."""

    def release(self) -> None:
        """Empty the framework's caches that would keep an unloaded generation alive."""


@dataclass(frozen=True)
class Image:
    """What a runtime loads: a package's identity, its unpacked tree and its manifest."""

    version: Version
    folder: Path
    manifest: Manifest


@dataclass(frozen=True)
class Holder:
    """Who keeps an object of an unloaded generation alive.

    `file` and `line` are where the holder stands (a thread, a task) or where the plugin's first object on the way is
    written; "" and 0 when nobody knows. `chain` leads from what the process itself holds to the object.
    """

    object: str
    kind: str
    holder: str
    file: str
    line: int
    chain: tuple[str, ...]

    def __str__(self) -> str:
        where = f" ({self.file}:{self.line})" if self.file else ""
        return f"{self.object} is held by {self.holder}{where}: {' → '.join(self.chain)}"

    def to_json(self) -> dict[str, Any]:
        """JSON for a worker's status and an operation's record."""
        return asdict(self) | {"chain": list(self.chain)}


@dataclass(frozen=True)
class Proof:
    """After unloading: the names of modules, classes and functions that are still alive (none, if all went well).

    `holders` says who holds them, `undone` what the plugin had left behind and Hotbay took back, `left` what may be the
    plugin's and was not touched, because it may be somebody else's as well.
    """

    alive: tuple[str, ...] = ()
    holders: tuple[Holder, ...] = ()
    undone: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """True when nothing of the generation is left."""
        return not self.alive

    def to_json(self) -> dict[str, Any]:
        """JSON for a worker's status and an operation's record."""
        return {
            "clean": self.clean,
            "alive": list(self.alive),
            "holders": [holder.to_json() for holder in self.holders[:_TOLD]],
            "undone": list(self.undone),
            "left": list(self.left),
        }


class Generation(Protocol):
    """One loaded incarnation of a plugin in a worker."""

    plugin: str
    version: str
    image: str
    number: int
    app: App | None
    contributions: Contributions

    def load(self) -> None:
        """Import the code; called in a thread of its own. Raises ActivationFailed."""

    async def start(self) -> None:
        """Run the plugin's `start`. Raises ActivationFailed."""

    async def health(self) -> None:
        """Ask the plugin whether it can serve. Raises ActivationFailed."""

    def document(self) -> dict[str, Any]:
        """Its part of the OpenAPI document (paths and components); {} when it has none. Costs tens of milliseconds."""

    def locate(self, name: str, /, **values: Any) -> Any:
        """The path of a route by its name; None when none has a name. Raises what the framework does if it is wrong."""

    def close(self) -> None:
        """Ask long-lived responses to end; safe to repeat."""

    def reopen(self) -> None:
        """It stays after all: new long-lived responses may go on; safe to repeat."""

    async def stop(self) -> None:
        """Run the plugin's `stop`, cancel its tasks, undo what it acquired; safe to repeat; never raises."""

    async def unload(self) -> Proof:
        """Remove the code from the process and prove it; safe to repeat; never raises."""


class Runtime(Protocol):
    """Makes generations."""

    def create(self, image: Image) -> Generation:
        """A generation that is not loaded yet."""


@dataclass
class Limits:
    """How long a runtime waits, in seconds."""

    start: float = 30.0
    health: float = 10.0
