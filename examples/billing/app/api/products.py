"""Products: everybody sees the active ones, admins make and change them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.paging import Database, Pages, one, page_of
from app.core.security import Admin, current_user
from app.models import Product, User
from app.schemas import Page, ProductIn, ProductOut

router = APIRouter(prefix="/products", tags=["products"])


async def _save(db: AsyncSession, sku: str) -> None:
    try:
        await db.commit()
    except IntegrityError as error:
        raise HTTPException(409, f"there is a product with the sku {sku}") from error


@router.get("")
async def find(
    db: Database, paging: Pages, user: Annotated[User | None, Depends(current_user)], q: str = ""
) -> Page[ProductOut]:
    """Products by name; admins see the retired ones too."""
    query = select(Product).order_by(Product.name, Product.id)
    if user is None or user.role != "admin":
        query = query.where(Product.active)
    if q:
        query = query.where(Product.name.icontains(q, autoescape=True))
    return await page_of(db, query, paging, ProductOut)


@router.post("", status_code=201)
async def create(db: Database, _: Admin, data: ProductIn) -> ProductOut:
    """A new product."""
    product = Product(**data.model_dump())
    db.add(product)
    await _save(db, data.sku)
    return ProductOut.model_validate(product)


@router.put("/{product_id}")
async def change(db: Database, _: Admin, product_id: int, data: ProductIn) -> ProductOut:
    """New particulars of a product; what was sold keeps its price."""
    product = await one(db, Product, product_id)
    for name, value in data.model_dump().items():
        setattr(product, name, value)
    await _save(db, data.sku)
    return ProductOut.model_validate(product)
