"""Every text of the console has a German one, with the same gaps; the plans' sentences too."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from console.scripts import evaluate

ROOT = Path(__file__).parents[2]
CONSOLE = ROOT / "console"
TEXT = r'"((?:[^"\\]|\\.)*)"'
# `t("…")`, under its other names too, and in it a choice between texts; `mark("…")` is translated where it is shown.
CALL = re.compile(r"\b(?:t|tr|text|mark)\(((?:[^()]|\([^()]*\))*)")
PAIR = re.compile(rf"(?:{TEXT}|(\w+)): {TEXT}(?=[,\s])")
GAP = re.compile(r"\{\w+\}")


def german() -> dict[str, str]:
    source = (CONSOLE / "src" / "words" / "de.ts").read_text()
    return {plain(quoted or bare): plain(text) for quoted, bare, text in PAIR.findall(source)}


def plain(text: str) -> str:
    return str(json.loads(f'"{text}"'))


def shown() -> Iterator[tuple[str, str]]:
    """The file and the English text of all that is translated."""
    for folder in ("src", "sdk", "ui"):
        for file in sorted((CONSOLE / folder).rglob("*.ts*")):
            if file.name == "de.ts":
                continue
            for call in CALL.findall(file.read_text()):
                for text in told(call):
                    yield file.name, plain(text)


def told(call: str) -> Iterator[str]:
    """The texts of a call: its first argument, or those between which it chooses."""
    if match := re.match(TEXT, call):
        yield match[1]
    elif match := re.match(rf"[^,]+? \? {TEXT} : {TEXT}", call):
        yield from match.groups()


def gaps(text: str) -> list[str]:
    return sorted(GAP.findall(text))


def says(text: str) -> bool:
    """True when there is a word beside the gaps."""
    return any(character.isalpha() for character in GAP.sub("", text))


def test_every_text_has_a_german_one() -> None:
    known, texts = german(), set(shown())
    assert len(texts) > 250, "the texts were not found"
    assert sorted(item for item in texts if says(item[1]) and item[1] not in known) == []


def test_every_sentence_of_a_plan_has_a_german_one() -> None:
    plans = json.loads((ROOT / "tests" / "plans.json").read_text())
    sentences = {words[0] for plan in plans.values() for step in plan["steps"] for words in step["words"]}
    assert len(sentences) > 25
    assert sorted(sentences - german().keys()) == []


TOLD = """(() => {
  let told = 0;
  const done = it.onWords(() => { told += 1; });
  const counts = steps.map(([messages, missing]) => { it.addMessages(messages, missing); return told; });
  done();
  it.addMessages({ en: { last: "after" } });
  return [counts, told, it.t("Notes"), it.t("Cards")];
})()"""


def test_only_news_in_the_language_in_use_is_told() -> None:
    """Each telling renders the whole page anew, and every tab hears of every plugin at every change."""
    steps = [
        [{}, False],
        [{"de": {"Notes": "Notizen"}, "en": {}}, False],
        [{"en": {"Notes": "Our notes", "Cards": "Our cards"}}, False],
        [{"en": {"Notes": "Our notes"}}, False],
        [{"en": {"Notes": "Their notes"}}, True],
        [{"en": {"Notes": "New notes"}}, False],
    ]
    found = evaluate("../sdk/words.ts", TOLD, steps=steps)
    assert found == [[0, 0, 1, 1, 1, 2], 2, "New notes", "Our cards"]


def test_the_gaps_are_the_same() -> None:
    assert [(english, text) for english, text in german().items() if gaps(english) != gaps(text)] == []
