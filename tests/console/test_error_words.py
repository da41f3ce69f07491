"""What the server refuses, or fails in, has a German sentence: whoever adds an error adds its German one, too."""

from __future__ import annotations

import json
import re
import sqlite3
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import PydanticKnownError

from console.error_texts import ROOT, said_in
from console.scripts import evaluate
from console.test_words import GAP, PAIR, gaps, plain, says
from engine_host import build, opened, run, shop
from hotbay.errors import HotbayError, Problem, Unresolvable
from hotbay.model import Kind
from hotbay.offline import OfflineHost
from hotbay_sdk.manifest import schema

SOURCE = ROOT / "src" / "hotbay"
WORDS = ROOT / "console" / "src" / "words"
# What no console shows in an answer, or only authors meet, who read English in code and docs all the same.
LEFT_OUT = {
    "cli/": "the command line speaks English",
    "check.py": "`hotbay check` is for authors, on the command line",
    "seal.py": "keys and signing are for authors, on the command line",
    "receipt.py": "receipts are checked on the command line",
    "settings.py": "a wrong hotbay.toml ends the start: there is no console then",
    "guard.py": "a wrong database_url ends the start, too",
    "console/own.py": "the host's own pages are bundled at its start",
    "frontend/build.py": "lines of authors' code",
    "frontend/config.py": "lines of authors' code",
    "frontend/contributions.py": "lines of authors' code",
    "frontend/esbuild.py": "lines of authors' code; that there are some is said in German",
}
# Said in parts, which come together only when it happens.
IN_PARTS = {
    "{plugin} {version} could not be imported: {problem}",
    "{plugin} {version} failed in {what}: {problem}",
    "{plugin} {version} did not finish {what} within {seconds} s",
    "{plugin} needs {what}",
    "versions offered: {versions}",
    "{step} can't be undone",
    "{rule}, at most {count} characters",
    "{rule}: one of {values}",
    "{rule}, or empty",
    "it is left out: {strikes}",
    "a list",
    "an object or null",
    "the source has no {plugin}",
    "no version {version} of {plugin} is kept here",
    "{kind} of {plugin} is in progress (process {process}, by {actor})",
    "the frontend can't be shown: {problem}",
}
KINDS: tuple[str, ...] = (
    "greater_than",
    "greater_than_equal",
    "less_than",
    "less_than_equal",
    "missing",
    "extra_forbidden",
)
KINDS += ("string_type", "int_type", "float_type", "bool_type", "list_type", "int_parsing", "float_parsing")
KINDS += ("string_too_short", "string_too_long", "string_pattern_mismatch", "literal_error", "value_error")
# What those kinds of errors are about.
ABOUT: dict[str, Any] = {"gt": 3, "ge": 3, "lt": 3, "le": 3, "min_length": 3, "max_length": 3}
ABOUT |= {"pattern": "a+", "expected": "'a' or 'b'", "error": "no"}


def pairs(name: str) -> dict[str, str]:
    source = (WORDS / name).read_text()
    return {plain(quoted or bare): plain(text) for quoted, bare, text in PAIR.findall(source)}


ERRORS = pairs("errors.ts")
KNOWN = {**pairs("server.ts"), **ERRORS}


def rooms() -> list[Path]:
    """The files whose errors the console may show."""
    own = sorted(SOURCE.rglob("*.py"))
    kept = [file for file in own if not str(file.relative_to(SOURCE)).startswith(tuple(LEFT_OUT))]
    return [*kept, *sorted((ROOT / "src" / "hotbay_sdk").glob("*.py"))]


def rules(form: Any) -> Iterator[str]:
    """What a manifest's schema says of its fields, and how to mend them."""
    for name, part in form.items() if isinstance(form, dict) else enumerate(form if isinstance(form, list) else ()):
        if name in ("description", "$comment") and isinstance(part, str):
            yield part
        else:
            yield from rules(part)


def of_fields() -> list[str]:
    """What Pydantic says of the values of settings and requests."""
    made = []
    for kind in KINDS:
        try:
            made.append(PydanticKnownError(kind).message())  # type: ignore[arg-type]
        except TypeError:
            made.append(of_kind(kind))
    return made


def of_kind(kind: Any) -> str:
    for name, value in ABOUT.items():
        with suppress(TypeError):
            return PydanticKnownError(kind, {name: value}).message()
    raise AssertionError(kind)


@cache
def all_said() -> list[tuple[str, str]]:
    """Where it is said, and what; `X` stands for what is only known then."""
    said = [(place, text) for file in rooms() for place, text in said_in(file)]
    said += [("manifest", text) for text in rules({k: v for k, v in schema().items() if k != "description"})]
    said += [("fields", text) for text in of_fields()]
    own = ROOT / "console" / "sdk" / "api.ts"
    errors = re.findall(r'"((?:The|Check) [^"]+)"|`(The [^`]+)`', own.read_text())
    said += [("api.ts", re.sub(r"\$\{\w+\}", "{}", one or other)) for one, other in errors]
    return [(place, text.replace("{}", "X")) for place, text in said if says(text)]


def recognised(texts: Iterable[str]) -> list[str | None]:
    expression = "(forms => texts.map(text => it.recognise(forms, text)?.sentence ?? null))(it.formsOf(known))"
    found: list[str | None] = evaluate("words/forms.ts", expression, known=list(KNOWN), texts=list(texts))
    return found


def german(*texts: str) -> list[str]:
    """The texts as a German console shows them; what is not recognised stays in it as it is."""
    say = r"(one, values = {}) => (words[one] ?? one).replace(/\{(\w+)\}/g, (gap, name) => values[name] ?? gap)"
    expression = f"(forms => texts.map(text => it.tell(forms, text, {say})))(it.formsOf(known))"
    words = {**KNOWN, **pairs("de.ts")}
    told: list[str] = evaluate("words/forms.ts", expression, known=list(KNOWN), words=words, texts=list(texts))
    return told


def test_every_error_has_a_german_sentence() -> None:
    """Fails when somebody adds an error without one: add it to console/src/words/errors.ts."""
    said = all_said()
    assert len(said) > 550
    known = recognised(text for _, text in said)
    assert sorted({item for item, form in zip(said, known, strict=True) if form is None}) == []


def test_every_german_sentence_is_still_said() -> None:
    texts = [text for _, text in all_said()]
    used = {form for form in recognised(texts) if form} | IN_PARTS
    # A sentence may be inside of another one: what is wrong with the disk, of a database.
    within = {one for one in ERRORS.keys() - used if GAP.search(one) is None and any(one in text for text in texts)}
    assert sorted(ERRORS.keys() - used - within) == []


def test_what_is_said_in_parts_is_in_the_source() -> None:
    source = "\n".join(file.read_text() for file in sorted(SOURCE.parent.rglob("*.py")))
    words = [part.strip(" :,") for one in IN_PARTS for part in re.split(rf"{GAP.pattern}| or ", one)]
    assert [part for part in words if part not in source] == []


def test_the_gaps_are_the_same() -> None:
    assert [pair for pair in ERRORS.items() if sorted(set(gaps(pair[0]))) != sorted(set(gaps(pair[1])))] == []


def test_no_sentence_is_there_twice() -> None:
    assert ERRORS.keys() & pairs("server.ts").keys() == set()
    assert len(PAIR.findall((WORDS / "errors.ts").read_text())) == len(ERRORS)


def test_rooms_that_are_left_out_are_there() -> None:
    assert [name for name in LEFT_OUT if not (SOURCE / name).exists()] == []


def parts(error: HotbayError) -> list[str]:
    """All that is shown of an error."""
    of_problems = [text for problem in error.problems for text in (problem.rule, problem.mend)]
    return [text for text in (error.message, error.mend, *of_problems) if text]


def refused(host: OfflineHost, kind: Kind = Kind.INSTALL, plugin: str = "shop", **wishes: Any) -> HotbayError:
    with pytest.raises(HotbayError) as caught:
        run(host, kind, plugin, **wishes)
    return caught.value


@pytest.fixture
def host(tmp_path: Path) -> Iterator[OfflineHost]:
    (tmp_path / "packages").mkdir()
    with opened(tmp_path / "home") as made:
        yield made


def understood(*errors: HotbayError) -> None:
    texts = [text for error in errors for text in parts(error)]
    known = recognised(texts)
    assert [text for text, form in zip(texts, known, strict=True) if form is None] == []


def test_refusals_of_the_engine_are_recognised(host: OfflineHost, tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    shop(packages, "1.0.0")
    build(packages, "guest", files={"README.md": "hello"}, requires=["shop>=1"])
    build(packages, "lonely", requires=["nobody>=3"])
    build(packages, "rival", backend={"routes": ["/shop/*"]})
    build(packages, "shopkeeper", backend={"routes": ["/shop/*"], "dependencies": ["not_there_at_all>=1"]})
    run(host, Kind.INSTALL)
    run(host, Kind.INSTALL, "guest")
    understood(
        refused(host, plugin="nothing"),
        refused(host),
        refused(host, Kind.UPGRADE, "nothing"),
        refused(host, plugin="lonely"),
        refused(host, Kind.UNINSTALL),
        refused(host, Kind.ACTIVATE),
        refused(host, Kind.ROLLBACK),
        refused(host, Kind.RESTORE, backup="latest"),
        refused(host, plugin="shopkeeper"),
        refused(host, Kind.INSTALL, "", file=tmp_path / "nothing.zip"),
    )
    with opened(tmp_path / "home") as other, other.applier.lease.hold(0, kind="install", plugin="shop", actor="ann"):
        understood(held := refused(host, Kind.DEACTIVATE, "guest"))
    assert german(held.message)[0].startswith("Installieren von shop läuft gerade (Prozess ")


@pytest.mark.parametrize(
    "backend",
    ["import not_there_at_all\n", "def start(context):\n    raise ValueError('no')\n",
     "def health(context):\n    return False\n", "def broken(:\n"],
)  # fmt: skip
def test_code_that_fails_is_recognised(host: OfflineHost, tmp_path: Path, backend: str) -> None:
    shop(tmp_path / "packages", "1.0.0", backend=backend)
    error = refused(host)
    understood(HotbayError(error.message, mend=error.mend))


@pytest.mark.parametrize(
    "sql", ["CREATE TABLE other (x);", "CREATE TABLE shop_a (x); SELECT 'open", "PRAGMA user_version = 3;"]
)
def test_a_migration_that_fails_is_recognised(host: OfflineHost, tmp_path: Path, sql: str) -> None:
    shop(tmp_path / "packages", "1.0.0", migrations={"up": sql})
    understood(refused(host))


SETTINGS = """
from pydantic import BaseModel, Field


class Settings(BaseModel):
    name: str = "shop"
    many: int = Field(3, ge=1, le=9)
"""


def test_settings_that_are_refused_are_recognised(host: OfflineHost, tmp_path: Path) -> None:
    shop(tmp_path / "packages", "1.0.0", backend=SETTINGS)
    run(host, Kind.INSTALL)
    with pytest.raises(HotbayError) as caught:
        host.change_settings("shop", {"many": 10, "name": 3})
    assert len(caught.value.problems) == 2
    understood(caught.value)


def test_rows_that_would_be_lost_are_told(host: OfflineHost, tmp_path: Path) -> None:
    shop(tmp_path / "packages", "1.0.0")
    run(host, Kind.INSTALL)
    shop(tmp_path / "packages", "1.1.0")
    run(host, Kind.UPGRADE)
    with closing(sqlite3.connect(host.settings.database_path)) as connection, connection:
        connection.execute("INSERT INTO shop_items (name) VALUES ('new')")
    understood(lost := refused(host, Kind.ROLLBACK))
    assert german(lost.message)[0].startswith("Zeilen von shop wurden seit der Sicherung geändert")


def test_packages_that_are_none_are_recognised(host: OfflineHost, tmp_path: Path) -> None:
    text, damaged, bare = (tmp_path / name for name in ("text.zip", "damaged.zip", "bare.zip"))
    text.write_text("no archive")
    damaged.write_bytes(b"PK\x03\x04 nothing behind it")
    with zipfile.ZipFile(bare, "w") as archive:
        archive.writestr("shop/metadata.json", "{}")
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        document = {"id": "Bad Id", "version": "v1", "name": 3, "backend": {"routes": ["shop"]}, "menu": []}
        archive.writestr("metadata.json", json.dumps(document))
    bad = refused(host, plugin="", file=tmp_path / "bad.zip")
    assert len(bad.problems) > 4
    understood(bad, *(refused(host, plugin="", file=file) for file in (text, damaged, bare)))


def test_an_error_in_lines_is_told_line_by_line() -> None:
    problem = Problem("requires", "needs api>=1", "versions offered: none", mend="install api first")
    text = str(Unresolvable("shop 1.0 can't be used here", problems=(problem,), mend="choose another id"))
    assert german(text, "shop/a.sql: never ends", "a new thing")[0:3] == [
        "shop 1.0 ist hier nicht verwendbar\n"
        "  - requires: braucht api>=1 (hier angebotene Versionen: none); Installieren Sie vorher api\n"
        "  Abhilfe: Wählen Sie eine andere ID",
        "shop/a.sql: endet nie",
        "a new thing",
    ]
    assert german("RuntimeError: the chat needs a key") == ["RuntimeError: the chat needs a key"]
