"""A generation's life in this process: load, start, health, settings, stop, unload, and what each says on failure."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, create_engine

from hotbay.activate import Image, Limits, loader, remains
from hotbay.activate.context import PluginContext, no_engine
from hotbay.activate.inprocess import InProcess, InProcessGeneration, job_name
from hotbay.errors import ActivationFailed
from hotbay.frameworks import FrameworkHost
from hotbay_sdk import plugin as sdk
from hotbay_sdk.plugin import Mark
from plugs import client, context, image, package

Create = Callable[..., InProcessGeneration]


@pytest.fixture
def create(tmp_path: Path) -> Create:
    """Makes generations of `shop` of a backend's files."""

    def make(
        stored: Any = None,
        start: float = 20.0,
        health: float = 20.0,
        files: Any = None,
        engine: Any = no_engine,
        **manifest: Any,
    ) -> Any:
        def given(img: Image, number: int) -> PluginContext:
            return context(tmp_path, plugin=img.version.plugin, number=number, settings=stored or {}, engine=engine)

        runtime = InProcess(FrameworkHost(None), given, "/api/v1", Limits(start, health))
        number = len(list(tmp_path.iterdir()))
        return runtime.create(image(package(tmp_path / f"image{number}", files=files, **manifest)))

    return make


async def run(generation: InProcessGeneration) -> InProcessGeneration:
    await asyncio.to_thread(generation.load)
    await generation.start()
    await generation.health()
    return generation


async def end(generation: InProcessGeneration) -> tuple[str, ...]:
    generation.close()
    await generation.stop()
    return (await generation.unload()).alive


async def get(generation: InProcessGeneration, path: str) -> Any:
    async with client(generation.app) as http:
        return (await http.get(path)).json()


async def test_a_life_from_load_to_proof(create: Create) -> None:
    generation = await run(create())
    assert await get(generation, "/api/v1/shop/version") == {"version": "1.0.0"}
    assert [route.path for route in generation.contributions.routes] == ["/api/v1/shop/version"]
    assert list(generation.document()["paths"]) == ["/api/v1/shop/version"]
    assert await end(generation) == ()
    assert loader.modules(generation.private) == {}
    assert generation.app is None
    assert generation.document() == {}


async def test_two_generations_serve_side_by_side_and_have_numbers_of_their_own(create: Create) -> None:
    old, new = await run(create()), await run(create(version="2.0.0"))
    assert old.number != new.number
    assert await get(old, "/api/v1/shop/version") == {"version": "1.0.0"}
    assert await get(new, "/api/v1/shop/version") == {"version": "2.0.0"}
    assert await end(old) == ()
    assert await get(new, "/api/v1/shop/version") == {"version": "2.0.0"}
    assert await end(new) == ()


async def test_a_package_without_code_is_loaded_as_nothing(create: Create) -> None:
    generation = create()
    for file in generation.folder.iterdir():
        file.unlink()
    await run(generation)
    assert generation.app is None
    assert generation.contributions.routes == ()
    assert await end(generation) == ()


async def test_a_tree_without_backend_folder_is_the_package_itself(create: Create) -> None:
    generation = create()
    generation.folder.rename(generation.folder.parent / "moved")
    (generation._image.folder / "__init__.py").write_text("app = lambda scope, receive, send: None")
    await run(generation)
    assert generation.contributions.mounts == ("/api/v1/shop",)
    assert await end(generation) == ()


BROKEN = {
    "syntax": ({"routes.py": "x = 1\ndef f(:\n"}, r"backend/routes\.py:2", "SyntaxError"),
    "import": ({"routes.py": "x = 1\n\nimport no_such_module_here\n"}, r"backend/routes\.py:3", "no_such_module_here"),
    "deep": (
        {"routes.py": "from .low import x\n", "low.py": "import json\n\n\nx = json.loads('{')\n"},
        r"backend/low\.py:4",
        "JSONDecodeError",
    ),
    "class": ({"routes.py": "class Item: ...\nraise RuntimeError('no')\n"}, r"backend/routes\.py:2", "RuntimeError"),
    "exit": ({"__init__.py": "import sys\nsys.exit(3)\n"}, r"backend/__init__\.py:2", "SystemExit"),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_an_error_of_import_names_file_and_line(create: Create, case: str) -> None:
    files, place, cause = BROKEN[case]
    generation = create(files=files)
    with pytest.raises(ActivationFailed, match=place) as caught:
        await asyncio.to_thread(generation.load)
    assert cause in caught.value.message
    assert "shop 1.0.0 could not be imported" in caught.value.message
    assert caught.value.mend
    assert caught.value.step == "start"
    assert await end(generation) == ()
    assert loader.modules(generation.private) == {}


async def test_a_cron_expression_that_can_not_be_read_is_refused_at_load(create: Create) -> None:
    generation = create(files={"jobs.py": "from hotbay_sdk import cron\n@cron('every day')\ndef nightly(): ..."})
    with pytest.raises(ActivationFailed, match="nightly has the cron expression 'every day'") as caught:
        await asyncio.to_thread(generation.load)
    assert "0 3 * * *" in caught.value.mend
    assert await end(generation) == ()


async def test_the_plugins_log_gets_the_whole_traceback(create: Create, caplog: pytest.LogCaptureFixture) -> None:
    generation = create(files={"routes.py": "import no_such_module_here"})
    with caplog.at_level(logging.ERROR), pytest.raises(ActivationFailed):
        await asyncio.to_thread(generation.load)
    assert [record.name for record in caplog.records] == ["hotbay.plugin.shop"]
    assert "Traceback (most recent call last)" in caplog.text
    await end(generation)


async def test_a_thing_that_is_no_router_is_refused(create: Create) -> None:
    generation = create(files={"routes.py": "router = 42"})
    with pytest.raises(ActivationFailed, match="int is neither"):
        await asyncio.to_thread(generation.load)
    await end(generation)


@pytest.mark.parametrize(
    ("text", "limits", "message"),
    [
        ("def start(c):\n    raise ValueError('no key')", {}, r"failed in start: ValueError: no key .*plugin\.py:2"),
        ("async def start(c):\n    raise ValueError('x')", {}, r"failed in start: ValueError: x .*plugin\.py:2"),
        ("import asyncio\nasync def start():\n    await asyncio.sleep(60)", {"start": 0.05}, r"start within 0\.05 s"),
        (
            "import asyncio\nasync def health():\n    await asyncio.sleep(60)",
            {"health": 0.05},
            r"health within 0\.05 s",
        ),
        ("def health():\n    return False", {}, "says that it is not healthy"),
        ("def health(context):\n    return 1 / 0", {}, r"failed in health: ZeroDivisionError.*plugin\.py:2"),
        ("def start():\n    raise TimeoutError('mail server')", {}, "failed in start: TimeoutError: mail server"),
        ("class Held: ...\ndef start():\n    return Held().missing", {}, "AttributeError"),
    ],
)
async def test_start_and_health_that_fail_or_hang(create: Create, text: str, limits: Any, message: str) -> None:
    generation = create(files={"plugin.py": text}, **limits)
    with pytest.raises(ActivationFailed, match=message) as caught:
        await run(generation)
    assert await end(generation) == ()
    assert caught.value.step == "start", "it is still held here, as by a follower that discards the generation"


@pytest.mark.parametrize("answer", ["None", "True", "0"])
async def test_only_false_means_not_healthy(create: Create, answer: str) -> None:
    generation = await run(create(files={"plugin.py": f"def health(): return {answer}"}))
    await end(generation)


async def test_stop_is_called_once_after_a_start_and_with_the_context(create: Create, tmp_path: Path) -> None:
    text = "calls = []\ndef start(c): c.calls = calls\nasync def stop(c): calls.append(c.id)"
    generation = await run(create(files={"plugin.py": text}))
    assert generation.context is not None
    calls = generation.context.calls  # type: ignore[attr-defined]
    await generation.stop()
    await generation.stop()
    assert calls == ["shop"]
    await end(generation)


async def test_stop_is_not_called_where_nothing_was_started(create: Create) -> None:
    generation = create(files={"plugin.py": "called = []\ndef stop(): called.append(1)"})
    await asyncio.to_thread(generation.load)
    called = sys.modules[f"{generation.private}.plugin"].called
    await generation.stop()
    assert called == []
    await end(generation)


async def test_a_stop_that_fails_is_logged_and_takes_nothing_away(
    create: Create, caplog: pytest.LogCaptureFixture
) -> None:
    text = "def start(c): c.on_close(lambda: undone.append(1))\nundone = []\ndef stop(): raise ValueError('stuck')"
    generation = await run(create(files={"plugin.py": text}))
    undone = sys.modules[f"{generation.private}.plugin"].undone
    with caplog.at_level(logging.ERROR):
        await generation.stop()
    assert undone == [1]
    assert "stuck" in caplog.text
    held = f"{generation.private}.plugin.stop"  # by the log record's traceback, which pytest keeps
    assert set(await end(generation)) <= {held}


SETTINGS = """
    from pydantic import BaseModel
    class Settings(BaseModel):
        rate: int = 7
    seen = []
    def start(context): seen.append(context.settings.rate)
    async def on_settings(context, new): seen.append((context.settings is new, new.rate))
"""


async def test_settings_have_their_types_before_start_and_change_live(create: Create) -> None:
    generation = await run(create(stored={"rate": "5"}, files={"plugin.py": SETTINGS}))
    seen = sys.modules[f"{generation.private}.plugin"].seen
    await generation.change_settings({"rate": 9})
    with pytest.raises(ValueError, match="rate"):
        await generation.change_settings({"rate": "many"})
    assert generation.context is not None
    assert generation.context.settings.rate == 9, "settings that do not fit leave the old ones in place"
    assert seen == [5, (True, 9)]
    assert generation.contributions.settings_schema is not None
    assert generation.contributions.settings_schema["properties"]["rate"]["default"] == 7
    assert await end(generation) == ()


async def test_settings_without_stored_values_are_the_defaults(create: Create) -> None:
    generation = await run(create(files={"plugin.py": SETTINGS}))
    assert generation.context is not None
    assert generation.context.settings.rate == 7
    await end(generation)


async def test_contributions_list_what_the_code_adds(create: Create) -> None:
    hooks = """
        from hotbay_sdk import cron, every, filters, on, service
        @on("b")
        @on("a")
        def heard(): ...
        @filters("total")
        def total(value): return value
        @service("price")
        def price(): ...
        @every(90)
        def sync(): ...
        @cron("0 3 * * *")
        def nightly(): ...
    """
    generation = create(files={"hooks.py": hooks})
    await asyncio.to_thread(generation.load)
    found = generation.contributions
    assert (found.events, found.filters, found.services) == (("a", "b"), ("total",), ("price",))
    assert found.jobs == ("nightly (0 3 * * *)", "sync (every 90 s)")
    assert found.eager
    await end(generation)


@pytest.mark.parametrize(("activation", "eager"), [(["request"], False), (["startup"], True), ([], True)])
async def test_the_manifest_decides_when_it_is_loaded(create: Create, activation: list[str], eager: bool) -> None:
    generation = create(files={"plugin.py": "def start(): ..."}, activation=activation)
    await asyncio.to_thread(generation.load)
    assert generation.contributions.eager is eager
    await end(generation)


APP = """
    from hotbay.answers import respond_json
    async def app(scope, receive, send):
        await respond_json(send, 200, {"root": scope["root_path"]})
"""


@pytest.mark.parametrize(("manifest", "mount"), [({}, "/api/v1/shop"), ({"backend": {"mount": "/store"}}, "/store")])
async def test_an_app_is_mounted(create: Create, manifest: Any, mount: str) -> None:
    generation = await run(create(files={"__init__.py": APP}, **manifest))
    assert generation.contributions.mounts == (mount,)
    assert await get(generation, f"{mount}/x") == {"root": mount}
    await end(generation)


async def test_an_addon_registers_its_own_routes(create: Create) -> None:
    text = """
        from fastapi import APIRouter
        class ShopAddon:
            def register_routes(self, app):
                router = APIRouter()
                @router.get("/seed")
                def seed(): return "002"
                app.include_router(router, prefix="/api/v1/addons/shop")
                @app.get("/direct")
                def direct(): return "d"
    """
    generation = await run(create(files={"__init__.py": text}))
    assert await get(generation, "/api/v1/addons/shop/seed") == "002"
    assert [route.path for route in generation.contributions.routes] == ["/api/v1/addons/shop/seed", "/direct"]
    assert await end(generation) == ()


async def test_the_sdks_context_is_found_at_import_and_forgotten_after_unloading(create: Create) -> None:
    text = "from hotbay_sdk import context\nNAME = context(__name__).id\ndef late(): return context(__name__)"
    generation = await run(create(files={"plugin.py": text}))
    module = sys.modules[f"{generation.private}.plugin"]
    late = module.late
    assert (module.NAME, late()) == ("shop", generation.context)
    del module
    await generation.stop()
    alive = (await generation.unload()).alive
    with pytest.raises(LookupError):
        sdk.context(f"{generation.private}.plugin")
    assert alive == (f"{generation.private}.plugin.late",), "a function that somebody keeps is named"
    with pytest.raises(NameError):
        late()


async def test_what_is_still_held_is_named(create: Create) -> None:
    generation = await run(create(files={"models.py": "class Item: ...", "__init__.py": "from .models import Item"}))
    holder = [sys.modules[f"{generation.private}.models"].Item]
    assert await end(generation) == (f"{generation.private}.models.Item",)
    assert (await generation.unload()).clean
    assert holder
    assert generation.private in remains._frozen.plugins, "it is still in the process: to freeze would keep it for ever"


@pytest.mark.parametrize("files", [{}, {"models.py": "class Item: ..."}, {"models.py": "class Item: ...\n1 / 0"}])
async def test_from_its_load_on_a_generation_is_known_to_be_there_until_it_is_gone(
    create: Create, files: dict[str, str]
) -> None:
    generation = create(files=files)
    assert generation.private not in remains._frozen.plugins
    with suppress(ActivationFailed):
        generation.load()
    assert generation.private in remains._frozen.plugins
    assert (await generation.unload()).clean
    assert generation.private not in remains._frozen.plugins


async def test_unload_is_safe_to_repeat_and_before_load(create: Create) -> None:
    generation = create()
    assert await end(generation) == ()
    assert await end(generation) == ()


async def test_background_work_ends_with_the_generation(create: Create) -> None:
    text = """
        import asyncio
        async def forever():
            while True:
                await asyncio.sleep(0.01)
        def start(context):
            context.spawn(forever(), "forever")
    """
    generation = await run(create(files={"plugin.py": text}))
    await asyncio.sleep(0)
    assert await end(generation) == ()
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "shop:forever"]


def test_job_names() -> None:
    assert job_name(Mark("every", "", 0.5), test_job_names) == "test_job_names (every 0.5 s)"
    assert job_name(Mark("cron", "* * * * *"), test_job_names) == "test_job_names (* * * * *)"


async def test_unloading_takes_the_plugins_mappings_apart_and_leaves_the_hosts_alone(
    create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    from types import ModuleType

    from sqlalchemy import Integer
    from sqlalchemy import inspect as look
    from sqlalchemy.orm import DeclarativeBase, mapped_column

    class Base(DeclarativeBase):
        pass

    class User(Base):
        __tablename__ = "users"
        id = mapped_column(Integer, primary_key=True)

    host = ModuleType("the_host")
    host.Base, host.User = Base, User  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "the_host", host)
    text = (
        "from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column\nfrom the_host import Base as Theirs, User\n"
        "class Base(DeclarativeBase): ...\nclass Note(Base):\n    __tablename__ = 'notes'\n"
        "    id: Mapped[int] = mapped_column(primary_key=True)\n"
    )
    generation = await run(create(files={"models.py": text, "__init__.py": "from .models import Note"}))
    registry = sys.modules[f"{generation.private}.models"].Base.registry
    assert list(registry.mappers)
    assert await end(generation) == ()
    assert list(registry.mappers) == []
    assert look(User).local_table.name == "users"


async def test_young_collections_find_also_what_was_asked_of_the_database(create: Create, tmp_path: Path) -> None:
    """A statement is in cycles with the tables, and leads from the engine's cache only."""
    text = """
        from sqlalchemy import func, select
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

        class Base(DeclarativeBase): ...

        class Note(Base):
            __tablename__ = "young_notes"
            id: Mapped[int] = mapped_column(primary_key=True)

        def start(context):
            Base.metadata.create_all(context.database.engine)

        def health(context):
            with context.database.session() as session:
                session.execute(select(func.count()).select_from(select(Note).limit(1).subquery()))
    """
    url = f"sqlite:///{tmp_path / 'notes.db'}"
    generation = await run(create(files={"plugin.py": text}, engine=lambda: create_engine(url)))
    assert _tables("young_notes")
    gc.collect()  # All that lives is old now: a young collection finds only what it is shown.
    full: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        full.extend([info["generation"]] * (phase == "start" and info["generation"] == 2))

    gc.callbacks.append(note)
    try:
        assert await end(generation) == ()
        assert full == []
        assert _tables("young_notes") == []
    finally:
        gc.callbacks.remove(note)


def _tables(name: str) -> list[str]:
    """The tables of that name that the collector knows, garbage too; as text, so that none is held."""
    return [str(thing.name) for thing in gc.get_objects() if type(thing) is Table and vars(thing).get("name") == name]
