"""`check` names everything that install would refuse or warn of, with file, line and how to mend it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from hotbay.check import RESERVED, Report, check
from hotbay.errors import NotFound, Problem
from hotbay.package import pack

MANIFEST = {"id": "shop", "name": "Shop", "version": "1.0.0"}
GOOD = {
    "metadata.json": json.dumps(MANIFEST | {"backend": {"dependencies": ["openai>=1.0"]}}),
    "README.md": "Shop",
    "backend/__init__.py": "",
    "backend/routes.py": "from fastapi import APIRouter\nrouter = APIRouter()\n",
    "frontend/pages/Shop.tsx": "export default () => null",
    "frontend/addon.config.ts": "export const AddonConfig = {}",
    "migrations/up.sql": "CREATE TABLE shop_a (id INTEGER);",
    "migrations/down.sql": "DROP TABLE shop_a;",
    "migrations/0002_more.up.sql": "",
    "migrations/0002_more.down.sql": "",
    "migrations/0003_both.sqlite.up.sql": "",
    "migrations/0003_both.postgres.up.sql": "",
    "migrations/0003_both.down.sql": "",
}


def write(folder: Path, files: dict[str, str | None]) -> Path:
    for name, text in files.items():
        if text is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    return folder


def found(tmp_path: Path, changes: dict[str, str | None]) -> Report:
    return check(write(tmp_path / "shop", {**GOOD, **changes}))


def lines(problems: tuple[Problem, ...]) -> list[str]:
    return [str(problem) for problem in problems]


def test_a_good_package_has_nothing_to_say(tmp_path: Path) -> None:
    report = found(tmp_path, {})
    assert (lines(report.errors), lines(report.warnings), report.ok) == ([], [], True)
    assert report.manifest is not None
    none = {"errors": [], "warnings": [], "signature": None}
    assert report.to_json() == {"ok": True, "id": "shop", "version": "1.0.0"} | none
    archive = pack(tmp_path / "shop")
    assert check(archive) == report


@pytest.mark.parametrize(
    ("changes", "file", "field", "rule"),
    [
        ({"metadata.json": "{"}, "metadata.json", "(document)", "not JSON"),
        ({"metadata.json": '{"id": "Shop"}'}, "metadata.json", "id", "small letters"),
        ({"metadata.json": None}, "metadata.json", "(document)", "is missing"),
        ({"metadata.json": json.dumps(MANIFEST | {"id": "api"})}, "metadata.json", "id", "reserved"),
        ({"metadata.json": json.dumps(MANIFEST | {"id": "json"})}, "metadata.json", "id", "reserved"),
        (
            {"metadata.json": json.dumps(MANIFEST | {"requires": ["shop>=1"]})},
            "metadata.json",
            "requires",
            "requires itself",
        ),
        (
            {"metadata.json": json.dumps(MANIFEST | {"backend": {"dependencies": ["a", "b>>1"]}})},
            "metadata.json",
            "backend.dependencies[1]",
            "PEP 508",
        ),
        ({"backend/models.py": "x = 1\ndef f(:\n"}, "backend/models.py", "line 2", "no valid Python"),
        ({"backend/models.py": "x = '\0'"}, "backend/models.py", "line 1", "no valid Python"),
        ({"backend/models.py": "-" * 100_000 + "1"}, "backend/models.py", "line 1", "no valid Python"),
        ({"migrations/0001_x.up.sql": ""}, "migrations/up.sql", "(package)", "two migrations have one number"),
        ({"migrations/0002_x.up.sql": ""}, "migrations/0002_x.up.sql", "(package)", "two migrations have one number"),
        ({"metadata.json": None, "plugin.json": '{"plugin_id": "a"}'}, "plugin.json", "name", "is missing"),
        ({"readme.md": ""}, "", "readme.md", "in case or accents only"),
    ],
)
def test_errors(tmp_path: Path, changes: dict[str, str | None], file: str, field: str, rule: str) -> None:
    report = found(tmp_path, {"metadata.json": None, **changes} if "plugin.json" in changes else changes)
    places = [(problem.file, problem.field) for problem in report.errors]
    assert (file, field) in places, places
    assert rule in next(p.rule for p in report.errors if (p.file, p.field) == (file, field))
    assert not report.ok


def test_all_errors_at_once_and_the_same_for_an_archive(tmp_path: Path) -> None:
    changes: dict[str, str | None] = {
        "metadata.json": json.dumps({"id": "admin", "name": "A", "version": "1"}),
        "backend/a.py": "(",
        "backend/b.py": "def",
        "migrations/0002_x.up.sql": "",
    }
    report = found(tmp_path, changes)
    assert len(report.errors) == 4
    assert check(pack(tmp_path / "shop")).errors == report.errors


CODE = [
    ("import importlib\n\nimportlib.import_module('shop.models')", 3, "public name"),
    ("from importlib import import_module as load\nload('shop')", 2, "public name"),
    ("__import__('shop.models')", 1, "public name"),
    ("import sys\nsys.path.insert(0, '.')", 2, "changes sys.path"),
    ("import sys\nsys.path += ['.']", 2, "changes sys.path"),
    ("import sys\nsys.modules['x'] = 1", 2, "changes sys.modules"),
    ("import sys as s\ndel s.modules['x']", 2, "changes sys.modules"),
    ("from sys import modules\nmodules.pop('x')", 2, "changes sys.modules"),
    ("import atexit\n@atexit.register\ndef f(): ...\natexit.register(f)", 4, "when the process ends"),
    ("import signal\nsignal.signal(15, None)", 2, "signal handling"),
    ("import threading\nthreading.Thread(target=print).start()", 2, "no daemon"),
    ("from threading import Thread\nThread(target=print, daemon=False)", 2, "no daemon"),
    ("import json\njson.dumps = str", 2, "monkeypatching"),
    ("from fastapi import FastAPI\nFastAPI.get = None", 2, "monkeypatching"),
    ("import os.path\nsetattr(os.path, 'join', None)", 2, "monkeypatching"),
    ("from app.core.database import Base, get_db", 1, "declarative base"),
]


@pytest.mark.parametrize(("code", "line", "words"), CODE)
def test_habits_that_outlive_a_plugin(tmp_path: Path, code: str, line: int, words: str) -> None:
    report = found(tmp_path, {"backend/services.py": code})
    assert report.ok
    problems = [problem for problem in report.warnings if problem.field == f"line {line}"]
    assert [problem.file for problem in problems] == ["backend/services.py"], lines(report.warnings)
    assert words in problems[0].rule
    assert problems[0].mend
    assert problems[0].value


@pytest.mark.parametrize(
    "code",
    [
        "import importlib\nimportlib.import_module('.models', __package__)\nimportlib.import_module('json')",
        "import sys\nprint(sys.path, sys.modules[__name__])",
        "import threading\nthreading.Thread(target=print, daemon=True).start()",
        "from .models import State\nState.open = 1\nsetattr(State, 'x', 1)",
        "from shop.models import State\nState.open = 1",
        "class A: ...\na = A()\na.b = 1",
        "x = '\\d' is 'y'",
        "from app.core.database import get_db\nfrom app.models import Base",
        "from sqlalchemy.orm import DeclarativeBase\nclass Base(DeclarativeBase): ...",
    ],
)
def test_good_habits(tmp_path: Path, code: str) -> None:
    assert lines(found(tmp_path, {"backend/services.py": code}).warnings) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"README.md": None}, "README is missing"),
        ({"frontend/addon.config.ts": None}, "shown by nobody"),
        ({"backend/routes.py": "x = 1"}, "the backend offers nothing"),
        ({"backend/routes.py": None}, "the backend offers nothing"),
        ({"backend/__init__.py": None}, "backend/__init__.py is missing"),
        ({"migrations/down.sql": None}, "can't be undone"),
        ({"migrations/0002_more.down.sql": None}, "can't be undone"),
        ({"migrations/0002_more.up.sql": None}, "undoes a migration that is not there"),
        ({"migrations/5_x.sql": ""}, "it is never run"),
        ({"migrations/0005_x.up.sql": "", "migrations/0005_x.down.sql": ""}, "after 0003 comes 0005"),
        (
            {"metadata.json": json.dumps(MANIFEST | {"backend": {"dependencies": ["openai"]}})},
            "names no range of versions",
        ),
    ],
)
def test_other_warnings(tmp_path: Path, changes: dict[str, str | None], words: str) -> None:
    report = found(tmp_path, changes)
    assert report.ok, lines(report.errors)
    assert [words in str(problem) for problem in report.warnings] == [True], lines(report.warnings)
    assert report.warnings[0].mend


LESS = "ALTER TABLE shop_a ADD COLUMN x;\n\nALTER TABLE shop_a DROP COLUMN b;"


def test_what_an_upgrade_would_refuse_is_a_warning_with_a_code(tmp_path: Path) -> None:
    """An install meets no version in service, and what was released must stay as it is."""
    report = found(tmp_path, {"migrations/0002_more.up.sql": LESS})
    (problem,) = report.warnings
    assert (problem.file, problem.code) == ("migrations/0002_more.up.sql", "drops-column")
    assert problem.field == "statement 2, line 3"
    assert ".contract.sql" in problem.mend
    assert report.to_json()["warnings"][0]["code"] == "drops-column"


@pytest.mark.parametrize(
    "changes",
    [
        {"migrations/up.sql": LESS},
        {"migrations/0002_more.contract.sql": LESS},
        {"migrations/0002_more.postgres.up.sql": LESS, "migrations/0002_more.postgres.down.sql": ""},
        {"migrations/0002_more.up.sql": LESS, "metadata.json": json.dumps(MANIFEST | {"migrations": "exclusive"})},
        {"migrations/0002_more.up.sql": "UPDATE shop_a SET b = 1;"},
        {"migrations/0004_last.contract.sql": LESS},
    ],
)
def test_what_meets_no_version_in_service_is_no_warning(tmp_path: Path, changes: dict[str, str | None]) -> None:
    report = found(tmp_path, changes)
    assert (lines(report.errors), lines(report.warnings)) == ([], [])


def test_scripts_that_can_not_be_read_are_errors(tmp_path: Path) -> None:
    report = found(tmp_path, {"migrations/0002_more.contract.sql": "SELECT 'open"})
    assert [problem.rule for problem in report.errors] == ["never ends"]
    folder = write(tmp_path / "other" / "shop", dict(GOOD))
    (folder / "migrations" / "0002_more.up.sql").write_bytes(b"SELECT '\xff';")
    assert [problem.rule for problem in check(folder).errors] == ["is not UTF-8 (byte 8)"]


@pytest.mark.parametrize(
    "files",
    [
        {"backend/__init__.py": "app = object()"},
        {"backend/__init__.py": "from .main import app"},
        {"backend/__init__.py": "class Addon:\n    def register_routes(self, app): ..."},
        {"backend/__init__.py": "async def start(context): ..."},
        {"backend/hooks.py": "from hotbay_sdk import on\n@on('x')\ndef f(**_): ..."},
        {"backend/jobs.py": "import hotbay_sdk as sdk\n@sdk.every(5)\ndef f(): ..."},
        {"backend/routes.py": "try:\n    from .fast import router\nexcept ImportError:\n    router = None"},
        {"backend/plugin.py": "class Settings: ..."},
    ],
)
def test_capabilities_are_seen(tmp_path: Path, files: dict[str, str | None]) -> None:
    report = found(tmp_path, {"backend/routes.py": None, **files})
    assert lines(report.warnings) == []


def test_an_entry_in_the_manifest_and_a_django_app_count_too(tmp_path: Path) -> None:
    manifest = json.dumps(MANIFEST | {"backend": {"entry": "main:Addon"}})
    assert lines(found(tmp_path, {"backend/routes.py": "", "metadata.json": manifest}).warnings) == []
    django = write(
        tmp_path / "inventory",
        {
            "plugin.json": json.dumps({"plugin_id": "inventory", "name": "Inventory", "version": "1.0.0"}),
            "__init__.py": "",
            "views.py": "",
            "migrations/__init__.py": "",
            "README.md": "",
        },
    )
    report = check(django)
    assert (lines(report.errors), lines(report.warnings)) == ([], [])


def test_hostile_packages_are_errors(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"nonsense")
    report = check(tmp_path / "a.zip")
    assert "neither .zip nor .tar.gz" in str(report.errors[0])
    assert report.manifest is None
    folder = write(tmp_path / "shop", dict(GOOD))
    (folder / "link").symlink_to("/etc/passwd")
    assert "is a link" in str(check(folder).errors[0])
    with pytest.raises(NotFound):
        check(tmp_path / "none")


def test_nothing_of_a_package_is_executed(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    found(tmp_path, {"backend/__init__.py": f"open({str(mark)!r}, 'w')\nrouter = app = 1"})
    assert not mark.exists()
    assert "shop" not in sys.modules


def test_reserved_names() -> None:
    assert {"api", "app", "admin", "static", "hotbay", "plugins", "test", "tests", "json", "email"} <= RESERVED
    assert RESERVED.isdisjoint({"ai_chatbot", "email_marketing", "inventory", "shop"})
