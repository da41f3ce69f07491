"""What the server refuses, or fails in, has a German sentence: whoever adds an error adds its German one, too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from console.error_texts import ROOT, said_in
from console.scripts import evaluate
from console.test_words import GAP, PAIR, gaps, plain, says

SOURCE = ROOT / "src" / "hotbay"
WORDS = ROOT / "console" / "src" / "words"
# What no console shows in an answer, or only authors meet, who read English in code and docs all the same.
LEFT_OUT = {
    "cli/": "the command line speaks English",
    "check.py": "`hotbay check` is for authors, on the command line",
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
}


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


def recognised(*texts: str) -> list[str | None]:
    expression = "(forms => texts.map(text => it.recognise(forms, text)?.sentence ?? null))(it.formsOf(known))"
    found: list[str | None] = evaluate("words/forms.ts", expression, known=list(KNOWN), texts=list(texts))
    return found


def test_every_error_has_a_german_sentence() -> None:
    said = [(place, text) for file in rooms() for place, text in said_in(file) if says(text)]
    assert len(said) > 400
    known = recognised(*(text.replace("{}", "X") for _, text in said))
    assert sorted({item for item, form in zip(said, known, strict=True) if form is None}) == []


