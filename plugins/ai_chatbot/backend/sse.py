"""Server-sent events: how they are written."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi.responses import StreamingResponse
from pydantic import BaseModel


def event(name: str, data: BaseModel | dict[str, Any], number: int | None = None) -> str:
    """One event; `number` is what a browser sends as `Last-Event-ID` when it comes back."""
    body = data.model_dump_json() if isinstance(data, BaseModel) else json.dumps(data)
    head = "" if number is None else f"id: {number}\n"
    return f"{head}event: {name}\ndata: {body}\n\n"


def stream(events: AsyncIterator[str]) -> StreamingResponse:
    """An event stream that no proxy holds back."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)
