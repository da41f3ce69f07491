"""Drafts that go back: to an older version, or to a backup's rows. Whoever would lose rows by it is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from packaging.version import Version as Number

from hotbay import plan as plans
from hotbay.additive import schedule, stranding
from hotbay.backups import Backup, choose_backup, list_backups
from hotbay.bench import grant_for
from hotbay.compare import preview
from hotbay.errors import NotFound, Refused
from hotbay.images import Images
from hotbay.migrations import Migration, read_migrations
from hotbay.model import Contributions, Kind, Live, Rows, Version
from hotbay.premises import changed_row, fresh_start, has_addon, row_to_be, shows, tables_there
from hotbay.preserve import refuse_loss
from hotbay.request import Draft, Request
from hotbay.resolve import HostFacts, resolve
from hotbay.restore import refuse_changed
from hotbay.settings import Settings
from hotbay.store import Store
from hotbay_sdk.manifest import Manifest, parse


class WayBack:
    """Makes drafts of rollbacks and restores. Reads the registry and changes nothing."""

    def __init__(self, settings: Settings, registry: Store, images: Images, facts: Callable[[], HostFacts]) -> None:
        self.settings = settings
        self.store = registry
        self.images = images
        self.facts = facts

    def rollback(self, request: Request, row: Live, live: Mapping[str, Live], *, ahead: bool) -> Draft:
        """To an older version; with the rows of the moment in which it was left, unless they are to stay."""
        older = self._older(request, row)
        manifest = parse(older["manifest"])
        resolve(manifest, live, self.facts(), {})
        target = Version(row.plugin, older["version"], older["sha256"], older["image"], older["source"])
        backup = self._backup_for(request, target, manifest, row, live)
        plan = plans.bring(
            Kind.ROLLBACK,
            target,
            row,
            state=row.state,
            permissions=manifest.permissions,
            start=fresh_start(self.settings, row.plugin, row),
            restore=restoring(request, backup) if backup else None,
            reason=request.reason,
            frontend=shows(self.settings, self.images.path(target.image)),
        )
        plan = plans.asking(plan, manifest, row)
        plan = self._told(plan, request, backup, row, live, ahead) if backup else plan
        kept = [item["image"] for item in self.store.history(row.plugin)]
        back = row_to_be(manifest, target, row.state, row, kept=kept)
        return Draft(plan, row, replace(back, contributions=Contributions.from_json(older["contributions"])))

    def _backup_for(
        self, request: Request, target: Version, manifest: Manifest, row: Live, live: Mapping[str, Live]
    ) -> Backup | None:
        """The rows that belong to the older code: those of the moment in which it was left. None: they stay."""
        if request.rows is Rows.KEEP:
            refuse_stranded(self.images, row, target, self.store)
            return None
        found = [item for item in list_backups(self.store, row.plugin) if item.image == target.image]
        if found:
            return found[0]
        if tables_there(self.settings, manifest, row, live) or self.store.applied(row.plugin):
            raise Refused(
                f"there is no backup of the rows of {row.plugin} {target.version}",
                mend="`--data keep` takes the code back alone and leaves the rows as they are",
            )
        return None

    def restore(self, request: Request, row: Live, live: Mapping[str, Live], *, ahead: bool) -> Draft:
        """A backup's rows for the version that is installed."""
        backup = choose_backup(self.store, row.plugin, request.backup or "latest")
        root = self.images.path(row.image)
        scripts = read_migrations(root)
        unknown = backup.migrations - {item.number for item in scripts} - {0}
        if unknown:
            raise Refused(
                f"backup {backup.id} is of {row.plugin} {backup.version}, whose tables {row.version} does not know",
                mend=f"upgrade to {backup.version} first, or `hotbay rollback {row.plugin} --version {backup.version}`",
            )
        pending = list(_forward(scripts, backup))
        addon = has_addon(root) and 0 not in backup.migrations
        if addon:
            pending.append("the addon's own tables")
        plan = plans.restore(
            row, restoring(request, backup), migrations=pending, expand={"addon": True} if addon else {}
        )
        plan = self._told(plan, request, backup, row, live, ahead)
        return Draft(plan, row, changed_row(row, row.state))

    def _told(
        self, plan: plans.Plan, request: Request, backup: Backup, row: Live, live: Mapping[str, Live], ahead: bool
    ) -> plans.Plan:
        """With what was written since the backup and would be lost. Raises LosesRows unless that is agreed to."""
        if request.accept_loss and not ahead:
            return plan  # It is counted when requests are held: then the numbers are right.
        grant = grant_for(row.parsed, live)
        grant = replace(grant, tables=grant.tables | frozenset(backup.tables))
        file = backup.file(self.settings)
        refuse_changed(file, backup.sha256)
        loss = preview(self.settings.database_path, file, grant)
        if not ahead:
            refuse_loss(row.plugin, loss, request.rows)
        warnings = loss.warnings(request.rows, backup.version)
        return replace(plan, lost=loss.to_json(request.rows), warnings=(*plan.warnings, *warnings))

    def _older(self, request: Request, row: Live) -> dict[str, Any]:
        found = [item for item in self.store.history(row.plugin) if item["image"] != row.image]
        if request.image:
            found = [item for item in found if item["image"] == request.image]
        elif request.version:
            found = [item for item in found if item["version"] == request.version]
        else:
            found = [item for item in found if item["revision"] < row.revision]
        found = [item for item in found if self.images.has(item["image"])]
        if not found:
            wanted = request.version or f"before {row.version}"
            raise NotFound(f"no version {wanted} of {row.plugin} is kept here", mend="install the version you want")
        return found[0]


def restoring(request: Request, backup: Backup) -> dict[str, Any]:
    """The parameters of the step that puts a backup's rows in place."""
    return {"backup": backup.id, "rows": request.rows.value, "accept_loss": request.accept_loss}


def _forward(scripts: list[Migration], backup: Backup) -> tuple[str, ...]:
    """What brings the tables of a backup forward while requests are held."""
    ledger = {row["number"]: row for row in backup.ledger}
    return schedule(scripts, ledger, (), what=backup.plugin, serving=False, exclusive=False).before


def refuse_stranded(images: Images, row: Live, target: Version, registry: Store) -> None:
    """Raise Refused when the older code could not live with tables that have changed since."""
    scripts = read_migrations(images.path(target.image))
    _refuse_stranding(images, row, target.version, scripts, registry, "roll back code and rows: leave --data keep away")


def refuse_outgrown(images: Images, row: Live | None, manifest: Manifest, root: Path, registry: Store) -> None:
    """Raise Refused when the version unpacked at `root` is older than what took away tables that it needs.

    Without a row the tables were kept: nothing says what its contract scripts did, so one that ran and that is later
    than all that this version knows is enough.
    """
    scripts = read_migrations(root)
    if row is not None:
        if Number(manifest.version) < Number(row.version) and images.has(row.image):
            mend = f"`hotbay rollback {row.plugin} --version {manifest.version}` takes code and rows back"
            _refuse_stranding(images, row, manifest.version, scripts, registry, mend)
        return
    last = max((item.number for item in scripts), default=0)
    later = [entry for entry in registry.applied(manifest.id) if entry["contract"] and entry["number"] > last]
    if later:
        names = ", ".join(f"{entry['number']:04d}_{entry['name']}" for entry in later)
        raise Refused(
            f"{manifest.id} {manifest.version} can't live with the tables that were kept: {names} narrowed them",
            mend="install a version that has these migrations",
        )


def _refuse_stranding(
    images: Images, row: Live, version: str, older: list[Migration], registry: Store, mend: str
) -> None:
    ledger = {entry["number"]: entry for entry in registry.applied(row.plugin)}
    problems = tuple(stranding(older, read_migrations(images.path(row.image)), ledger))
    if problems:
        message = f"{row.plugin} {version} can't live with the tables of {row.version}"
        raise Refused(message, mend=mend, problems=problems)
