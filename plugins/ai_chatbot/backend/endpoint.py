"""An OpenAI-compatible endpoint: ask, and get the answer word by word."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncGenerator
from functools import cache
from typing import TYPE_CHECKING, Any

from .settings import Settings

if TYPE_CHECKING:
    import httpx

LONGEST = 20_000
TOTAL_TIMEOUTS = 6

Prompt = list[dict[str, str]]


class EndpointError(Exception):
    """The endpoint could not be reached, refused, or answered nonsense."""


@cache
def _tls() -> ssl.SSLContext:
    # Imported when it is needed first, in a thread: it takes longer than all else that the chat imports, and most chats
    # answer from the knowledge base.
    import httpx

    return httpx.create_ssl_context()


async def complete(settings: Settings, prompt: Prompt) -> AsyncGenerator[str, None]:
    """The answer's pieces as they come. Raises EndpointError, possibly after some pieces."""
    tls = await asyncio.to_thread(_tls)  # reads all root certificates: not on the event loop
    import httpx

    size = 0
    try:
        async with httpx.AsyncClient(timeout=settings.timeout, verify=tls) as client:
            async for piece in _pieces(client, settings, prompt):
                size += len(piece)
                if size > LONGEST:
                    raise EndpointError(f"the answer is longer than {LONGEST} characters")
                yield piece
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise EndpointError(f"{type(error).__name__}: {error}") from error
    if not size:
        raise EndpointError("the answer is empty")


async def _pieces(client: httpx.AsyncClient, settings: Settings, prompt: Prompt) -> AsyncGenerator[str, None]:
    async with client.stream(
        "POST", settings.endpoint_url.rstrip("/") + "/chat/completions", headers=_headers(settings),
        json={"model": settings.model, "messages": prompt, "temperature": settings.temperature, "stream": True},
    ) as response:  # fmt: skip
        if response.status_code != 200:
            raise EndpointError(f"status {response.status_code}")
        if response.headers.get("content-type", "").startswith("application/json"):
            yield _content(json_of((await response.aread()).decode(errors="replace")), "message")
            return
        async for piece in _streamed(response, time.monotonic() + settings.timeout * TOTAL_TIMEOUTS):
            yield piece


async def _streamed(response: httpx.Response, deadline: float) -> AsyncGenerator[str, None]:
    finished = False
    async for line in response.aiter_lines():
        if time.monotonic() > deadline:
            raise EndpointError("the answer took too long")
        field, _, data = line.partition(":")
        if field != "data":
            if field not in {"", "event", "id", "retry"}:
                raise EndpointError(f"no event stream: {line[:80]!r}")
            continue
        if data.strip() == "[DONE]":
            finished = True
            break
        chunk = json_of(data)
        finished = finished or _finish(chunk)
        if piece := _content(chunk, "delta"):
            yield piece
    if not finished:
        raise EndpointError("the answer broke off")


def _headers(settings: Settings) -> dict[str, str]:
    key = settings.api_key.get_secret_value()
    return {"Accept": "text/event-stream"} | ({"Authorization": f"Bearer {key}"} if key else {})


def json_of(data: str) -> dict[str, Any]:
    """The JSON object in `data`. Raises EndpointError."""
    try:
        value = json.loads(data)
    except ValueError as error:
        raise EndpointError(f"no JSON: {data[:80]!r}") from error
    if not isinstance(value, dict) or "error" in value:
        raise EndpointError(f"refused: {data[:200]!r}")
    return value


def _choice(chunk: dict[str, Any]) -> dict[str, Any]:
    # The last chunk of some servers has usage numbers and no choices.
    choices = chunk.get("choices") or [{}]
    if not isinstance(choices, list) or not isinstance(choices[0], dict):
        raise EndpointError("choices are no list of objects")
    return choices[0]


def _finish(chunk: dict[str, Any]) -> bool:
    return _choice(chunk).get("finish_reason") is not None


def _content(chunk: dict[str, Any], part: str) -> str:
    inner = _choice(chunk).get(part) or {}
    content = inner.get("content") if isinstance(inner, dict) else None
    if content is not None and not isinstance(content, str):
        raise EndpointError("content is no text")
    return content or ""
