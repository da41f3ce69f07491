"""The HTTP API of the marketplace, for administrators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

if TYPE_CHECKING:
    from hotbay.asgi import Hotbay


class Api:
    """An ASGI application below `{api_prefix}/marketplace` and `{api_prefix}/hotbay`."""

    def __init__(self, hotbay: Hotbay) -> None:
        prefix = hotbay.settings.api_prefix
        self._roots = (f"{prefix}/marketplace", f"{prefix}/hotbay")
        self.app = FastAPI(title="Hotbay", docs_url=None, redoc_url=None, openapi_url=None)

    def owns(self, path: str) -> bool:
        """True for the paths of this API (below the host's root path)."""
        return any(path == root or path.startswith(root + "/") for root in self._roots)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        await self.app(scope, receive, send)


def build_api(hotbay: Hotbay) -> Api:
    """The API of one host."""
    return Api(hotbay)
