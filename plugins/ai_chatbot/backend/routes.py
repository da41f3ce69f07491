"""All routes of the chat, below /api/v1/chat."""

from fastapi import APIRouter

from . import feedback, guest, knowledge, live, staff

router = APIRouter(prefix="/chat", tags=["chat"])
for part in (guest, live, knowledge, staff, feedback):
    router.include_router(part.router)
