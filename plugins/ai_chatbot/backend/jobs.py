"""What the chat does by itself."""

from __future__ import annotations

from hotbay_sdk import every

from . import services
from .runtime import ctx


@every(60, name="close idle chats")
def close_idle() -> None:
    """Close chats that both sides have left."""
    closed = services.close_idle()
    if closed:
        ctx.log.info("closed %s idle chats", closed)
