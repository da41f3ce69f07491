"""Code and what is made of it: images, what was staged, generated documents, uploads."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from hotbay.bench import images_in_use
from hotbay.doctor.finding import ERROR, WARNING, Finding, Findings, Patient, Surgeon
from hotbay.documents import Documents
from hotbay.errors import HotbayError, StateError
from hotbay.folder import digest
from hotbay.heal import replace_image, restorable, restore_image
from hotbay.images import Images
from hotbay.model import Live
from hotbay.staging import abandoned, sweep_staging

_HOUR = 3600.0
_DELETES = "--mend deletes it"


def images(patient: Patient) -> Findings:
    """Every image that is needed is there and is what was installed."""
    there = Images(patient.settings.images)
    for plugin, row in patient.rows.items():
        kept = {item["image"]: item["version"] for item in patient.registry.history(plugin)} | {row.image: row.version}
        for image, version in kept.items():
            if not there.has(image):
                yield _missing(patient, row, image, version)
            elif problem := _problem(there.path(image)):
                yield _changed(patient, row, image, f"the image of {plugin} {version} {problem}")


def _missing(patient: Patient, row: Live, image: str, version: str) -> Finding:
    message, about = f"the image of {row.plugin} {version} is missing", f"missing:{image}"
    if image != row.image:
        mend = "there is no way back to this version"
        return Finding("images", about, WARNING, message, mend, row.plugin)
    if not restorable(patient.settings, row):
        return Finding("images", about, ERROR, message, "install the plugin anew", row.plugin)
    mend = "its content is there: --mend restores it, and so does its next use"
    return Finding("images", about, ERROR, message, mend, row.plugin, partial(_restore, row))


def _changed(patient: Patient, row: Live, image: str, message: str) -> Finding:
    """Somebody may have changed it on purpose, in a hurry: it is not put right without being named."""
    about = f"changed:{image}"
    if image != row.image:
        mend = "there is no way back to this version"
        return Finding("images", about, WARNING, message, mend, row.plugin)
    if not restorable(patient.settings, row):
        return Finding("images", about, ERROR, message, "install the plugin anew", row.plugin)
    mend = f"--mend images:{about} replaces it by what was installed; workers that run take it at their next start"
    return Finding("images", about, ERROR, message, mend, row.plugin, partial(_replace, row), choice=True)


def _problem(image: Path) -> str:
    try:
        return "" if digest(image) == image.name else "was changed: its content is not what was installed"
    except HotbayError as error:
        return f"can't be read: {error.message}"


def _restore(row: Live, surgeon: Surgeon) -> str:
    if restore_image(surgeon.settings, row) is None:
        raise StateError(f"the content of {row.plugin} {row.version} is nowhere", mend="install the plugin anew")
    return f"restored the image of {row.plugin} {row.version}"


def _replace(row: Live, surgeon: Surgeon) -> str:
    if replace_image(surgeon.settings, row) is None:
        raise StateError(f"the content of {row.plugin} {row.version} is nowhere", mend="install the plugin anew")
    return f"replaced the image of {row.plugin} {row.version}"


def leftovers(patient: Patient) -> Findings:
    """What nothing points at, and what processes that died had begun."""
    if not patient.at_rest:
        return
    settings, used = patient.settings, images_in_use(patient.registry)
    for image in Images(settings.images).all():
        if image not in used:
            message, cure = f"image {image[:12]}… belongs to nothing", partial(_remove_image, image)
            yield Finding("images", f"unused:{image}", WARNING, message, _DELETES, cure=cure)
    for path in sorted(settings.images.glob(".gone-*")):
        message = f"{path} is half deleted"
        yield Finding("images", f"half:{path.name}", WARNING, message, _DELETES, cure=partial(_delete, path))
    for path in abandoned(settings.staging):
        message = f"{path} was left by a process that died"
        yield Finding("staging", f"left:{path.name}", WARNING, message, _DELETES, cure=partial(_unstage, path))
    for path in Documents(settings.documents).unused(used):
        message = f"{path} describes no image that is used"
        yield Finding("documents", f"unused:{path.name}", WARNING, message, _DELETES, cure=partial(_delete, path))
    for path in _uploads(settings.home / "uploads"):
        message = f"{path} was uploaded and never installed"
        yield Finding("uploads", f"left:{path.name}", WARNING, message, _DELETES, cure=partial(_delete, path))


def _remove_image(image: str, surgeon: Surgeon) -> str:
    if image in images_in_use(surgeon.store):
        raise StateError(f"image {image[:12]}… is used by now")
    surgeon.images.remove(image)
    return f"deleted image {image[:12]}…"


def _unstage(path: Path, surgeon: Surgeon) -> str:
    sweep_staging(path.parent)
    return f"deleted {path}"


def _uploads(folder: Path) -> Iterator[Path]:
    """Packages that a worker received and was killed with. A young one may be on its way."""
    for path in sorted(folder.glob("*.package*")):
        if path.stat().st_mtime < time.time() - _HOUR:
            yield path


def _delete(path: Path, surgeon: Surgeon) -> str:
    remove(path)
    return f"deleted {path}"


def remove(path: Path) -> None:
    """Delete a file or a folder; safe to repeat."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
