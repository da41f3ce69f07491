"""Invoices: admins write them, customers see their own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException
from sqlalchemy import select

from app.api.paging import Database, Pages, must_own, one, own, page_of
from app.core.database import now
from app.core.plugins import Plugins, ThePlugins, plain
from app.core.security import Admin, AnyUser
from app.models import Customer, Invoice, InvoiceLine, Order
from app.schemas import InvoiceIn, InvoiceOut, Page

router = APIRouter(prefix="/invoices", tags=["invoices"])


def today() -> date:
    """The day, in UTC."""
    return now().date()


@dataclass(frozen=True)
class Wanted:
    """Which invoices to list."""

    status: str = ""
    customer_id: int = 0
    due_before: date | None = None


@router.get("")
async def find(db: Database, user: AnyUser, paging: Pages, wanted: Annotated[Wanted, Depends()]) -> Page[InvoiceOut]:
    """Invoices, newest first."""
    query = select(Invoice).where(*own(user, Invoice.customer_id)).order_by(Invoice.id.desc())
    if wanted.status:
        query = query.where(Invoice.status == wanted.status)
    if wanted.customer_id:
        query = query.where(Invoice.customer_id == wanted.customer_id)
    if wanted.due_before:
        query = query.where(Invoice.due_on < wanted.due_before)
    return await page_of(db, query, paging, InvoiceOut)


async def _total(plugins: Plugins, draft: dict[str, Any]) -> int:
    # Plugins add taxes or discounts; nothing is locked while they think.
    total = await plugins.filter("invoice.total", draft["subtotal_cents"], invoice=draft)
    if isinstance(total, bool) or not isinstance(total, int) or total < 0:
        raise HTTPException(
            500, f"a plugin made {total!r} of the invoice's total: whole cents, not below 0, are needed"
        )
    return total


@router.post("", status_code=201)
async def create(db: Database, _: Admin, data: InvoiceIn, plugins: ThePlugins) -> InvoiceOut:
    """A new invoice. Asks the filter `invoice.total` and emits `invoice.created`."""
    subtotal = sum(line.quantity * line.unit_cents for line in data.lines)
    total = await _total(plugins, {**data.model_dump(mode="json"), "subtotal_cents": subtotal})
    customer = await one(db, Customer, data.customer_id)
    if data.order_id is not None and (await one(db, Order, data.order_id)).customer_id != customer.id:
        raise HTTPException(422, f"order {data.order_id} is not of customer {customer.id}")
    invoice = Invoice(
        customer_id=customer.id,
        order_id=data.order_id,
        status="open" if total else "paid",
        issued_on=today(),
        due_on=today() + timedelta(days=data.due_in_days),
        subtotal_cents=subtotal,
        total_cents=total,
        lines=[InvoiceLine(**line.model_dump()) for line in data.lines],
    )
    db.add(invoice)
    await db.commit()
    await plugins.emit("invoice.created", invoice=plain(InvoiceOut, invoice))
    return InvoiceOut.model_validate(invoice)


@router.post("/check-overdue")
async def check_overdue(db: Database, _: Admin, plugins: ThePlugins) -> dict[str, int]:
    """Mark what is late (once a day, by cron). Emits `invoice.overdue` for each; returns how many."""
    late = list(await db.scalars(select(Invoice).where(Invoice.status == "open", Invoice.due_on < today())))
    for invoice in late:
        invoice.status = "overdue"
    await db.commit()
    for invoice in late:
        await plugins.emit("invoice.overdue", invoice=plain(InvoiceOut, invoice))
    return {"marked": len(late)}


@router.get("/{invoice_id}")
async def show(db: Database, user: AnyUser, invoice_id: int) -> InvoiceOut:
    """One invoice with its lines."""
    invoice = await one(db, Invoice, invoice_id)
    must_own(user, invoice.customer_id, f"invoice {invoice_id}")
    return InvoiceOut.model_validate(invoice)


@router.post("/{invoice_id}/void")
async def void(db: Database, _: Admin, invoice_id: int) -> InvoiceOut:
    """Take an invoice back that nobody paid yet."""
    invoice = await one(db, Invoice, invoice_id)
    if invoice.paid_cents or invoice.status == "paid":
        raise HTTPException(409, f"{invoice.number} was paid, at least in part")
    invoice.status = "void"
    await db.commit()
    return InvoiceOut.model_validate(invoice)
