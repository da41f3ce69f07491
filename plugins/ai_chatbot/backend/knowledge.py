"""The knowledge base, as admins edit it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from app.core.security import require_admin

from . import articles
from .schemas import Article, ArticleIn, Hit

router = APIRouter(prefix="/admin/articles", dependencies=[Depends(require_admin)])


@router.get("")
def every_article() -> list[Article]:
    """All articles by title."""
    return articles.every_article()


@router.get("/search")
def search(q: Annotated[str, Query(max_length=4000)]) -> list[Hit]:
    """What the bot would find for a question, best first."""
    return [Hit(article=found.article, score=found.score) for found in articles.find(q)]


@router.post("", status_code=201)
def create(data: ArticleIn) -> Article:
    """A new article; the bot knows it at once."""
    return articles.save(data)


@router.put("/{article_id}")
def change(article_id: int, data: ArticleIn) -> Article:
    """New words for an article; a disabled one is kept and not used."""
    return articles.save(data, article_id)


@router.delete("/{article_id}", status_code=204)
def remove(article_id: int) -> None:
    """Delete an article."""
    articles.remove(article_id)
