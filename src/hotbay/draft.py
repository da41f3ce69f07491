"""From a wish to a plan: fetch, verify, resolve, and see what is there. Changes nothing but a temporary folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hotbay import plan as plans
from hotbay.additive import Schedule, schedule
from hotbay.backups import get_backup
from hotbay.bench import grant_for, images_in_use
from hotbay.confirmations import refuse_unconfirmable, refuse_unconfirmed
from hotbay.dress import bundle_of, damaged
from hotbay.errors import BadInput, Conflict, NotFound, Problem, Refused, Unresolvable
from hotbay.folders import Folders
from hotbay.images import Images
from hotbay.leaks import all_leaks, marked
from hotbay.migrate import names_there, owned_tables
from hotbay.migrations import checksum, read_migrations
from hotbay.model import Kind, Live, Rows, State, Version
from hotbay.premises import both_grants, changed_row, fresh_start, has_addon, row_to_be, shows, tables_there
from hotbay.presence import Workers
from hotbay.provenance import all_recorded, left, other_publisher
from hotbay.publishers import Publishers
from hotbay.readings import Rate, age, error_rate
from hotbay.request import Draft, Request
from hotbay.resolve import HostFacts, Resolution, needed_by, refuse_if_needed, resolve
from hotbay.settings import Settings
from hotbay.source import Source, UploadSource
from hotbay.staging import temporary_tree
from hotbay.store import Store
from hotbay.verify import KnownContent, VerifiedPackage, verify, verify_folder
from hotbay.wayback import WayBack, refuse_outgrown
from hotbay_sdk.manifest import Manifest, parse


class Drafter:
    """Makes drafts. Reads the registry; the caller holds the lease if the draft is to be executed."""

    def __init__(
        self,
        settings: Settings,
        registry: Store,
        images: Images,
        folders: Folders,
        sources: Callable[[], Source],
        facts: Callable[[], HostFacts],
    ) -> None:
        self.settings = settings
        self.store = registry
        self.images = images
        self.folders = folders
        self.sources = sources
        self.facts = facts
        self.publishers = Publishers(registry)
        self.back = WayBack(settings, registry, images, facts)

    @contextmanager
    def draft(self, request: Request, *, ahead: bool = False) -> Iterator[Draft]:
        """A draft for the block; what was fetched for it is deleted at its end.

        `ahead`: only to be shown. With `with_requirements`, what is to be installed or activated first is a warning
        then, and not refused for not being there.
        """
        with temporary_tree(self.settings.staging) as temporary:
            yield self._named(request, self._draft(request, temporary, ahead))

    def _named(self, request: Request, draft: Draft) -> Draft:
        """The step that names the folder knows what its name was: it must not undo what somebody does meanwhile."""
        folder = request.folder.path.name if request.folder is not None else self.folders.name(draft.plan.plugin)
        return replace(draft, plan=plans.naming(draft.plan, folder))

    def _warned(self, draft: Draft) -> Draft:
        """Leaving a generation that stays in memory costs the host something each time."""
        if draft.old is None or not draft.old.active:
            return draft
        text = marked(all_leaks(self.store), draft.plan.plugin, self.settings.leak_limit)
        return draft if not text else replace(draft, plan=replace(draft.plan, warnings=(*draft.plan.warnings, text)))

    def _draft(self, request: Request, temporary: Path, ahead: bool) -> Draft:
        refuse_unconfirmable(request.kind, request.confirm_within)
        if request.kind in (Kind.INSTALL, Kind.UPGRADE):
            return self._bring(request, temporary, ahead)
        with self.store.one_moment():
            return self._warned(self._of_installed(request, ahead))

    def _of_installed(self, request: Request, ahead: bool) -> Draft:
        live = self.store.all_live()
        row = live.get(request.plugin)
        if row is None:
            raise NotFound(f"plugin {request.plugin!r} is not installed", mend="`hotbay list` shows what is")
        makers: dict[Kind, Callable[[Request, Live, Mapping[str, Live]], Draft]] = {
            Kind.ACTIVATE: partial(self._activate, ahead=ahead),
            Kind.DEACTIVATE: self._deactivate,
            Kind.ROLLBACK: partial(self.back.rollback, ahead=ahead),
            Kind.BACKUP: self._back_up,
            Kind.RESTORE: partial(self.back.restore, ahead=ahead),
            Kind.UNINSTALL: self._uninstall,
        }
        return makers[request.kind](request, row, live)

    # ── install and upgrade ───────────────────────────────────────────────────────────────────────────────────

    def _bring(self, request: Request, temporary: Path, ahead: bool) -> Draft:
        package = self._verified(request, temporary)  # It may be fetched for minutes.
        with self.store.one_moment():
            return self._warned(self._planned(request, package, ahead))

    def _planned(self, request: Request, package: VerifiedPackage, ahead: bool) -> Draft:
        manifest, target = package.manifest, package.version
        live, kept = self.store.all_live(), [item["image"] for item in self.store.history(package.version.plugin)]
        resolution = self._resolve(request, manifest, live, ahead)
        old = live.get(target.plugin)
        refuse_unconfirmed(self.store, target.plugin)
        self._refuse_strangers(manifest, live)
        refuse_outgrown(self.images, old, manifest, package.root, self.store)
        timetable, params = self._expansion(request, manifest, package.root, old, live)
        pending = list(timetable.before)
        rests = old is not None and not old.active and request.folder is None
        state = State.INACTIVE if request.inactive or rests else State.ACTIVE
        plan = plans.bring(
            request.kind,
            target,
            old,
            state=state,
            migrations=pending,
            exclusive=timetable.hold or manifest.migrations == "exclusive",
            contract=timetable.after,
            tables=old.parsed.database.tables if old is not None else (),
            permissions=manifest.permissions,
            warnings=resolution.warnings,
            prune=self._prunable(kept, target, old),
            shelve=request.folder is None,
            expand=params,
            start=fresh_start(self.settings, target.plugin, old),
            older=request.force,
            backup=self._needs_backup(manifest, old, live, [*pending, *timetable.after]),
            confirm=self._confirm(request, old),
            frontend=shows(self.settings, package.root),
        )
        plan = replace(plans.asking(plan, manifest, old), findings=timetable.findings)
        plan = plans.made_by(plan, package.trust, self._left(request, package, old, ahead))
        row = row_to_be(manifest, target, state, old, kept=kept, trust=package.trust)
        return Draft(plan, old, row, package.root)

    def _left(self, request: Request, package: VerifiedPackage, old: Live | None, ahead: bool) -> str:
        """The verified publisher whom the package takes the plugin from. Raises OtherPublisher unless somebody agreed.

        A folder is changed by who may write this host's files: that is told, and there is nobody to ask.
        """
        before = left(old, package.trust)
        if before and not (ahead or request.accept_publisher or request.folder is not None):
            raise other_publisher(package.manifest.id, package.manifest.version, before)
        return before

    def _confirm(self, request: Request, old: Live | None) -> dict[str, Any] | None:
        """What is to be confirmed, with the rate of errors of what serves now: it is the measure."""
        if not request.confirm_within:
            return None
        rate = Rate(0, 0)
        if old is not None and old.active:
            since = time.monotonic() - min(self.settings.error_window, age(old))
            rate = error_rate(Workers(self.settings.run), old.plugin, since)
        asked = {"seconds": request.confirm_within, "keep_new_rows": request.rows is Rows.MERGE}
        return asked | {"requests": rate.requests, "failed": rate.failed}

    def _verified(self, request: Request, temporary: Path) -> VerifiedPackage:
        tree = temporary / "tree"
        policy = self.publishers.policy(required=self.settings.require_signature)
        if request.folder is not None:
            row = self.store.find_live(request.folder.plugin)
            known = {image: policy.still(trust) for image, trust in all_recorded(row).items()}
            before = KnownContent(known, policy)
            return verify_folder(request.folder.path, tree, plugin=request.folder.plugin, policy=before)
        if not request.plugin and request.file is None:
            raise BadInput("name a plugin or a package file", mend="for example `hotbay install ai_chatbot`")
        if request.file is not None:
            source: Source = UploadSource(request.file)
            plugin = request.plugin or source.list()[0].id
        else:
            source, plugin = self.sources(), request.plugin
        download = source.fetch(plugin, request.version or "latest", temporary)
        return verify(download, tree, expected_sha256=request.sha256, policy=policy)

    def _resolve(self, request: Request, manifest: Manifest, live: Mapping[str, Live], ahead: bool) -> Resolution:
        catalogue = self._catalogue() if manifest.requires else {}
        resolution = resolve(manifest, live, self.facts(), catalogue)
        if not resolution.needs or request.inactive:
            return resolution
        if not (ahead and request.with_requirements):
            wanted = ", ".join(f"{plugin} {version}" for plugin, version in resolution.needs)
            raise Unresolvable(
                f"{manifest.id} needs {wanted} to be installed and active first",
                mend="repeat with --with-requirements to do that in the same go",
                needs=[list(need) for need in resolution.needs],
            )
        return replace(resolution, warnings=(*resolution.warnings, *_ahead_of_it(resolution.needs, live, catalogue)))

    def _catalogue(self) -> dict[str, list[Manifest]]:
        found: dict[str, list[Manifest]] = {}
        for offer in self.sources().list():
            if offer.manifest:
                found.setdefault(offer.id, []).append(parse(dict(offer.manifest)))
        return found

    def needs(self, request: Request) -> list[Request]:
        """What must be installed or activated before, as requests in order."""
        if request.kind not in (Kind.INSTALL, Kind.UPGRADE, Kind.ACTIVATE):
            return []
        manifest = self._wanted_manifest(request)
        live = self.store.all_live()
        resolution = resolve(manifest, live, self.facts(), self._catalogue())
        return [Request(_way(plugin, live), plugin, version) for plugin, version in resolution.needs]

    def _wanted_manifest(self, request: Request) -> Manifest:
        if request.kind is Kind.ACTIVATE:
            return self.store.get_live(request.plugin).parsed
        with temporary_tree(self.settings.staging) as temporary:
            return self._verified(request, temporary).manifest

    def _expansion(
        self, request: Request, manifest: Manifest, root: Path, old: Live | None, live: Mapping[str, Live]
    ) -> tuple[Schedule, dict[str, Any]]:
        """When what will change in the database, and the parameters of the step that changes it before the switch."""
        known = {row["number"]: row for row in self.store.applied(manifest.id)}
        self._refuse_changed(manifest, root, known)
        serving, grant = old is not None and old.active, both_grants(manifest, old, live)
        found = schedule(
            read_migrations(root),
            known,
            names_there(self.settings.database_path, grant) if serving else (),
            what=f"{manifest.id} {manifest.version}",
            serving=serving,
            exclusive=manifest.migrations == "exclusive",
        )
        params: dict[str, Any] = {}
        pending = list(found.before)
        if has_addon(root) and 0 not in known:
            params["addon"] = True
            pending.append("the addon's own tables")
        if request.restore:
            file = self._export_file(request, manifest)
            params["restore"] = str(file)
            params["files"] = (file.parent / "files").is_dir() and not (self.settings.data / manifest.id).exists()
            pending.append("restored rows")
        return replace(found, before=tuple(pending)), params

    def _refuse_strangers(self, manifest: Manifest, live: Mapping[str, Live]) -> None:
        """Tables that would be the plugin's by name, but that it did not leave here: it must not drop them later."""
        if manifest.id in live or self.store.applied(manifest.id):
            return
        found = owned_tables(self.settings.database_path, grant_for(manifest, live))
        if found:
            rule = "exists already and is not the plugin's"
            problems = tuple(Problem("database.tables", rule, name) for name in found)
            mend = "rename the plugin's tables, or move the old ones away (`hotbay doctor` names orphans)"
            raise Conflict(f"{manifest.id} {manifest.version} claims what is taken", problems=problems, mend=mend)

    def _refuse_changed(self, manifest: Manifest, root: Path, ledger: Mapping[int, dict[str, Any]]) -> None:
        """A migration that ran must not be another one now: the tables would not be what the code expects."""
        for item in read_migrations(root):
            row = ledger.get(item.number, {})
            contracted = (row.get("contract") or {}).get("checksum")
            other = row.get("checksum") not in (None, "", item.checksum)
            if other or (contracted and item.contract is not None and contracted != checksum(item.contract)):
                raise Refused(
                    f"migration {item.number:04d} of {manifest.id} was applied with another content",
                    mend="leave applied migrations as they are and add a new one",
                )

    def _export_file(self, request: Request, manifest: Manifest) -> Path:
        if request.restore.isdigit():
            file = get_backup(self.store, int(request.restore)).file(self.settings)
        elif request.restore != "latest":
            given = Path(request.restore)
            file = given / "data.db" if given.is_dir() else given
        else:
            # By the operation's number: clocks go back.
            found = sorted(self.settings.exports.glob(f"{manifest.id}-*/data.db"), key=_operation)
            file = found[-1] if found else self.settings.exports / manifest.id
        if not file.is_file():
            raise NotFound(f"there is no export of {manifest.id} at {file}", mend="look into the exports folder")
        return file

    def _prunable(self, kept: Sequence[str], target: Version, old: Live | None) -> list[str]:
        """Images of the plugin beyond the retention; the one that serves until the switch is never among them."""
        if old is None:
            return []
        others = [image for image in kept if image != target.image]
        return [image for image in others[self.settings.keep_versions - 1 :] if image != old.image]

    # ── the others ────────────────────────────────────────────────────────────────────────────────────────────

    def _activate(self, request: Request, row: Live, live: Mapping[str, Live], *, ahead: bool) -> Draft:
        resolution = self._resolve(request, row.parsed, live, ahead)
        missing = bundle_of(row) is None or bool(damaged(self.settings, row))
        frontend = shows(self.settings, self.images.path(row.image)) and missing
        plan = plans.activate(row, start=fresh_start(self.settings, row.plugin, row), frontend=frontend)
        plan = replace(plan, warnings=(*plan.warnings, *resolution.warnings))
        return Draft(plan, row, changed_row(row, State.ACTIVE))

    def _deactivate(self, request: Request, row: Live, live: Mapping[str, Live]) -> Draft:
        if not request.force:
            refuse_if_needed(row.plugin, live)
        plan = plans.deactivate(row)
        left = needed_by(row.plugin, live)
        if left:
            plan = replace(plan, warnings=(*plan.warnings, f"{', '.join(left)} need it and stay active"))
        return Draft(plan, row, changed_row(row, State.INACTIVE))

    def _needs_backup(self, manifest: Manifest, old: Live | None, live: Mapping[str, Live], pending: list[str]) -> bool:
        """Where there is a way back, or rows that change; what was kept and stays as it is needs none."""
        if old is None:
            return bool(pending and tables_there(self.settings, manifest, old, live))
        return bool(pending or tables_there(self.settings, manifest, old, live))

    def _back_up(self, request: Request, row: Live, live: Mapping[str, Live]) -> Draft:
        return Draft(plans.back_up(row), row, None)

    def _uninstall(self, request: Request, row: Live, live: Mapping[str, Live]) -> Draft:
        if not request.force:
            refuse_if_needed(row.plugin, live)
        tables = owned_tables(self.settings.database_path, grant_for(row.parsed, live))
        images = sorted({row.image, *(item["image"] for item in self.store.history(row.plugin))})
        shared = images_in_use(self.store) - set(images)
        plan = plans.uninstall(
            row,
            request.data,
            tables,
            [image for image in images if image not in shared],
            backup=not request.fresh,
            reason=request.reason,
        )
        return Draft(plan, row, None)


def _operation(export: Path) -> int:
    """The number at the end of an export's folder; one that somebody named otherwise comes first."""
    number = export.parent.name.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


def _way(plugin: str, live: Mapping[str, Live]) -> Kind:
    """How a requirement comes to serve."""
    return Kind.ACTIVATE if plugin in live else Kind.INSTALL


def _ahead_of_it(
    needs: Sequence[tuple[str, str]], live: Mapping[str, Live], catalogue: Mapping[str, Sequence[Manifest]]
) -> list[str]:
    """What is done first for those that it needs, and what they ask for: who agrees to a plan agrees to that, too."""
    first = ", ".join(f"{_way(plugin, live)} {plugin} {version}" for plugin, version in needs)
    new = [need for need in needs if need[0] not in live]
    found = [manifest for plugin, version in new for manifest in catalogue[plugin] if manifest.version == version]
    return [f"before that: {first}", *filter(None, map(_asks, found))]


def _asks(manifest: Manifest) -> str:
    wishes = [*manifest.permissions, *(f"to read {table}" for table in manifest.database.reads)]
    return f"{manifest.id} {manifest.version} asks for: {', '.join(wishes)}" if wishes else ""
