"""Random operations, renamed folders, broken packages, crashes and restarts, against a model.

After each rule the workers' answers, the rows, the folders, the registry and its file must be what the model says,
nothing may be left over, and no visitor may have been refused meanwhile.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import hypothesis.strategies as st
from hypothesis import note
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fuzz.model import Plugin
from fuzz.packages import BROKEN, PLUGINS, VERSIONS, archive, tree
from fuzz.world import World
from hotbay.errors import HotbayError, LosesRows
from hotbay.folder import digest
from hotbay.model import DataPolicy, Kind, Rows
from hotbay.request import Request

plugins = st.sampled_from(PLUGINS)
versions = st.sampled_from(VERSIONS)
editions = st.sampled_from(("", "b"))
policies = st.sampled_from(DataPolicy)
workers = st.integers(0, 1)


class Machine(RuleBasedStateMachine):
    """One history. `done` counts what all of them did."""

    done: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.world = World(Path(tempfile.mkdtemp(prefix="hotbay-fuzz-")))
        self.number = 0

    def teardown(self) -> None:
        """End the world."""
        Machine.done["histories"] += 1
        Machine.done["requests"] += self.world.requests
        Machine.done["refused requests"] += len(self.world.wrong)
        self.world.close()

    # ── operations ──

    @rule(plugin=plugins, version=versions, edition=editions, inactive=st.booleans())
    def install(self, plugin: str, version: str, edition: str, inactive: bool) -> None:
        """Install; refused where it is installed."""
        model = self.world.models[plugin]
        file = archive(self.world.folder, plugin, version, edition=edition)
        self._try(
            Request(Kind.INSTALL, plugin, file=file, inactive=inactive),
            None if model.installed else model.brought(version, edition, active=not inactive),
        )

    @rule(plugin=plugins, version=versions, edition=editions)
    def upgrade(self, plugin: str, version: str, edition: str) -> None:
        """Upgrade; refused where there is nothing, the same, or something newer."""
        model = self.world.models[plugin]
        file = archive(self.world.folder, plugin, version, edition=edition)
        fits = model.installed and version >= model.version and (version, edition) != (model.version, model.edition)
        wanted = model.brought(version, edition, active=model.active) if fits else None
        self._try(Request(Kind.UPGRADE, plugin, file=file), wanted)

    @rule(plugin=plugins, version=versions, confirmed=st.booleans(), keep=st.booleans())
    def upgrade_on_trial(self, plugin: str, version: str, confirmed: bool, keep: bool) -> None:
        """An upgrade that is to be confirmed, and a visitor; then it is confirmed, or goes back with the rows."""
        before = self.world.models[plugin]
        if not before.installed or version < before.version or (version, "t") == (before.version, before.edition):
            return
        rows = Rows.MERGE if keep else Rows.RESTORE
        file = archive(self.world.folder, plugin, version, edition="t")
        wish = Request(Kind.UPGRADE, plugin, file=file, confirm_within=60.0, rows=rows)
        self._try(wish, before.brought(version, "t", active=before.active))
        self.visit(plugin, 0)
        self._begin(plugin, before)
        Machine.done["confirmed" if confirmed else "went back unconfirmed"] += 1
        self.world.wait_for_confirmation(plugin, confirmed=confirmed)
        after = self.world.models[plugin]
        back = after.brought(before.version, before.edition, active=before.active)
        gone = replace(back, rows=list(after.rows if keep else before.rows))
        self._end(plugin, after if confirmed else gone)

    @rule(plugin=plugins, rows=st.sampled_from((Rows.RESTORE, Rows.KEEP)), accept=st.booleans())
    def rollback(self, plugin: str, rows: Rows, accept: bool) -> None:
        """To what the plan says, which must have run here; with the rows of a moment when it was left, or as they are.

        Refused without anything to go back to, and where rows would be lost that nobody agreed to lose.
        """
        model = self.world.models[plugin]
        request = Request(Kind.ROLLBACK, plugin, rows=rows, accept_loss=accept)
        try:
            target = self.world.plan(request).after
        except HotbayError as error:
            note(f"no way back: {error}")
            assert rows is Rows.RESTORE or not (model.installed and model.ran), "the code alone can go back"
            self._try(request, None)
            return
        back = [ran for ran in model.ran if ran[0] == target.version]
        assert back, f"{target.version} never ran"
        if rows is Rows.KEEP:
            self._try(request, *(model.brought(*ran, active=model.active) for ran in back))
        elif accept:
            self._try(request, *self._restored(model, back))
        else:
            self._try_to_restore(request, model, back)

    def _restored(self, model: Plugin, back: list[tuple[str, str]]) -> list[Plugin]:
        """The states that a rollback with rows may lead to."""
        found = [(model.brought(*ran, active=model.active), rows) for ran in back for rows in model.kept[ran]]
        return [replace(after, rows=list(rows)) for after, rows in found]

    def _try_to_restore(self, request: Request, model: Plugin, back: list[tuple[str, str]]) -> None:
        """Without consent: done only if no row of now is missing afterwards."""
        self._begin(model.name)
        try:
            self.world.operate(request)
        except LosesRows:
            self._end(model.name, model)
            return
        self._end(model.name, *(after for after in self._restored(model, back) if set(model.rows) <= set(after.rows)))

    @rule(plugin=plugins)
    def activate(self, plugin: str) -> None:
        """Refused where it serves or is not there."""
        model = self.world.models[plugin]
        fits = model.installed and not model.active
        self._try(Request(Kind.ACTIVATE, plugin), model.turned(active=True) if fits else None)

    @rule(plugin=plugins)
    def deactivate(self, plugin: str) -> None:
        """Refused where it rests or is not there."""
        model = self.world.models[plugin]
        self._try(Request(Kind.DEACTIVATE, plugin), model.turned(active=False) if model.active else None)

    @rule(plugin=plugins, policy=policies)
    def uninstall(self, plugin: str, policy: DataPolicy) -> None:
        """Refused where it is not there."""
        model = self.world.models[plugin]
        wanted = model.removed(keep=policy is DataPolicy.KEEP) if model.installed else None
        self._try(Request(Kind.UNINSTALL, plugin, data=policy), wanted)

    @rule(plugin=plugins, how=st.sampled_from(BROKEN))
    def bring_broken(self, plugin: str, how: str) -> None:
        """A package that does not work changes nothing."""
        model = self.world.models[plugin]
        kind = Kind.UPGRADE if model.installed else Kind.INSTALL
        self._try(Request(kind, plugin, file=archive(self.world.folder, plugin, "9.0.0", broken=how)), None)

    # ── the plugins folder ──

    @precondition(lambda self: any(model.installed for model in self.world.models.values()))
    @rule(plugin=plugins)
    def rename(self, plugin: str) -> None:
        """`mv shop _shop`, or back."""
        model = self.world.models[plugin]
        if model.installed:
            self._folder(plugin).rename(self._place(plugin, active=not model.active))
            self._looked(plugin, model.turned(active=not model.active))

    @rule(plugin=plugins, version=versions, edition=editions)
    def put(self, plugin: str, version: str, edition: str) -> None:
        """Somebody puts the tree of a version into the folder: an install, an upgrade, or an older version."""
        model = self.world.models[plugin]
        active = model.active or not model.installed
        place = self._place(plugin, active=active)
        tree(place, plugin, version, edition=edition)
        same = (version, edition) == (model.version, model.edition)
        self._looked(plugin, model if same else model.brought(version, edition, active=active))

    @rule(plugin=plugins)
    def remove(self, plugin: str) -> None:
        """Somebody deletes the folder: an uninstall."""
        model = self.world.models[plugin]
        if model.installed:
            shutil.rmtree(self._folder(plugin))
            self._looked(plugin, model.removed(keep=False))

    # ── crashes, restarts, visitors ──

    @rule(plugin=plugins, version=versions, seq=st.integers(0, 7), moment=st.sampled_from(("before", "after")))
    def crash_bringing(self, plugin: str, version: str, seq: int, moment: str) -> None:
        """An install or upgrade is killed: exactly the old state or the new one, by where its switch stands."""
        model = self.world.models[plugin]
        if model.installed and version <= model.version:
            return
        kind = Kind.UPGRADE if model.installed else Kind.INSTALL
        values = {"file": archive(self.world.folder, plugin, version, edition="c")}
        active = model.active or not model.installed
        self._crash(kind, plugin, values, seq, moment, model.brought(version, "c", active=active))

    @rule(plugin=plugins, policy=policies, seq=st.integers(0, 7), moment=st.sampled_from(("before", "after")))
    def crash_removing(self, plugin: str, policy: DataPolicy, seq: int, moment: str) -> None:
        """An uninstall is killed."""
        model = self.world.models[plugin]
        if model.installed:
            wanted = model.removed(keep=policy is DataPolicy.KEEP)
            self._crash(Kind.UNINSTALL, plugin, {"data": policy}, seq, moment, wanted)

    @rule(number=workers)
    def restart(self, number: int) -> None:
        """A worker ends, another starts."""
        self.world.restart(number)

    @rule(plugin=plugins, number=workers)
    def visit(self, plugin: str, number: int) -> None:
        """A visitor adds a row."""
        model = self.world.models[plugin]
        self.number += 1
        status = self.world.add(plugin, f"row{self.number}", number)
        assert status == (200 if model.active else 404)
        if status == 200:
            model.rows.append(f"row{self.number}")

    # ── what must hold ──

    @invariant()
    def everything_is_as_the_model_says(self) -> None:
        """Answers, rows, registry, folders, leftovers."""
        self.world.settle()
        for plugin, model in self.world.models.items():
            assert self.world.answers(plugin) == [model.serves] * len(self.world.workers)
            assert self.world.rows(plugin) == (model.rows if model.installed else model.left)
            self._assert_registered(plugin, model)
        assert self.world.leftovers() == []
        assert self.world.wrong == []

    def _assert_registered(self, plugin: str, model: Plugin) -> None:
        row = self.world.engine.host.store.find_live(plugin)
        entry = self.world.engine.host.applier.folders.read_registry().get("addons", {}).get(plugin)
        if not model.installed:
            assert row is None and entry is None and not self._any_folder(plugin)
            return
        assert row is not None and (row.version, row.active) == (model.version, model.active)
        assert (entry["version"], entry["enabled"]) == (model.version, model.active)
        assert self._any_folder(plugin) == [self._folder(plugin)]
        assert digest(self._folder(plugin)) == row.image

    # ── how ──

    def _try(self, request: Request, *wanted: Plugin | None) -> None:
        """Do it, and expect one of the states; None: it fails and nothing changes."""
        plugin, failed = request.plugin, None
        Machine.done["operations"] += 1
        self._begin(plugin, *wanted)
        try:
            self.world.operate(request)
        except HotbayError as error:
            failed = error
            note(f"{request.kind} {plugin}: {error}")
        if None in wanted:
            assert failed is not None, f"{request.kind} {plugin} should have been refused"
            self._end(plugin, self.world.models[plugin])
            return
        assert failed is None, f"{request.kind} {plugin}: {failed}"
        self._end(plugin, *(model for model in wanted if model is not None))

    def _looked(self, plugin: str, wanted: Plugin) -> None:
        """The watcher brings about what the folder says."""
        self._begin(plugin, wanted)
        done = self.world.look()
        note(f"the watcher: {done}")
        Machine.done["operations of the watcher"] += len(done)
        self._end(plugin, wanted)

    def _crash(self, kind: Kind, plugin: str, values: dict[str, Any], seq: int, moment: str, wanted: Plugin) -> None:
        verbs = [step.verb for step in self.world.plan(Request(kind, plugin, **values)).steps]
        at, switch = min(seq, len(verbs) - 1), verbs.index("switch")
        note(f"killed {moment} {verbs[at]} of {verbs}")
        self._begin(plugin, wanted)
        Machine.done["kills"] += 1
        self.world.crash(kind, plugin, values, at, moment)
        new = at > switch or (at == switch and moment == "after")
        self._end(plugin, wanted if new else self.world.models[plugin])

    def _begin(self, plugin: str, *wanted: Plugin | None) -> None:
        if any(model is not None and not model.active for model in wanted):
            self.world.resting.add(plugin)

    def _end(self, plugin: str, *wanted: Plugin) -> None:
        """Take the one of the wanted models that the workers show."""
        self.world.settle()
        shown = self.world.answers(plugin)[0]
        rows = self.world.rows(plugin)
        fitting = [
            model
            for model in wanted
            if model.serves == shown and (len(wanted) == 1 or rows == (model.rows if model.installed else model.left))
        ]
        assert fitting, f"{plugin} answers {shown} and has {rows}, unlike {wanted}"
        self.world.models[plugin] = fitting[0]
        if fitting[0].active:
            self.world.resting.discard(plugin)
        else:
            self.world.resting.add(plugin)

    def _place(self, plugin: str, *, active: bool) -> Path:
        return self.world.engine.host.settings.plugins / (plugin if active else f"_{plugin}")

    def _folder(self, plugin: str) -> Path:
        return self._place(plugin, active=self.world.models[plugin].active)

    def _any_folder(self, plugin: str) -> list[Path]:
        return [place for active in (True, False) if (place := self._place(plugin, active=active)).exists()]
