"""The panel's side of the plugins: what it tells them and what it lets them change."""

from __future__ import annotations

from typing import Annotated, Any, Protocol

from fastapi import Depends, Request
from pydantic import BaseModel


class Plugins(Protocol):
    """What the panel needs of `Hotbay`."""

    async def emit(self, event: str, **payload: Any) -> None:
        """Tell the plugins that something happened."""

    async def filter(self, name: str, value: Any, **info: Any) -> Any:
        """Let the plugins change a value."""


class NoPlugins:
    """A panel that nobody extends."""

    async def emit(self, event: str, **payload: Any) -> None:
        """Nobody listens."""

    async def filter(self, name: str, value: Any, **info: Any) -> Any:
        """Nobody changes the value."""
        return value


def get_plugins(request: Request) -> Plugins:
    """The application's plugins."""
    plugins: Plugins = request.app.state.hotbay
    return plugins


def plain(schema: type[BaseModel], row: Any) -> dict[str, Any]:
    """A row as the JSON-able dictionary that plugins are given."""
    return schema.model_validate(row, from_attributes=True).model_dump(mode="json")


ThePlugins = Annotated[Plugins, Depends(get_plugins)]
