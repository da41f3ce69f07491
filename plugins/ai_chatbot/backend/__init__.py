"""Support chat: a bot that answers, and people who take over."""

from .settings import Settings

__all__ = ["Settings"]
