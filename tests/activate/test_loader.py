"""Generations side by side: whose modules an import means, and that nothing is left of one that was closed."""

from __future__ import annotations

import asyncio
import gc
import importlib
import itertools
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fastapi import FastAPI

from hotbay.activate import caches, loader
from hotbay.images import compile_tree
from plugs import client, write_tree

Open = Callable[..., ModuleType]
_numbers = itertools.count(1)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens trees as generations of `shop`; all are closed at the end."""
    names: list[str] = []

    def open_(files: dict[str, str], folder: str = "", plugin: str = "shop") -> ModuleType:
        private = f"{loader.PREFIX}test_{next(_numbers)}"
        names.append(private)
        return loader.open_package(private, write_tree(tmp_path / (folder or private), files), plugin)

    yield open_
    for name in names:
        loader.close_package(name)


def shop(version: int) -> dict[str, str]:
    return {
        "__init__.py": "from shop.models import VERSION as top\nfrom .late import lazily",
        "models.py": f"VERSION = {version}",
        "late.py": """
            def lazily():
                import shop.models
                from shop import models
                from addons.shop.models import VERSION as addon
                from app.addons.shop import models as seed
                return [models.VERSION, addon, seed.VERSION, shop.models.VERSION]
        """,
    }


def test_two_generations_import_their_own_modules_by_the_public_name(opened: Open) -> None:
    one, two = opened(shop(1)), opened(shop(2))
    assert (one.top, two.top) == (1, 2)
    assert one.lazily() == [1, 1, 1, 1]
    assert two.lazily() == [2, 2, 2, 2]
    assert one.lazily() == [1, 1, 1, 1], "the newer generation must not take the older one's lazy imports over"
    assert "shop" not in sys.modules
    assert "addons" not in sys.modules


def test_import_as_binds_the_submodule(opened: Open) -> None:
    module = opened({"__init__.py": "import shop.deep.low as low", "deep/__init__.py": "", "deep/low.py": "N = 5"})
    assert module.low.N == 5


@pytest.mark.parametrize("name", ["shop", "addons.shop", "app.addons.shop"])
def test_import_of_a_submodule_binds_a_name_that_reaches_it(opened: Open, name: str) -> None:
    module = opened({"__init__.py": f"import {name}.models\nfound = {name}.models.N", "models.py": "N = 7"})
    assert module.found == 7


@pytest.mark.parametrize("above", ["addons", "app.addons"])
def test_the_plugin_itself_can_be_imported_from_the_package_above(opened: Open, above: str) -> None:
    module = opened({"__init__.py": f"VERSION = 4\nfrom {above} import shop as found"})
    assert module.found is module


@pytest.fixture
def host_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The host's own `app.addons.other` and `app.core`."""
    files = {
        "app/__init__.py": "",
        "app/core.py": "GET_DB = 1",
        "app/addons/__init__.py": "",
        "app/addons/other.py": "",
    }
    write_tree(tmp_path / "host", files)
    monkeypatch.syspath_prepend(tmp_path / "host")
    for name in [name for name in sys.modules if name.partition(".")[0] == "app"]:
        monkeypatch.delitem(sys.modules, name)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "app"]:
        del sys.modules[name]


def test_the_hosts_package_of_the_same_name_stays_reachable(opened: Open, host_package: None) -> None:
    module = opened(
        {
            "__init__.py": """
                import app.core
                import app.addons.shop.models
                from app.addons import other, shop
                found = (app.core.GET_DB, app.addons.shop.models.N, other.__name__, shop.models.N)
            """,
            "models.py": "N = 9",
        }
    )
    assert module.found == (1, 9, "app.addons.other", 9)
    assert not hasattr(sys.modules["app.addons"], "shop"), "the host's package is not changed"


def test_relative_imports_subpackages_and_namespace_folders(opened: Open) -> None:
    module = opened(
        {
            "__init__.py": "from .sub.inner import up\nfrom .plain.leaf import LEAF\nimport shop.plain.leaf",
            "sub/__init__.py": "",
            "sub/inner.py": "from ..models import VERSION\nfrom . import side\nup = (VERSION, side.NAME)",
            "sub/side.py": "NAME = __name__.rpartition('.')[2]",
            "plain/leaf.py": "LEAF = __package__.rpartition('.')[2]",
            "models.py": "VERSION = 3",
        }
    )
    assert module.up == (3, "side")
    assert module.LEAF == "plain"


def test_a_name_that_only_begins_alike_is_not_the_plugins_own(opened: Open) -> None:
    with pytest.raises(ModuleNotFoundError, match="shopkeeper"):
        opened({"__init__.py": "import shopkeeper"})


def test_other_imports_are_the_hosts(opened: Open) -> None:
    module = opened({"__init__.py": "import json, os.path\nfrom collections import deque"})
    assert module.json is importlib.import_module("json")
    assert module.os is importlib.import_module("os")


def test_a_missing_module_is_named(opened: Open) -> None:
    with pytest.raises(ModuleNotFoundError, match="nothing_here"):
        opened({"__init__.py": "from shop.nothing_here import x"})


def test_sys_path_is_not_touched(opened: Open) -> None:
    before = list(sys.path)
    opened(shop(1)).lazily()
    assert sys.path == before


def test_nothing_is_written_into_the_image(opened: Open, tmp_path: Path) -> None:
    opened(shop(1), "image").lazily()
    assert sorted(path.name for path in (tmp_path / "image").rglob("*")) == ["__init__.py", "late.py", "models.py"]


def test_compiled_code_of_the_image_is_used(opened: Open, tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "image", {"__init__.py": "VALUE = 'compiled'"})
    compile_tree(tree)
    (tree / "__init__.py").write_text("VALUE = 'source'")
    assert opened({}, "image").VALUE == "compiled"


def test_submodule_answers_none_for_what_is_not_there(opened: Open) -> None:
    module = opened({"__init__.py": "", "routes.py": "router = 1", "jobs/__init__.py": "n = 2", "plain/x.py": ""})
    assert loader.submodule(module.__name__, "routes").router == 1  # type: ignore[union-attr]
    assert loader.submodule(module.__name__, "jobs").n == 2  # type: ignore[union-attr]
    assert loader.submodule(module.__name__, "plain") is None
    assert loader.submodule(module.__name__, "hooks") is None


def test_closing_leaves_nothing_in_sys_modules_and_only_of_that_generation(opened: Open) -> None:
    one, two = opened(shop(1)), opened(shop(2))
    one.lazily()
    loader.close_package(one.__name__)
    loader.close_package(one.__name__)
    assert loader.modules(one.__name__) == {}
    assert not [name for name in sys.modules if name.startswith(one.__name__ + ".")]
    assert two.lazily() == [2, 2, 2, 2]
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(one.__name__)


def test_a_longer_number_is_another_generation(tmp_path: Path) -> None:
    """`…_1` is no parent of `…_11`."""
    tree = write_tree(tmp_path, {"__init__.py": ""})
    loader.open_package("_hotbay_like_1", tree, "like")
    loader.open_package("_hotbay_like_11", tree, "like")
    try:
        loader.close_package("_hotbay_like_1")
        assert list(loader.modules("_hotbay_like_11")) == ["_hotbay_like_11"]
    finally:
        loader.close_package("_hotbay_like_11")


def test_both_generations_become_garbage(opened: Open) -> None:
    alive = []
    for version in (1, 2):
        module = opened(shop(version))
        module.lazily()
        alive += [weakref.ref(item) for item in loader.modules(module.__name__).values()]
        loader.close_package(module.__name__)
    del module
    gc.collect()
    assert len(alive) == 6
    assert [item() for item in alive if item() is not None] == []


FULL = {
    "__init__.py": "",
    "models.py": """
        from sqlalchemy import String
        from sqlalchemy.orm import DeclarativeBase, Mapped, configure_mappers, mapped_column
        class Base(DeclarativeBase): pass
        class Item(Base):
            __tablename__ = "shop_items"
            id: Mapped[int] = mapped_column(primary_key=True)
            name: Mapped[str] = mapped_column(String(50))
        configure_mappers()
    """,
    "schemas.py": """
        from typing import Generic, TypeVar
        from pydantic import BaseModel
        T = TypeVar("T")
        class ItemOut(BaseModel):
            id: int
            name: str = ""
        class Page(BaseModel, Generic[T]):
            items: list[T]
    """,
    "routes.py": """
        from fastapi import APIRouter, Depends
        from sqlalchemy import create_engine, select
        from sqlalchemy.orm import Session
        from shop.models import Base, Item
        from shop.schemas import ItemOut, Page
        router = APIRouter(prefix="/shop")
        class Guard:
            def __call__(self) -> str: return "ok"
        def look() -> list:
            engine = create_engine("sqlite://")
            Base.metadata.create_all(engine)
            with Session(engine) as session:
                session.add(Item(name="disk"))
                session.commit()
                found = [ItemOut(id=item.id, name=item.name) for item in session.scalars(select(Item))]
            engine.dispose()
            return found
        @router.get("/items", response_model=Page[ItemOut])
        def items(guard: str = Depends(Guard())): return {"items": look()}
        @router.post("/items")
        async def add(item: ItemOut) -> ItemOut: return item
    """,
}


async def test_thirty_generations_with_routers_models_and_tables_leave_nobody_behind(tmp_path: Path) -> None:
    tree = write_tree(tmp_path, FULL)
    compile_tree(tree)
    alive: list[tuple[str, weakref.ref[Any]]] = []
    for number in range(30):
        private = f"{loader.PREFIX}full_{number}"
        loader.open_package(private, tree, "shop")
        routes = loader.submodule(private, "routes")
        assert [item.name for item in await _answer(routes)] == ["disk"]
        for name, module in loader.modules(private).items():
            alive.append((name, weakref.ref(module)))
            classes = [item for item in vars(module).values() if isinstance(item, type) and item.__module__ == name]
            alive += [(f"{name}.{item.__name__}", weakref.ref(item)) for item in classes]
        loader.close_package(private)
        del routes, module, classes
    await asyncio.sleep(0)  # The loop's present turn holds the last thread's answer.
    caches.clear()
    for _ in range(3):
        gc.collect()  # pydantic's weak cache of generic models lets go of its keys only when the values have died.
    assert len(alive) == 30 * 10
    assert [name for name, item in alive if item() is not None] == []


async def _answer(routes: ModuleType | None) -> list[Any]:
    """Serve requests through FastAPI, so that its caches see the endpoints."""
    assert routes is not None
    app = FastAPI()
    app.include_router(routes.router)
    app.openapi()
    async with client(app) as http:
        assert (await http.post("/shop/items", json={"id": 1, "name": "x"})).json() == {"id": 1, "name": "x"}
        body = (await http.get("/shop/items")).json()
    return [routes.ItemOut(**item) for item in body["items"]]


def test_modules_are_listed_while_somebody_imports() -> None:
    """A collection in the middle of a listing lets other threads run, and they import."""
    names = (f"hotbay_test_late_{number}" for number in range(10_000))

    def imported(phase: str, info: dict[str, int]) -> None:
        sys.modules[next(names)] = ModuleType("late")

    before = gc.get_threshold()
    gc.callbacks.append(imported)
    gc.set_threshold(1)
    try:
        loader.modules("hotbay_no_such_package")
        caches.clear()
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(imported)
        for name in [name for name in sys.modules if name.startswith("hotbay_test_late_")]:
            del sys.modules[name]
