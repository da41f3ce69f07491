"""The knowledge base: articles, and the search that ranks them for a question."""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass

from fastapi import HTTPException
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from .models import ChatArticle
from .runtime import reading, writing
from .schemas import Article, ArticleIn

WORD = re.compile(r"[^\W_]+")
MOST_TERMS = 12
COMMON = """
a about am an and any are as at be been but by can could did do does for from get had has have hello help hi how i if
in is it its just me my need no not of on or our please shall should so some thank thanks that the their them then
there they this to us want was we were what when where which who why will with would you your
"""
STOP_WORDS = frozenset(COMMON.split())


@dataclass(frozen=True)
class Found:
    """An article and how much of the question's weight its words cover, 0 to 1."""

    article: Article
    score: float


def terms(question: str) -> list[str]:
    """The words of a question that say something, each once, a dozen at most."""
    words = dict.fromkeys(word for word in WORD.findall(question.lower()) if word not in STOP_WORDS)
    return list(words)[:MOST_TERMS]


def search(session: Session, question: str, limit: int = 3) -> list[Found]:
    """The best articles by bm25 (a word of the title counts four times). The question needs no syntax and has none."""
    words = terms(question)
    if not words:
        return []
    query = text(
        "SELECT rowid FROM chat_articles_fts WHERE chat_articles_fts MATCH :words "
        "ORDER BY bm25(chat_articles_fts, 4.0, 1.0, 3.0) LIMIT :limit"
    )
    ranked = session.scalars(query, {"words": " OR ".join(map(_quoted, words)), "limit": limit}).all()
    holders = {word: _holders(session, word) for word in words}
    articles = {row.id: row for row in session.scalars(select(ChatArticle).where(ChatArticle.id.in_(ranked)))}
    total = session.scalar(text("SELECT count(*) FROM chat_articles_fts")) or 0
    return [
        Found(Article.model_validate(articles[key]), _coverage(key, holders, total))
        for key in ranked
        if key in articles
    ]


def _quoted(word: str) -> str:
    return f'"{word}"'


def _holders(session: Session, word: str) -> set[int]:
    query = text("SELECT rowid FROM chat_articles_fts WHERE chat_articles_fts MATCH :word")
    return set(session.scalars(query, {"word": _quoted(word)}))


def _coverage(article: int, holders: dict[str, set[int]], total: int) -> float:
    # A rare word weighs more; one that no article knows weighs most: the question is about something else.
    weights = {word: math.log(1 + total / (len(held) or 0.5)) for word, held in holders.items()}
    covered = sum(weight for word, weight in weights.items() if article in holders[word])
    return round(covered / sum(weights.values()), 3)


def find(question: str, limit: int = 3) -> list[Found]:
    """`search` in a session of its own."""
    with reading() as session:
        return search(session, question, limit)


def every_article() -> list[Article]:
    """All articles by title, disabled ones too."""
    with reading() as session:
        rows = session.scalars(select(ChatArticle).order_by(ChatArticle.title, ChatArticle.id))
        return [Article.model_validate(row) for row in rows]


def save(data: ArticleIn, key: int | None = None) -> Article:
    """Write an article, a new one without `key`. Raises 404."""
    with writing() as session:
        article = ChatArticle() if key is None else _get(session, key)
        for name, value in data.model_dump().items():
            setattr(article, name, value)
        article.updated_at = time.time()
        session.add(article)
        session.flush()
        _index(session, article)
        return Article.model_validate(article)


def remove(key: int) -> None:
    """Delete an article. Raises 404."""
    with writing() as session:
        article = _get(session, key)
        session.execute(text("DELETE FROM chat_articles_fts WHERE rowid = :id"), {"id": key})
        session.delete(article)


def _get(session: Session, key: int) -> ChatArticle:
    article = session.get(ChatArticle, key)
    if article is None:
        raise HTTPException(404, f"no article {key}")
    return article


def _index(session: Session, article: ChatArticle) -> None:
    session.execute(text("DELETE FROM chat_articles_fts WHERE rowid = :id"), {"id": article.id})
    if article.enabled:
        session.execute(
            text("INSERT INTO chat_articles_fts (rowid, title, body, keywords) VALUES (:id, :title, :body, :keywords)"),
            {"id": article.id, "title": article.title, "body": article.body, "keywords": article.keywords},
        )
