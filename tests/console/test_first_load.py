"""What a browser with an empty cache fetches of the shell stays small, and each file of it has its hash."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

import pytest

from hotbay.console.built import Built
from hotbay.frontend.toolchain import STATIC

SHELL = STATIC / "shell"
_IMPORT = re.compile(r'(?:from|import)\s*"\./([^"]+)"')
# What the billing host's own pages import by bare names.
SHARED = ("react", "react/jsx-runtime", "react-router", "@hotbay/sdk", "@hotbay/ui")
LIMIT = 300_000


def closure(names: Iterable[str]) -> set[str]:
    """The files, and what they import statically."""
    seen: set[str] = set()
    open_ = list(names)
    while open_:
        name = open_.pop()
        if name not in seen:
            seen.add(name)
            open_ += _IMPORT.findall((SHELL / name).read_text(encoding="utf-8"))
    return seen


def fetched(page: dict[str, str], *more: str) -> set[str]:
    return closure(address.rsplit("/", 1)[-1] for address in (page["main"], *more))


@pytest.fixture(scope="module")
def imports() -> dict[str, str]:
    found: dict[str, str] = json.loads((STATIC / "importmap.json").read_text())["imports"]
    return found


def weight(files: Iterable[str]) -> int:
    return sum((SHELL / f"{name}.br").stat().st_size for name in files)


def test_the_homepage_is_below_its_limit(imports: dict[str, str]) -> None:
    entry = dict(Built().entry)
    files = fetched(entry, *(imports[name] for name in SHARED))
    files |= {address.rsplit("/", 1)[-1] for address in entry["styles"]}
    assert 150_000 < weight(files) <= LIMIT


def test_texts_of_another_language_and_forms_of_settings_are_no_part_of_it(imports: dict[str, str]) -> None:
    entry = dict(Built().entry)
    for page in (entry, entry["frame"]):
        files = fetched(page, *(imports[name] for name in SHARED))
        assert not {name for name in files if name.startswith(("de-", "german-", "Plugin-", "Installed-"))}


def test_whatever_may_be_fetched_has_its_hash() -> None:
    integrity = json.loads((STATIC / "importmap.json").read_text())["integrity"]
    assert set(integrity) == {f"/hotbay/shell/{path.name}" for path in SHELL.glob("*.js")}


def test_the_shared_router_is_the_part_that_works_in_the_console() -> None:
    names = set(json.loads((STATIC / "exports.json").read_text())["react-router"])
    assert {"Link", "NavLink", "useParams", "useNavigate", "Routes", "generatePath"} <= names
    assert not names & {"useLoaderData", "createStaticHandler", "ServerRouter", "RouterProvider"}
