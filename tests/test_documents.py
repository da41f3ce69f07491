"""The cache of plugins' OpenAPI documents."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hotbay.documents import Documents


def test_the_sweep_forgets_what_is_not_used_and_what_was_cut_off(tmp_path: Path) -> None:
    documents = Documents(tmp_path / "cache")
    documents.sweep(set())
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    (tmp_path / "cache").mkdir()
    kept = {"used.json", f"new.{os.getpid()}.tmp"}
    for name in (*kept, "gone.json", f"used.{child.pid}.tmp"):
        (tmp_path / "cache" / name).touch()
    documents.sweep({"used"})
    assert {path.name for path in (tmp_path / "cache").iterdir()} == kept
