"""What the steps of one operation work on, and what they share: wishes to workers, images, the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from hotbay import store
from hotbay.activate import Image
from hotbay.beacon import Beacon
from hotbay.cohort import Answers, Cohort
from hotbay.errors import MigrationFailed, OperationFailed
from hotbay.folder import fsync_dir, fsync_tree
from hotbay.folders import Folders
from hotbay.grant import Grant
from hotbay.images import Images
from hotbay.migrate import Migrator
from hotbay.model import Contributions, Live, Version
from hotbay.plan import Plan
from hotbay.settings import Settings
from hotbay.store import Store
from hotbay_sdk.manifest import Manifest

Record = dict[str, Any]
_disk = ThreadPoolExecutor(max_workers=2, thread_name_prefix="hotbay disk")


class Workshop(Protocol):
    """How an actor runs a plugin's code itself, where no worker does it."""

    def try_out(self, image: Image) -> Contributions:
        """Load, start, check, stop and unload a plugin here. Raises ActivationFailed."""

    def with_addon(self, image: Image, work: Callable[[Any], None]) -> None:
        """Call `work` with the plugin's addon object (seed 002), or not at all when it has none."""


@dataclass
class Bench:
    """What the steps of one operation work on. `row` is the live row to be, `old` the one that is."""

    settings: Settings
    store: Store
    images: Images
    folders: Folders
    beacon: Beacon
    cohort: Cohort
    workshop: Workshop
    plan: Plan
    operation: int
    old: Live | None
    row: Live | None
    tree: Path | None = None
    notes: Record = field(default_factory=dict)
    syncing: list[Future[None]] = field(default_factory=list)

    @property
    def plugin(self) -> str:
        """The plugin's id."""
        return self.plan.plugin

    @property
    def manifest(self) -> Manifest:
        """The manifest of what is to be, or of what is."""
        row = self.row or self.old
        if row is None:
            raise OperationFailed(f"{self.plugin} has no row to work on")
        return row.parsed

    def sync_later(self, folder: Path) -> None:
        """Begin to make a new folder durable, in a thread: it takes about 2 ms a file, and only the switch needs it."""
        self.later(lambda: make_durable(folder))

    def later(self, work: Callable[[], None]) -> None:
        """Begin something with the disk in a thread, beside the next steps; the switch waits for it."""
        self.syncing.append(_disk.submit(work))

    def wait_synced(self) -> None:
        """Wait until all new folders are there and durable. Raises what the disk says."""
        while self.syncing:
            self.syncing.pop().result()

    def stop_syncing(self) -> None:
        """Wait for the disk before the folders are deleted again; what it says does not matter any more."""
        while self.syncing:
            self.syncing.pop().exception()

    def migrator(self) -> Migrator:
        """The door to the plugin's tables."""
        return Migrator(self.settings.database_path, grant_for(self.manifest, self.store.all_live()))


def make_durable(folder: Path) -> None:
    """Flush a new folder, what is in it, and its name."""
    fsync_tree(folder)
    fsync_dir(folder.parent)


def grant_for(manifest: Manifest, plugins: Iterable[str]) -> Grant:
    """What a plugin may touch in the database."""
    others = frozenset(plugin for plugin in plugins if plugin != manifest.id)
    return Grant(manifest.id, frozenset(manifest.database.tables), frozenset(manifest.database.reads), others)


def ask(bench: Bench, candidate: Record) -> None:
    """Tell the workers what to prepare."""
    with bench.store.write() as connection:
        store.set_candidate(connection, bench.plugin, candidate)


def withdraw(bench: Bench) -> None:
    """Tell the workers that nothing is to be prepared, and let held requests go on."""
    with bench.store.write() as connection:
        store.set_candidate(connection, bench.plugin, None)
    bench.beacon.bump()
    bench.cohort.workers.signal()


def answers(said: Answers) -> Record:
    """Who answered, for the journal."""
    return {"done": said.done, "late": said.late}


def image_of(bench: Bench, folder: Path) -> Image:
    """What a runtime loads for this operation."""
    row = bench.row or bench.old
    if row is None:
        raise MigrationFailed(f"{bench.plugin} has no code here")
    version = Version(row.plugin, row.version, row.sha256, row.image, row.source)
    return Image(version, folder, row.parsed)


def images_in_use(registry: Store) -> set[str]:
    """The images that live rows or the kept history point at."""
    return registry.images()
