"""The chatbot's two releases: built from one tree, and an upgrade between them that loses nothing."""

from __future__ import annotations

import importlib.util
import sqlite3
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from chatting import PLUGIN, fresh_billing, grant_of, loaded, migrate

from hotbay.check import check
from hotbay.frontend.bundle import read_dist
from hotbay.lint import judge
from hotbay.migrate import Migrator, owned_tables
from hotbay.migrations import read_migrations

TABLES = ["chat_articles", "chat_articles_fts", "chat_messages", "chat_sessions"]
OLD, NEW = "1.0.0", "1.1.0"


@pytest.fixture(scope="module")
def build() -> ModuleType:
    found = importlib.util.spec_from_file_location("build_plugins", PLUGIN.parent / "build.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def archives(build: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = build.build_all(tmp_path_factory.mktemp("modules"))
    return {path.stem.removeprefix("ai_chatbot_v"): path for path in made}


@pytest.fixture(scope="module")
def trees(archives: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("trees")
    for version, archive in archives.items():
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(folder / version)
    return {version: folder / version for version in archives}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Path]:
    fresh_billing(tmp_path / "billing.db")
    yield tmp_path / "billing.db"


def test_both_releases_are_built(archives: dict[str, Path]) -> None:
    assert sorted(archives) == [OLD, NEW]
    names = {version: set(zipfile.ZipFile(path).namelist()) for version, path in archives.items()}
    new, old = ({name for name in names[version] if not name.startswith("frontend/dist/")} for version in (NEW, OLD))
    assert {name for name in new - old if not name.endswith("/")} == {
        "frontend/parts/Rating.tsx",
        "frontend/parts/Statistics.tsx",
        "backend/feedback.py",
        "migrations/0002_rating_and_feedback.up.sql",
        "migrations/0002_rating_and_feedback.down.sql",
    }
    assert not old - new
    assert not [name for name in names[NEW] if "releases" in name or "pyc" in name]


@pytest.mark.parametrize("version", [OLD, NEW])
def test_what_the_seeds_promise_of_the_frontend_is_packed(trees: dict[str, Path], version: str) -> None:
    bundle = read_dist(trees[version] / "frontend" / "dist")
    added = bundle.contributions
    (page,), (entry,), (widget,) = added["pages"], added["menu"], added["widgets"]
    assert (page["path"], page["requireAuth"], page["requireAdmin"]) == ("/support/chats", True, True)
    assert (entry["parent"], entry["name"], entry["href"]) == ("Support", "Live Chats", "/support/chats")
    assert entry["icon"] == "ChatBubbleLeftRightIcon"
    assert (widget["slot"], widget["name"]) == ("homepage.widgets", "AIChatBot")
    text = "".join((trees[version] / "frontend/dist" / name).read_text() for name in bundle.files)
    assert ("/rating" in text) == (version == NEW)
    assert set(added["messages"]["de"]) >= {"Live Chats", "Chat with us", "Talk to a person"}


def test_builds_are_the_same_bytes(build: ModuleType, archives: dict[str, Path], tmp_path: Path) -> None:
    again = {path.name: path.read_bytes() for path in build.build_all(tmp_path)}
    assert again == {path.name: path.read_bytes() for path in archives.values()}


@pytest.mark.parametrize("version", [OLD, NEW])
def test_packages_pass_the_check(archives: dict[str, Path], version: str) -> None:
    report = check(archives[version])
    assert (report.errors, report.warnings) == ((), ())


def test_first_migration_is_the_same_in_both(trees: dict[str, Path]) -> None:
    first = [read_migrations(trees[version])[0] for version in (OLD, NEW)]
    assert first[0].up == first[1].up
    second = read_migrations(trees[NEW])[1]
    assert judge([(second.up_file, second.up)]) == []


def test_upgrade_keeps_the_chats(trees: dict[str, Path], database: Path) -> None:
    migrate(trees[OLD], database)
    with loaded(trees[OLD], database, OLD) as old:
        guest = old.module("schemas").GuestIn(name="Ada", email="ada@example.com")
        started = old.module("services").start(guest)
        migrate(trees[NEW], database, after=1)
        # The old version serves on while the new one starts, and after a rollback.
        old.module("services").say(started.session.id, "How do I pay?")
        assert old.module("services").start(guest).session.status == "bot"
    with loaded(trees[NEW], database, NEW) as new:
        assert new.module("plugin").health(new.context) is True
        feedback = new.module("feedback")
        feedback.rate(started.session.id, feedback.RatingIn(rating=4))
        assert feedback.statistics().ratings == {4: 1}
        texts = [message.text for message in new.module("services").messages(started.session.id)]
        assert texts[-1] == "How do I pay?"


def test_old_release_has_no_rating(trees: dict[str, Path], database: Path) -> None:
    import fastapi

    def paths(version: str) -> set[str]:
        with loaded(trees[version], database, version) as plugin:
            app = fastapi.FastAPI()
            app.include_router(plugin.module("routes").router, prefix="/api/v1")
            return set(app.openapi()["paths"])

    assert {path.rpartition("/")[2] for path in paths(NEW) - paths(OLD)} == {"rating", "ratings", "statistics"}
    assert all(path.startswith("/api/v1/chat/") for path in paths(NEW))


def test_down_leaves_nothing(trees: dict[str, Path], database: Path) -> None:
    migrate(trees[NEW], database)
    grant = grant_of(trees[NEW])
    assert owned_tables(database, grant) == TABLES
    with Migrator(database, grant).transaction() as transaction:
        transaction.revert(read_migrations(trees[NEW])[1:])
    db = sqlite3.connect(database)
    columns = {row[1] for row in db.execute("PRAGMA table_info(chat_sessions)")}
    assert not {"rating", "feedback", "rated_at"} & columns
    with Migrator(database, grant).transaction() as transaction:
        transaction.revert(read_migrations(trees[NEW])[:1])
    left = db.execute("SELECT name FROM sqlite_master WHERE name LIKE 'chat%'").fetchall()
    db.close()
    assert left == []


def test_stale_deletion_is_found(build: ModuleType, tmp_path: Path) -> None:
    plugin, release = tmp_path / "p", tmp_path / "p" / "releases" / "1"
    release.mkdir(parents=True)
    (release / "deleted.txt").write_text("gone.py\n")
    with pytest.raises(FileNotFoundError):
        build.assemble(plugin, release, tmp_path / "out")
