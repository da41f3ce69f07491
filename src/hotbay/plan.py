"""Desired and live → the steps of an operation, as data that can be printed before anything moves. Pure.

The order of verbs is the rollback design: what stands left of `switch` is added beside what serves and is undone by
deletion; `switch` is one transaction; what stands right of it is finished, now or at the next start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from packaging.version import Version as Number

from hotbay.errors import Refused
from hotbay.model import DataPolicy, Kind, Live, Rows, State, Version
from hotbay_sdk.manifest import Manifest, parse


@dataclass(frozen=True)
class Step:
    """One verb with its parameters. `right` is True for what happens after the switch."""

    verb: str
    summary: str
    params: dict[str, Any] = field(default_factory=dict)
    right: bool = False


@dataclass(frozen=True)
class Plan:
    """The steps of one operation, and what an admin should know before consenting.

    `reads` are tables of others that the plugin is to read, `added` those and the permissions that the version before
    did not have. `findings` are the statements because of which requests wait, or which run after the switch.
    `reason` is why nobody had to consent: what Hotbay does by itself says it.
    """

    kind: Kind
    plugin: str
    before: Version | None
    after: Version | None
    state: State | None
    steps: tuple[Step, ...]
    permissions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    lost: dict[str, dict[str, int]] = field(default_factory=dict)
    reason: str = ""
    reads: tuple[str, ...] = ()
    added: dict[str, list[str]] = field(default_factory=dict)
    findings: tuple[dict[str, Any], ...] = ()

    def __str__(self) -> str:
        lines = [self.title, *(f"  {number}. {step.summary}" for number, step in enumerate(self.steps, 1))]
        lines += [f"  reason: {self.reason}"] if self.reason else []
        lines += [f"  permission: {name}{self._new('permissions', name)}" for name in self.permissions]
        lines += [f"  reads: table {name} of the host{self._new('reads', name)}" for name in self.reads]
        for item in self.findings:
            lines.append(f"  {item['file']}, line {item['line']}: {item['why']} [{item['code']}]; runs {item['runs']}")
        for table, numbers in self.lost.items():
            told = ", ".join(f"{count} {what}" for what, count in numbers.items())
            lines.append(f"  rows lost: {table}: {told} since the backup")
        return "\n".join(lines + [f"  warning: {text}" for text in self.warnings])

    def _new(self, what: str, name: str) -> str:
        return " (new)" if name in self.added.get(what, ()) else ""

    @property
    def title(self) -> str:
        """`upgrade ai_chatbot 1.0.0 → 1.1.0`."""
        versions = [item.version for item in (self.before, self.after) if item is not None]
        return f"{self.kind} {self.plugin} {' → '.join(dict.fromkeys(versions))}".rstrip()

    def to_json(self) -> dict[str, Any]:
        """JSON for the journal, the API and `--json`."""
        data = asdict(self) | {"title": self.title}
        return data if self.reason else {name: value for name, value in data.items() if name != "reason"}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Plan:
        """Read what `to_json` wrote."""
        return cls(
            kind=Kind(data["kind"]),
            plugin=data["plugin"],
            before=Version(**data["before"]) if data["before"] else None,
            after=Version(**data["after"]) if data["after"] else None,
            state=State(data["state"]) if data["state"] else None,
            steps=tuple(Step(**step) for step in data["steps"]),
            permissions=tuple(data["permissions"]),
            warnings=tuple(data["warnings"]),
            lost=data.get("lost", {}),
            reason=data.get("reason", ""),
            reads=tuple(data.get("reads", ())),
            added=data.get("added", {}),
            findings=tuple(data.get("findings", ())),
        )


def bring(
    kind: Kind,
    target: Version,
    live: Live | None,
    *,
    state: State = State.ACTIVE,
    migrations: Sequence[str] = (),
    exclusive: bool = False,
    contract: Sequence[str] = (),
    tables: Sequence[str] = (),
    permissions: Sequence[str] = (),
    warnings: Sequence[str] = (),
    prune: Sequence[str] = (),
    shelve: bool = True,
    expand: dict[str, Any] | None = None,
    start: dict[str, Any] | None = None,
    older: bool = False,
    backup: bool = False,
    restore: dict[str, Any] | None = None,
    confirm: dict[str, Any] | None = None,
    reason: str = "",
    frontend: bool = False,
) -> Plan:
    """Install, upgrade or rollback: `target` comes beside what serves, starts, and takes over.

    `migrations` names the pending ones, `exclusive` says that requests are held while they run, `contract` names the
    scripts that run when the version before is gone (`tables`: those that it listed), `prune` the images that fall out
    of the retention, `expand` and `start` add parameters to those steps; `shelve` is False when the plugin's folder has
    the content already; `older` allows an older version. `backup` keeps the rows as they are before anything changes
    them; `restore` has the parameters of that step, which puts those of another backup in their place. `confirm` is
    told to the switch: within so many `seconds` somebody has to confirm it, or it goes back.

    Raises Refused when the kind does not fit the live row.
    """
    _fits(kind, target, live, older=older)
    image = {"image": target.image}
    steps = [Step("stage", f"unpack and byte-compile {target.version} beside what serves", image)]
    if frontend:
        steps.append(_compile(target.image))
    if shelve:
        steps.append(Step("shelve", f"copy {target.version} beside the plugin's folder", image))
    if live is not None and (restore or (exclusive and migrations)):
        steps.append(_HOLD)
    steps += _rows(backup, restore)
    if migrations:
        steps.append(Step("expand", f"run migrations {', '.join(migrations)}", image | (expand or {})))
    steps.append(Step("start", "start and check it in every worker", image | (start or {})))
    text = _switch_text(target, live, state) + (_back_text(live, confirm) if confirm else "")
    steps.append(Step("switch", text, {"confirm": confirm} if confirm else {}))
    steps.append(Step("publish", "put its folder and addon_registry.json in place", right=True))
    if contract:
        steps += _contract(contract, image | {"tables": list(tables)})
    if prune:
        steps.append(Step("prune", f"delete {len(prune)} old image(s)", {"images": list(prune)}, right=True))
    before = None if live is None else Version(live.plugin, live.version, live.sha256, live.image, live.source)
    plan = Plan(kind, target.plugin, before, target, state, tuple(steps), tuple(permissions), tuple(warnings))
    return replace(plan, reason=reason)


_HOLD = Step("hold", "hold the plugin's requests while its tables change")


def _contract(titles: Sequence[str], params: dict[str, Any]) -> list[Step]:
    """Take away what only the version before needed, when that is gone from every worker."""
    text = f"run contract scripts {', '.join(titles)}: only the version before needed what they take away"
    return [
        Step("drain", "let the requests of the version before end, and unload it everywhere", right=True),
        Step("contract", text, params, right=True),
    ]


def _rows(backup: bool, restore: dict[str, Any] | None) -> list[Step]:
    """Keep the rows as they are, and put others in their place."""
    steps = [Step("backup", "back up its rows")] if backup or restore else []
    if restore:
        more = " and keep the rows that were added since" if restore.get("rows") == Rows.MERGE else ""
        steps.append(Step("restore", f"put the rows of backup {restore['backup']} in place{more}", restore))
    return steps


def _switch_text(target: Version, live: Live | None, state: State) -> str:
    if state is State.INACTIVE:
        return f"record {target.version} as installed, inactive"
    if live is None or not live.active:
        return f"serve {target.version} in every worker"
    return f"switch every worker from {live.version} to {target.version}"


def _back_text(live: Live | None, confirm: dict[str, Any]) -> str:
    """What happens when nobody confirms it."""
    more = " and those added since" if confirm["keep_new_rows"] else ""
    back = f"back to {live.version} with the rows of now{more}" if live else "uninstall it, with its rows in a file"
    return f"; not confirmed within {confirm['seconds']:g} s: {back}"


def _fits(kind: Kind, target: Version, live: Live | None, *, older: bool) -> None:
    if kind is Kind.INSTALL and live is not None:
        raise Refused(
            f"{target.plugin} {live.version} is installed already",
            mend=f"use `hotbay upgrade {target.plugin}`",
        )
    if kind is not Kind.INSTALL and live is None:
        raise Refused(f"{target.plugin} is not installed", mend=f"use `hotbay install {target.plugin}`")
    if kind is Kind.UPGRADE and live is not None:
        _newer(target, live, older=older)


def _newer(target: Version, live: Live, *, older: bool) -> None:
    if target.image == live.image:
        raise Refused(f"{live.plugin} {live.version} with exactly this content runs already", unchanged=True)
    if not older and Number(target.version) < Number(live.version):
        raise Refused(
            f"{target.version} is older than {live.version}",
            mend=f"use `hotbay rollback {live.plugin}` to go back",
        )


def asking(plan: Plan, manifest: Manifest, old: Live | None) -> Plan:
    """The plan, with the tables of others that the plugin is to read, and what of its wishes is new."""
    reads = manifest.database.reads
    if old is None:
        return replace(plan, reads=reads)
    had = {"permissions": old.grants, "reads": parse(old.manifest).database.reads}
    wants = {"permissions": manifest.permissions, "reads": reads}
    new = {what: [name for name in names if name not in had[what]] for what, names in wants.items()}
    return replace(plan, reads=reads, added={what: names for what, names in new.items() if names})


def _compile(image: str) -> Step:
    return Step("compile", "compile and check its pages for browsers", {"image": image})


def activate(
    live: Live, *, migrations: Sequence[str] = (), start: dict[str, Any] | None = None, frontend: bool = False
) -> Plan:
    """Let an inactive plugin serve; `start` adds parameters to that step. Raises Refused when it serves already.

    `frontend`: what it shows in browsers is not compiled yet.
    """
    if live.active and not live.problem:
        raise Refused(f"{live.plugin} is active already", unchanged=True)
    image = {"image": live.image}
    steps = [_compile(live.image)] if frontend else []
    steps += [Step("expand", f"run migrations {', '.join(migrations)}", image)] if migrations else []
    steps += [
        Step("start", "start and check it in every worker", image | (start or {})),
        Step("switch", f"serve {live.version} in every worker"),
        Step("publish", "rename its folder and write addon_registry.json", right=True),
    ]
    return _here(Kind.ACTIVATE, live, State.ACTIVE, steps)


def deactivate(live: Live) -> Plan:
    """Let an active plugin rest: its data and files stay. Raises Refused when it rests."""
    if not live.active:
        raise Refused(f"{live.plugin} is inactive already", unchanged=True)
    steps = [
        Step("switch", "stop serving it in every worker"),
        Step("publish", "rename its folder and write addon_registry.json", right=True),
        Step("drain", "let its requests end, stop it and unload its code", right=True),
    ]
    return _here(Kind.DEACTIVATE, live, State.INACTIVE, steps)


def uninstall(
    live: Live,
    policy: DataPolicy,
    tables: Sequence[str],
    images: Sequence[str],
    *,
    backup: bool = True,
    reason: str = "",
) -> Plan:
    """Remove a plugin. Requests wait while its rows are written to a file and its tables go."""
    steps = [Step("hold", "hold the plugin's requests and let those in flight end")]
    if policy is DataPolicy.EXPORT and tables:
        steps.append(Step("export", f"write the rows of {', '.join(tables)} to a file"))
    if policy is DataPolicy.PURGE and tables and backup:
        steps.append(Step("backup", f"back up the rows of {', '.join(tables)}", {"files": True}))
    drop = policy is not DataPolicy.KEEP
    text = f"drop {', '.join(tables)} and stop serving it" if drop and tables else "stop serving it in every worker"
    steps += [
        Step("switch", text, {"drop": drop}),
        Step("drain", "stop it and unload its code", right=True),
        Step("publish", "remove its folder and write addon_registry.json", right=True),
        Step(
            "prune",
            "delete its images and its own folder" if drop else "delete its images",
            {"images": list(images), "data": drop},
            right=True,
        ),
    ]
    lost = f"rows of {', '.join(tables)} are lost{'; a backup stays until it is deleted' if backup else ''}"
    warnings = () if policy is not DataPolicy.PURGE or not tables else (lost,)
    return replace(_here(Kind.UNINSTALL, live, None, steps, warnings), reason=reason)


def back_up(live: Live) -> Plan:
    """Keep a plugin's rows in a file, because somebody wants that. There is nothing to switch."""
    return _here(Kind.BACKUP, live, live.state, [Step("backup", "back up its rows", {"retire": True})])


def restore(
    live: Live, params: dict[str, Any], *, migrations: Sequence[str] = (), expand: dict[str, Any] | None = None
) -> Plan:
    """Put the rows of a backup in place. Requests wait; then a fresh generation of the same code serves.

    `migrations` are those that the code has and the backup's tables have not seen.
    """
    image = {"image": live.image}
    steps = [_HOLD, *_rows(True, params)]
    if migrations:
        steps.append(Step("expand", f"run migrations {', '.join(migrations)}", image | (expand or {})))
    steps += [
        Step("start", "start and check it in every worker", image),
        Step("switch", f"serve {live.version} with these rows" if live.active else "record that"),
        Step("publish", "write addon_registry.json", right=True),
    ]
    return _here(Kind.RESTORE, live, live.state, steps)


def _here(kind: Kind, live: Live, state: State | None, steps: Sequence[Step], warnings: Sequence[str] = ()) -> Plan:
    version = Version(live.plugin, live.version, live.sha256, live.image, live.source)
    after = None if state is None else version
    return Plan(kind, live.plugin, version, after, state, tuple(steps), (), tuple(warnings))
