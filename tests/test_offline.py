"""A host's state without its server: operations, settings, and what plugins are given."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import Engine
from hotbay.activate import Image
from hotbay.errors import InvalidSettings, NotFound, StateError
from hotbay.grant import GuardDenied
from hotbay.model import Kind
from hotbay.offline import context_maker, open_host
from hotbay.settings import Settings
from hotbay.store import version_of
from hotbay.vault import MASK
from hotbay_sdk.manifest import parse

SETTINGS = """
    from pydantic import BaseModel, Field, SecretStr
    class Settings(BaseModel):
        rate: int = Field(1, ge=0)
        note: str = "hello"
        key: SecretStr = SecretStr("")
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path)
    yield made
    made.host.close()


async def test_operations_work_without_a_server(engine: Engine) -> None:
    await engine.install()
    assert engine.host.store.get_live("shop").contributions.routes[0].path == "/api/v1/shop/version"
    await engine.install(version="2.0.0")
    assert engine.host.store.get_live("shop").version == "2.0.0"
    await engine.run(Kind.UNINSTALL)
    assert engine.host.store.all_live() == {}


async def test_two_open_hosts_see_the_same_state(engine: Engine) -> None:
    await engine.install()
    other = open_host(engine.host.settings)
    assert other.store.get_live("shop").version == "1.0.0"
    other.close()


async def test_settings_are_validated_stored_and_shown_without_secrets(engine: Engine) -> None:
    await engine.install(files={"settings.py": SETTINGS})
    shown = engine.host.change_settings("shop", {"rate": 5, "key": "s3cret"})
    assert shown == {"rate": 5, "note": "hello", "key": MASK}
    assert engine.host.vault.read("shop") == {"rate": 5, "key": "s3cret"}
    assert b"s3cret" not in engine.host.settings.database_path.read_bytes()
    assert engine.host.change_settings("shop", {"note": "x", "key": MASK})["note"] == "x"
    assert engine.host.vault.read("shop")["key"] == "s3cret"
    assert engine.host.change_settings("shop", {"key": None}) == {"rate": 5, "note": "x"}


async def test_replacing_settings_forgets_what_is_not_named(engine: Engine) -> None:
    await engine.install(files={"settings.py": SETTINGS})
    engine.host.change_settings("shop", {"rate": 5, "note": "x"})
    shown = engine.host.change_settings("shop", {"note": "y"}, replace=True)
    assert shown == {"rate": 1, "note": "y"}
    assert engine.host.vault.read("shop") == {"note": "y"}


async def test_replacing_works_with_a_lost_key(engine: Engine) -> None:
    await engine.install(files={"settings.py": SETTINGS})
    engine.host.change_settings("shop", {"rate": 5, "key": "s3cret"})
    engine.host.close()
    engine.host.vault.key_file.unlink()
    again = open_host(engine.host.settings)
    try:
        with pytest.raises(StateError, match="can't be decrypted"):
            again.change_settings("shop", {"note": "y"})
        assert again.change_settings("shop", {"note": "y"}, replace=True) == {"rate": 1, "note": "y"}
        again.change_settings("shop", {"key": "new"}, replace=True)
        assert again.vault.read("shop") == {"key": "new"}
    finally:
        again.close()


async def test_settings_that_no_longer_fit_can_be_mended(engine: Engine) -> None:
    await engine.install(files={"settings.py": SETTINGS})
    engine.host.vault.write("shop", {"rate": -1}, None)
    assert engine.host.change_settings("shop", {"rate": 2})["rate"] == 2


async def test_wrong_settings_are_all_named_and_change_nothing(engine: Engine) -> None:
    await engine.install(files={"settings.py": SETTINGS})
    engine.host.change_settings("shop", {"rate": 5})
    before = engine.host.applier.beacon.value
    with pytest.raises(InvalidSettings) as caught:
        engine.host.change_settings("shop", {"rate": -1, "note": ["hidden value"]})
    assert [problem.field for problem in caught.value.problems] == ["rate", "note"]
    assert "hidden value" not in str(caught.value)
    with pytest.raises(InvalidSettings, match="rat: is no setting"):
        engine.host.change_settings("shop", {"rat": 1})
    assert engine.host.vault.read("shop") == {"rate": 5}
    assert engine.host.applier.beacon.value == before


async def test_a_change_makes_workers_look(engine: Engine) -> None:
    await engine.install(files={"settings.py": SETTINGS})
    before = engine.host.applier.beacon.value
    revision = engine.host.store.get_live("shop").settings_rev
    engine.host.change_settings("shop", {"rate": 2})
    assert engine.host.applier.beacon.value > before
    assert engine.host.applier.beacon.value % 2 == 0
    assert engine.host.store.get_live("shop").settings_rev > revision


async def test_a_plugin_without_settings_or_that_is_not_there(engine: Engine) -> None:
    await engine.install()
    with pytest.raises(InvalidSettings, match="has no settings"):
        engine.host.change_settings("shop", {"rate": 1})
    with pytest.raises(NotFound, match="mail"):
        engine.host.change_settings("mail", {"rate": 1})


async def test_plugins_can_import_the_hosts_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "hotbay_test_host_module.py").write_text("ANSWER = 42\n")
    engine = Engine(tmp_path, app_dir=tmp_path / "code")
    await engine.install(files={"plugin.py": "from hotbay_test_host_module import ANSWER\nassert ANSWER == 42"})
    again = open_host(engine.host.settings)
    assert sys.path.count(str(tmp_path / "code")) == 1
    again.close()
    engine.host.close()
    del sys.modules["hotbay_test_host_module"]


async def test_a_context_knows_its_plugin_and_is_confined_to_its_tables(engine: Engine) -> None:
    await engine.install()
    row = engine.host.store.get_live("shop")
    made = context_maker(engine.host.settings, engine.host.store, engine.host.vault)(
        Image(version_of(row), engine.host.images.path(row.image), parse(row.manifest)), 5
    )
    assert (made.id, made.version, made.generation) == ("shop", "1.0.0", 5)
    assert made.data == engine.host.settings.data / "shop"
    with pytest.raises(GuardDenied, match="hotbay_live"), made.database.session() as session:
        session.connection().exec_driver_sql("SELECT * FROM hotbay_live")
    assert await made.filter("total", 5) == 5
    await made.emit("nobody.listens")
    with pytest.raises(NotFound, match="running server"):
        await made.service("mail.send")()
    await made.release()


def test_opening_a_host_makes_its_folders(tmp_path: Path) -> None:
    host = open_host(Settings(home=tmp_path / "home"))
    assert {path.name for path in (tmp_path / "home").iterdir()} >= {"plugins", "images", "run", "hotbay.db"}
    host.close()


async def test_change_settings_works_inside_a_running_loop(engine: Engine) -> None:
    await engine.install(files={"settings.py": SETTINGS})
    await asyncio.sleep(0)
    assert engine.host.change_settings("shop", {"rate": 9})["rate"] == 9
