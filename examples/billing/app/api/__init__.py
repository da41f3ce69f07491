"""The panel's JSON API, below /api/v1."""

from fastapi import APIRouter

from app.api import auth, customers, invoices, orders, payments, products

router = APIRouter(prefix="/api/v1")
for part in (auth, customers, products, orders, invoices, payments):
    router.include_router(part.router)


@router.get("/health", tags=["health"])
async def health() -> dict[str, str]:
    """Whether the panel answers."""
    return {"status": "ok"}
