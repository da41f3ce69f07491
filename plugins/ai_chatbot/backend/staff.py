"""What admins do: see the chats, take them, answer, close."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from app.core.security import require_admin

from . import services
from .live import After, LastEventId, numbered, resume_at
from .schemas import AssignIn, Message, ReadIn, SessionPage, StaffSession, Status, TextIn, Unread
from .sse import stream

router = APIRouter(prefix="/admin", dependencies=[Depends(require_admin)])
Admin = Annotated[Any, Depends(require_admin)]


@router.get("/sessions")
def listed(
    status: Status | None = None,
    q: Annotated[str, Query(max_length=200, description="in name, e-mail, phone and what was said")] = "",
    assigned_to: str = "",
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    per_page: Annotated[int, Query(ge=1, le=100)] = 25,
) -> SessionPage:
    """Chats with their unread messages; those that wait come first."""
    return services.listed(status or "", q, assigned_to, page, per_page)


@router.get("/unread")
def unread() -> Unread:
    """What waits for the staff."""
    return services.unread()


@router.get("/events")
async def events(after: After = 0, last_event_id: LastEventId = "") -> StreamingResponse:
    """The messages of all chats as server-sent events, numbered by message."""
    return stream(numbered(None, resume_at(last_event_id, after)))


@router.get("/sessions/{session_id}")
def show(session_id: str) -> StaffSession:
    """One chat."""
    return services.staff_view(session_id)


@router.get("/sessions/{session_id}/messages")
def messages(session_id: str, after: Annotated[int, Query(ge=0)] = 0) -> list[Message]:
    """Up to 200 messages of a chat with a higher id than `after`."""
    services.staff_view(session_id)
    return services.messages(session_id, after)


@router.post("/sessions/{session_id}/assign")
def assign(session_id: str, data: AssignIn, admin: Admin) -> StaffSession:
    """Give a chat to a person, by default to oneself."""
    return services.assign(session_id, data.to or admin.email)


@router.post("/sessions/{session_id}/reply", status_code=201)
def reply(session_id: str, data: TextIn, admin: Admin) -> Message:
    """Answer the guest; takes the chat when nobody had it."""
    return services.reply(session_id, admin.email, data.text)


@router.post("/sessions/{session_id}/read", status_code=204)
def read(session_id: str, data: ReadIn) -> None:
    """Say what was read."""
    services.read(session_id, data.up_to, staff=True)


@router.post("/sessions/{session_id}/close")
def close(session_id: str, admin: Admin) -> StaffSession:
    """End a chat."""
    services.close(session_id, admin.email)
    return services.staff_view(session_id)


@router.post("/sessions/{session_id}/reopen")
def reopen(session_id: str) -> StaffSession:
    """Go on with a closed chat."""
    return services.reopen(session_id)
