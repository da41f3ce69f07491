"""People who use a server all the time, each in a thread of its own."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Crowd(ABC):
    """For the length of a block; each of them goes on with `come` until it is `over`."""

    def __init__(self, people: int) -> None:
        self._stop = threading.Event()
        self._people = [threading.Thread(target=self.come) for _ in range(people)]

    @abstractmethod
    def come(self) -> None:
        """What one does until it is `over`."""

    @property
    def over(self) -> bool:
        """True when the block has ended."""
        return self._stop.is_set()

    def __enter__(self) -> Self:
        for one in self._people:
            one.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for one in self._people:
            one.join()
