"""A generation's modules with their owner, as unloading has them, without a runtime around them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from hotbay.activate import loader
from hotbay.activate.owned import Owner


@dataclass
class Brood:
    """What a generation of the plugin `shop` brought: its modules by their public name, its owner, its image."""

    owner: Owner
    folder: Path
    modules: dict[str, ModuleType]

    def __getattr__(self, name: str) -> Any:
        """The module `backend/<name>.py`."""
        try:
            return self.modules[f"{self.owner.private}.{name}"]
        except KeyError:
            raise AttributeError(name) from None

    def close(self) -> None:
        """Take the modules out of `sys.modules`, as unloading does before it proves."""
        loader.close_package(self.owner.private)


Hatch = Callable[..., Brood]
