"""Orders: customers order for themselves, admins for anybody."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException
from sqlalchemy import select

from app.api.paging import Database, Pages, must_own, one, own, page_of
from app.core.plugins import ThePlugins, plain
from app.core.security import Admin, AnyUser
from app.models import Customer, Order, Product
from app.schemas import OrderIn, OrderOut, OrderStatusIn, Page

router = APIRouter(prefix="/orders", tags=["orders"])


@router.get("")
async def find(db: Database, user: AnyUser, paging: Pages, status: str = "", customer_id: int = 0) -> Page[OrderOut]:
    """Orders, newest first."""
    query = select(Order).where(*own(user, Order.customer_id)).order_by(Order.id.desc())
    if status:
        query = query.where(Order.status == status)
    if customer_id:
        query = query.where(Order.customer_id == customer_id)
    return await page_of(db, query, paging, OrderOut)


@router.post("", status_code=201)
async def create(db: Database, user: AnyUser, data: OrderIn, plugins: ThePlugins) -> OrderOut:
    """A new order. Emits `order.created`."""
    customer_id = data.customer_id if data.customer_id is not None else user.customer_id
    if customer_id is None:
        raise HTTPException(422, "customer_id: say who orders")
    must_own(user, customer_id, f"customer {customer_id}")
    customer = await one(db, Customer, customer_id)
    product = await one(db, Product, data.product_id)
    if not product.active:
        raise HTTPException(409, f"product {product.id} is not sold any more")
    total = product.price_cents * data.quantity
    order = Order(customer_id=customer.id, product_id=product.id, quantity=data.quantity, total_cents=total)
    db.add(order)
    await db.commit()
    await plugins.emit("order.created", order=plain(OrderOut, order))
    return OrderOut.model_validate(order)


@router.get("/{order_id}")
async def show(db: Database, user: AnyUser, order_id: int) -> OrderOut:
    """One order."""
    order = await one(db, Order, order_id)
    must_own(user, order.customer_id, f"order {order_id}")
    return OrderOut.model_validate(order)


@router.put("/{order_id}/status")
async def change(db: Database, _: Admin, order_id: int, data: OrderStatusIn) -> OrderOut:
    """Activate or cancel an order."""
    order = await one(db, Order, order_id)
    order.status = data.status
    await db.commit()
    return OrderOut.model_validate(order)
