"""How the host sees whether the chat can serve."""

from __future__ import annotations

from sqlalchemy import func, select, text

from hotbay_sdk import Context

from .models import ChatArticle, ChatMessage, ChatSession
from .runtime import reading


def health(context: Context) -> bool:
    """Ask all tables, the search too. Raises what the database raises."""
    with reading() as session:
        for model in (ChatSession, ChatMessage, ChatArticle):
            session.execute(select(func.count()).select_from(select(model).limit(1).subquery()))
        session.execute(text("SELECT rowid FROM chat_articles_fts WHERE chat_articles_fts MATCH 'health' LIMIT 1"))
    return True
