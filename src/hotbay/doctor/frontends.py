"""Compiled frontends: those that browsers are told of are whole, and nothing else is there without a reason."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from hotbay import dress
from hotbay.doctor.finding import ERROR, WARNING, Finding, Findings, Patient, Surgeon
from hotbay.doctor.images import remove
from hotbay.errors import StateError
from hotbay.frontend.assets import Assets


def frontends(patient: Patient) -> Findings:
    """The files of each plugin's frontend are what its row promises to browsers."""
    for plugin, row in patient.rows.items():
        if problem := dress.damaged(patient.settings, row):
            message, cure = f"the frontend of {plugin}: {problem}", partial(_compile, plugin)
            mend = "--mend compiles it anew from the image"
            yield Finding("assets", f"damaged:{plugin}", ERROR, message, mend, plugin, cure)


def _compile(plugin: str, surgeon: Surgeon) -> str:
    row = surgeon.store.get_live(plugin)
    if not dress.mend(surgeon.settings, row) and dress.damaged(surgeon.settings, row):
        raise StateError(f"the frontend of {plugin} can't be made again", mend="install the plugin anew")
    return f"compiled the frontend of {plugin} anew"


def strays(patient: Patient) -> Findings:
    """What is neither used nor kept for open tabs, and what was half made."""
    if not patient.at_rest:
        return
    assets, mend = Assets(patient.settings.assets), "--mend deletes it"
    for plugin, digest in assets.stray(dress.in_use(patient.rows.values())):
        message, cure = f"{assets.path(plugin, digest)} belongs to no plugin", partial(_remove, plugin, digest)
        yield Finding("assets", f"unused:{plugin}/{digest}", WARNING, message, mend, cure=cure)
    for plugin in assets.plugins():
        for path in sorted((assets.folder / plugin).glob(".*")):
            cure = partial(_delete, path)
            yield Finding("assets", f"half:{plugin}/{path.name}", WARNING, f"{path} is half made", mend, cure=cure)


def _remove(plugin: str, digest: str, surgeon: Surgeon) -> str:
    if (plugin, digest) in dress.in_use(surgeon.store.all_live().values()):
        raise StateError(f"the frontend {digest} of {plugin} is used by now")
    Assets(surgeon.settings.assets).remove(plugin, digest)
    return f"deleted the frontend {digest} of {plugin}"


def _delete(path: Path, surgeon: Surgeon) -> str:
    remove(path)
    return f"deleted {path}"
