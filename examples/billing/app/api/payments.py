"""Payments: admins book them, customers see their own."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException
from sqlalchemy import select

from app.api.paging import Database, Pages, one, own, page_of
from app.core.plugins import ThePlugins, plain
from app.core.security import Admin, AnyUser
from app.models import Invoice, Payment
from app.schemas import InvoiceOut, Page, PaymentIn, PaymentOut

router = APIRouter(prefix="/payments", tags=["payments"])


@router.get("")
async def find(db: Database, user: AnyUser, paging: Pages, invoice_id: int = 0) -> Page[PaymentOut]:
    """Payments, newest first."""
    query = select(Payment).join(Invoice).where(*own(user, Invoice.customer_id)).order_by(Payment.id.desc())
    if invoice_id:
        query = query.where(Payment.invoice_id == invoice_id)
    return await page_of(db, query, paging, PaymentOut)


@router.post("", status_code=201)
async def create(db: Database, _: Admin, data: PaymentIn, plugins: ThePlugins) -> PaymentOut:
    """Book a payment, not more than is owed. Emits `payment.received`."""
    invoice = await one(db, Invoice, data.invoice_id)
    owed = invoice.total_cents - invoice.paid_cents
    if invoice.status not in {"open", "overdue"} or data.amount_cents > owed:
        raise HTTPException(409, f"{invoice.number} is {invoice.status} and {owed} cents are owed")
    payment = Payment(**data.model_dump())
    db.add(payment)
    invoice.paid_cents += data.amount_cents
    if invoice.paid_cents == invoice.total_cents:
        invoice.status = "paid"
    await db.commit()
    await plugins.emit("payment.received", payment=plain(PaymentOut, payment), invoice=plain(InvoiceOut, invoice))
    return PaymentOut.model_validate(payment)
