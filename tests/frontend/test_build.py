"""A package's folder becomes files for the browser, or an error that names file, line and mend."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hotbay.errors import InvalidPackage, Problem, StateError
from hotbay.frontend import Toolchain, build, has_frontend
from hotbay.frontend.bundle import digest_of, integrity
from hotbay.package import read_manifest

CONFIG, PAGE = "frontend/addon.config.ts", "frontend/pages/ChatsPage.tsx"
Compiled = Callable[..., tuple[Any, dict[str, bytes]]]


def refusal(compiled: Compiled, files: dict[str, str | None], **manifest: Any) -> tuple[Problem, ...]:
    """The problems of a package that is refused."""
    with pytest.raises(InvalidPackage) as caught:
        compiled(files, **manifest)
    assert caught.value.status == 422
    return caught.value.problems


def test_the_seeds_frontend_compiles(compiled: Compiled) -> None:
    bundle, files = compiled()
    page, widget = bundle.contributions["pages"][0], bundle.contributions["widgets"][0]
    assert (page["path"], page["layout"], page["requireAuth"], page["requireAdmin"], page["export"]) == (
        ("/support/chats", "admin", True, True, "default")
    )
    assert (widget["slot"], widget["name"], widget["order"]) == ("homepage.widgets", "AIChatBot", 100)
    assert bundle.contributions["menu"] == [
        {
            "parent": "Support",
            "name": "Live Chats",
            "href": "/support/chats",
            "icon": "ChatBubbleLeftRightIcon",
            "order": 100,
            "badge": None,
        }
    ]
    assert set(files) == set(bundle.files)
    assert bundle.digest == digest_of(files)
    assert all(integrity(data) == bundle.files[name] for name, data in files.items())


def test_shared_modules_stay_imports_and_common_code_is_one_chunk(compiled: Compiled) -> None:
    bundle, files = compiled()
    page = files[bundle.contributions["pages"][0]["module"]].decode()
    assert 'from"react"' in page
    assert 'from"@hotbay/ui"' in page
    assert "React.createElement" not in page
    chunks = [name for name in files if name.startswith("chunk-")]
    assert len(chunks) == 1
    assert all(f'"./{chunks[0]}"' in data.decode() for name, data in files.items() if name.endswith(".js")) is False
    assert f'"./{chunks[0]}"' in page


def test_styles_are_in_the_layer_of_plugins_and_named_by_what_they_hold(compiled: Compiled) -> None:
    bundle, files = compiled()
    (style,) = bundle.styles
    assert files[style] == b"@layer plugins{.chats{color:red}}\n"
    assert style == f"ChatsPage-{hashlib.sha256(files[style]).hexdigest()[:8].upper()}.css"


def test_the_same_sources_give_the_same_files(compiled: Compiled) -> None:
    assert compiled() == compiled()
    first = compiled()[0]
    changed = compiled({"frontend/shared/title.ts": "export const title = (n: number) => `${location.href}${n}!`;"})[0]
    assert changed.digest != first.digest
    assert changed.styles == first.styles


def test_the_authors_own_settings_of_compilers_do_not_count(compiled: Compiled) -> None:
    plain = compiled()[0]
    odd = compiled(
        {
            "frontend/tsconfig.json": '{"compilerOptions": {"paths": {"react": ["/etc/passwd"]}, "jsx": "preserve"}}',
            "frontend/package.json": '{"browser": {"./shared/title.ts": "/etc/hostname"}, "type": "commonjs"}',
            "frontend/node_modules/lodash/index.js": "export default 1",
        }
    )[0]
    assert odd.files == plain.files


def test_an_image_is_part_of_what_names_it_and_a_font_is_a_file(compiled: Compiled) -> None:
    page = "import logo from './logo.svg';\nimport './a.css';\nexport default () => <img src={logo} />;"
    bundle, files = compiled(
        {
            PAGE: page,
            "frontend/pages/logo.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
            "frontend/pages/a.css": "@font-face{font-family:A;src:url(./a.woff2)} .b{background:url(./logo.svg)}",
            "frontend/pages/a.woff2": "font",
        }
    )
    assert "data:image/svg+xml" in files[bundle.contributions["pages"][0]["module"]].decode()
    fonts = [name for name in files if name.endswith(".woff2")]
    assert len(fonts) == 1
    assert f'url("./{fonts[0]}")' in files[bundle.styles[0]].decode()


def test_what_a_configuration_imports_itself_and_named_exports(compiled: Compiled) -> None:
    config = """
        import de from './de.json';
        export default {
          components: { Bot: () => import('./components/Bot').then((m) => m.Bot),
                        Old: () => import('./components/Bot').then((m) => ({ default: m.Old })) },
          messages: { de },
        };
    """
    bundle, _ = compiled(
        {
            CONFIG: config,
            "frontend/de.json": '{"Live Chats": "Gespräche"}',
            "frontend/components/Bot.tsx": "export const Bot = () => <i/>; export const Old = () => <b/>;",
        }
    )
    assert [(item["name"], item["export"]) for item in bundle.contributions["components"]] == [
        ("Bot", "Bot"),
        ("Old", "Old"),
    ]
    assert bundle.contributions["messages"] == {"de": {"Live Chats": "Gespräche"}}
    assert bundle.contributions["widgets"] == []


@pytest.mark.parametrize(
    ("line", "rule", "mend"),
    [
        ("import { useStat } from 'react'; useStat();", "react does not export 'useStat'", "did you mean useState"),
        ("import UI from '@hotbay/ui'; UI();", "@hotbay/ui does not export 'default'", "import by name"),
        ("import * as UI from '@hotbay/ui'; UI.Bttn;", "@hotbay/ui does not export 'Bttn'", "did you mean Button"),
        ("import _ from 'lodash'; _();", "'lodash' is none of the shared modules", "use react, react/jsx-runtime"),
        ("import x from 'react/index.js'; x();", "'react/index.js' is none of the shared modules", "import 'react'"),
        ("import x from '@hotbay/sdx'; x();", "'@hotbay/sdx' is none", "did you mean '@hotbay/sdk'"),
        ("import fs from 'node:fs'; fs();", "'node:fs' is a module of Node", "api of @hotbay/sdk"),
        ("import path from 'path'; path();", "'path' is a module of Node", "api of @hotbay/sdk"),
        ("import x from '../shared/titel'; x();", "there is no file '../shared/titel'", "correct the path"),
        ("import { titel } from '../shared/title'; titel();", "does not export 'titel'", "export it there"),
        (
            "import x from 'https://esm.sh/preact'; x();",
            "'https://esm.sh/preact' comes from another place",
            "put a copy",
        ),
        ("const react = require('react'); react;", "'react' require() does not exist in a browser", "write import"),
        ("const a = <b>;", 'The character ">" is not valid inside a JSX element', "correct the syntax"),
        ("const = 1;", 'Expected identifier but found "="', "correct the syntax"),
        ("import m from './m.ts' with { type: 'macro' }; m();", 'type attribute of "macro" is not supported', ""),
    ],
)
def test_what_a_browser_could_not_load_is_refused_with_file_and_line(
    compiled: Compiled, line: str, rule: str, mend: str
) -> None:
    page = f"// a comment\n\n{line}\nexport default () => null;\n"
    problems = refusal(compiled, {PAGE: page, "frontend/pages/m.ts": "export default 1"})
    found = [item for item in problems if rule in item.rule]
    assert found, problems
    assert (found[0].file, mend in found[0].mend) == (PAGE, True), found
    assert re.fullmatch(r"line [345]", found[0].field)


@pytest.mark.parametrize(
    ("css", "rule"),
    [
        ('@import "https://evil.example/x.css";', "'https://evil.example/x.css' comes from another place"),
        (".a { background: url(https://evil.example/x.png) }", "'https://evil.example/x.png' comes from another"),
        (".a { background: url(//evil.example/x.png) }", "'//evil.example/x.png' comes from another"),
        (".a { color: red } } body { display: none }", 'Unexpected "}"'),
        (".a { background: url(./none.png) }", "there is no file './none.png'"),
    ],
)
def test_styles_name_only_what_is_in_the_package(compiled: Compiled, css: str, rule: str) -> None:
    problems = refusal(compiled, {"frontend/pages/chats.css": f"\n{css}"})
    assert [item.file for item in problems if rule in item.rule] == ["frontend/pages/chats.css"], problems
    assert problems[0].field == "line 2"


def test_styles_may_hold_what_goes_nowhere(compiled: Compiled) -> None:
    css = ".a { fill: url(#shade); background: url(data:image/png;base64,AAAA) }"
    assert compiled({"frontend/pages/chats.css": css})


def test_every_error_is_told_at_once(compiled: Compiled) -> None:
    widget = "import _ from 'lodash'; import fs from 'fs'; export default () => _ + fs;"
    problems = refusal(
        compiled,
        {
            PAGE: "import x from './none'; export default x;",
            CONFIG: "export default { components: { A: () => import('./components/AIChatBot'),"
            " B: () => import('./pages/ChatsPage') } }",
            "frontend/components/AIChatBot.tsx": widget,
        },
    )
    assert len(problems) == 3


def test_a_page_must_have_the_export_that_is_named(compiled: Compiled) -> None:
    (problem,) = refusal(compiled, {PAGE: "export const ChatsPage = () => null;"})
    assert (problem.file, problem.rule) == (PAGE, "has no export 'default'")
    assert problem.mend == "add export default to it"


def test_a_path_that_is_made_while_running_can_not_be_followed(compiled: Compiled) -> None:
    config = "const name = 'AIChatBot';\nexport default { components: { A: () => import('./components/' + name) } };"
    (problem,) = refusal(compiled, {CONFIG: config})
    assert problem.file == CONFIG
    assert "is made while running" in problem.rule


def test_without_compiler_or_console_it_is_said_so(shop: Callable[..., Path], toolchain: Toolchain) -> None:
    folder = shop()
    for found, word in ((Toolchain(None, toolchain.exports), "compiler"), (Toolchain(toolchain.esbuild, {}), "built")):
        with pytest.raises(StateError, match=word), build(folder, read_manifest(folder), found):
            pass


def test_has_frontend(shop: Callable[..., Path]) -> None:
    assert has_frontend(shop())
    (shop() / CONFIG).unlink()
    assert not has_frontend(shop({CONFIG: None}))
