"""Build the first-party packages: the current tree of each plugin, and the releases before it.

A release lies in `<plugin>/releases/<version>/` as its differences to the current tree: files that replace, and
`deleted.txt`, which names (a line each) files that it does not have.

    python plugins/build.py [FOLDER]        default: var/modules
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from hotbay.frontend.packing import pack

HERE = Path(__file__).parent
DELETED = "deleted.txt"
NOT_PACKED = shutil.ignore_patterns("releases", "__pycache__", "*.pyc", ".*")


def plugin_folders() -> list[Path]:
    """The first-party plugins."""
    return sorted(file.parent for file in HERE.glob("*/metadata.json"))


def releases(plugin: Path) -> list[Path]:
    """The folders of the plugin's earlier releases."""
    return sorted(file.parent for file in plugin.glob("releases/*/metadata.json"))


def assemble(plugin: Path, release: Path | None, folder: Path) -> Path:
    """Write the tree of a release (None: the current one) to `folder`. FileNotFoundError: a stale deletion."""
    shutil.copytree(plugin, folder, ignore=NOT_PACKED)
    if release is not None:
        shutil.copytree(release, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(DELETED, "__pycache__"))
        deleted = release / DELETED
        for name in deleted.read_text("utf-8").split() if deleted.exists() else ():
            (folder / name).unlink()
    return folder


def build_all(out: Path) -> list[Path]:
    """Pack every release of every plugin into `out`; returns the archives."""
    out.mkdir(parents=True, exist_ok=True)
    made = []
    for plugin in plugin_folders():
        for release in [*releases(plugin), None]:
            with TemporaryDirectory() as temporary:
                made.append(pack(assemble(plugin, release, Path(temporary) / plugin.name), out))
    return made


if __name__ == "__main__":
    for archive in build_all(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "var" / "modules"):
        sys.stdout.write(f"{archive}\n")
