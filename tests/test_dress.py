"""The step that compiles a frontend: beside the others, undone by deletion, settled after the switch, mended."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from console.fronts import front
from engine import Engine
from engine_host import die, elsewhere, opened, run
from hotbay import dress
from hotbay.errors import HotbayError, InvalidPackage
from hotbay.frontend.assets import Assets
from hotbay.heal import restore_rows
from hotbay.model import Kind
from hotbay.package import pack
from hotbay.steps import STEPS
from plugs import package, write_tree


class Front:
    """An engine whose plugin `shop` has a frontend; no worker runs."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.engine = Engine(folder, **options)
        self.assets = Assets(self.engine.host.settings.assets)

    async def bring(self, version: str, text: str, **changes: str) -> None:
        """Install or upgrade to a version that shows `text`."""
        made = front(text, **changes)
        source = self.engine.folder_of("shop", version, None, frontend=made["frontend"])
        write_tree(source, made["files"])
        file = pack(source, self.engine.folder / "out")
        kind = Kind.UPGRADE if self.engine.host.store.find_live("shop") else Kind.INSTALL
        await self.engine.run(kind, "shop", file=file)

    @property
    def digest(self) -> str:
        """What the live row shows."""
        bundle = dress.bundle_of(self.engine.host.store.get_live("shop"))
        return bundle.digest if bundle is not None else ""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Front]:
    """An engine; its database is closed at the end."""
    made = Front(tmp_path)
    yield made
    made.engine.host.close()


async def test_the_row_says_what_is_shown_and_the_files_are_there(host: Front) -> None:
    await host.bring("1.0.0", "one")
    assert host.assets.of("shop") == [host.digest]
    assert dress.damaged(host.engine.host.settings, host.engine.host.store.get_live("shop")) == ""


@pytest.mark.parametrize("lost", [False, True])
async def test_a_row_that_is_restored_shows_what_it_showed(host: Front, lost: bool) -> None:
    await host.bring("1.0.0", "one")
    store, settings = host.engine.host.store, host.engine.host.settings
    before, digest = store.get_live("shop"), host.digest
    with store.write() as connection:
        connection.exec_driver_sql("UPDATE hotbay_live SET extra = '{'")
    if lost:
        host.assets.remove("shop", digest)
    assert host.digest == ""
    assert restore_rows(store, settings) == ["shop"]
    assert store.get_live("shop") == before
    assert dress.damaged(settings, before) == ""


async def test_a_row_comes_back_without_pages_that_do_not_compile(
    host: Front, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await host.bring("1.0.0", "one")
    store, settings = host.engine.host.store, host.engine.host.settings
    with store.write() as connection:
        connection.exec_driver_sql("UPDATE hotbay_live SET extra = '{'")
    monkeypatch.setenv("HOTBAY_ESBUILD", "/nonexistent/esbuild")
    assert restore_rows(store, settings) == ["shop"]
    assert (store.get_live("shop").problem, host.digest) == ("", "")
    assert "could not be compiled anew" in caplog.text


async def test_what_was_left_stays_for_open_tabs_and_comes_back_with_a_rollback(host: Front) -> None:
    await host.bring("1.0.0", "one")
    first = host.digest
    await host.bring("1.1.0", "two")
    second = host.digest
    assert set(host.assets.of("shop")) == {first, second}
    await host.engine.run(Kind.ROLLBACK, "shop")
    assert host.digest == first
    marks = sorted(path.name for path in (host.assets.folder / "shop").glob("*.left"))
    assert marks == [f"{second}.left"]


async def test_what_was_left_long_ago_goes(tmp_path: Path) -> None:
    host = Front(tmp_path, asset_seconds=100.0)
    try:
        await host.bring("1.0.0", "one")
        first = host.digest
        await host.bring("1.1.0", "two")
        long_ago = time.time() - 200
        os.utime(host.assets.folder / "shop" / f"{first}.left", (long_ago, long_ago))
        await host.bring("1.2.0", "three")
        assert first not in host.assets.of("shop")
        assert len(host.assets.of("shop")) == 2
    finally:
        host.engine.host.close()


async def test_a_frontend_that_does_not_compile_changes_nothing(host: Front) -> None:
    await host.bring("1.0.0", "one")
    before = host.digest
    with pytest.raises(InvalidPackage) as caught:
        await host.bring("1.1.0", "two", **{"frontend/pages/Notes.tsx": "export default 1 +;"})
    assert caught.value.step == "compile"
    assert (host.digest, host.assets.of("shop")) == (before, [before])
    assert host.engine.host.store.get_live("shop").version == "1.0.0"


async def test_a_later_step_that_fails_takes_the_files_back(host: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    await host.bring("1.0.0", "one")
    before = host.digest
    monkeypatch.setattr(type(STEPS["start"]), "do", lambda self, bench, params: 1 / 0)
    with pytest.raises(HotbayError):
        await host.bring("1.1.0", "two")
    assert host.assets.of("shop") == [before]
    with pytest.raises(HotbayError):  # With the same files as those that serve, nothing is deleted.
        await host.bring("1.1.0", "one")
    assert host.assets.of("shop") == [before]


async def test_what_a_killed_operation_left_is_swept(host: Front) -> None:
    await host.bring("1.0.0", "one")
    stray = host.assets.folder / "shop" / "0123456789abcdef"
    stray.mkdir()
    (host.assets.folder / "shop" / ".0123456789abcdee.77.part").mkdir()
    (host.assets.folder / "gone" / "0123456789abcdef").mkdir(parents=True)
    host.engine.host.applier.recover_at_start()
    assert host.assets.of("shop") == [host.digest]
    assert sorted(path.name for path in (host.assets.folder / "shop").iterdir()) == [host.digest]
    assert host.assets.of("gone") == []


async def test_the_first_one_that_is_undone_leaves_no_folder(host: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(STEPS["start"]), "do", lambda self, bench, params: 1 / 0)
    with pytest.raises(HotbayError):
        await host.bring("1.0.0", "one")
    assert host.assets.plugins() == []


def compile_and_die(home: Path, file: Path, marker: Path) -> None:
    """In a process of its own: it dies while the compiler has the sources."""
    room: Any = importlib.import_module("hotbay.frontend.build")

    def dies(program: Path, *arguments: Any) -> Any:
        marker.write_text("\n".join(str(path) for path in home.joinpath("staging").glob("*/frontend")))
        die()

    room.compile_with = dies
    with opened(home) as host:
        run(host, Kind.INSTALL, file=file)


def test_what_a_compiler_that_was_killed_had_is_staged_and_swept(tmp_path: Path) -> None:
    made = front("one")
    write_tree(package(tmp_path / "source", "shop", "1.0.0", None, frontend=made["frontend"]), made["files"])
    file = pack(tmp_path / "source", tmp_path / "out")
    elsewhere(compile_and_die, tmp_path / "home", file, tmp_path / "marker", expect=-9)
    (left,) = (tmp_path / "marker").read_text().splitlines()
    assert Path(left).is_dir()
    with opened(tmp_path / "home") as host:
        host.applier.recover_at_start()
        assert list(host.settings.staging.iterdir()) == []
        assert Assets(host.settings.assets).plugins() == []


async def test_uninstalling_deletes_all_of_it(host: Front) -> None:
    await host.bring("1.0.0", "one")
    await host.bring("1.1.0", "two")
    await host.engine.run(Kind.UNINSTALL, "shop")
    assert not (host.assets.folder / "shop").exists()


async def test_lost_or_changed_files_are_named_and_made_again(host: Front) -> None:
    await host.bring("1.0.0", "one")
    settings, row = host.engine.host.settings, host.engine.host.store.get_live("shop")
    file = next(host.assets.path("shop", host.digest).glob("Notes-*.js"))
    for damage in (file.unlink, lambda: file.write_text("alert(1)")):
        damage()
        assert file.name in dress.damaged(settings, row)
        assert dress.mend(settings, row)
        assert dress.damaged(settings, row) == ""
    assert not dress.mend(settings, row)


async def test_activating_compiles_what_is_not_there(host: Front) -> None:
    await host.bring("1.0.0", "one")
    await host.engine.run(Kind.DEACTIVATE, "shop")
    host.assets.forget("shop")
    outcome = await host.engine.run(Kind.ACTIVATE, "shop")
    assert outcome.plan.steps[0].verb == "compile"
    assert host.assets.of("shop") == [host.digest]
    await host.engine.run(Kind.DEACTIVATE, "shop")
    outcome = await host.engine.run(Kind.ACTIVATE, "shop")
    assert "compile" not in [step.verb for step in outcome.plan.steps]


@pytest.mark.parametrize("found", [None, {}, {"digest": "x"}, [], {"digest": 1, "files": 2, "styles": 3}])
async def test_a_row_that_does_not_say_it_shows_nothing(host: Front, found: Any) -> None:
    await host.bring("1.0.0", "one")
    row = replace(host.engine.host.store.get_live("shop"), extra={"frontend": found})
    assert dress.bundle_of(row) is None
    assert dress.in_use([row]) == frozenset()
