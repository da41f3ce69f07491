"""The JSON of the API. Money is in integer cents."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Item = TypeVar("Item")
Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_lower=True, max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$"),
]
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Cents = Annotated[int, Field(ge=0, le=10**12)]


class Page(BaseModel, Generic[Item]):
    """One page of a list; `total` counts all pages."""

    items: list[Item]
    total: int
    page: int
    per_page: int


class Row(BaseModel):
    """What is read from a table."""

    model_config = ConfigDict(from_attributes=True)


class LoginIn(BaseModel):
    """Further fields (a one-time code, say) are handed to the plugins that filter `login.verify`."""

    model_config = ConfigDict(extra="allow")
    email: Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, max_length=254)]
    password: Annotated[str, StringConstraints(max_length=1024)]


class UserOut(Row):
    id: int
    email: str
    name: str
    role: str
    customer_id: int | None


class LoginOut(BaseModel):
    access_token: str
    token_type: Literal["bearer"] = "bearer"
    user: UserOut


class CustomerIn(BaseModel):
    name: Name
    email: Email
    company: Text = ""
    phone: Text = ""
    country: Text = ""


class CustomerOut(Row, CustomerIn):
    id: int
    email: str
    created_at: datetime


class ProductIn(BaseModel):
    sku: Name
    name: Name
    description: Annotated[str, StringConstraints(max_length=2000)] = ""
    price_cents: Cents
    active: bool = True


class ProductOut(Row, ProductIn):
    id: int


class OrderIn(BaseModel):
    """`customer_id` may be left out by a customer, who orders for nobody else."""

    product_id: int
    quantity: Annotated[int, Field(gt=0, le=10_000)] = 1
    customer_id: int | None = None


class OrderOut(Row):
    id: int
    customer_id: int
    product_id: int
    quantity: int
    total_cents: int
    status: str
    created_at: datetime


class OrderStatusIn(BaseModel):
    status: Literal["pending", "active", "cancelled"]


class LineIn(Row):
    description: Name
    quantity: Annotated[int, Field(gt=0, le=10_000)] = 1
    unit_cents: Cents


class InvoiceIn(BaseModel):
    customer_id: int
    order_id: int | None = None
    due_in_days: Annotated[int, Field(ge=0, le=365)] = 14
    lines: Annotated[list[LineIn], Field(min_length=1, max_length=200)]


class InvoiceOut(Row):
    id: int
    number: str
    customer_id: int
    order_id: int | None
    status: str
    issued_on: date
    due_on: date
    subtotal_cents: int
    total_cents: int
    paid_cents: int
    lines: list[LineIn]


class PaymentIn(BaseModel):
    invoice_id: int
    amount_cents: Annotated[int, Field(gt=0, le=10**12)]
    method: Literal["card", "transfer", "cash"] = "transfer"
    reference: Text = ""


class PaymentOut(Row, PaymentIn):
    id: int
    received_at: datetime
