"""What a plugin can leave behind: for each kind a real plugin, and what unloading makes of it.

`GONE`: nothing is left to do. `UNDONE`: Hotbay took it back, and says so. `NAMED`: it is alive, and the proof names the
holder. Nothing goes unnoticed.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from hotbay.activate import Image, Limits, Proof, holders, patches
from hotbay.activate.context import PluginContext
from hotbay.activate.inprocess import InProcess
from hotbay.frameworks import FrameworkHost
from plugs import context, image, package

PLUGINS = Path(__file__).parent / "plugins"
GONE = ("abc_registration", "context_variable", "host_engine", "typing_cache")
OTHERS = ("excepthook", "library_filter")
UNDONE = {
    "timer": ["the timer 'remind'"],
    "task": ["the task 'watch'"],
    "later": ["the timer remind"],
    "session": ["httpx.AsyncClient left open in leak.plugin.client"],
    "session_in_an_object": ["httpx.Client left open in leak.plugin.service"],
    "socket": [
        "socket.socket left open in leak.plugin.left",
        "socket.socket left open in leak.plugin.right",
        "socket.socket left open in leak.plugin.lonely",
    ],
    "file": ["the file '{image}/backend/plugin.py' left open"],
    "signal": ["the handler of SIGUSR1"],
    "loop_signal": ["the handler of SIGUSR2"],
    "at_exit": ["Saver.save at exit", "save at exit"],
    "logging_handler": ["the Handler of the logger 'root'", "the filter Filter of <Logger the_host (WARNING)>"],
    "plain_logging_handler": ["the StreamHandler of the logger 'the_host'"],
    "monkeypatch": ["the_host.price was replaced"],
    "monkeypatch_blind": ["the_host.price was replaced", "the_host.added was replaced"],
    "monkeypatch_class": ["the_host.Mailer.send was replaced"],
    "sys_modules": ["'leak_made' in sys.modules", "'leak_alias' in sys.modules"],
    "sqlalchemy_listener": [
        "the listener inserting of 'before_insert'",
        "the listener connecting of 'connect'",
        "the listener flushed of 'after_flush'",
        "the listener named of 'set'",
    ],
    "sqlalchemy_model": ["the model Note in a registry of the host's"],
    "sqlalchemy_backref": ["the model Comment in a registry of the host's"],
    "pluggy_registration": ["Hooks in pluggy's 'the_host'", "leak.plugin in pluggy's 'the_host'"],
    "hidden_engine": ["the statements that an engine compiled"],
    "library_cache": ["the cache of leaky_library.describe"],
    "sys_path": [
        "'{image}/backend' in sys.path",
        "'/somewhere/else' in sys.path",
        "Finder in sys.meta_path",
        "hook in sys.path_hooks",
    ],
    "warnings_filter": [
        "the warnings filter always OldThing",
        "the warnings filter ignore FutureWarning made by the leak",
    ],
}
LIBRARY = """
import functools, warnings

@functools.lru_cache
def describe(cls):
    return cls.__name__

def quiet():
    warnings.filterwarnings("ignore", message="made by the library", category=FutureWarning)
"""
# plugin → kind of holder, holder, line in the plugin's file, what is held
NAMED = {
    "thread": ("thread", "threading.Thread 'poll'", 9, "function leak.plugin.poll"),
    "thread_of_a_worker": (
        "thread",
        "threading.Thread 'worker'",
        10,
        "class leak.plugin.Worker",
    ),
    "thread_of_the_host": ("thread", 'threading.Thread "host\'s own"', 9, "leak.plugin.work"),
    "frame": ("thread", "thread 'keeper' in keep.locals.orders[0]", 0, "class leak.plugin.Order"),
    "stubborn_task": ("task", "task 'stubborn'", 11, "leak.plugin.watch"),
    "monkeypatch_class_blind": ("attribute", "the_host.Mailer.check", 8, "leak.plugin.check"),
    "host_cache": ("cache", "the_host.schema_of", 6, "class leak.plugin.Item"),
    "kept_context": (
        "context variable",
        "the_host.CALLBACKS[0]",
        8,
        "class leak.plugin.Request",
    ),
    "dispatch": ("attribute", "the_host.render", 6, "class leak.plugin.Chart"),
    "host_list": ("attribute", "the_host.CALLBACKS[0].on", 6, "function leak.plugin.changed"),
}


def test_every_plugin_here_is_in_one_of_the_lists() -> None:
    kinds = [*GONE, *UNDONE, *NAMED, *OTHERS]
    assert sorted(kinds) == sorted(path.stem for path in PLUGINS.glob("*.py"))


@pytest.fixture
def the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The host's module and a library, both new for each test."""
    library = tmp_path / "site-packages" / "leaky_library.py"
    library.parent.mkdir()
    library.write_text(LIBRARY)
    for folder in (library.parent, Path(__file__).parent):
        monkeypatch.syspath_prepend(folder)
    import the_host

    patches.remember()
    yield the_host
    the_host.END.set()
    for thing in the_host.FILES:
        thing.close()
    the_host.ENGINE.dispose()
    the_host.STATE.engine.dispose()
    the_host.Base.registry.dispose()
    for name in ("the_host", "leaky_library"):
        sys.modules.pop(name, None)
        patches._originals.pop(name, None)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """How far the search for holders comes in its time is no matter of these tests."""
    monkeypatch.setattr(holders, "find", partial(holders.find, seconds=60.0))


Unloaded = Callable[[str], Any]


@pytest.fixture
async def unloaded(tmp_path: Path, the_host: Any) -> AsyncIterator[Unloaded]:
    """Loads a torture plugin, starts it, runs `meanwhile`, stops and unloads it; the proof."""

    async def work(kind: str, meanwhile: Callable[[], Any] = lambda: None) -> tuple[Proof, Path]:
        def given(img: Image, number: int) -> PluginContext:
            return context(tmp_path, plugin="leak", number=number)

        folder = package(tmp_path / "image", "leak", files={"plugin.py": (PLUGINS / f"{kind}.py").read_text()})
        generation = InProcess(FrameworkHost(None), given, "/api/v1", Limits()).create(image(folder))
        await asyncio.to_thread(generation.load)
        await asyncio.create_task(generation.start())  # as a follower does: in a context of its own
        meanwhile()
        generation.close()
        await generation.stop()
        return await generation.unload(), folder

    yield work
    the_host.END.set()
    await asyncio.sleep(0.05)


@pytest.mark.parametrize("kind", GONE)
async def test_nothing_is_left(kind: str, unloaded: Any) -> None:
    proof, _ = await unloaded(kind)
    assert proof == Proof()


@pytest.mark.parametrize("kind", UNDONE)
async def test_what_can_be_taken_back_is(kind: str, unloaded: Any, served: str) -> None:
    proof, folder = await unloaded(kind)
    assert proof.alive == (), proof.holders
    assert sorted(proof.undone) == sorted(text.format(image=folder) for text in UNDONE[kind])
    assert proof.left == ()


@pytest.mark.parametrize("kind", NAMED)
async def test_the_rest_is_named(kind: str, unloaded: Any) -> None:
    proof, _ = await unloaded(kind)
    what, holder, line, last = NAMED[kind]
    assert proof.alive
    found = next(item for item in proof.holders if last.endswith(item.object))
    assert found.kind == what
    assert found.holder.startswith(holder)
    assert found.file.endswith("the_host.py" if line == 0 else "leak/backend/plugin.py")
    assert line in (0, found.line)
    assert last in found.chain[-1]


async def test_what_was_put_back_works_as_before(unloaded: Any, the_host: Any) -> None:
    await unloaded("monkeypatch", lambda: (the_host.total() == 22) or pytest.fail("the patch did nothing"))
    assert the_host.total() == 20
    await unloaded("monkeypatch_class")
    assert the_host.Mailer().send() == "sent by the host"


async def test_what_is_put_in_place_of_something_that_nobody_kept(unloaded: Any, the_host: Any) -> None:
    await unloaded("monkeypatch_blind")
    assert the_host.total() == 20
    assert not hasattr(the_host, "added")


async def test_a_replacement_that_stays_goes_on_working(unloaded: Any, the_host: Any) -> None:
    proof, _ = await unloaded("monkeypatch_class_blind")
    assert not proof.clean
    assert the_host.Mailer().check() == "checked by the plugin", "its module must not be empty"


async def test_signals_are_the_hosts_again(unloaded: Any) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGUSR2)]
    await unloaded("signal")
    await unloaded("loop_signal")
    assert [signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGUSR2)] == before


async def test_loggers_warnings_and_imports_are_as_before(unloaded: Any) -> None:
    def state() -> Any:
        paths = [*sys.path, *sys.meta_path, *sys.path_hooks]
        return paths, list(warnings.filters), list(logging.root.handlers), set(logging.root.manager.loggerDict)

    await unloaded("thread")  # what is there once any plugin was loaded
    before = state()
    for kind in ("logging_handler", "plain_logging_handler", "warnings_filter", "sys_path"):
        await unloaded(kind)
    assert state() == before


async def test_the_hosts_models_work_on(unloaded: Any, the_host: Any) -> None:
    the_host.Base.metadata.create_all(the_host.ENGINE)
    for kind in ("sqlalchemy_model", "sqlalchemy_backref", "sqlalchemy_listener"):
        proof, _ = await unloaded(kind)
        assert proof.clean
        with Session(the_host.ENGINE) as session, session.begin():
            session.add(the_host.User(name=kind))
    assert set(the_host.Base.metadata.tables) == {"users"}
    with Session(the_host.ENGINE) as session:
        assert [user.name for user in session.query(the_host.User).order_by(the_host.User.id)] == [
            "sqlalchemy_model",
            "sqlalchemy_backref",
            "sqlalchemy_listener",
        ]


async def test_a_library_that_was_imported_meanwhile_makes_it_uncertain(unloaded: Any, the_host: Any) -> None:
    """The library may have added the filter; then nothing is taken away, and that is said."""
    proof, _ = await unloaded("library_filter")
    assert proof.clean
    assert proof.undone == ()
    assert proof.left == ("the warnings filter ignore FutureWarning made by the library",)
    (mine,) = [item for item in warnings.filters if "the library" in str(item)]
    warnings.filters.remove(mine)  # type: ignore[attr-defined]


async def test_a_proof_is_json(unloaded: Any) -> None:
    proof, _ = await unloaded("host_list")
    told = proof.to_json()
    assert told["clean"] is False
    assert told["holders"][0]["chain"][0] == "module the_host"
    assert told["holders"][0]["line"] == 6
    assert gc.isenabled()


async def test_the_search_is_bounded(unloaded: Any, the_host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from hotbay.activate import holders

    monkeypatch.setattr(holders, "_OBJECTS", 10)
    proof, _ = await unloaded("host_list")
    assert proof.alive
    assert threading.active_count() < 50


async def test_the_hook_for_exceptions_is_put_back(unloaded: Any) -> None:
    """A thread that was started meanwhile keeps the hook that was there then: it may be named."""
    before = sys.excepthook
    proof, _ = await unloaded("excepthook")
    assert proof.undone == ("sys.excepthook was replaced",)
    assert sys.excepthook is before
    assert {holder.object for holder in proof.holders} <= {"leak.plugin.hook"}
