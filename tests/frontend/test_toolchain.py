"""Which compiler is found, and what is known of the shared modules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hotbay.errors import StateError
from hotbay.frontend.toolchain import SHARED, STATIC, Toolchain, read_exports


def test_the_installation_has_its_own_compiler_and_knows_what_it_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOTBAY_ESBUILD", raising=False)
    found = Toolchain.installed()
    assert found.esbuild == (STATIC / "bin" / "esbuild").resolve()
    assert set(SHARED) <= set(found.exports)
    assert {"useState", "default"} <= set(found.exports["react"])
    assert set(json.loads((STATIC / "importmap.json").read_text())["imports"]) >= set(SHARED)


def test_another_compiler_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "esbuild"
    program.write_bytes(b"\x7fELF")
    program.chmod(0o755)
    monkeypatch.setenv("HOTBAY_ESBUILD", str(program))
    assert Toolchain.installed().esbuild == program.resolve()


def test_a_script_is_no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "esbuild"
    program.write_text("#!/usr/bin/env node\n")
    program.chmod(0o755)
    monkeypatch.setenv("HOTBAY_ESBUILD", str(program))
    assert Toolchain.installed().esbuild is None
    with pytest.raises(StateError, match="no compiler"):
        Toolchain.installed().compiler()


def test_exports_that_are_not_there_or_damaged(tmp_path: Path) -> None:
    file = tmp_path / "exports.json"
    assert read_exports(file) == {}
    file.write_text('{"react": ["useState"]}')
    assert read_exports(file) == {"react": ("useState",)}
    file.write_text("[]")
    with pytest.raises(StateError, match="damaged"):
        read_exports(file)
