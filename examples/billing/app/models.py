"""The panel's tables. Money is in integer cents; moments are in UTC."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core.database import Base, UtcTime, now


class Customer(Base):
    """Somebody who buys."""

    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str] = mapped_column(unique=True)
    company: Mapped[str] = mapped_column(default="")
    phone: Mapped[str] = mapped_column(default="")
    country: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(UtcTime, default=now)


class User(Base):
    """Somebody who logs in: role `admin`, or `customer` with a row in `customers`."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[str]
    password_hash: Mapped[str]
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"))


class UserSession(Base):
    """A login. The token itself is known to its owner only; here is its SHA-256."""

    __tablename__ = "user_sessions"
    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcTime, default=now)
    expires_at: Mapped[datetime] = mapped_column(UtcTime, index=True)


class LoginFailure(Base):
    """A refused login, for throttling. `source` is e-mail and address of the caller."""

    __tablename__ = "login_failures"
    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str]
    at: Mapped[datetime] = mapped_column(UtcTime, default=now)
    __table_args__ = (Index("login_failures_source_at", "source", "at"),)


class Product(Base):
    """What is sold."""

    __tablename__ = "products"
    id: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    price_cents: Mapped[int] = mapped_column(CheckConstraint("price_cents >= 0"))
    active: Mapped[bool] = mapped_column(default=True)


class Order(Base):
    """What a customer ordered: pending → active → cancelled."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    quantity: Mapped[int] = mapped_column(CheckConstraint("quantity > 0"))
    total_cents: Mapped[int]
    status: Mapped[str] = mapped_column(default="pending", index=True)
    created_at: Mapped[datetime] = mapped_column(UtcTime, default=now)


class Invoice(Base):
    """A bill: open → paid, open → overdue → paid, or void. `total_cents` is the sum after the filters."""

    __tablename__ = "invoices"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"))
    status: Mapped[str] = mapped_column(default="open")
    issued_on: Mapped[date]
    due_on: Mapped[date]
    subtotal_cents: Mapped[int]
    total_cents: Mapped[int]
    paid_cents: Mapped[int] = mapped_column(default=0)
    lines: Mapped[list[InvoiceLine]] = relationship(lazy="selectin", order_by="InvoiceLine.id")
    __table_args__ = (Index("invoices_status_due", "status", "due_on"),)

    @property
    def number(self) -> str:
        """The number on the paper."""
        return f"INV-{self.id:06d}"


class InvoiceLine(Base):
    """One position of a bill."""

    __tablename__ = "invoice_lines"
    id: Mapped[int] = mapped_column(primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id", ondelete="CASCADE"), index=True)
    description: Mapped[str]
    quantity: Mapped[int]
    unit_cents: Mapped[int]


class Payment(Base):
    """Money that came in for a bill."""

    __tablename__ = "payments"
    id: Mapped[int] = mapped_column(primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"), index=True)
    amount_cents: Mapped[int] = mapped_column(CheckConstraint("amount_cents > 0"))
    method: Mapped[str]
    reference: Mapped[str] = mapped_column(default="")
    received_at: Mapped[datetime] = mapped_column(UtcTime, default=now)
