"""Sentences of the server are recognised by their form, have a German one, and are still those that the server says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from console.scripts import evaluate
from console.test_words import GAP, PAIR, gaps, plain
from engine_host import opened, run, shop
from hotbay.doctor import examine
from hotbay.findings import RULES
from hotbay.model import Kind

ROOT = Path(__file__).parents[2]
SAYS = ["doctor/*.py", "draft.py", "plan.py", "compare.py", "resolve.py", "leaks.py", "liverows.py"]
SAYS += ["findings.py", "frontend/assets.py"]


@pytest.fixture(scope="module")
def german() -> dict[str, str]:
    source = (ROOT / "console" / "src" / "words" / "server.ts").read_text()
    return {plain(quoted or bare): plain(text) for quoted, bare, text in PAIR.findall(source)}


def recognised(german: dict[str, str], *texts: str) -> list[dict[str, Any] | None]:
    expression = "(forms => texts.map(text => it.recognise(forms, text)))(it.formsOf(known))"
    found: list[dict[str, Any] | None] = evaluate("words/forms.ts", expression, known=list(german), texts=list(texts))
    return found


def test_the_gaps_are_the_same(german: dict[str, str]) -> None:
    assert len(german) > 100
    # What is to be named on a command line is not, beside a button.
    pairs = [(sorted(set(gaps(one)) - {"{finding}"}), gaps(text)) for one, text in german.items()]
    assert [pair for pair in pairs if pair[0] != pair[1]] == []


def test_the_server_still_says_what_is_translated(german: dict[str, str]) -> None:
    """A sentence that is changed there would stay English here: nobody would notice."""
    files = [path for pattern in SAYS for path in sorted((ROOT / "src" / "hotbay").glob(pattern))]
    text = "\n".join(path.read_text() for path in files)
    words = re.sub(r"\s+", " ", text).replace("--mend will {how} it", "--mend will finish it --mend will undo it")
    # What is said of some only is a text of its own there.
    parts = [(sentence, part.strip(" :,")) for sentence in german for part in re.split(rf"{GAP.pattern}|;", sentence)]
    assert [item for item in parts if len(item[1]) > 7 and item[1] not in words] == []


@pytest.mark.parametrize(
    ("text", "sentence", "values"),
    [
        ("/srv (a)/db is sound", "{path} is sound", {"path": "/srv (a)/db"}),
        ("shop: its folder is missing", "{plugin}: its folder is missing", {"plugin": "shop"}),
        ("rows of a, b are lost", "rows of {tables} are lost", {"tables": "a, b"}),
        ("shop does not serve: line\nline", "{plugin} does not serve: {problem}",
         {"plugin": "shop", "problem": "line\nline"}),
    ],
)  # fmt: skip
def test_a_sentence_is_recognised(german: dict[str, str], text: str, sentence: str, values: dict[str, str]) -> None:
    assert recognised(german, text) == [{"sentence": sentence, "values": values}]


def test_what_no_form_fits_stays(german: dict[str, str]) -> None:
    assert recognised(german, "something new happened", "", "all folders below") == [None, None, None]


def test_every_reason_why_a_statement_does_more_than_add_is_recognised(german: dict[str, str]) -> None:
    texts = [rule.why.format(name="shop_items") for rule in RULES.values()]
    assert [form["values"] if form else None for form in recognised(german, *texts)] == [{"name": "shop_items"}] * len(
        texts
    )


def test_what_the_doctor_says_of_a_host_is_recognised(german: dict[str, str], tmp_path: Path) -> None:
    shop(tmp_path / "packages", "1.0.0")
    with opened(tmp_path / "home") as host:
        run(host, Kind.INSTALL)
        (host.settings.plugins / "shop").rename(host.settings.plugins / "_shop")
        (host.settings.images / ".gone-x").mkdir()
        found = examine(host.settings)
    texts = [text for one in found for text in (one.check, one.message, one.mend) if text]
    assert len(found) > 6 and any(one.level != "ok" for one in found)
    known = recognised(german, *texts)
    strange = [text for text, form in zip(texts, known, strict=True) if form is None]
    assert set(strange) <= {"addon_registry.json"}
