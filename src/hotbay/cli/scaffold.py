"""What `hotbay new` writes: a small plugin that keeps notes, with every part that most plugins need."""

from __future__ import annotations

import json
from string import Template

_README = """\
# $name

Keeps notes. Begin here and make it yours.

| what | where |
| --- | --- |
| routes below `/api/v1/$id` | `backend/routes.py` |
| settings, changed live with `hotbay settings $id greeting=Hi` | `backend/settings.py` |
| the table `${id}_notes` | `backend/models.py`, `migrations/` |
| the work itself | `backend/services.py` |

```sh
hotbay check .                # what an install would refuse
hotbay install .              # into the host of the hotbay.toml here
curl http://127.0.0.1:8000/api/v1/$id
hotbay pack .                 # a package to give away
python -m pytest              # the tests
```

Change a table with a new migration (`migrations/0002_….up.sql` and `.down.sql`) and a higher `version` in
`metadata.json`; leave migrations that were published as they are.
"""

_INIT = '''\
"""The plugin $id: what the host finds here by name."""

from .settings import Settings

__all__ = ["Settings"]
'''

_SETTINGS = '''\
"""What an admin can set. Changes reach the running plugin at once."""

from typing import Annotated

from pydantic import BaseModel, Field


class Settings(BaseModel):
    """The plugin's settings. Type secrets as `SecretStr`: they are stored encrypted and never shown."""

    greeting: Annotated[str, Field(min_length=1, max_length=200, description="said with the list of notes")] = "Hello"
    max_notes: Annotated[int, Field(ge=1, le=100_000, description="no more notes than these")] = 1000
'''

_MODELS = '''\
"""The plugin's table, on a declarative base of its own: nothing is shared with the host's models."""

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The plugin's own base."""


class Note(Base):
    """One note."""

    __tablename__ = "${id}_notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
'''

_SCHEMAS = '''\
"""What the routes take and give."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class NewNote(BaseModel):
    """A note as it is sent."""

    text: Annotated[str, Field(min_length=1, max_length=2000)]


class NoteOut(BaseModel):
    """A note as it is answered."""

    model_config = ConfigDict(from_attributes=True)
    id: int
    text: str


class Notes(BaseModel):
    """All notes, with a greeting."""

    greeting: str
    notes: list[NoteOut]
'''

_SERVICES = '''\
"""The work itself: it knows tables, and nothing of HTTP."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from .models import Note


class TooMany(Exception):
    """There are as many notes as there may be."""


def list_notes(session: Session) -> list[Note]:
    """All notes, the newest first."""
    return list(session.scalars(select(Note).order_by(Note.id.desc())))


def add_note(session: Session, text: str, most: int) -> Note:
    """Keep a note. Raises TooMany."""
    if session.scalar(select(func.count()).select_from(Note)) >= most:
        raise TooMany
    note = Note(text=text)
    session.add(note)
    session.flush()
    return note
'''

_ROUTES = '''\
"""Routes below the host's API prefix: /api/v1/$id."""

from fastapi import APIRouter, HTTPException
from hotbay_sdk.plugin import context

from . import services
from .schemas import NewNote, NoteOut, Notes

router = APIRouter(
    prefix="/$id",
    tags=["$id"],
)


@router.get("")
def get_notes() -> Notes:
    """All notes."""
    plugin = context(__name__)
    with plugin.database.session() as session:
        found = [NoteOut.model_validate(note) for note in services.list_notes(session)]
    return Notes(greeting=plugin.settings.greeting, notes=found)


@router.post("", status_code=201)
def post_note(new: NewNote) -> NoteOut:
    """Keep a note."""
    plugin = context(__name__)
    try:
        with plugin.database.session() as session:
            return NoteOut.model_validate(services.add_note(session, new.text, plugin.settings.max_notes))
    except services.TooMany:
        raise HTTPException(409, "there are as many notes as there may be") from None
'''

_UP = """\
CREATE TABLE ${id}_notes (
    id INTEGER PRIMARY KEY,
    text TEXT NOT NULL
);
"""

_DOWN = """\
DROP TABLE ${id}_notes;
"""

_TEST = '''\
"""Tests of the plugin: the package as a host sees it, and the work on a real database."""

import sqlite3
import sys
from pathlib import Path

import pytest
from hotbay.check import check
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from backend import services  # noqa: E402


@pytest.fixture
def session(tmp_path: Path):
    """A session on a database that the migrations made."""
    file = tmp_path / "test.db"
    connection = sqlite3.connect(file)
    for migration in sorted((ROOT / "migrations").glob("*.up.sql")):
        connection.executescript(migration.read_text(encoding="utf-8"))
    connection.close()
    engine = create_engine(f"sqlite:///{file}")
    with Session(engine) as session:
        yield session
    engine.dispose()


def test_a_host_would_install_it() -> None:
    report = check(ROOT)
    assert report.errors == () and report.warnings == ()


def test_notes_are_kept(session: Session) -> None:
    services.add_note(session, "first", 10)
    services.add_note(session, "second", 10)
    assert [note.text for note in services.list_notes(session)] == ["second", "first"]


def test_there_are_not_too_many(session: Session) -> None:
    services.add_note(session, "only", 1)
    with pytest.raises(services.TooMany):
        services.add_note(session, "one more", 1)
'''

_FILES = {
    "README.md": _README,
    "backend/__init__.py": _INIT,
    "backend/settings.py": _SETTINGS,
    "backend/models.py": _MODELS,
    "backend/schemas.py": _SCHEMAS,
    "backend/services.py": _SERVICES,
    "backend/routes.py": _ROUTES,
    "migrations/0001_notes.up.sql": _UP,
    "migrations/0001_notes.down.sql": _DOWN,
    "tests/test_$id.py": _TEST,
}


def files(plugin: str, name: str, author: str) -> dict[str, str]:
    """The files of a new plugin: path → text."""
    words = {"id": plugin, "name": name}
    made = {Template(path).substitute(words): Template(text).substitute(words) for path, text in _FILES.items()}
    return {"metadata.json": json.dumps(_manifest(plugin, name, author), indent=2, ensure_ascii=False) + "\n"} | made


def _manifest(plugin: str, name: str, author: str) -> dict[str, object]:
    return {
        "id": plugin,
        "name": name,
        "version": "0.1.0",
        **({"author": author} if author else {}),
        "description": "Keeps notes.",
        "license": "Apache-2.0",
        "requires": [],
        "hotbay": ">=0.1",
        "python": ">=3.11",
        "backend": {
            "models": ["Note"],
            "routes": [f"/api/v1/{plugin}/*"],
            "dependencies": ["fastapi>=0.115", "pydantic>=2.9", "sqlalchemy>=2.0.36"],
        },
        "database": {"tables": [f"{plugin}_notes"]},
        "permissions": ["database.create_tables", "api.register_routes"],
    }
