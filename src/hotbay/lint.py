"""Can the version in service live with a migration? Reads the statements' heads; the engine has the last word. Pure.

A statement *adds* (the version in service does not notice), *changes* rows (its requests have to wait, and only a
backup undoes it), or *breaks* (drops, renames, tightens: it runs after the switch, or requests have to wait). What a
script made itself, or what is not there, may be changed freely.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

from hotbay.findings import RULES, Effect, Finding
from hotbay.script import split, words

Script = tuple[str, str]  # a file's name and its text
Words = list[str]


@dataclass
class Known:
    """What is there by a script's time. `there`: the names before it, in lower case (None: all that come up)."""

    there: Collection[str] | None = None
    objects: set[str] = field(default_factory=set)
    columns: set[str] = field(default_factory=set)

    def old(self, name: str) -> bool:
        """True when the version in service may use it."""
        return name not in self.objects and (self.there is None or name in self.there)


Found = tuple[str, str] | None  # the code, and the name of what it is about


def judge(
    scripts: Iterable[Script], there: Collection[str] | None = None, columns: Collection[str] = ()
) -> list[Finding]:
    """The statements that do more than add, of scripts that run one after the other.

    `there` are the names of what is in the database (tables, views, indexes, triggers; lower case); without it whatever
    the scripts don't make is taken to be there. `columns` are new already, as `table.column`. Raises InvalidPackage
    when a script can't be split.
    """
    found: list[Finding] = []
    known = Known(there, columns=set(columns))
    for file, text in scripts:
        for statement in split(text, file):
            said = words(statement.text)
            about = _judge(said, known)
            if about is not None:
                found.append(Finding(*about, file, statement))
            found = _rebuilt(found, _remember(said, known))
    return found


def breaking(findings: Iterable[Finding]) -> list[Finding]:
    """Those that the version in service could not live with, not even for a moment."""
    return [finding for finding in findings if finding.effect is Effect.BREAKS]


def _rebuilt(found: list[Finding], made: str) -> list[Finding]:
    """A table that comes back under its name was not dropped: it was rebuilt."""
    return [
        replace(item, code="rebuilds-table") if (item.code, item.name) == ("drops-table", made) else item
        for item in found
    ]


def _judge(said: Words, known: Known) -> Found:
    body = _without_with(said)
    rules: dict[str, Callable[[Words, Known], Found]] = {
        "drop": _drop,
        "alter": _alter,
        "create": _create,
        "insert": _insert,
        "replace": _insert,
        "delete": _delete,
        "update": _update,
    }
    return rules[body[0]](said if body[0] == "create" else body, known) if body and body[0] in rules else None


def _without_with(said: Words) -> Words:
    """The statement behind its common table expressions; what they read is put at its end."""
    if said[:1] != ["with"]:
        return said
    depth = 0
    for place, word in enumerate(said):
        depth += (word == "(") - (word == ")")
        if depth == 0 and word in ("insert", "replace", "update", "delete", "select"):
            return [*said[place:], *said[:place]]
    return said


def _remember(said: Words, known: Known) -> str:
    """Note what a statement made; the name of an object that is there from now on."""
    if said[:1] == ["create"]:
        kind, at = _kind(said)
        name, _ = _name(said, at + 1)
        kept = "exists" in said[at : at + 4] and known.there is not None and name in known.there
        if kind and not kept:
            known.objects.add(name)
        return name
    if said[:2] == ["alter", "table"]:
        return _remember_alter(said, known)
    return ""


def _remember_alter(said: Words, known: Known) -> str:
    table, at = _name(said, 2)
    if said[at : at + 2] == ["rename", "to"]:
        name, _ = _name(said, at + 2)
        known.objects.add(name)
        return name
    if said[at : at + 1] == ["add"]:
        column, _ = _name(said, at + 1 + (said[at + 1 : at + 2] == ["column"]))
        known.columns.add(f"{table}.{column}")
    return ""


def _kind(said: Words) -> tuple[str, int]:
    """What a CREATE makes, and the place of that word."""
    kinds = ("table", "view", "index", "trigger")
    return next(((word, place) for place, word in enumerate(said[:4]) if word in kinds), ("", 0))


def _name(said: Words, at: int) -> tuple[str, int]:
    """The object's name at `at`, past IF [NOT] EXISTS and a schema's name, and the place after it."""
    while said[at : at + 1] and said[at] in ("if", "not", "exists"):
        at += 1
    if said[at + 1 : at + 2] == ["."]:
        at += 2
    return (said[at] if at < len(said) else ""), at + 1


# ── the schema ──


def _drop(said: Words, known: Known) -> Found:
    kind = said[1] if len(said) > 1 else ""
    name, _ = _name(said, 2)
    return (f"drops-{kind}", name) if known.old(name) and f"drops-{kind}" in RULES else None


def _alter(said: Words, known: Known) -> Found:
    table, at = _name(said, 2)
    rest = said[at:]
    if not rest or not known.old(table):
        return None
    if rest[0] == "rename":
        return ("renames-table" if rest[1:2] == ["to"] else "renames-column"), table
    simple = {"drop": "drops-column", "alter": "alters-column"}
    if rest[0] in simple:
        return simple[rest[0]], table
    code = _added_column(rest[1 + (rest[1:2] == ["column"]) :])
    return (code, table) if code else None


def _added_column(said: Words) -> str:
    """The code of a column that the version in service could not live with; `said` begins with its name."""
    default = _after(said, "default")
    given = bool(default) and default[0] != "null"
    outside = _outside(said)
    if ("not", "null") in pairwise(outside) and not given:
        return "adds-required-column"
    if given and not _constant(default):
        return "default-not-constant"
    if given and "references" in said:
        return "adds-reference"
    if not _check_passes(said[0], _after(said, "check"), given=given):
        return "adds-checked-column"
    return ""


def _outside(said: Words) -> Words:
    """The words that are in no parentheses."""
    out, depth = [], 0
    for word in said:
        depth += word == "("
        if depth == 0:
            out.append(word)
        depth -= word == ")"
    return out


def _after(said: Words, word: str) -> Words:
    return said[said.index(word) + 1 :] if word in said else []


def _constant(default: Words) -> bool:
    """True for a literal, signed or in parentheses."""
    if default[0] in ("current_time", "current_date", "current_timestamp"):
        return False
    if default[0] != "(":
        return True
    return len([word for word in default[1 : _closing(default)] if word not in ("+", "-", ".")]) <= 2


def _closing(said: Words) -> int:
    """The place of the parenthesis that closes the one at the beginning."""
    depth = 0
    for place, word in enumerate(said):
        depth += (word == "(") - (word == ")")
        if depth == 0:
            return place
    return len(said)


_SQL_WORDS = frozenset(
    ("and", "or", "not", "in", "is", "null", "between", "like", "glob", "case", "when", "then", "else", "end")
) | {"true", "false", "cast", "as", "collate", "isnull", "notnull"}


def _check_passes(column: str, check: Words, *, given: bool) -> bool:
    """A CHECK of the new column alone holds for rows that don't name it, unless it forbids that there is nothing."""
    body = check[1 : _closing(check)]
    pairs = zip(body, [*body[1:], ""], strict=True) if body else ()
    names = {word for word, then in pairs if (word[:1].isalpha() or word[:1] == "_") and then != "("}
    return names - _SQL_WORDS <= {column} and (given or not names & {"null", "notnull"})


def _create(said: Words, known: Known) -> Found:
    kind, at = _kind(said)
    name, _ = _name(said, at + 1)
    if kind == "table" and "select" in said:
        return ("copies-rows", name) if _reads_old(said, known) else None
    on, _ = _name(said, said.index("on") + 1) if "on" in said else ("", 0)
    if not on or not known.old(on):
        return None
    if kind == "index":
        return ("makes-unique", on) if said[1] == "unique" else None
    return _trigger(said, on, known) if kind == "trigger" else None


def _trigger(said: Words, on: str, known: Known) -> Found:
    """A trigger may fill new tables and new columns from what the version in service writes, and nothing else."""
    body = _after(said, "begin")
    if ("raise", "(") in pairwise(body):
        return "trigger-refuses", on
    codes = {found[0] for part in _parts(body) if (found := _judge(part, known)) is not None}
    return ("trigger-writes", on) if codes & {"adds-rows", "changes-rows", "deletes-rows"} else None


def _parts(body: Words) -> Iterator[Words]:
    """The statements of a trigger's body."""
    part: Words = []
    for word in body:
        if word == ";":
            yield part
            part = []
        else:
            part.append(word)


# ── rows ──


def _insert(said: Words, known: Known) -> Found:
    table, _ = _name(said, said.index("into") + 1 if "into" in said else 1)
    if known.old(table):
        return "adds-rows", table
    return ("copies-rows", table) if _reads_old(said, known) else None


def _reads_old(said: Words, known: Known) -> bool:
    """True when it selects from what was there; a name with a parenthesis behind it is a function."""
    for place, word in enumerate(said):
        if word in ("from", "join"):
            name, after = _name(said, place + 1)
            if name != "(" and said[after : after + 1] != ["("] and known.old(name):
                return True
    return False


def _delete(said: Words, known: Known) -> Found:
    table, _ = _name(said, 2)
    return ("deletes-rows", table) if known.old(table) else None


def _update(said: Words, known: Known) -> Found:
    table, at = _name(said, 3 if said[1:2] == ["or"] else 1)
    if not known.old(table):
        return ("copies-rows", table) if _reads_old(said, known) else None
    columns = _assigned(_after(said[at:], "set"))
    filled = bool(columns) and all(f"{table}.{column}" in known.columns for column in columns)
    return ("fills-column" if filled else "changes-rows"), table


def _assigned(said: Words) -> Words:
    """The columns that are assigned to after SET; an assignment of a row value counts as one to no known column."""
    columns, depth, fresh = [], 0, True
    for word in said:
        if depth == 0 and word in ("where", "from", "returning"):
            break
        if depth == 0 and fresh:
            columns.append(word)
        depth += (word == "(") - (word == ")")
        fresh = depth == 0 and word == ","
    return columns
