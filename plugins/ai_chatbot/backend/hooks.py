"""What the chat listens to, and what it does for other plugins."""

from __future__ import annotations

from typing import Any

from fastapi.concurrency import run_in_threadpool

from hotbay_sdk import on, service

from . import bot, services
from .runtime import ctx


@on("customer.created")
async def know_customer(customer: dict[str, Any], **_: Any) -> None:
    """A guest has become a customer: their chats show it."""
    linked = await run_in_threadpool(services.link_customer, str(customer["email"]), int(customer["id"]))
    if linked:
        ctx.log.info("linked %s chats to customer %s", linked, customer["id"])


@service("answer")
def answer(question: str) -> dict[str, Any]:
    """What the knowledge base answers: text, source, confidence (0 to 1), articles (ids), offer_human."""
    found = bot.from_knowledge(question)
    return {"text": found.text} | found.details()
