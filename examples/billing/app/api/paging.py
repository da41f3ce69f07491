"""Pages of lists, and the rows that one may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, HTTPException, Query
from pydantic import BaseModel
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import Base, get_db
from app.models import User
from app.schemas import Page

Model = TypeVar("Model", bound=Base)
Out = TypeVar("Out", bound=BaseModel)


@dataclass(frozen=True)
class Paging:
    """Which page of a list: counted from 1, at most 200 rows long."""

    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1
    per_page: Annotated[int, Query(ge=1, le=200)] = 50


Database = Annotated[AsyncSession, Depends(get_db)]
Pages = Annotated[Paging, Depends()]


async def page_of(db: AsyncSession, query: Select[Any], paging: Paging, out: type[Out]) -> Page[Out]:
    """One page of the query's rows."""
    total = await db.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    rows = await db.scalars(query.limit(paging.per_page).offset((paging.page - 1) * paging.per_page))
    items = [out.model_validate(row, from_attributes=True) for row in rows]
    return Page[out](items=items, total=total, page=paging.page, per_page=paging.per_page)  # type: ignore[valid-type]


async def one(db: AsyncSession, model: type[Model], key: int | None) -> Model:
    """The row of that id. Raises 404."""
    row = await db.get(model, key) if key is not None else None
    if row is None:
        raise HTTPException(404, f"no {model.__name__.lower()} {key}")
    return row


def own(user: User, column: Any) -> list[ColumnElement[bool]]:
    """The condition that hides other customers' rows; admins see all."""
    return [] if user.role == "admin" else [column == user.customer_id]


def must_own(user: User, customer_id: int, what: str) -> None:
    """Raises 404 (not 403: ids are nobody's business) when the row is another customer's."""
    if user.role != "admin" and customer_id != user.customer_id:
        raise HTTPException(404, f"no {what}")
