"""What a backend offers is found by name, by decorator, in the object `plugin`, or as seed 002's addon class."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hotbay.activate import loader
from hotbay.activate.capabilities import Capabilities, discover
from hotbay.errors import ActivationFailed
from plugs import write_tree

Look = Callable[..., Capabilities]
_numbers = itertools.count(1)


@pytest.fixture
def look(tmp_path: Path) -> Iterator[Look]:
    names: list[str] = []

    def look_(entry: str = "", **files: str) -> Capabilities:
        """`files` are modules of the backend (`init` for the package itself)."""
        private = f"{loader.PREFIX}capable_{next(_numbers)}"
        names.append(private)
        texts = {f"{'__init__' if name == 'init' else name}.py": text for name, text in files.items()}
        loader.open_package(private, write_tree(tmp_path / private, {"__init__.py": "", **texts}), "shop")
        return discover(private, entry)

    yield look_
    for name in names:
        loader.close_package(name)


def test_an_empty_backend_offers_nothing(look: Look) -> None:
    found = look()
    assert found == Capabilities()
    assert not found.eager


def test_a_router_in_routes_and_an_app_in_the_package(look: Look) -> None:
    assert look(routes="router = 'r'").router == "r"
    assert look(init="app = 'a'").app == "a"
    assert look(routes="app = 'b'").app == "b"


def test_submodules_are_no_capabilities(look: Look) -> None:
    """After `import shop.app`, the package has an attribute `app`: the module."""
    found = look(init="from . import app, settings", app="x = 1", settings="y = 2")
    assert found.app is None


@pytest.mark.parametrize("module", ["init", "plugin"])
def test_functions_by_name(look: Look, module: str) -> None:
    text = "\n".join(f"def {name}(*a): return '{name}'" for name in ("start", "stop", "health", "on_settings"))
    found = look(**{module: text})
    calls = (found.start, found.stop, found.health, found.on_settings)
    assert [call() for call in calls if call] == ["start", "stop", "health", "on_settings"]
    assert found.eager


def test_a_module_named_plugin_is_looked_at_though_it_hides_the_package_s_attribute(look: Look) -> None:
    found = look(init="from . import plugin", plugin="def start(): return 'started'")
    assert found.start is not None
    assert found.start() == "started"


@pytest.mark.parametrize("made", ["Shop()", "Shop"])
@pytest.mark.parametrize("module", ["init", "plugin"])
def test_the_object_named_plugin(look: Look, made: str, module: str) -> None:
    found = look(
        **{
            module: f"""
            from hotbay_sdk import on
            class Shop:
                app = "mine"
                def start(self, context): return self
                @on("paid")
                def paid(self): return self
            plugin = {made}
            """
        }
    )
    assert found.start is not None
    owner = found.start(None)
    assert type(owner).__name__ == "Shop"
    assert found.app == "mine"
    assert [(mark.name, function()) for mark, function in found.marks] == [("paid", owner)]


def test_what_is_not_callable_is_no_start(look: Look) -> None:
    assert look(init="start = 'soon'").start is None


def test_a_settings_model_in_its_own_module(look: Look) -> None:
    model = "from pydantic import BaseModel\nclass Settings(BaseModel):\n    rate: int = 1"
    assert look(settings=model).settings().rate == 1
    assert look(init=model).settings().rate == 1


ADDON = """
    class Helper: pass
    class {name}:
        def {method}(self, app): return app
"""


def test_the_addon_class_of_seed_002(look: Look) -> None:
    assert type(look(init=ADDON.format(name="ShopAddon", method="install")).addon).__name__ == "ShopAddon"
    assert look(init=ADDON.format(name="Shop", method="register_routes")).addon.register_routes(1) == 1
    assert look(init=ADDON.format(name="Shop", method="other")).addon is None


def test_an_imported_addon_class_is_somebody_elses(look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tree(tmp_path / "lib", {"hotbay_test_base.py": "class BaseAddon: pass"})
    monkeypatch.syspath_prepend(tmp_path / "lib")
    assert look(init="from hotbay_test_base import BaseAddon").addon is None
    mine = look(init="from hotbay_test_base import BaseAddon\nclass ShopAddon(BaseAddon): pass").addon
    assert type(mine).__name__ == "ShopAddon"


def test_every_decorator_is_found_in_every_module_once(look: Look) -> None:
    found = look(
        init="from .hooks import paid, total",
        hooks="""
            from hotbay_sdk import on, filters, service
            @on("paid")
            @on("refunded")
            def paid(): ...
            @filters("total", order=5)
            def total(value): return value
            @service("price")
            def price(): ...
        """,
        jobs="""
            from hotbay_sdk.plugin import cron, every
            @every(5)
            def often(): ...
            @cron("0 3 * * *")
            async def nightly(): ...
        """,
    )
    assert sorted((mark.kind, mark.name, mark.seconds, mark.order) for mark, _ in found.marks) == [
        ("cron", "0 3 * * *", 0.0, 100),
        ("event", "paid", 0.0, 100),
        ("event", "refunded", 0.0, 100),
        ("every", "", 5, 100),
        ("filter", "total", 0.0, 5),
        ("service", "price", 0.0, 100),
    ]
    assert {function.__name__ for _, function in found.of("cron", "every")} == {"often", "nightly"}
    assert found.eager, "a plugin with jobs can't wait for its first request"


def test_hooks_alone_can_wait_for_their_event(look: Look) -> None:
    assert not look(hooks="from hotbay_sdk import on\n@on('x')\ndef x(): ...").eager


def test_the_manifests_entry(look: Look) -> None:
    main = "class Shop:\n    def start(self): return 'entry'\n    router = 'r'"
    found = look("main:Shop", main=main)
    assert found.start is not None
    assert (found.start(), found.router) == ("entry", "r")


@pytest.mark.parametrize("entry", ["main:Nothing", "absent:Shop"])
def test_an_entry_that_leads_nowhere_is_named(look: Look, entry: str) -> None:
    with pytest.raises(ActivationFailed, match=entry) as caught:
        look(entry, main="class Shop: ...")
    assert "module:Name" in caught.value.mend


def test_the_entry_comes_before_the_package(look: Look) -> None:
    found = look("main:Shop", main="class Shop:\n    def start(self): return 1", init="def start(): return 2")
    assert found.start is not None
    assert found.start() == 1
