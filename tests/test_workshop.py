"""An actor that runs a plugin's code itself leaves nothing behind, wherever it is called from."""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from hotbay.activate import Image, loader
from hotbay.activate.context import PluginContext
from hotbay.errors import ActivationFailed
from hotbay.frameworks import FrameworkHost
from hotbay.settings import Settings
from hotbay.workshop import LocalWorkshop
from plugs import context, hello, image, package


def workshop(folder: Path, **options: Any) -> LocalWorkshop:
    def given(made: Image, number: int) -> PluginContext:
        return context(folder, plugin=made.version.plugin, number=number)

    return LocalWorkshop(FrameworkHost(None), given, Settings(home=folder / "home", **options))


@pytest.fixture(autouse=True)
def nothing_stays() -> Any:
    before, threads = set(sys.modules), set(threading.enumerate())
    yield
    assert [name for name in set(sys.modules) - before if name.startswith(loader.PREFIX)] == []
    assert [item for item in set(threading.enumerate()) - threads if item.name == "hotbay workshop"] == []


def plugin(folder: Path, text: str = "", **files: str) -> Image:
    return image(package(folder / "image", files={"plugin.py": text, "routes.py": hello(), **files}))


LIFE = """
    def note(context, word):
        with (context.data / "life").open("a") as file:
            file.write(word + " ")
    def start(context): note(context, "start")
    def health(context): note(context, "health")
    def stop(context): note(context, "stop")
"""


def test_trying_out_is_a_whole_life(tmp_path: Path) -> None:
    found = workshop(tmp_path).try_out(plugin(tmp_path, LIFE))
    assert [route.path for route in found.routes] == ["/api/v1/shop/version"]
    assert found.eager
    assert (tmp_path / "data" / "life").read_text() == "start health stop "


async def test_it_works_inside_a_running_loop(tmp_path: Path) -> None:
    found = workshop(tmp_path).try_out(plugin(tmp_path, LIFE))
    assert found.routes
    found = await asyncio.to_thread(workshop(tmp_path).try_out, plugin(tmp_path, LIFE))
    assert found.routes


@pytest.mark.parametrize(
    ("text", "message", "life"),
    [
        ("raise RuntimeError('at import')", "at import", ""),
        (LIFE.replace('"start")', '"start"); 1 / 0'), "failed in start", "start stop "),
        (LIFE.replace('"health")', '"health"); return False'), "not healthy", "start health stop "),
    ],
)
def test_what_fails_is_stopped_and_says_why(tmp_path: Path, text: str, message: str, life: str) -> None:
    with pytest.raises(ActivationFailed, match=message):
        workshop(tmp_path).try_out(plugin(tmp_path, text))
    file = tmp_path / "data" / "life"
    assert (file.read_text() if file.exists() else "") == life


def test_an_import_that_hangs_is_given_up(tmp_path: Path) -> None:
    text = f"import pathlib, time\nwhile not pathlib.Path({str(tmp_path / 'go')!r}).exists(): time.sleep(0.01)"
    try:
        with pytest.raises(ActivationFailed, match=r"not done within 0\.05 s"):
            workshop(tmp_path, start_seconds=0.05).try_out(plugin(tmp_path, text))
    finally:
        (tmp_path / "go").write_text("")
        for thread in threading.enumerate():
            if thread.name == "load shop":
                thread.join(20)


ADDON = """
    class ShopAddon:
        def install(self): return "made"
"""


def test_with_addon_gives_the_object_and_starts_nothing(tmp_path: Path) -> None:
    seen: list[str] = []
    workshop(tmp_path).with_addon(
        plugin(tmp_path, LIFE, **{"__init__.py": ADDON}), lambda it: seen.append(it.install())
    )
    assert seen == ["made"]
    assert not (tmp_path / "data" / "life").exists()


def test_with_addon_is_not_called_where_there_is_none(tmp_path: Path) -> None:
    workshop(tmp_path).with_addon(plugin(tmp_path), lambda addon: pytest.fail(f"called with {addon}"))


def test_what_the_work_raises_comes_through(tmp_path: Path) -> None:
    def refuse(addon: Any) -> None:
        raise PermissionError("denied")

    with pytest.raises(PermissionError, match="denied"):
        workshop(tmp_path).with_addon(plugin(tmp_path, **{"__init__.py": ADDON}), refuse)


def test_the_settings_model_is_there_while_it_is_used(tmp_path: Path) -> None:
    model = "from pydantic import BaseModel\nclass Settings(BaseModel):\n    rate: int = 3\n"
    assert workshop(tmp_path).settings_model(plugin(tmp_path, model), lambda it: it(rate="5").rate) == 5
    assert workshop(tmp_path).settings_model(plugin(tmp_path), lambda it: it) is None
