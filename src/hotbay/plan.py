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
from hotbay.model import DataPolicy, Kind, Live, Rows, State, Trust, TrustState, Version
from hotbay_sdk.manifest import Manifest

Words = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Step:
    """One verb with its parameters. `right` is True for what happens after the switch.

    `words` are what `summary` was made of: sentences with gaps and what fills them, for who says it in other words.
    """

    verb: str
    summary: str
    params: dict[str, Any] = field(default_factory=dict)
    right: bool = False
    words: Sequence[Words] = field(default=(), compare=False)


def _step(verb: str, first: Words, params: dict[str, Any] | None = None, *more: Words, right: bool = False) -> Step:
    words = (first, *more)
    return Step(verb, "".join(text.format(**values) for text, values in words), params or {}, right, words)


def _say(text: str, **values: Any) -> Words:
    return text, values


@dataclass(frozen=True)
class Plan:
    """The steps of one operation, and what an admin should know before consenting.

    `reads` are tables of others that the plugin is to read, `added` those and the permissions that the version before
    did not have. `findings` are the statements because of which requests wait, or which run after the switch.
    `reason` is why nobody had to consent: what Hotbay does by itself says it. `trust` says of a package that comes in
    who made it (`state`, `publisher`, `keyid`), and from which verified publisher it would take the plugin (`was`).
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
    trust: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [self.title, *(f"  {number}. {step.summary}" for number, step in enumerate(self.steps, 1))]
        lines += [f"  reason: {self.reason}"] if self.reason else []
        lines += [f"  signature: {self._signature()}"] if self.trust else []
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

    def _signature(self) -> str:
        state, publisher, keyid = (self.trust[name] for name in ("state", "publisher", "keyid"))
        made = {"verified": f"verified, by {publisher}", "unknown": f"by an unknown key, in the name of {publisher}"}
        return f"{made.get(state, state)}{f' (key {keyid[:16]})' if keyid else ''}"

    @property
    def title(self) -> str:
        """`upgrade ai_chatbot 1.0.0 → 1.1.0`."""
        versions = [item.version for item in (self.before, self.after) if item is not None]
        return f"{self.kind} {self.plugin} {' → '.join(dict.fromkeys(versions))}".rstrip()

    def to_json(self) -> dict[str, Any]:
        """JSON for the journal, the API and `--json`."""
        data = asdict(self) | {"title": self.title}
        return {name: value for name, value in data.items() if value or name not in ("reason", "trust")}

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
            trust=data.get("trust", {}),
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
    steps = [
        _step("stage", _say("unpack and byte-compile {version} beside what serves", version=target.version), image)
    ]
    if frontend:
        steps.append(_compile(target.image))
    if shelve:
        steps.append(_step("shelve", _say("copy {version} beside the plugin's folder", version=target.version), image))
    if live is not None and (restore or (exclusive and migrations)):
        steps.append(_HOLD)
    steps += _rows(backup, restore)
    if migrations:
        steps.append(_expand(migrations, image | (expand or {})))
    steps.append(_step("start", _say("start and check it in every worker"), image | (start or {})))
    back = (_back_words(live, confirm),) if confirm else ()
    steps.append(_step("switch", _switch_words(target, live, state), {"confirm": confirm} if confirm else {}, *back))
    steps.append(_step("publish", _say("put its folder and addon_registry.json in place"), right=True))
    if contract:
        steps += _contract(contract, image | {"tables": list(tables)})
    if prune:
        steps.append(
            _step("prune", _say("delete {count} old image(s)", count=len(prune)), {"images": list(prune)}, right=True)
        )
    before = None if live is None else Version(live.plugin, live.version, live.sha256, live.image, live.source)
    plan = Plan(kind, target.plugin, before, target, state, tuple(steps), tuple(permissions), tuple(warnings))
    return replace(plan, reason=reason)


_STOP = _say("stop serving it in every worker")
_HOLD = _step("hold", _say("hold the plugin's requests while its tables change"))


def _contract(titles: Sequence[str], params: dict[str, Any]) -> list[Step]:
    """Take away what only the version before needed, when that is gone from every worker."""
    words = _say(
        "run contract scripts {names}: only the version before needed what they take away", names=", ".join(titles)
    )
    return [
        _step("drain", _say("let the requests of the version before end, and unload it everywhere"), right=True),
        _step("contract", words, params, right=True),
    ]


def _rows(backup: bool, restore: dict[str, Any] | None) -> list[Step]:
    """Keep the rows as they are, and put others in their place."""
    steps = [_step("backup", _say("back up its rows"))] if backup or restore else []
    if restore:
        keeping = (_say(" and keep the rows that were added since"),) if restore.get("rows") == Rows.MERGE else ()
        steps.append(
            _step(
                "restore", _say("put the rows of backup {backup} in place", backup=restore["backup"]), restore, *keeping
            )
        )
    return steps


def _expand(migrations: Sequence[str], params: dict[str, Any]) -> Step:
    return _step("expand", _say("run migrations {names}", names=", ".join(migrations)), params)


def _switch_words(target: Version, live: Live | None, state: State) -> Words:
    if state is State.INACTIVE:
        return _say("record {version} as installed, inactive", version=target.version)
    if live is None or not live.active:
        return _say("serve {version} in every worker", version=target.version)
    return _say("switch every worker from {before} to {version}", before=live.version, version=target.version)


def _back_words(live: Live | None, confirm: dict[str, Any]) -> Words:
    """What happens when nobody confirms it."""
    seconds = f"{confirm['seconds']:g}"
    if live is None:
        return _say("; not confirmed within {seconds} s: uninstall it, with its rows in a file", seconds=seconds)
    text = "; not confirmed within {seconds} s: back to {before} with the rows of now"
    added = " and those added since" if confirm["keep_new_rows"] else ""
    return _say(text + added, seconds=seconds, before=live.version)


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
    had = {"permissions": old.grants, "reads": old.parsed.database.reads}
    wants = {"permissions": manifest.permissions, "reads": reads}
    new = {what: [name for name in names if name not in had[what]] for what, names in wants.items()}
    return replace(plan, reads=reads, added={what: names for what, names in new.items() if names})


def made_by(plan: Plan, trust: Trust, before: str) -> Plan:
    """The plan, with who made the package, and a warning if that is nobody whom this host trusts.

    `before` is the verified publisher whom it takes the plugin from, if it does.
    """
    version = plan.after.version if plan.after is not None else ""
    lost = [f"{plan.plugin} is from {before}; {version} is not signed by them"] if before else []
    return replace(plan, trust=trust.to_json() | {"was": before}, warnings=(*plan.warnings, *lost, *_doubts(trust)))


def _doubts(trust: Trust) -> list[str]:
    if trust.state is TrustState.UNSIGNED:
        return ["the package is not signed"]
    if trust.state is not TrustState.UNKNOWN:
        return []
    how = "`hotbay publishers trust` takes their public key"
    return [f"signed in the name of {trust.publisher}, with the unknown key {trust.keyid or 'without an id'}; {how}"]


def naming(plan: Plan, folder: str) -> Plan:
    """The plan, with the name (`x`, `_x` or nothing) that the plugin's folder has before it."""
    steps = (replace(step, params={"was": folder}) if step.verb == "publish" else step for step in plan.steps)
    return replace(plan, steps=tuple(steps))


def _compile(image: str) -> Step:
    return _step("compile", _say("compile and check its pages for browsers"), {"image": image})


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
    steps += [_expand(migrations, image)] if migrations else []
    steps += [
        _step("start", _say("start and check it in every worker"), image | (start or {})),
        _step("switch", _say("serve {version} in every worker", version=live.version)),
        _step("publish", _say("rename its folder and write addon_registry.json"), right=True),
    ]
    return _here(Kind.ACTIVATE, live, State.ACTIVE, steps)


def deactivate(live: Live) -> Plan:
    """Let an active plugin rest: its data and files stay. Raises Refused when it rests."""
    if not live.active:
        raise Refused(f"{live.plugin} is inactive already", unchanged=True)
    steps = [
        _step("switch", _STOP),
        _step("publish", _say("rename its folder and write addon_registry.json"), right=True),
        _step("drain", _say("let its requests end, stop it and unload its code"), right=True),
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
    names = ", ".join(tables)
    steps = [_step("hold", _say("hold the plugin's requests and let those in flight end"))]
    if policy is DataPolicy.EXPORT and tables:
        steps.append(_step("export", _say("write the rows of {tables} to a file", tables=names)))
    if policy is DataPolicy.PURGE and tables and backup:
        steps.append(_step("backup", _say("back up the rows of {tables}", tables=names), {"files": True}))
    drop = policy is not DataPolicy.KEEP
    gone = _say("drop {tables} and stop serving it", tables=names) if drop and tables else _STOP
    steps += [
        _step("switch", gone, {"drop": drop}),
        _step("drain", _say("stop it and unload its code"), right=True),
        _step("publish", _say("remove its folder and write addon_registry.json"), right=True),
        _step(
            "prune",
            _say("delete its images and its own folder") if drop else _say("delete its images"),
            {"images": list(images), "data": drop},
            right=True,
        ),
    ]
    lost = f"rows of {names} are lost{'; a backup stays until it is deleted' if backup else ''}"
    warnings = () if policy is not DataPolicy.PURGE or not tables else (lost,)
    return replace(_here(Kind.UNINSTALL, live, None, steps, warnings), reason=reason)


def back_up(live: Live) -> Plan:
    """Keep a plugin's rows in a file, because somebody wants that. There is nothing to switch."""
    return _here(Kind.BACKUP, live, live.state, [_step("backup", _say("back up its rows"), {"retire": True})])


def restore(
    live: Live, params: dict[str, Any], *, migrations: Sequence[str] = (), expand: dict[str, Any] | None = None
) -> Plan:
    """Put the rows of a backup in place. Requests wait; then a fresh generation of the same code serves.

    `migrations` are those that the code has and the backup's tables have not seen.
    """
    image = {"image": live.image}
    steps = [_HOLD, *_rows(True, params)]
    if migrations:
        steps.append(_expand(migrations, image | (expand or {})))
    steps += [
        _step("start", _say("start and check it in every worker"), image),
        _step(
            "switch",
            _say("serve {version} with these rows", version=live.version) if live.active else _say("record that"),
        ),
        _step("publish", _say("write addon_registry.json"), right=True),
    ]
    return _here(Kind.RESTORE, live, live.state, steps)


def _here(kind: Kind, live: Live, state: State | None, steps: Sequence[Step], warnings: Sequence[str] = ()) -> Plan:
    version = Version(live.plugin, live.version, live.sha256, live.image, live.source)
    after = None if state is None else version
    return Plan(kind, live.plugin, version, after, state, tuple(steps), (), tuple(warnings))
