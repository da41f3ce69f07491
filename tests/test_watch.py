"""The plugins folder decides: renames, new folders, edits and deletions become operations, and nothing else does."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import event

from engine import Engine
from hotbay.confirm import confirm
from hotbay.model import Kind, State
from hotbay.outcome import Progress
from hotbay.package import pack
from hotbay.watch import Registrar, Watch
from plugs import hello, package, until, write_tree


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path)
    yield made
    made.host.close()


@pytest.fixture
def registrar(engine: Engine) -> Iterator[Registrar]:
    made = Registrar(engine.host.applier)
    yield made
    made.close()


@pytest.fixture
def plugins(engine: Engine) -> Path:
    return engine.host.settings.plugins


def looks(registrar: Registrar, count: int = 3) -> list[str]:
    """What some looks did, one after the other."""
    return [done for _ in range(count) for done in registrar.look()]


def state(engine: Engine, plugin: str = "shop") -> tuple[str, State] | None:
    row = engine.host.store.find_live(plugin)
    return (row.version, row.state) if row is not None else None


def edit(file: Path, text: str) -> None:
    """Write, and make sure that the time of the change differs."""
    before = file.stat().st_mtime_ns if file.exists() else 0
    file.write_text(text)
    after = max(before + 10_000_000, time.time_ns())  # Later than all else in the folder, too.
    os.utime(file, ns=(after, after))


async def test_a_look_that_finds_what_the_last_one_found_asks_for_no_rows(
    engine: Engine, registrar: Registrar, plugins: Path
) -> None:
    await engine.install()
    looks(registrar)
    asked: list[str] = []
    event.listen(engine.host.store.engine, "before_cursor_execute", lambda *found: asked.append(found[2]))
    assert looks(registrar) == []
    assert asked == []
    edit(plugins / "shop" / "README.md", "another text")
    assert looks(registrar) == ["upgrade shop"]
    assert asked


async def test_renaming_deactivates_and_activates(engine: Engine, registrar: Registrar, plugins: Path) -> None:
    await engine.install()
    assert looks(registrar) == []
    (plugins / "shop").rename(plugins / "_shop")
    assert looks(registrar) == ["deactivate shop"]
    assert state(engine) == ("1.0.0", State.INACTIVE)
    (plugins / "_shop").rename(plugins / "shop")
    assert looks(registrar) == ["activate shop"]
    assert state(engine) == ("1.0.0", State.ACTIVE)


def meanwhile(engine: Engine, verb: str, act: Callable[[], object]) -> None:
    """Do something once, when a step of the next operations begins."""
    acts = [act]

    def progress(item: Progress) -> None:
        if item.verb == verb and item.state == "running" and acts:
            acts.pop()()

    engine.host.applier.progress = progress


async def test_a_folder_that_is_renamed_back_before_the_operation_has_ended_keeps_its_name(
    engine: Engine, registrar: Registrar, plugins: Path
) -> None:
    await engine.install()
    looks(registrar)
    for before, after in (("shop", "_shop"), ("_shop", "shop")):
        (plugins / before).rename(plugins / after)
        meanwhile(engine, "publish", lambda before=before, after=after: (plugins / after).rename(plugins / before))
        way, back = ("deactivate", "activate") if after == "_shop" else ("activate", "deactivate")
        assert looks(registrar) == [f"{way} shop", f"{back} shop"]
        assert (plugins / before).is_dir()
        assert state(engine) == ("1.0.0", State.INACTIVE if before == "_shop" else State.ACTIVE)
        (plugins / before).rename(plugins / after)
        looks(registrar)


async def test_a_folder_that_is_put_back_while_it_is_uninstalled_is_installed(
    engine: Engine, registrar: Registrar, plugins: Path, tmp_path: Path
) -> None:
    await engine.install()
    await engine.install("mail")
    looks(registrar)
    (plugins / "shop").rename(tmp_path / "shop")
    meanwhile(engine, "publish", lambda: (tmp_path / "shop").rename(plugins / "shop"))
    assert looks(registrar) == ["uninstall shop", "install shop"]
    assert (plugins / "shop" / "metadata.json").is_file()


async def test_new_content_takes_the_name_that_somebody_gave_the_folder_meanwhile(
    engine: Engine, registrar: Registrar, plugins: Path
) -> None:
    await engine.install()
    looks(registrar)
    meanwhile(engine, "publish", lambda: (plugins / "shop").rename(plugins / "_shop"))
    await engine.install(version="2.0.0")
    assert state(engine) == ("2.0.0", State.ACTIVE)
    assert looks(registrar) == ["deactivate shop"]
    assert state(engine) == ("2.0.0", State.INACTIVE)


@pytest.mark.parametrize(("name", "wanted"), [("shop", State.ACTIVE), ("_shop", State.INACTIVE)])
def test_a_new_folder_is_installed_when_it_has_settled(
    engine: Engine, registrar: Registrar, plugins: Path, name: str, wanted: State
) -> None:
    package(plugins / name)
    assert registrar.look() == [], "it may still be being written"
    assert looks(registrar) == ["install shop"]
    assert state(engine) == ("1.0.0", wanted)
    assert (plugins / name).is_dir()


def test_a_hidden_folder_and_strangers_are_left_alone(engine: Engine, registrar: Registrar, plugins: Path) -> None:
    package(plugins / ".shop")
    (plugins / "notes").mkdir()
    (plugins / "readme.txt").write_text("hello")
    assert looks(registrar) == []
    assert engine.host.store.all_live() == {}


def test_a_folder_that_is_still_being_written_waits(engine: Engine, registrar: Registrar, plugins: Path) -> None:
    package(plugins / "shop")
    for number in range(4):
        edit(plugins / "shop" / "backend" / f"part{number}.py", "x = 1")
        assert registrar.look() == []
    assert looks(registrar) == ["install shop"]
    image = engine.host.images.path(engine.host.store.get_live("shop").image)
    assert (image / "backend" / "part3.py").is_file()


async def test_an_edit_is_a_hot_reload(engine: Engine, registrar: Registrar, plugins: Path) -> None:
    async with engine.worker() as worker:
        await engine.install()
        looks(registrar)
        edit(plugins / "shop" / "backend" / "routes.py", hello(version="edited"))
        assert await _looking(registrar) == ["upgrade shop"]
        assert await worker.version() == "edited"
        assert state(engine) == ("1.0.0", State.ACTIVE)


async def _looking(registrar: Registrar, count: int = 3) -> list[str]:
    """The looks in a thread, so that the worker goes on."""
    import asyncio

    return await asyncio.to_thread(looks, registrar, count)


async def test_an_edit_with_a_new_version_is_an_upgrade_and_an_older_one_too(
    engine: Engine, registrar: Registrar, plugins: Path
) -> None:
    await engine.install(version="2.0.0")
    looks(registrar)
    for version in ("3.0.0", "1.0.0"):
        manifest = plugins / "shop" / "metadata.json"
        edit(manifest, f'{{"id": "shop", "name": "Shop", "version": "{version}"}}')
        assert looks(registrar) == ["upgrade shop"]
        assert state(engine) == (version, State.ACTIVE)


async def test_touching_files_changes_nothing(engine: Engine, registrar: Registrar, plugins: Path) -> None:
    await engine.install()
    looks(registrar)
    for file in (plugins / "shop").rglob("*.py"):
        edit(file, file.read_text())
    (plugins / "shop" / "backend" / "__pycache__").mkdir(exist_ok=True)
    (plugins / "shop" / "backend" / "__pycache__" / "x.pyc").write_bytes(b"x")
    revision = engine.host.store.get_live("shop").revision
    assert looks(registrar) == []
    assert engine.host.store.get_live("shop").revision == revision


async def test_a_deleted_folder_is_uninstalled_and_its_rows_kept_in_an_export(
    engine: Engine, registrar: Registrar, plugins: Path
) -> None:
    folder = write_tree(engine.folder_of(), {"migrations/up.sql": "CREATE TABLE shop_items (id INTEGER PRIMARY KEY);"})
    await engine.run(Kind.INSTALL, "", file=pack(folder, engine.folder / "packed"))
    await engine.install("mail", files={"routes.py": hello("mail")})
    looks(registrar)
    shutil.rmtree(plugins / "shop")
    assert looks(registrar) == ["uninstall shop"]
    assert state(engine) is None
    assert state(engine, "mail") is not None
    assert list(engine.host.settings.exports.glob("shop-*"))


async def test_a_lost_plugins_folder_uninstalls_nothing(
    engine: Engine, registrar: Registrar, plugins: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An unmounted volume is an empty folder without `addon_registry.json`."""
    await engine.install()
    looks(registrar)
    shutil.rmtree(plugins)
    plugins.mkdir()
    with caplog.at_level(logging.ERROR):
        assert looks(registrar) == []
    assert state(engine) is not None
    assert "lost" in caplog.text


async def test_a_plugins_folder_that_is_not_there_uninstalls_nothing(
    engine: Engine, registrar: Registrar, plugins: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await engine.install()
    looks(registrar)
    shutil.rmtree(plugins)
    with caplog.at_level(logging.ERROR):
        try:
            done = looks(registrar)
        except FileNotFoundError:
            done = []
    assert done == []
    assert state(engine) is not None


async def test_broken_content_is_refused_once_and_tried_again_when_it_changed(
    engine: Engine, registrar: Registrar, plugins: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await engine.install()
    looks(registrar)
    file = plugins / "shop" / "backend" / "routes.py"
    with caplog.at_level(logging.ERROR):
        edit(file, "def broken(:\n")
        assert looks(registrar, 5) == ["refused upgrade shop"]
        assert "routes.py" in caplog.text
        assert state(engine) == ("1.0.0", State.ACTIVE)
        edit(file, "import no_such_module_here\n")
        assert looks(registrar, 5) == ["refused upgrade shop"]
    assert engine.host.store.all_refusals()["shop"]["problem"]
    edit(file, hello(version="mended"))
    assert looks(registrar, 5) == ["upgrade shop"]
    assert engine.host.store.all_refusals() == {}
    assert file.read_text() == hello(version="mended"), "the author's file is left as it was written"


async def test_a_folder_that_changes_while_something_is_to_be_confirmed_is_tried_again_after_that(
    engine: Engine, registrar: Registrar, plugins: Path
) -> None:
    await engine.install()
    await engine.run(Kind.UPGRADE, file=engine.archive("shop", "2.0.0"), confirm_within=600.0)
    assert looks(registrar) == []
    edit(plugins / "shop" / "backend" / "routes.py", hello("shop", "2.0.0 edited"))
    assert looks(registrar, 5) == ["refused upgrade shop"]
    assert "is not confirmed yet" in engine.host.store.all_refusals()["shop"]["problem"]
    confirm(engine.host.applier, "shop")
    assert looks(registrar, 5) == ["upgrade shop"]
    assert engine.host.store.all_refusals() == {}


def test_what_was_refused_is_tried_again_after_a_restart(engine: Engine, registrar: Registrar, plugins: Path) -> None:
    package(plugins / "shop", files={"routes.py": "import hotbay_test_late_module\n"})
    assert looks(registrar, 5) == ["refused install shop"]
    again = Registrar(engine.host.applier)
    assert looks(again, 5) == [], "the refusal is written down"
    again.forgive()
    assert looks(again, 5) == ["refused install shop"]
    again.close()


def test_a_refused_folder_is_tried_again_under_its_other_name(
    engine: Engine, registrar: Registrar, plugins: Path
) -> None:
    package(plugins / "shop", files={"routes.py": "import hotbay_test_late_module\n"})
    assert looks(registrar, 5) == ["refused install shop"]
    (plugins / "shop").rename(plugins / "_shop")
    done = looks(registrar, 5)
    assert done in (["install shop"], ["refused install shop"])
    assert looks(registrar, 5) == []


def test_a_refused_folder_that_is_deleted_is_forgotten(engine: Engine, registrar: Registrar, plugins: Path) -> None:
    write_tree(plugins / "shop", {"metadata.json": '{"id": "shop"}'})
    looks(registrar, 5)
    assert engine.host.store.all_refusals()
    before = engine.host.store.rev()
    shutil.rmtree(plugins / "shop")
    looks(registrar, 2)
    assert engine.host.store.all_refusals() == {}
    assert engine.host.store.rev() > before, "who shows it must hear of it"


def test_a_manifest_that_can_not_be_read_is_refused_and_stops_no_other(
    engine: Engine, registrar: Registrar, plugins: Path
) -> None:
    package(plugins / "shop")
    (plugins / "shop" / "metadata.json").write_text("{")
    package(plugins / "mail", "mail")
    done = looks(registrar, 5)
    assert "install mail" in done
    assert state(engine) is None
    assert engine.host.store.all_refusals()["shop"]["problem"]


def test_a_folder_whose_manifest_has_another_id_is_refused(engine: Engine, registrar: Registrar, plugins: Path) -> None:
    package(plugins / "shop", "mail")
    assert looks(registrar, 5) == ["refused install shop"]
    assert engine.host.store.all_live() == {}


async def test_where_both_names_exist_the_active_one_counts(
    engine: Engine, registrar: Registrar, plugins: Path
) -> None:
    await engine.install()
    looks(registrar)
    package(plugins / "_shop", version="2.0.0")
    assert looks(registrar) == []
    assert state(engine) == ("1.0.0", State.ACTIVE)


async def test_operations_of_others_are_no_changes_of_the_folder(engine: Engine, registrar: Registrar) -> None:
    await engine.install()
    await engine.install(version="2.0.0")
    assert looks(registrar) == []
    await engine.run(Kind.DEACTIVATE)
    assert looks(registrar) == []
    await engine.run(Kind.UNINSTALL)
    assert looks(registrar) == []


# ── the watch ─────────────────────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def watching(engine: Engine) -> AsyncIterator[Watch]:
    async with engine.worker():
        watch = Watch(engine.host.settings, engine.host.applier)
        watch.start()
        try:
            yield watch
        finally:
            await watch.stop()


async def test_one_of_two_workers_watches_and_the_other_takes_over(engine: Engine, plugins: Path) -> None:
    async with watching(engine) as one, watching(engine) as two:
        await until(lambda: one.post.held or two.post.held)
        package(plugins / "shop")
        await until(lambda: state(engine))
        first, second = (one, two) if one.post.held else (two, one)
        assert not second.post.held
        await first.stop()
        (plugins / "shop").rename(plugins / "_shop")
        await until(lambda: state(engine) == ("1.0.0", State.INACTIVE))
        assert second.post.held


async def test_an_error_in_a_look_does_not_end_the_watch(
    engine: Engine, plugins: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        async with watching(engine):
            shutil.rmtree(plugins)
            plugins.mkdir(exist_ok=True)
            package(plugins / "shop")
            await until(lambda: state(engine))


async def test_where_watching_is_switched_off_nobody_looks(tmp_path: Path) -> None:
    engine = Engine(tmp_path, watch=False)
    async with watching(engine) as watch:
        assert not watch.post.started
    engine.host.close()
