"""The bot: what it says to a guest's message."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal

from fastapi.concurrency import run_in_threadpool

from . import articles, services
from .endpoint import EndpointError, Prompt, complete
from .runtime import ctx, settings
from .schemas import Message

HISTORY = 12


@dataclass(frozen=True)
class Answer:
    """A whole answer, and where it is from. With `offer_human`, the guest should be offered a person."""

    text: str
    source: Literal["knowledge", "endpoint", "none"]
    confidence: float
    articles: tuple[int, ...] = ()
    offer_human: bool = False

    def details(self) -> dict[str, Any]:
        """What is kept with the message."""
        return {
            "source": self.source,
            "confidence": self.confidence,
            "articles": list(self.articles),
            "offer_human": self.offer_human,
        }


class Restart:
    """The pieces so far are void: another answer follows."""


def wants_person(text: str) -> bool:
    """Whether the message asks for a person, by the keywords in the settings (whole words)."""
    words = (re.escape(keyword.strip()) for keyword in settings().hand_over_keywords if keyword.strip())
    pattern = "|".join(words)
    return bool(pattern) and re.search(rf"(?<!\w)(?:{pattern})(?!\w)", text, re.IGNORECASE) is not None


def from_knowledge(question: str) -> Answer:
    """The best article, or the offer of a person when none is good enough. Works offline."""
    found = articles.find(question)
    if not found or found[0].score < settings().min_score:
        score = found[0].score if found else 0.0
        return Answer(settings().no_answer, "none", score, offer_human=True)
    return Answer(found[0].article.body, "knowledge", found[0].score, (found[0].article.id,))


async def think(session_id: str, question: str) -> AsyncGenerator[str | Restart | Answer, None]:
    """Pieces of the answer as they come, then the Answer. A failing endpoint is replaced by the knowledge base."""
    said: list[str] = []
    if settings().mode == "endpoint":
        try:
            prompt = await run_in_threadpool(_prompt, session_id, question)
            async with aclosing(complete(settings(), prompt)) as pieces:
                async for piece in pieces:
                    said.append(piece)
                    yield piece
        except EndpointError as error:
            ctx.log.warning("the endpoint failed, the knowledge base answers: %s", error)
            if said:
                yield Restart()
        else:
            yield Answer("".join(said), "endpoint", 1.0)
            return
    answer = await run_in_threadpool(from_knowledge, question)
    yield answer.text
    yield answer


def _prompt(session_id: str, question: str) -> Prompt:
    found = articles.find(question)
    known = "\n\n".join(f"# {hit.article.title}\n{hit.article.body}" for hit in found)
    system = settings().system_prompt + (f"\n\n{known}" if known else "")
    return [{"role": "system", "content": system}, *_history(session_id)]


def _history(session_id: str) -> Prompt:
    roles = {"guest": "user", "bot": "assistant", "human": "assistant"}
    recent: list[Message] = services.latest(session_id, HISTORY)
    return [{"role": roles[m.sender], "content": m.text} for m in recent if m.sender in roles]
