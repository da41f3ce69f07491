"""Customers: admins see and make all, customers see themselves."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException
from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.paging import Database, Pages, must_own, one, own, page_of
from app.core.plugins import ThePlugins, plain
from app.core.security import Admin, AnyUser
from app.models import Customer
from app.schemas import CustomerIn, CustomerOut, Page

router = APIRouter(prefix="/customers", tags=["customers"])


async def _save(db: AsyncSession, email: str) -> None:
    try:
        await db.commit()
    except IntegrityError as error:
        raise HTTPException(409, f"there is a customer with the e-mail {email}") from error


@router.get("")
async def find(db: Database, user: AnyUser, paging: Pages, q: str = "", country: str = "") -> Page[CustomerOut]:
    """Customers by name; `q` looks into name, e-mail and company."""
    query = select(Customer).where(*own(user, Customer.id)).order_by(Customer.name, Customer.id)
    if q:
        query = query.where(
            or_(*(c.icontains(q, autoescape=True) for c in (Customer.name, Customer.email, Customer.company)))
        )
    if country:
        query = query.where(Customer.country == country)
    return await page_of(db, query, paging, CustomerOut)


@router.post("", status_code=201)
async def create(db: Database, _: Admin, data: CustomerIn, plugins: ThePlugins) -> CustomerOut:
    """A new customer. Emits `customer.created`."""
    customer = Customer(**data.model_dump())
    db.add(customer)
    await _save(db, data.email)
    await plugins.emit("customer.created", customer=plain(CustomerOut, customer))
    return CustomerOut.model_validate(customer)


@router.get("/{customer_id}")
async def show(db: Database, user: AnyUser, customer_id: int) -> CustomerOut:
    """One customer."""
    must_own(user, customer_id, f"customer {customer_id}")
    return CustomerOut.model_validate(await one(db, Customer, customer_id))


@router.put("/{customer_id}")
async def change(db: Database, _: Admin, customer_id: int, data: CustomerIn) -> CustomerOut:
    """New particulars of a customer."""
    customer = await one(db, Customer, customer_id)
    for name, value in data.model_dump().items():
        setattr(customer, name, value)
    await _save(db, data.email)
    return CustomerOut.model_validate(customer)
