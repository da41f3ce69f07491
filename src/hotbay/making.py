"""How a worker makes generations and takes them apart: loaded beside what serves, started, found healthy; unloaded."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from functools import partial

from hotbay.activate import Generation, Image, Proof, Runtime
from hotbay.activate.threads import handing_over, in_thread
from hotbay.errors import ActivationFailed, Conflict, LeftOut, NotFound, Problem, SafeMode
from hotbay.heal import restore_image
from hotbay.images import Images
from hotbay.meter import Loads
from hotbay.model import Live
from hotbay.presence import resident
from hotbay.resolve import overlap
from hotbay.settings import Settings
from hotbay.store import version_of
from hotbay.suspects import Suspects, killer
from hotbay.timing import timed
from hotbay.turns import Turns
from hotbay_sdk.manifest import Manifest

log = logging.getLogger("hotbay.making")


class Maker:
    """Makes and discards one worker's generations; `loads` and `proofs` say what that came to, by plugin.

    `taken` answers which of a plugin's paths somebody else answers. `runtime` is set by whoever knows the host.
    """

    def __init__(
        self,
        settings: Settings,
        images: Images,
        suspects: Suspects,
        taken: Callable[[str, list[str]], list[Problem]],
    ) -> None:
        self.settings = settings
        self.images = images
        self.suspects = suspects
        self.runtime: Runtime | None = None
        self.loads: dict[str, Loads] = {}
        self.proofs: dict[str, Proof] = {}
        self._turns = Turns()
        self._taken = taken

    async def make(self, row: Live, operation: int = 0) -> Generation:
        """A loaded, started and healthy generation. One whose image struck before is loaded while nothing else is, so
        that it is known who did it; without an operation that asks for it, one that struck out is not loaded at all,
        and what killed another worker in the same operation is not loaded here. Raises HotbayError.
        """
        if self.settings.safe_mode:
            raise SafeMode(f"{row.plugin} is not loaded: this host runs in safe mode", mend="start it without")
        strikes = self.suspects.of(row.image)
        if strikes is not None and strikes.out and not operation:
            raise LeftOut(f"{row.plugin} is left out: {strikes}", mend=f"`hotbay activate {row.plugin}` tries it again")
        async with self._turns.turn(alone=strikes is not None):
            with self.suspects.loading(row.plugin, row.version, row.image, operation), handing_over():
                return await self._make_now(row, operation)

    async def _make_now(self, row: Live, operation: int) -> Generation:
        if self.runtime is None:
            raise ActivationFailed("this worker has no runtime")
        image, before = await asyncio.to_thread(self._image, row, operation)
        generation = self.runtime.create(image)
        try:
            load = partial(self._load, generation, image.manifest)
            await in_thread(load, self.settings.start_seconds, f"load {row.plugin}")
            await generation.start()
            await generation.health()
        except BaseException:
            await self.discard(generation)
            raise
        known = self.loads.get(row.plugin, Loads())
        self.loads[row.plugin] = Loads(known.count + 1, (resident(os.getpid()) or 0) - before)
        if self.settings.server_timing:
            generation.app = timed(generation.app, row.plugin, row.version)
        return generation

    def _image(self, row: Live, operation: int) -> tuple[Image, int]:
        """What is to be loaded, and the process's memory before; in a thread: the files are read, a manifest judged."""
        strikes = self.suspects.killed_in(operation) if operation else None
        if strikes is not None:
            raise killer(strikes)
        if not self.images.has(row.image):
            restore_image(self.settings, row)
        try:
            image = Image(version_of(row), self.images.path(row.image), row.parsed)
        except NotFound as error:
            raise ActivationFailed(str(error), mend=error.mend) from error
        return image, resident(os.getpid()) or 0

    def _load(self, generation: Generation, manifest: Manifest) -> None:
        """In a thread: to compare its paths with those of hundreds of others takes long, too."""
        generation.load()
        self._check(generation, manifest)

    def _check(self, generation: Generation, manifest: Manifest) -> None:
        """What only the loaded code shows: routes outside its claims, or where somebody else answers."""
        found = generation.contributions
        paths = [route.path for route in found.routes] + [f"{mount}/*" for mount in found.mounts]
        claims = manifest.backend.routes
        outside = [path for path in paths if claims and not any(overlap(path, claim) for claim in claims)]
        if outside:
            raise Conflict(
                f"{generation.plugin} answers {', '.join(outside)}, which its manifest does not claim",
                mend="list the paths in backend.routes",
                step="start",
            )
        problems = self._taken(generation.plugin, paths)
        if problems:
            raise Conflict(f"{generation.plugin} answers what is taken", problems=tuple(problems), step="start")

    async def discard(self, generation: Generation) -> Proof:
        """Stop a generation and remove its code from the process; answers and keeps the proof."""
        await generation.stop()
        proof = self.proofs[generation.plugin] = await generation.unload()
        _log_proof(f"{generation.plugin} {generation.version}", proof)
        return proof


def _log_proof(what: str, proof: Proof) -> None:
    if proof.undone:
        log.info("%s had left behind, and it was taken back: %s", what, ", ".join(proof.undone))
    if proof.left:
        log.warning("%s may have left behind: %s", what, ", ".join(proof.left))
    if not proof.clean:
        holders = "".join(f"\n  {holder}" for holder in proof.holders[:5])
        log.warning("%s is still in memory after unloading: %s%s", what, ", ".join(proof.alive[:5]), holders)
