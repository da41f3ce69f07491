"""Hotbay: plugins that are installed, upgraded and removed while a Python web application serves traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hotbay._version import __version__

__all__ = ["Hotbay", "__version__"]

if TYPE_CHECKING:
    from hotbay.asgi import Hotbay


def __getattr__(name: str) -> Any:
    """Import the web edge only when it is asked for, so that the core stays usable without a framework."""
    if name == "Hotbay":
        from hotbay.asgi import Hotbay

        return Hotbay
    raise AttributeError(f"module 'hotbay' has no attribute {name!r}")
