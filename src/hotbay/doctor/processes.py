"""Workers, what processes that died left, and the host's secret keys."""

from __future__ import annotations

import stat
from functools import partial
from pathlib import Path

from hotbay.beacon import Beacon
from hotbay.doctor.finding import ERROR, OK, WARNING, Finding, Findings, Patient, Surgeon
from hotbay.doctor.images import remove
from hotbay.errors import HotbayError
from hotbay.presence import Workers, ping, stopped
from hotbay.rubbish import SUFFIX
from hotbay.vault import Vault

_KEYS = ("secret.key", "receipts.key")


def workers(patient: Patient) -> Findings:
    """Who serves, and what is left of those who did."""
    run = patient.settings.run
    alive, dead = _fifos(run)
    yield from _alive(patient, alive)
    yield Finding("workers", "all", OK, f"{len(alive)} worker(s) serve")
    for path in sorted(run.glob(f"*{SUFFIX}")):
        message, cure = f"{path} was moved aside: it is no signal", partial(_delete, path)
        yield Finding("workers", f"rubbish:{path.name}", WARNING, message, "--mend deletes it", cure=cure)
    for path in dead:
        message, cure = f"{path} was left by a process that is gone", partial(_delete, path)
        yield Finding("workers", f"left:{path.name}", WARNING, message, "--mend deletes it", cure=cure)


def _alive(patient: Patient, alive: list[str]) -> Findings:
    place = Workers(patient.settings.run)
    beacon = Beacon(patient.settings.run)
    value = beacon.value
    beacon.close()
    for status in (found for name in alive if (found := place.read(name)) is not None):
        worker = status.worker
        if status.safe_mode:
            mend = "when the plugin to blame is deactivated or uninstalled, start the server without safe mode"
            message = f"worker {status.pid} runs in safe mode: no plugin is loaded"
            yield Finding("workers", f"safe-mode:{worker}", WARNING, message, mend)
        if stopped(status.pid):
            message = f"worker {status.pid} is stopped"
            yield Finding("workers", f"stopped:{worker}", WARNING, message, "it catches up when it goes on")
        elif status.beacon < value and not patient.busy:
            mend = "see the server's log, and restart it if this lasts"
            yield Finding("workers", f"late:{worker}", WARNING, f"worker {status.pid} lags behind the registry", mend)


def _fifos(folder: Path) -> tuple[list[str], list[Path]]:
    """The names of the workers that are there, and the files of processes that are not."""
    alive, dead = [], []
    for path in sorted(folder.glob("[wa]-*.fifo")):
        if ping(path):
            alive.append(path.stem)
        else:
            dead.append(path)
    dead += [path for path in sorted(folder.glob("w-*.json")) if path.stem not in alive]
    return [name for name in alive if name.startswith("w-")], dead


def _delete(path: Path, surgeon: Surgeon) -> str:
    remove(path)
    return f"deleted {path}"


def secrets(patient: Patient) -> Findings:
    """The host's keys are there, its own, and fit what was encrypted with them."""
    for key in (patient.settings.home / name for name in _KEYS):
        if key.exists() and stat.S_IMODE(key.stat().st_mode) & 0o077:
            message = f"{key} can be read by others than its owner"
            cure = partial(_close, key)
            yield Finding("secrets", f"open:{key.name}", ERROR, message, "--mend: chmod 600", cure=cure)
    key = patient.settings.home / "secret.key"
    vault = Vault(patient.registry, key)
    for plugin in patient.rows:
        if not patient.registry.read_settings(plugin)[1]:
            continue
        if not key.exists():
            message = f"{key} is missing, {plugin} has secrets"
            yield Finding("secrets", f"lost:{plugin}", ERROR, message, "restore the key file", plugin)
            continue
        try:
            vault.read(plugin)
        except HotbayError as error:
            yield Finding("secrets", f"unreadable:{plugin}", ERROR, error.message, error.mend, plugin)


def _close(key: Path, surgeon: Surgeon) -> str:
    key.chmod(0o600)
    return f"took the rights of others off {key}"
