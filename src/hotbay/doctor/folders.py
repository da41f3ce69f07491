"""The plugins folder and `addon_registry.json`, against what the registry says."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from hotbay import store
from hotbay.doctor.finding import ERROR, WARNING, Finding, Findings, Patient, Surgeon
from hotbay.errors import HotbayError
from hotbay.folder import digest
from hotbay.folders import Folders, Found
from hotbay.heal import restore_folders
from hotbay.model import Live

CHECK = "plugins folder"


def folders(patient: Patient) -> Findings:
    """Each plugin's folder has the name and the content that the registry says."""
    place = Folders(patient.settings.plugins)
    found = place.scan()
    if patient.rows and not found and not place.read_registry():
        message = f"{patient.settings.plugins} was lost: it has neither folders nor addon_registry.json"
        mend = "--mend puts the folders back from the images"
        yield Finding(CHECK, "lost", ERROR, message, mend, cure=_put_back)
        return
    for plugin, row in patient.rows.items():
        if problem := _problem(row, found.get(plugin)):
            mend = "start the server: it follows the folders"
            if plugin not in found:
                mend = f"start the server to uninstall {plugin}; to keep it, copy {row.image[:12]}… from the images"
            yield Finding(CHECK, f"differs:{plugin}", WARNING, f"{plugin}: {problem}", mend, plugin)
    yield from _refused(patient, set(found))
    for plugin in sorted(set(found) - set(patient.rows) - set(patient.registry.all_refusals())):
        message = f"{found[plugin].path} is not installed yet"
        mend = "start the server: it follows the folders"
        yield Finding(CHECK, f"new:{plugin}", WARNING, message, mend, plugin)
    for name in place.strangers():
        message = f"{patient.settings.plugins / name} is no plugin"
        yield Finding(CHECK, f"stranger:{name}", WARNING, message, "move it elsewhere")
    for path in place.shelves() if patient.at_rest else ():
        message, cure = f"{path} was left by a process that died", partial(_sweep, path)
        yield Finding(CHECK, f"left:{path.name}", WARNING, message, "--mend deletes it", cure=cure)


def _refused(patient: Patient, there: set[str]) -> Findings:
    for plugin, item in patient.registry.all_refusals().items():
        if plugin in there:
            message, mend = (
                f"the folder of {plugin} was refused: {item['problem']}",
                "correct its content, or remove it",
            )
            yield Finding(CHECK, f"refused:{plugin}", WARNING, message, mend, plugin)
        else:
            message = f"the folder of {plugin} was refused, and is not there any more: {item['problem']}"
            cure, mend = partial(_forget_refusal, plugin), "--mend forgets it"
            yield Finding(CHECK, f"refused:{plugin}", WARNING, message, mend, plugin, cure)


def _problem(row: Live, folder: Found | None) -> str:
    if folder is None:
        return "its folder is missing"
    if folder.active != row.active:
        return f"its folder is called {folder.path.name}, but it is {row.state}"
    try:
        same = digest(folder.path) == row.image
    except HotbayError as error:
        return f"its folder can't be read: {error.message}"
    return "" if same else f"its folder has another content than {row.version} which is installed"


def _put_back(surgeon: Surgeon) -> str:
    done = restore_folders(surgeon.store, surgeon.settings)
    return f"put the folders of {', '.join(done)} back"


def _sweep(path: Path, surgeon: Surgeon) -> str:
    surgeon.folders.sweep_shelves()
    return f"deleted {path}"


def _forget_refusal(plugin: str, surgeon: Surgeon) -> str:
    with surgeon.store.write() as connection:
        store.clear_refusal(connection, plugin)
    return f"forgot that the folder of {plugin} was refused"


def registry_file(patient: Patient) -> Findings:
    """`addon_registry.json` says what the registry says."""
    document = Folders(patient.settings.plugins).read_registry()
    written = document.get("addons", {})
    if not isinstance(written, dict) or not all(isinstance(one, dict) for one in written.values()):
        written = {}
    wanted = {plugin: (row.version, row.image, row.active) for plugin, row in patient.rows.items()}
    said = {plugin: (one.get("version"), one.get("image"), one.get("enabled")) for plugin, one in written.items()}
    if said != wanted and not patient.busy:
        names = sorted(name for name in {*said, *wanted} if said.get(name) != wanted.get(name))
        message = f"addon_registry.json does not say what the registry says of {', '.join(names)}"
        yield Finding("addon_registry.json", "differs", WARNING, message, "--mend writes it anew", cure=_write)


def _write(surgeon: Surgeon) -> str:
    surgeon.folders.write_registry(surgeon.store.all_live().values(), *surgeon.store.rev())
    return "wrote addon_registry.json"
