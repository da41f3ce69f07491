"""What a plugin's code says without running: names, marks, habits; through aliases, and without false alarms."""

from __future__ import annotations

import ast
import textwrap

import pytest

from hotbay.code import capabilities, warnings_in


def offered(code: str, path: str = "backend/plugin.py") -> set[str]:
    return capabilities(ast.parse(textwrap.dedent(code)), path)


def warned(code: str) -> list[tuple[str, str]]:
    """Where, and the text of the code that is meant."""
    module = ast.parse(textwrap.dedent(code))
    return [(problem.field, str(problem.value)) for problem in warnings_in(module, "backend/x.py", "shop")]


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("app = 1", {"app"}),
        ("app: object = 1", {"app"}),
        ("start, other = 1, 2", {"start"}),
        ("async def stop(): ...", {"stop"}),
        ("class Settings: ...", {"Settings"}),
        ("from .x import health", {"health"}),
        ("from .x import something as on_settings", {"on_settings"}),
        ("from .x import start as other", set()),
        ("import plugin", {"plugin"}),
        ("if True:\n    app = 1", {"app"}),
        ("try:\n    app = 1\nexcept ImportError:\n    pass", {"app"}),
        ("with x:\n    def start(): ...", {"start"}),
        ("def other():\n    app = 1", set()),
        ("class Other:\n    app = 1", set()),
        ("x.app = 1", set()),
        ("router = 1", set()),
        ("class Shop:\n    def install(self): ...\n    async def register_routes(self, app): ...",
         {"install", "register_routes"}),
        ("def install(): ...", set()),
        ("from hotbay_sdk import on\n@on('x')\ndef f(): ...", {"hotbay_sdk.on"}),
        ("from hotbay_sdk.plugin import every as each\n@each(5)\nasync def f(): ...", {"hotbay_sdk.plugin.every"}),
        ("import hotbay_sdk as h\n@h.service('x')\ndef f(): ...", {"hotbay_sdk.service"}),
        ("import hotbay_sdk.plugin\n@hotbay_sdk.plugin.cron('x')\ndef f(): ...", {"hotbay_sdk.plugin.cron"}),
        ("from elsewhere import on\n@on('x')\ndef f(): ...", set()),
        ("from hotbay_sdk import context\n@context\ndef f(): ...", set()),
    ],
)  # fmt: skip
def test_capabilities(code: str, found: set[str]) -> None:
    assert offered(code) == found


def test_a_router_counts_in_the_file_of_routes_only() -> None:
    assert offered("router = 1", "backend/routes.py") == {"router"}


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("import atexit\natexit.register(print)", 2),
        ("import atexit as a\na.register(print)", 2),
        ("from atexit import register as r\nr(print)", 2),
        ("import signal\ndef f():\n    signal.signal(1, print)", 3),
        ("import os\nos._exit(1)", 2),
        ("import threading\nthreading.Timer(1, print)", 2),
        ("from threading import Thread\nThread(target=print)", 2),
        ("from threading import Thread\nThread(daemon=False)", 2),
        ("import sys\nsys.path.append('x')", 2),
        ("import sys\nsys.modules['x'] = 1", 2),
        ("import sys\nsys.path = []", 2),
        ("import sys\ndel sys.modules['x']", 2),
        ("import importlib\nimportlib.import_module('shop.models')", 2),
        ("import importlib as i\ni.reload('shop')", 2),
        ("__import__('shop.models')", 1),
        ("import json\njson.dumps = print", 2),
        ("import json\njson.encoder.X.y = print", 2),
        ("from json import encoder\nencoder.X = print", 2),
        ("import json\nsetattr(json, 'dumps', print)", 2),
        ("import json\ndel json.dumps", 2),
        ("from app.core.database import Base", 1),
    ],
)
def test_habits_that_outlive_a_plugin(code: str, line: int) -> None:
    (found,) = warned(code)
    assert found[0] == f"line {line}"


@pytest.mark.parametrize(
    "code",
    [
        "from threading import Thread\nThread(target=print, daemon=True)",
        "from threading import Thread\nThread(target=print, daemon=DAEMON)",
        "import sys\nprint(sys.path, sys.modules['x'])",
        "import sys\nsys.path.index('x')",
        "x = {}\nx['a'] = 1",
        "import importlib\nimportlib.import_module('shopping.models')",
        "import importlib\nimportlib.import_module('.models', __package__)",
        "import importlib\nimportlib.import_module(name)",
        "from .models import Item\nItem.label = 1",
        "import shop.models\nshop.models.X = 1",
        "from shop import models\nsetattr(models, 'x', 1)",
        "def f(self):\n    self.x = 1",
        "json = object()\njson.dumps = 1",
        "from app.core.database import get_db",
        "from elsewhere import Base",
        "def register(x): ...\nregister(1)",
        "setattr()",
    ],
)
def test_what_is_no_habit(code: str) -> None:
    assert warned(code) == []


def test_the_code_is_shown_on_one_line_and_not_without_end() -> None:
    call = "atexit.register(print,\n    1)"
    assert warned(f"import atexit\n{call}") == [("line 2", "atexit.register(print, 1)")]
    (long,) = warned(f"import atexit\natexit.register({'x' * 100})")
    assert len(long[1]) == 80
    assert long[1].endswith("xxx...")
