"""When each script of a package runs: before the switch, while requests are held, or when the version before is gone.

What runs before the switch, beside a version in service, may only add. The linter says so from the scripts, before
anything moves; `not_additive` says so from what SQLite made of them, before they are committed. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hotbay.catalogue import Catalogue, Change, added_columns, changes
from hotbay.errors import NotAdditive, Problem
from hotbay.findings import Effect, Finding
from hotbay.grant import fold
from hotbay.lint import breaking, judge
from hotbay.migrations import Migration

Row = Mapping[str, Any]
_MEND = (
    "put these statements into the .contract.sql of the same number, or say "
    '"migrations": "exclusive" in the manifest (requests wait meanwhile)'
)


@dataclass(frozen=True)
class Schedule:
    """Titles of what runs `before` the switch and `after` it, and whether requests are held (`hold`) meanwhile.

    `findings` are the statements because of which that is so, as JSON; `runs` says when.
    """

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    hold: bool = False
    findings: tuple[dict[str, Any], ...] = ()


def owed(scripts: Sequence[Migration], ledger: Mapping[int, Row]) -> list[Migration]:
    """The migrations whose contract script has not run, those that are not applied at all among them."""
    return [
        item for item in scripts if item.contract is not None and not (ledger.get(item.number) or {}).get("contract")
    ]


def schedule(
    scripts: Sequence[Migration],
    ledger: Mapping[int, Row],
    there: Collection[str],
    *,
    what: str,
    serving: bool,
    exclusive: bool,
) -> Schedule:
    """When the scripts of `what` (a plugin and its version) run that the ledger (rows by number) does not have.

    `there` are the names of what is in the database, `serving` says that an older version is in service. Raises
    NotAdditive when it could not live with what would run beside it.
    """
    pending, last = [item for item in scripts if item.number not in ledger], owed(scripts, ledger)
    if not serving:
        return Schedule(tuple(_titles(scripts, pending, last)))
    found = judge([(item.up_file, item.up) for item in pending], there)
    if not exclusive and breaking(found):
        raise refusal(what, [item.problem() for item in breaking(found)])
    if exclusive or any(item.effect is Effect.CHANGES for item in found):
        found += _of_contracts(last, there)
        held = bool(pending or last)
        return Schedule(tuple(_titles(scripts, pending, last)), (), held, _told(found, "while requests are held"))
    return Schedule(
        tuple(item.title for item in pending),
        tuple(item.title for item in last),
        findings=_told(_of_contracts(last, there), "after the switch"),
    )


def refusal(what: str, problems: Sequence[Problem]) -> NotAdditive:
    """What could run only when nobody uses the tables."""
    mend = "split each statement as is said behind it"
    return NotAdditive(f"the migrations of {what} do more than add", mend=mend, problems=tuple(problems))


def _titles(scripts: Sequence[Migration], pending: Sequence[Migration], last: Sequence[Migration]) -> list[str]:
    """What runs in one go, in its order: where nobody uses the tables, each contract script follows its own up."""
    ups, contracts = {item.number for item in pending}, {item.number for item in last}
    titles = []
    for item in scripts:
        titles += [item.title] if item.number in ups else []
        titles += [f"{item.title} (contract)"] if item.number in contracts else []
    return titles


def _of_contracts(last: Sequence[Migration], there: Collection[str]) -> list[Finding]:
    return judge([(item.contract_file, item.contract or "") for item in last], there)


def _told(found: Sequence[Finding], runs: str) -> tuple[dict[str, Any], ...]:
    return tuple(item.to_json() | {"runs": runs} for item in found)


def stranding(older: Sequence[Migration], newer: Sequence[Migration], ledger: Mapping[int, Row]) -> list[Problem]:
    """What ran for the newer version and keeps the older one from living with the tables."""
    known = {item.number: item for item in older}
    scripts = []
    for item in (item for item in newer if item.number in ledger):
        before = known.get(item.number)
        if before is None:
            scripts.append((item.up_file, item.up))
        if ledger[item.number].get("contract") and (before is None or before.contract is None):
            scripts.append((item.contract_file, item.contract or ""))
    return [item.problem() for item in breaking(judge(scripts))]


# ── what SQLite made of it ──


def not_additive(before: Catalogue, after: Catalogue, written: Collection[str]) -> list[Problem]:
    """What of a change an older version could not live with: of the schema, and `written` tables of its own.

    The linter reads scripts; this sees what the plugin's own code did, and what the linter did not understand.
    """
    names = {fold(entry.name) for entry in before.entries}
    columns = {f"{table}.{fold(name)}" for table, found in after.columns.items() for name in found}
    columns -= {f"{table}.{fold(name)}" for table, found in before.columns.items() for name in found}
    problems = [item for change in changes(before, after) for item in _of_change(change, before, after, names, columns)]
    rule = "rows that were there are changed while the version before writes"
    return problems + [Problem(f"table {name}", rule, mend=_MEND, code="changes-rows") for name in sorted(written)]


def _of_change(
    change: Change, before: Catalogue, after: Catalogue, names: Collection[str], columns: Collection[str]
) -> list[Problem]:
    entry = change.entry
    where = f"{entry.kind} {entry.name}"
    if change.after is None:
        return [Problem(where, "is dropped while the version before uses it", mend=_MEND, code=f"drops-{entry.kind}")]
    if change.before is not None:
        if added_columns(change, before, after) is not None:
            return []
        return [
            Problem(where, "is changed while the version before uses it", mend=_MEND, code=f"rebuilds-{entry.kind}")
        ]
    found = breaking(judge([(where, entry.sql or "")], names, columns))
    return [Problem(where, item.why, entry.sql or "", mend=_MEND, code=item.code) for item in found]
