"""The billing panel as a test sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

PASSWORD = "correct horse"


@dataclass
class Recorder:
    """What the panel asks of `Hotbay`: keeps the events and filters with the functions of a test."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    filters: dict[str, Callable[..., Any]] = field(default_factory=dict)

    async def emit(self, event: str, **payload: Any) -> None:
        self.events.append((event, payload))

    async def filter(self, name: str, value: Any, **info: Any) -> Any:
        return self.filters[name](value, **info) if name in self.filters else value


@dataclass
class Panel:
    address: str
    plugins: Recorder
    database: Path

    def guest(self) -> httpx.Client:
        return httpx.Client(base_url=self.address + "/api/v1")

    @contextmanager
    def login(self, email: str) -> Iterator[httpx.Client]:
        with self.guest() as client:
            answer = client.post("/auth/login", json={"email": email, "password": PASSWORD})
            client.cookies.clear()
            client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            yield client
