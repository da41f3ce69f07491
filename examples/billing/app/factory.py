"""The panel without its plugins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app import pages
from app.api import router
from app.core.database import engine
from app.core.plugins import NoPlugins, Plugins
from app.setup import announce, prepare


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Prepare the database before serving, let go of it afterwards."""
    announce(await asyncio.to_thread(prepare))
    try:
        yield
    finally:
        await engine.dispose()


def create_app(plugins: Plugins | None = None, *, homepage: bool = True) -> FastAPI:
    """The panel; `app.state.hotbay` is where its events and filters go.

    `homepage` False leaves the public pages to somebody else: with plugins, Hotbay's console shows them.
    """
    app = FastAPI(title="Billing", lifespan=lifespan)
    app.state.hotbay = plugins or NoPlugins()
    app.include_router(router)
    if homepage:
        app.include_router(pages.router)
    return app
