"""Sample data: the same people and prices every time, dated around today."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

from sqlalchemy import Connection, insert

from app.core.database import Base
from app.models import Customer, Invoice, InvoiceLine, Order, Payment, Product

CUSTOMERS, ORDERS, INVOICES = 240, 1_200, 2_400
FIRST = (
    "Ada",
    "Ben",
    "Carla",
    "David",
    "Elif",
    "Farid",
    "Greta",
    "Hugo",
    "Ines",
    "Jonas",
    "Katya",
    "Liam",
    "Mina",
)
LAST = ("Adler", "Bauer", "Costa", "Dubois", "Evans", "Garcia", "Hansen", "Kaya", "Lopez", "Novak", "Okafor")
KINDS = ["Labs", "Studio", "Logistics", "Foods", "Media", "Systems"]
COUNTRIES = ["DE", "FR", "ES", "IT", "US", "GB", "NL", "TR"]
PRODUCTS = [
    ("WEB-S", "Web hosting Small", "One site, 10 GB storage", 499),
    ("WEB-M", "Web hosting Medium", "Five sites, 50 GB storage", 999),
    ("WEB-L", "Web hosting Large", "Unlimited sites, 200 GB storage", 1_999),
    ("VPS-1", "Virtual server 1", "1 core, 2 GB memory", 799),
    ("VPS-2", "Virtual server 2", "2 cores, 4 GB memory", 1_499),
    ("VPS-4", "Virtual server 4", "4 cores, 8 GB memory", 2_899),
    ("DOM-COM", "Domain .com", "One year", 1_290),
    ("DOM-ORG", "Domain .org", "One year", 1_490),
    ("MAIL", "Mailbox", "25 GB, spam filter", 300),
    ("BACKUP", "Daily backup", "Kept for 30 days", 450),
    ("CERT", "Certificate, validated", "Organisation checked, one year", 7_900),
    ("SUPPORT", "Priority support", "Answer within an hour", 4_900),
]

Rows = list[dict[str, Any]]


def _customers(random: Random, today: date) -> Rows:
    rows = []
    for key in range(1, CUSTOMERS + 1):
        first, last = random.choice(FIRST), random.choice(LAST)
        email = "customer@example.com" if key == 1 else f"{first}.{last}.{key}@example.com".lower()
        rows.append({
            "id": key, "name": f"{first} {last}", "email": email,
            "company": f"{last} {random.choice(KINDS)}" if random.random() < 0.6 else "",
            "phone": f"+49 30 {random.randrange(10**6, 10**7)}", "country": random.choice(COUNTRIES),
            "created_at": _moment(today, random.randrange(400, 900)),
        })  # fmt: skip
    return rows


def _orders(random: Random, today: date) -> Rows:
    rows = []
    for key in range(1, ORDERS + 1):
        product, quantity = random.randrange(len(PRODUCTS)), random.choice((1, 1, 1, 2, 3, 5))
        rows.append({
            "id": key, "customer_id": random.randint(1, CUSTOMERS),
            "product_id": product + 1, "quantity": quantity, "total_cents": PRODUCTS[product][3] * quantity,
            "status": random.choices(("active", "pending", "cancelled"), (80, 12, 8))[0],
            "created_at": _moment(today, random.randrange(1, 400)),
        })  # fmt: skip
    return rows


def _bills(random: Random, today: date, orders: Rows) -> tuple[Rows, Rows, Rows]:
    """Two invoices an order: their rows, their lines, and the payments."""
    invoices, lines, payments = [], [], []
    for key in range(1, INVOICES + 1):
        order = orders[(key - 1) % len(orders)]
        product = PRODUCTS[order["product_id"] - 1]
        issued = today - timedelta(days=random.randrange(0, 380))
        due, total = issued + timedelta(days=14), order["total_cents"]
        paid = random.random() < (0.92 if due < today else 0.4)
        status = "paid" if paid else "overdue" if due < today - timedelta(days=7) else "open"
        invoices.append({
            "id": key, "customer_id": order["customer_id"], "order_id": order["id"], "status": status,
            "issued_on": issued, "due_on": due, "subtotal_cents": total, "total_cents": total,
            "paid_cents": total if paid else 0,
        })  # fmt: skip
        lines.append(
            {
                "invoice_id": key,
                "description": product[1],
                "quantity": order["quantity"],
                "unit_cents": product[3],
            }
        )
        if paid:
            age = random.randrange(0, (today - issued).days + 1)
            payments.append({
                "invoice_id": key, "amount_cents": total, "method": random.choice(("card", "transfer")),
                "reference": f"R{random.randrange(10**8):08d}", "received_at": _moment(today, age),
            })  # fmt: skip
    return invoices, lines, payments


def _moment(today: date, days_ago: int) -> datetime:
    return datetime.combine(today - timedelta(days=days_ago), time(9), UTC)


def fill(connection: Connection, today: date) -> None:
    """Write all sample rows, in the caller's transaction."""
    random = Random(7)  # noqa: S311 (sample data, no secret)
    customers, orders = _customers(random, today), _orders(random, today)
    invoices, lines, payments = _bills(random, today, orders)
    products = [{"sku": p[0], "name": p[1], "description": p[2], "price_cents": p[3], "active": True} for p in PRODUCTS]
    tables: list[tuple[type[Base], Rows]] = [
        (Customer, customers), (Product, products), (Order, orders),
        (Invoice, invoices), (InvoiceLine, lines), (Payment, payments),
    ]  # fmt: skip
    for model, rows in tables:
        connection.execute(insert(model), rows)
