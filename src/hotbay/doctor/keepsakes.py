"""What was kept of somebody's data on purpose: backups, exports, logs. None of it goes without being named."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from hotbay.backups import Backup, list_backups, remove_backup
from hotbay.doctor.finding import ERROR, OK, WARNING, Finding, Findings, Patient, Surgeon
from hotbay.doctor.former import folders
from hotbay.doctor.images import remove
from hotbay.errors import HotbayError, StateError
from hotbay.export import read_export
from hotbay.folder import fsync_dir, make_folder
from hotbay.settings import Settings


def backups(patient: Patient) -> Findings:
    """Each backup has its row and its file, as long as it was written."""
    if not patient.at_rest:
        return
    known = list_backups(patient.registry)
    for item in known:
        if problem := _backup_problem(patient.settings, item):
            message = f"backup {item.id} of {item.plugin} {item.version} {problem}"
            mend, cure = f"--mend backups:lost:{item.id} forgets it", partial(_forget_backup, item)
            yield Finding("backups", f"lost:{item.id}", ERROR, message, mend, item.plugin, cure, choice=True)
    names = {item.folder for item in known}
    for path in folders(patient.settings.backups):
        if path.name not in names:
            message = f"{path} is no backup that the registry knows"
            mend = f"--mend backups:unknown:{path.name} moves it to the exports"
            cure = partial(_to_exports, path)
            yield Finding("backups", f"unknown:{path.name}", WARNING, message, mend, cure=cure, choice=True)
    for plugin in sorted({item.plugin for item in known} - set(patient.rows)):
        message = f"backups of {plugin}, which is not installed: {sum(item.plugin == plugin for item in known)}"
        mend, cure = f"--mend backups:former:{plugin} deletes them", partial(_forget_former, plugin)
        yield Finding("backups", f"former:{plugin}", OK, message, mend, plugin, cure, choice=True)


def _backup_problem(settings: Settings, item: Backup) -> str:
    file = item.file(settings)
    if not file.is_file():
        return f"has no file {file}"
    return "" if file.stat().st_size == item.bytes else f"is damaged: {file} is not as long as it was"


def _forget_backup(item: Backup, surgeon: Surgeon) -> str:
    remove_backup(surgeon.settings, surgeon.store, item)
    return f"forgot backup {item.id} of {item.plugin}"


def _forget_former(plugin: str, surgeon: Surgeon) -> str:
    found = list_backups(surgeon.store, plugin)
    for item in found:
        remove_backup(surgeon.settings, surgeon.store, item)
    return f"deleted {len(found)} backup(s) of {plugin}"


def _to_exports(path: Path, surgeon: Surgeon) -> str:
    place = surgeon.settings.exports
    make_folder(place)
    target = place / path.name
    if target.exists():
        raise StateError(f"there is {target} already", mend="rename it, and repeat this")
    path.rename(target)
    fsync_dir(place)
    fsync_dir(path.parent)
    return f"moved {path} to {target}"


def exports(patient: Patient) -> Findings:
    """Each export can be read."""
    for path in folders(patient.settings.exports) if patient.at_rest else ():
        try:
            read_export(path / "data.db")
        except HotbayError as error:
            message, mend = (
                f"{path} can't be restored: {error.message}",
                f"--mend exports:broken:{path.name} deletes it",
            )
            cure = partial(_delete, path)
            yield Finding("exports", f"broken:{path.name}", WARNING, message, mend, cure=cure, choice=True)


def logs(patient: Patient) -> Findings:
    """The logs of plugins that are not installed."""
    for path in _logs(patient.settings.logs):
        plugin = path.name.partition(".")[0]
        if plugin not in patient.rows:
            message, mend = (
                f"{path} is of {plugin}, which is not installed",
                f"--mend logs:former:{path.name} deletes it",
            )
            cure = partial(_delete, path)
            yield Finding("logs", f"former:{path.name}", OK, message, mend, plugin, cure, choice=True)


def _logs(folder: Path) -> Iterator[Path]:
    yield from (path for path in sorted(folder.glob("*.log*")) if path.is_file())


def _delete(path: Path, surgeon: Surgeon) -> str:
    remove(path)
    return f"deleted {path}"
