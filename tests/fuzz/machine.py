"""Random operations, renamed folders, broken packages, crashes and restarts, against a model.

After each rule the workers' answers, the rows, the folders, the registry and its file must be what the model says,
nothing may be left over, and no visitor may have been refused meanwhile.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import hypothesis.strategies as st
from hypothesis import currently_in_test_context, note
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fuzz.model import Plugin
from fuzz.packages import BROKEN, PLUGINS, SPLIT, THORN, VERSIONS, archive, told, tree
from fuzz.world import World
from hotbay.errors import HotbayError, LosesRows, NotFound, Refused
from hotbay.folder import digest
from hotbay.model import DataPolicy, Kind, Rows
from hotbay.request import Request

plugins = st.sampled_from(PLUGINS)
versions = st.sampled_from(VERSIONS)
editions = st.sampled_from(("", "b"))
policies = st.sampled_from(DataPolicy)
workers = st.integers(0, 1)


def tell(text: str) -> None:
    """Note it for who reads the history; one that a test has written down needs none."""
    if currently_in_test_context():
        note(text)


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
        wanted = before.brought(version, "t", active=before.active)
        same = (version, "t") == (before.version, before.edition)
        if not before.installed or version < before.version or same or wanted is None:
            return
        rows = Rows.MERGE if keep else Rows.RESTORE
        file = archive(self.world.folder, plugin, version, edition="t")
        wish = Request(Kind.UPGRADE, plugin, file=file, confirm_within=60.0, rows=rows)
        self._try(wish, wanted)
        self.visit(plugin, 0)
        self._begin(plugin, before)
        Machine.done["confirmed" if confirmed else "went back unconfirmed"] += 1
        self.world.wait_for_confirmation(plugin, confirmed=confirmed)
        after = self.world.models[plugin]
        # Over a contract the added rows don't fit: they are in the backup alone.
        kept = after.now if keep and after.wide == before.wide else before.now
        gone = after.restored(before.version, before.edition, kept, active=before.active)
        self._end(plugin, after if confirmed else gone)

    @rule(plugin=plugins, rows=st.sampled_from((Rows.RESTORE, Rows.KEEP)), accept=st.booleans())
    def rollback(self, plugin: str, rows: Rows, accept: bool) -> None:
        """To what the plan says, which must have run here; with the rows of a moment when it was left, or as they are.

        Refused without anything to go back to, where the code could not live with the tables, and where rows would be
        lost that nobody agreed to lose.
        """
        model = self.world.models[plugin]
        request = Request(Kind.ROLLBACK, plugin, rows=rows, accept_loss=accept)
        try:
            target = self.world.plan(request).after
        except HotbayError as error:
            tell(f"no way back: {error}")
            self._assert_no_way_back(model, rows, error)
            self._try(request, None)
            return
        back = [ran for ran in model.ran if ran[0] == target.version]
        assert back, f"{target.version} never ran"
        if rows is Rows.KEEP:
            assert model.carries(target.version), f"{target.version} can't live with {model}"
            self._try(request, *(model.back(*ran, active=model.active) for ran in back))
        elif accept:
            self._try(request, *self._restored(model, back))
        else:
            self._try_to_restore(request, model, back)

    def _assert_no_way_back(self, model: Plugin, rows: Rows, error: HotbayError) -> None:
        """Nothing to go back to, no backup of its rows, or a contract script took away what it needs; nothing else."""
        if isinstance(error, NotFound):
            assert rows is Rows.RESTORE or not (model.installed and model.ran), "the code alone can go back"
            return
        assert type(error) is Refused and error.code == "refused"
        if rows is Rows.KEEP:
            assert not all(model.carries(version) for version, _ in model.ran), "nothing was taken away"
            assert {problem.code for problem in error.problems} == {"drops-column"}
            Machine.done["refused over a contract"] += 1

    def _restored(self, model: Plugin, back: list[tuple[str, str]]) -> list[Plugin]:
        """The states that a rollback with rows may lead to."""
        return [model.restored(*ran, kept, active=model.active) for ran in back for kept in model.kept[ran]]

    def _try_to_restore(self, request: Request, model: Plugin, back: list[tuple[str, str]]) -> None:
        """Without consent: done only if no row of now is missing afterwards, and refused only if one could be."""
        may = self._restored(model, back)
        calm = [after for after in may if self._loses_nothing(model, after)]
        self._begin(model.name)
        try:
            self.world.operate(request)
        except LosesRows as error:
            tell(f"refused: {error}")
            table = f"{model.name}_items"
            assert error.code == "loses-rows" and error.detail["lost"].keys() == {table}
            assert any(after.rows != model.rows for after in may), "no row would be lost"
            Machine.done["refused to lose rows"] += 1
            self._end(model.name, model)
            return
        self._end(model.name, *calm)
        Machine.done["rolled back over a contract"] += model.wide < self.world.models[model.name].wide

    def _loses_nothing(self, model: Plugin, after: Plugin) -> bool:
        if model.wide == after.wide:
            return set(model.rows) <= set(after.rows)
        return len(model.rows) == len(after.rows)  # Only what both have is compared: the keys.

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
        wanted = model if same else model.brought(version, edition, active=active)
        self._looked(plugin, wanted or model)
        if wanted is None:
            self._put_back(model, place)

    def _put_back(self, model: Plugin, place: Path) -> None:
        """Its author takes back what was refused, and the server is started again: no content is refused for ever."""
        if model.installed:
            tree(place, model.name, model.version, edition=model.edition)
        else:
            shutil.rmtree(place)
        self._looked(model.name, model)
        self.world.registrar.forgive()
        Machine.done["refused folders"] += 1

    @rule(plugin=plugins)
    def remove(self, plugin: str) -> None:
        """Somebody deletes the folder: an uninstall."""
        model = self.world.models[plugin]
        if model.installed:
            shutil.rmtree(self._folder(plugin))
            self._looked(plugin, model.removed(keep=False))

    # ── crashes, restarts, visitors ──

    @rule(plugin=plugins, version=versions, seq=st.integers(0, 9), moment=st.sampled_from(("before", "after")))
    def crash_bringing(self, plugin: str, version: str, seq: int, moment: str) -> None:
        """An install or upgrade is killed: exactly the old state or the new one, by where its switch stands."""
        model = self.world.models[plugin]
        if model.installed and version <= model.version:
            return
        kind = Kind.UPGRADE if model.installed else Kind.INSTALL
        values = {"file": archive(self.world.folder, plugin, version, edition="c")}
        wanted = model.brought(version, "c", active=model.active or not model.installed)
        if wanted is not None:
            self._crash(kind, plugin, values, seq, moment, wanted)

    @rule(plugin=plugins, policy=policies, seq=st.integers(0, 9), moment=st.sampled_from(("before", "after")))
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

    # ── contract scripts ──

    @rule(plugin=plugins, edition=editions)
    def upgrade_beside_a_visitor(self, plugin: str, edition: str) -> None:
        """The contract script waits for a request that the version before answers; then it runs, or is owed."""
        model = self.world.models[plugin]
        if not model.active or model.version >= SPLIT:
            return
        self.number += 1
        row = f"row{self.number}"
        file = archive(self.world.folder, plugin, SPLIT, edition=edition)
        wanted = model.brought(SPLIT, edition, active=True)
        assert wanted is not None
        status, early = self.world.operate_beside(Request(Kind.UPGRADE, plugin, file=file), row, SPLIT)
        assert (status, early) == (200, False)
        Machine.done["contracts that waited"] += 1
        wanted.rows.append(row)
        self._end(plugin, wanted)

    @rule(plugin=plugins)
    def plant_a_thorn(self, plugin: str) -> None:
        """A visitor adds a row because of which the contract script fails, if it has not run."""
        model = self.world.models[plugin]
        if model.active and model.wide:
            self.number += 1
            assert self.world.add(plugin, f"{THORN}{self.number}", 0) == 200
            model.rows.append(f"{THORN}{self.number}")

    @rule(plugin=plugins)
    def pull_thorns(self, plugin: str) -> None:
        """They are deleted, and the server is started again: what is owed is paid."""
        model = self.world.models[plugin]
        if model.active:
            assert self.world.pull(plugin) == 200
            model.rows[:] = [row for row in model.rows if not row.startswith(THORN)]
            self.world.recover()
            self._recovered()

    def _recovered(self) -> None:
        for name, model in self.world.models.items():
            self.world.models[name] = model.paid()
            Machine.done["owed, then paid"] += self.world.models[name] is not model

    # ── what must hold ──

    @invariant()
    def everything_is_as_the_model_says(self) -> None:
        """Answers, rows, registry, folders, leftovers."""
        self.world.settle()
        for plugin, model in self.world.models.items():
            assert self.world.answers(plugin) == [model.serves] * len(self.world.workers)
            assert self.world.rows(plugin) == (model.rows if model.installed else model.left)
            if model.installed or model.left is not None:
                self._assert_contracted(plugin, model)
            self._assert_registered(plugin, model)
        assert self.world.leftovers() == []
        assert self.world.wrong == []

    def _assert_contracted(self, plugin: str, model: Plugin) -> None:
        """Either all of it, or nothing of it; in the tables, in the ledger, and in what is noted as owed."""
        assert ("name" in self.world.columns(plugin)) == model.wide
        assert self.world.contracted(plugin) == (not model.wide)
        assert self.world.owes(plugin) == model.owed

    def _assert_registered(self, plugin: str, model: Plugin) -> None:
        row = self.world.engine.host.store.find_live(plugin)
        entry = self.world.engine.host.applier.folders.read_registry().get("addons", {}).get(plugin)
        if not model.installed:
            assert row is None and entry is None and not self._any_folder(plugin)
            return
        assert row is not None and (row.version, row.active) == (model.version, model.active)
        assert (entry["version"], entry["enabled"]) == (model.version, model.active)
        assert self._any_folder(plugin) == [self._folder(plugin)]
        assert told(self._folder(plugin)) == (model.version, model.edition)
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
            tell(f"{request.kind} {plugin}: {error}")
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
        tell(f"the watcher: {done}")
        Machine.done["operations of the watcher"] += len(done)
        self._end(plugin, wanted)

    def _crash(self, kind: Kind, plugin: str, values: dict[str, Any], seq: int, moment: str, wanted: Plugin) -> None:
        verbs = [step.verb for step in self.world.plan(Request(kind, plugin, **values)).steps]
        at, switch = min(seq, len(verbs) - 1), verbs.index("switch")
        tell(f"killed {moment} {verbs[at]} of {verbs}")
        self._begin(plugin, wanted)
        Machine.done["kills"] += 1
        self.world.crash(kind, plugin, values, at, moment)
        new = at > switch or (at == switch and moment == "after")
        self._recovered()
        was = self.world.models[plugin]
        self._end(plugin, wanted.paid() if new else was)

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
            if model.serves == shown and (len(wanted) == 1 or self._shows(plugin, model, rows))
        ]
        assert fitting, f"{plugin} answers {shown} and has {rows}, unlike {wanted}"
        self.world.models[plugin] = fitting[0]
        if fitting[0].active:
            self.world.resting.discard(plugin)
        else:
            self.world.resting.add(plugin)

    def _shows(self, plugin: str, model: Plugin, rows: list[str] | None) -> bool:
        wide = "name" in self.world.columns(plugin)
        # What rests answers nothing: its folder tells which of two packages of one version it is.
        if [told(place) for place in self._any_folder(plugin)] != [(model.version, model.edition)] * model.installed:
            return False
        return rows == (model.rows if model.installed else model.left) and (rows is None or wide == model.wide)

    def _place(self, plugin: str, *, active: bool) -> Path:
        return self.world.engine.host.settings.plugins / (plugin if active else f"_{plugin}")

    def _folder(self, plugin: str) -> Path:
        return self._place(plugin, active=self.world.models[plugin].active)

    def _any_folder(self, plugin: str) -> list[Path]:
        return [place for active in (True, False) if (place := self._place(plugin, active=active)).exists()]
