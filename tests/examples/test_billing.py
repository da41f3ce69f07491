"""The billing panel over real HTTP."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from panel import PASSWORD, Panel
from serving import BILLING

LINES = [{"description": "Hosting", "quantity": 2, "unit_cents": 500}]


def make_invoice(admin: httpx.Client, customer_id: int = 1, **more: Any) -> dict[str, Any]:
    answer = admin.post("/invoices", json={"customer_id": customer_id, "lines": LINES, **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_sample_data_is_there(admin: httpx.Client) -> None:
    totals = {name: admin.get(f"/{name}").json()["total"] for name in ("customers", "invoices", "orders", "payments")}
    assert totals["customers"] >= 200
    assert totals["invoices"] >= 2000
    assert totals["orders"] >= 1000
    assert totals["payments"] >= 1000


def test_homepage_needs_nothing_from_elsewhere(panel: Panel) -> None:
    page = httpx.get(panel.address + "/")
    assert page.status_code == 200
    assert "Web hosting Small" in page.text
    assert "4.99 €" in page.text
    assert "src=" not in page.text


def test_health(panel: Panel) -> None:
    assert httpx.get(panel.address + "/api/v1/health").json() == {"status": "ok"}


def test_login_gives_token_and_safe_cookie(panel: Panel) -> None:
    with panel.guest() as client:
        answer = client.post("/auth/login", json={"email": "ADMIN@example.com ", "password": PASSWORD})
        body, cookie = answer.json(), answer.headers["set-cookie"].lower()
        assert (body["token_type"], body["user"]["role"]) == ("bearer", "admin")
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert client.get("/auth/me").json()["email"] == "admin@example.com"
    assert panel.plugins.events[0][0] == "user.login"
    with sqlite3.connect(panel.database) as db:
        stored = db.execute("SELECT token_hash FROM user_sessions").fetchall()
    db.close()
    assert all(body["access_token"] not in row[0] for row in stored)


def test_cookie_from_another_site_does_not_count(panel: Panel) -> None:
    with panel.guest() as client:
        client.post("/auth/login", json={"email": "admin@example.com", "password": PASSWORD})
        own = client.post("/invoices/check-overdue", headers={"Origin": panel.address})
        other = client.post("/invoices/check-overdue", headers={"Origin": "https://evil.example"})
    assert (own.status_code, other.status_code) == (200, 401)


def test_logout_ends_the_session(panel: Panel) -> None:
    with panel.login("customer@example.com") as client:
        assert client.get("/auth/me").status_code == 200
        assert client.post("/auth/logout").status_code == 204
        assert client.get("/auth/me").status_code == 401


def test_expired_session_is_refused(panel: Panel) -> None:
    with panel.login("customer@example.com") as client:
        db = sqlite3.connect(panel.database)
        with db:
            db.execute("UPDATE user_sessions SET expires_at = '2020-01-01 00:00:00.000000'")
        db.close()
        assert client.get("/auth/me").status_code == 401


def test_failed_logins_are_throttled(panel: Panel) -> None:
    data = {"email": "nobody@example.com", "password": "wrong"}
    with panel.guest() as client:
        answers = [client.post("/auth/login", json=data) for _ in range(6)]
    assert [a.status_code for a in answers] == [401] * 5 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0


def refuse(value: bool, **_: Any) -> bool:
    return False


def blow(value: bool, **_: Any) -> bool:
    raise PermissionError("no code")


@pytest.mark.parametrize("plugin", [refuse, blow])
def test_plugin_refuses_login(panel: Panel, plugin: Any) -> None:
    panel.plugins.filters["login.verify"] = plugin
    with panel.guest() as client:
        answer = client.post("/auth/login", json={"email": "customer@example.com", "password": PASSWORD})
    assert answer.status_code == 401
    assert panel.plugins.events == []


def test_login_filter_sees_extra_fields_and_no_password(panel: Panel) -> None:
    seen: dict[str, Any] = {}
    panel.plugins.filters["login.verify"] = lambda value, **info: seen.update(info) or value
    with panel.guest() as client:
        data = {"email": "customer@example.com", "password": PASSWORD, "code": "123456"}
        assert client.post("/auth/login", json=data).status_code == 200
    assert seen["request"]["fields"] == {"code": "123456"}
    assert PASSWORD not in json.dumps(seen)


def test_guests_and_customers_are_kept_out(panel: Panel, customer: httpx.Client) -> None:
    with panel.guest() as guest:
        assert guest.get("/customers").status_code == 401
    person = {"name": "X", "email": "x@example.com"}
    assert customer.post("/customers", json=person).status_code == 403
    assert customer.post("/invoices", json={"customer_id": 1, "lines": LINES}).status_code == 403


def test_customers_see_only_their_own(customer: httpx.Client, admin: httpx.Client) -> None:
    foreign = make_invoice(admin, customer_id=2)
    own = make_invoice(admin, customer_id=1)
    assert customer.get(f"/invoices/{foreign['id']}").status_code == 404
    assert customer.get(f"/invoices/{own['id']}").json()["number"] == own["number"]
    for name in ("invoices", "orders"):
        listed = customer.get(f"/{name}?per_page=200").json()["items"]
        assert {item["customer_id"] for item in listed} == {1}
    assert [item["id"] for item in customer.get("/customers").json()["items"]] == [1]
    payments = customer.get("/payments?per_page=200").json()["items"]
    owners = {admin.get(f"/invoices/{p['invoice_id']}").json()["customer_id"] for p in payments}
    assert owners == {1}


def test_pages_and_filters(admin: httpx.Client) -> None:
    first = admin.get("/invoices?status=paid&per_page=7").json()
    second = admin.get("/invoices?status=paid&per_page=7&page=2").json()
    assert len(first["items"]) == 7
    assert not {i["id"] for i in first["items"]} & {i["id"] for i in second["items"]}
    assert {i["status"] for i in first["items"]} == {"paid"}
    late = admin.get("/invoices?due_before=2000-01-01").json()
    assert (late["total"], late["items"]) == (0, [])
    found = admin.get("/customers?q=customer@").json()
    assert [c["email"] for c in found["items"]] == ["customer@example.com"]
    assert admin.get("/customers?q=%25").json()["total"] == 0
    assert admin.get("/invoices?per_page=1000").status_code == 422


def test_customer_created_is_emitted_once(panel: Panel, admin: httpx.Client) -> None:
    person = {"name": "Grace Hopper", "email": "Grace@Example.com", "country": "US"}
    made = admin.post("/customers", json=person)
    again = admin.post("/customers", json=person)
    assert (made.status_code, again.status_code) == (201, 409)
    (event, payload), *rest = panel.plugins.events
    assert (event, rest, payload["customer"]["email"]) == ("customer.created", [], "grace@example.com")
    json.dumps(payload)
    changed = admin.put(f"/customers/{made.json()['id']}", json={**person, "name": "Rear Admiral Hopper"})
    assert changed.json()["name"] == "Rear Admiral Hopper"


def test_orders(panel: Panel, customer: httpx.Client, admin: httpx.Client) -> None:
    product = customer.get("/products?q=Mailbox").json()["items"][0]
    made = customer.post("/orders", json={"product_id": product["id"], "quantity": 3})
    assert (made.json()["total_cents"], made.json()["customer_id"]) == (product["price_cents"] * 3, 1)
    assert panel.plugins.events[0][0] == "order.created"
    assert customer.post("/orders", json={"product_id": product["id"], "customer_id": 2}).status_code == 404
    status = admin.put(f"/orders/{made.json()['id']}/status", json={"status": "active"}).json()
    assert status["status"] == "active"


def test_retired_products(panel: Panel, admin: httpx.Client, customer: httpx.Client) -> None:
    data = {"sku": "OLD", "name": "Old thing", "price_cents": 1, "active": False}
    made = admin.post("/products", json=data).json()
    assert admin.post("/products", json=data).status_code == 409
    with panel.guest() as guest:
        assert guest.get("/products?q=Old").json()["total"] == 0
    assert admin.get("/products?q=Old").json()["total"] == 1
    assert customer.post("/orders", json={"product_id": made["id"]}).status_code == 409
    assert admin.put(f"/products/{made['id']}", json={**data, "active": True}).json()["active"] is True


def test_invoice_total_is_filtered(panel: Panel, admin: httpx.Client) -> None:
    panel.plugins.filters["invoice.total"] = lambda total, invoice: total + len(invoice["lines"]) * 190
    made = make_invoice(admin)
    assert (made["subtotal_cents"], made["total_cents"]) == (1000, 1190)
    assert [event for event, _ in panel.plugins.events] == ["invoice.created"]


@pytest.mark.parametrize("nonsense", [-1, 9.5, None, True])
def test_nonsense_total_makes_no_invoice(panel: Panel, admin: httpx.Client, nonsense: Any) -> None:
    before = admin.get("/invoices").json()["total"]
    panel.plugins.filters["invoice.total"] = lambda total, invoice: nonsense
    assert admin.post("/invoices", json={"customer_id": 1, "lines": LINES}).status_code == 500
    assert admin.get("/invoices").json()["total"] == before


def test_events_come_after_the_commit(panel: Panel, admin: httpx.Client) -> None:
    """A plugin's own write must not wait for the panel's transaction."""
    seen: list[int] = []

    async def emit(event: str, **payload: Any) -> None:
        db = sqlite3.connect(panel.database, timeout=1)
        with db:
            db.execute("CREATE TABLE IF NOT EXISTS probe (x)")
            seen.extend(
                db.execute("SELECT count(*) FROM invoices WHERE id = ?", (payload["invoice"]["id"],)).fetchone()
            )
        db.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(panel.plugins, "emit", emit)
        make_invoice(admin)
    assert seen == [1]


def test_payments_settle_an_invoice(panel: Panel, admin: httpx.Client) -> None:
    invoice = make_invoice(admin)
    panel.plugins.events.clear()
    pay = {"invoice_id": invoice["id"], "amount_cents": 400, "method": "card"}
    assert admin.post("/payments", json=pay).status_code == 201
    assert admin.post("/payments", json={**pay, "amount_cents": 601}).status_code == 409
    assert admin.post("/payments", json={**pay, "amount_cents": 600}).status_code == 201
    settled = admin.get(f"/invoices/{invoice['id']}").json()
    assert (settled["status"], settled["paid_cents"]) == ("paid", 1000)
    assert admin.post("/payments", json=pay).status_code == 409
    assert [event for event, _ in panel.plugins.events] == ["payment.received"] * 2
    assert panel.plugins.events[-1][1]["invoice"]["status"] == "paid"
    assert admin.post(f"/invoices/{invoice['id']}/void").status_code == 409


def test_concurrent_payments_never_overpay(admin: httpx.Client) -> None:
    invoice = make_invoice(admin)
    pay = {"invoice_id": invoice["id"], "amount_cents": 1000}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: admin.post("/payments", json=pay).status_code, range(8)))
    assert sorted(answers) == [201] + [409] * 7


def test_overdue_check(panel: Panel, admin: httpx.Client) -> None:
    admin.post("/invoices/check-overdue")
    invoice = make_invoice(admin, due_in_days=0)
    db = sqlite3.connect(panel.database)
    with db:
        db.execute("UPDATE invoices SET due_on = '2020-01-01' WHERE id = ?", (invoice["id"],))
    db.close()
    panel.plugins.events.clear()
    assert admin.post("/invoices/check-overdue").json() == {"marked": 1}
    assert admin.post("/invoices/check-overdue").json() == {"marked": 0}
    ((event, payload),) = panel.plugins.events
    assert (event, payload["invoice"]["status"]) == ("invoice.overdue", "overdue")


def setup_process(database: Path, password: str = "") -> subprocess.Popen[str]:
    hidden = ("DEMO_PASSWORD", "HOTBAY_DATABASE_URL")
    environment = {k: v for k, v in os.environ.items() if k not in hidden} | {"BILLING_DATABASE": str(database)}
    if password:
        environment["DEMO_PASSWORD"] = password
    command = [sys.executable, "-m", "app.setup"]
    return subprocess.Popen(command, cwd=BILLING, env=environment, stdout=subprocess.PIPE, text=True)


def test_two_first_starts_fill_once(tmp_path: Path) -> None:
    database = tmp_path / "var" / "billing.db"
    processes = [setup_process(database) for _ in range(2)]
    said = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sorted(map(bool, said)) == [False, True]
    db = sqlite3.connect(database)
    counts = [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("users", "invoices")]
    first = db.execute("SELECT password_hash FROM users").fetchall()
    later = setup_process(database, "another password").communicate(timeout=60)[0]
    second = db.execute("SELECT password_hash FROM users").fetchall()
    db.close()
    assert counts == [2, 2400]
    assert later == ""
    assert first != second
