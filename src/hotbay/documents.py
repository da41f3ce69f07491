"""Plugins' parts of the OpenAPI document: made by a loaded generation, kept beside its image for those not loaded yet.

Making one costs tens of milliseconds, so it is done when it is asked for, or later in a thread; never during a switch.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hotbay.activate import Generation
from hotbay.activate.threads import quietly
from hotbay.process import lives, me

_DELAY_SECONDS = 1.0


class Documents:
    """A cache by content hash: what it holds can't be wrong, and what it lacks is made again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _file(self, image: str) -> Path:
        return self.folder / f"{image}.json"

    def has(self, image: str) -> bool:
        """True when the image's document is kept."""
        return self._file(image).exists()

    def of(self, image: str, generation: Generation | None) -> dict[str, Any]:
        """The document of an image; {} when it is neither kept nor loaded."""
        try:
            found: dict[str, Any] = json.loads(self._file(image).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return self._make(image, generation) if generation is not None else {}
        return found

    def _make(self, image: str, generation: Generation) -> dict[str, Any]:
        document = generation.document()
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self._file(image).with_suffix(f".{me()}.tmp")
        temporary.write_text(json.dumps(document), encoding="utf-8")
        temporary.replace(self._file(image))
        return document

    async def keep(self, loaded: Mapping[str, Generation], *, delay: float = _DELAY_SECONDS) -> None:
        """Write down what is not kept yet; `delay` seconds later, because just now the switch matters more."""
        await asyncio.sleep(delay)
        for image, generation in loaded.items():
            if not self.has(image) and generation.app is not None:
                await quietly(self._make, image, generation)

    def unused(self, used: set[str]) -> list[Path]:
        """Documents of images that are not used any more, and those that a killed process had half written."""
        found = sorted(self.folder.iterdir()) if self.folder.is_dir() else []
        return [file for file in found if _is_unused(file, used)]

    def sweep(self, used: set[str]) -> None:
        """Forget what is unused."""
        for file in self.unused(used):
            file.unlink(missing_ok=True)


def _is_unused(file: Path, used: set[str]) -> bool:
    image, _, process = file.name.removesuffix(".json").removesuffix(".tmp").partition(".")
    return not lives(process) if process else image not in used
