"""Frontends that want to read the host, stay for ever or fill it. Each is refused, and nothing of it gets out."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hotbay.errors import InvalidPackage
from hotbay.frontend import Toolchain, build, sandbox
from hotbay.package import read_manifest
from plugs import write_tree

CONFIG, PAGE, CSS = "frontend/addon.config.ts", "frontend/pages/ChatsPage.tsx", "frontend/pages/chats.css"
SECRET = "hunter2-is-a-secret"
Compiled = Callable[..., tuple[Any, dict[str, bytes]]]


@pytest.fixture(params=["bubblewrap", "landlock", "limits"])
def cell(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, toolchain: Toolchain) -> str:
    """Each kind of cell; the last is that of a host with neither, where only the check afterwards stands."""
    kind: str = request.param
    assert toolchain.esbuild is not None
    if kind == "bubblewrap" and not sandbox._bubblewrap(toolchain.esbuild):
        pytest.skip("bubblewrap is not installed, or does not work here")
    if kind != "bubblewrap":
        monkeypatch.setattr(sandbox, "_bubblewrap", lambda program: "")
    if kind == "limits":
        real = sandbox._in_cell
        monkeypatch.setattr(sandbox, "_in_cell", lambda about, folder, text: real(about | {"read": []}, folder, text))
    return kind


TEXTS = {"txt": SECRET, "json": f'"{SECRET}', "css": f".{SECRET}{{}}", "js": f"export default {SECRET} {SECRET};"}


def reading(outside: Path) -> dict[str, dict[str, str]]:
    """Ways to make a compiler read a file outside the package: by what, and what it is."""
    txt, json, css, secret = (outside / f"secret.{kind}" for kind in TEXTS)
    above = "../" * 12 + str(txt).lstrip("/")
    return {
        "import": {PAGE: f"import x from '{secret}';\nexport default () => x;"},
        "json": {PAGE: f"import x from '{json}' with {{ type: 'json' }};\nexport default () => x;"},
        "relative": {PAGE: f"import x from '{above}';\nexport default () => x;"},
        "url": {CSS: f".a {{ background: url('{txt}') }}"},
        "css": {CSS: f"@import '{css}';"},
        "config": {CONFIG: f"import x from '{secret}';\nexport default {{ name: x }};"},
        "lazy": {CONFIG: f"export default {{ components: {{ A: () => import('{secret}') }} }};"},
        "tsconfig": {
            "frontend/tsconfig.json": f'{{"compilerOptions": {{"paths": {{"secret": ["{secret}"]}}, "baseUrl": "/"}}}}',
            PAGE: "import x from 'secret';\nexport default () => x;",
        },
        "extends": {"frontend/tsconfig.json": f'{{"extends": "{secret}"}}', PAGE: "import 'none'; export default 1;"},
        "browser": {
            "frontend/package.json": f'{{"browser": {{"secret": "{secret}"}}}}',
            PAGE: "import x from 'secret';\nexport default () => x;",
        },
    }


def test_nothing_outside_the_package_is_read(cell: str, compiled: Compiled, tmp_path: Path) -> None:
    outside = write_tree(tmp_path / "outside", {f"secret.{kind}": text for kind, text in TEXTS.items()})
    for way, files in reading(outside).items():
        with pytest.raises(InvalidPackage) as caught:
            compiled(files)
        assert SECRET not in str(caught.value), way
        assert all(problem.file.startswith("frontend") for problem in caught.value.problems), way


def test_a_link_is_refused(shop: Callable[..., Path], toolchain: Toolchain) -> None:
    folder = shop()
    (folder / "frontend" / "passwd.txt").symlink_to("/etc/passwd")
    with pytest.raises(InvalidPackage, match="link"), build(folder, read_manifest(folder), toolchain):
        pass


@pytest.mark.parametrize(
    ("config", "rule"),
    [
        ("while (true) {}\nexport default {};", "takes too long or too much memory"),
        ("const all: any[] = [];\nfor (;;) all.push(new Array(1e6).fill(7));\nexport default {};", "too much memory"),
        ("const f = (): any => f();\nf();\nexport default {};", "can't be evaluated"),
        ("\n\nthrow new Error('no');\nexport default {};", "no"),
        ("const a: any = {}; a.a = a;\nexport default a;", "refers to itself"),
        ("export default { components: { A: () => { for (;;) {} } } };", "takes too long"),
        ("export default { messages: { de: { a: 'x'.repeat(1e9) } } };", ""),
        ("export const other = 1;", "nothing is exported"),
        ("export default [1];", ""),
        ("export default { name: globalThis.process.env.HOME };", "can't be evaluated"),
        ("export default { name: new Function('return this')().constructor.name };", "is not what metadata.json says"),
        ("export default fetch('http://127.0.0.1:9/');", "can't be evaluated"),
    ],
)
def test_a_configuration_that_misbehaves_is_refused(compiled: Compiled, config: str, rule: str) -> None:
    began = time.monotonic()
    with pytest.raises(InvalidPackage) as caught:
        compiled({CONFIG: config})
    assert time.monotonic() - began < 60  # not for ever; how long a machine takes is not what this is about
    problem = caught.value.problems[0]
    assert problem.file == CONFIG
    assert rule in problem.rule, problem


def test_what_a_configuration_raises_is_told_with_its_line(compiled: Compiled) -> None:
    config = "const items: any = null;\n\nexport const AddonConfig = {\n  routes: items.map((x: any) => x),\n};"
    with pytest.raises(InvalidPackage) as caught:
        compiled({CONFIG: config})
    assert caught.value.problems[0].field == "line 4", caught.value.problems


def test_a_frontend_that_grows_too_large_is_refused(compiled: Compiled) -> None:
    page = "export default () => [" + ",".join(f"'{number:08d}{'x' * 4000}'" for number in range(5300)) + "];"
    with pytest.raises(InvalidPackage, match="at most 500 of"):
        compiled({PAGE: page})


def test_the_evaluator_sees_no_files_and_no_network(tmp_path: Path) -> None:
    names = "[typeof process, typeof std, typeof os, typeof fetch, typeof XMLHttpRequest].join()"
    assert sandbox.evaluate(names, tmp_path) == ",".join(["undefined"] * 5)
    with pytest.raises(InvalidPackage):
        sandbox.evaluate("import('/etc/passwd')", tmp_path) == "" or sandbox.evaluate("load('/etc/passwd')", tmp_path)
