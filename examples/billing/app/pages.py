"""The public homepage: what is sold, without a script or an asset from elsewhere."""

from __future__ import annotations

from html import escape

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from sqlalchemy import select

from app.api.paging import Database
from app.models import Product

router = APIRouter(include_in_schema=False)

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Billing</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 2rem 1rem }}
ul {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1rem; padding: 0 }}
li {{ list-style: none; border: 1px solid #d8dde4; border-radius: .5rem; padding: 1rem }}
h2 {{ font-size: 1.1rem; margin: 0 }} p {{ margin: .25rem 0; color: #56606e }} strong {{ font-size: 1.1rem }}
a {{ color: #1a56b0 }}</style></head>
<body><header><h1>Hosting, domains and mail</h1>
<p>Prices a month or a year. <a href="/docs">API</a></p></header>
<main><ul>{items}</ul></main></body></html>"""


def _item(product: Product) -> str:
    price = f"{product.price_cents // 100}.{product.price_cents % 100:02d} €"
    name, about = escape(product.name), escape(product.description)
    return f"<li><h2>{name}</h2><p>{about}</p><strong>{price}</strong></li>"


@router.get("/")
async def home(db: Database) -> HTMLResponse:
    """The products on sale."""
    products = await db.scalars(select(Product).where(Product.active).order_by(Product.name))
    return HTMLResponse(PAGE.format(items="".join(map(_item, products))))
