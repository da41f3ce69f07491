"""The host's own pages: a folder of TypeScript beside the host's Python, bundled when the host starts.

The host is trusted, so nothing is checked or confined here; plugins' frontends take another way. What was bundled is
kept by the hash of its sources.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hotbay.errors import InvalidConfig
from hotbay.frontend.toolchain import STATIC, Toolchain

ENTRY = "host.config"
_SECONDS = 60
_OPTIONS = (
    "--bundle",
    "--splitting",
    "--minify",
    "--format=esm",
    "--platform=browser",
    "--target=es2022",
    "--jsx=automatic",
    '--tsconfig-raw={"compilerOptions":{"useDefineForClassFields":true}}',
    "--entry-names=[name]-[hash]",
    "--chunk-names=[name]-[hash]",
    "--asset-names=[name]-[hash]",
    "--loader:.svg=dataurl",
    "--loader:.png=dataurl",
    "--log-level=error",
    "--color=false",
)


@dataclass(frozen=True)
class OwnPages:
    """The bundled pages of a host: a folder of files, the module to import, and the styles."""

    folder: Path
    digest: str
    module: str
    styles: tuple[str, ...]


def bundle(sources: Path, cache: Path, built: Path = STATIC) -> OwnPages:
    """Bundle `sources/host.config.ts(x)`, or take what was bundled of the same sources before. Takes some 100 ms once.

    Safe when several workers do it at once. Raises InvalidConfig with the compiler's own words,
    StateError without a compiler.
    """
    entry = next((sources / f"{ENTRY}{end}" for end in (".tsx", ".ts") if (sources / f"{ENTRY}{end}").is_file()), None)
    if entry is None:
        raise InvalidConfig(f"there is no {ENTRY}.tsx in {sources}", mend="create it, or leave `frontend` out")
    shared = json.loads((built / "importmap.json").read_text(encoding="utf-8"))["imports"]
    digest = _digest(sources, shared)
    target = cache / digest
    if not (target / "own.json").is_file():
        _compile(entry, target, [f"--external:{name}" for name in shared])
    found = json.loads((target / "own.json").read_text(encoding="utf-8"))
    return OwnPages(target, digest, found["module"], tuple(found["styles"]))


def _digest(sources: Path, shared: dict[str, str]) -> str:
    total = hashlib.sha256(json.dumps([_OPTIONS, sorted(shared)]).encode())
    for path in sorted(item for item in sources.rglob("*") if item.is_file()):
        total.update(f"{path.relative_to(sources).as_posix()}\0{path.stat().st_size}\0".encode())
        total.update(path.read_bytes())
    return total.hexdigest()[:16]


def _compile(entry: Path, target: Path, externals: list[str]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".own-", dir=target.parent))
    try:
        _run_esbuild(entry, fresh, externals)
        _note(fresh, entry)
        fresh.chmod(0o755)
        try:
            fresh.rename(target)
        except OSError:  # Another worker was quicker, with the same content.
            if not (target / "own.json").is_file():
                raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _run_esbuild(entry: Path, out: Path, externals: list[str]) -> None:
    command = [
        str(Toolchain.installed().compiler()),
        str(entry),
        *_OPTIONS,
        *externals,
        f"--outdir={out}",
        f"--metafile={out / 'meta.json'}",
    ]
    found = subprocess.run(  # noqa: S603 - our own binary, the host's own sources
        command, capture_output=True, text=True, timeout=_SECONDS, check=False, cwd=entry.parent
    )
    if found.returncode:
        raise InvalidConfig(f"the host's own pages can't be bundled:\n{found.stderr.strip()}", mend="correct the file")


def _note(folder: Path, entry: Path) -> None:
    """Write down which of the files is the entry's module, and its styles."""
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    outputs = {name: item for name, item in meta["outputs"].items() if item.get("entryPoint")}
    name, about = next((name, item) for name, item in outputs.items() if Path(item["entryPoint"]).name == entry.name)
    styles = [Path(about["cssBundle"]).name] if about.get("cssBundle") else []
    (folder / "own.json").write_text(json.dumps({"module": Path(name).name, "styles": styles}), encoding="utf-8")
