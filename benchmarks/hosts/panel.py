"""The host of overhead.py without the routes that are measured: as many routes as a small panel has."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

SECTIONS = ("customers", "products", "orders", "invoices", "payments", "users")


def create_panel() -> FastAPI:
    """A panel of its own."""
    app = FastAPI()
    for section in SECTIONS:
        app.include_router(_section(section), prefix="/api/v1")
    return app


def _section(name: str) -> APIRouter:
    router = APIRouter(prefix=f"/{name}")

    @router.get("")
    async def find() -> list[str]:
        return [name]

    @router.post("", status_code=201)
    async def create() -> dict[str, str]:
        return {"created": name}

    @router.get("/{key}")
    async def show(key: int) -> dict[str, int]:
        return {name: key}

    @router.put("/{key}")
    async def change(key: int) -> dict[str, int]:
        return {name: key}

    return router
