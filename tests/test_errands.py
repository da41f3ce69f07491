"""What a worker does beside serving: the look at the local packages, and receipts when it is calm."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine import Engine
from hotbay import errands
from hotbay.activate.threads import handing_over
from hotbay.catalog import Catalog
from hotbay.notary import Notary
from hotbay.package import pack
from hotbay.settings import Settings
from plugs import package, running, until


@asynccontextmanager
async def writing(notary: Notary) -> AsyncIterator[None]:
    """Receipts are written while the block runs."""
    async with running(errands.write_receipts(notary)):
        yield


async def test_a_look_at_the_packages_that_fails_is_not_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder may vanish between being found and being read."""
    monkeypatch.setattr(errands, "_CATALOG_SECONDS", 0.01)
    catalog, looks, changes = Catalog(Settings(home=tmp_path / "home")), list[int](), list[set[str]]()
    real = catalog.refresh

    def refresh() -> bool:
        looks.append(look := len(looks))
        if look < 12 and look != 8:
            raise FileNotFoundError("modules/gone" if look < 4 else "modules/lost")
        return real()

    async def changed() -> None:
        changes.append(set(catalog._known))

    monkeypatch.setattr(catalog, "refresh", refresh)
    async with running(errands.follow_catalog(catalog, changed)):
        await until(lambda: len(looks) > 12)
        told = [str(record.exc_info[1]) for record in caplog.records if record.exc_info]
        assert told == ["modules/gone", "modules/lost", "modules/lost"], "once for as long as it lasts"
        pack(package(tmp_path / "offered", "mail"), tmp_path / "home" / "modules")
        await until(lambda: changes == [{"mail"}], "the package is read")


async def test_receipts_wait_while_a_plugin_is_loaded_but_not_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errands, "_RECEIPTS_SECONDS", 0.01)
    monkeypatch.setattr(errands, "_CALM_SECONDS", 3600.0)
    engine = Engine(tmp_path, receipt_seconds=0.0)
    async with engine.worker():
        await engine.install()
        notary = engine.host.applier.notary
        with handing_over():
            async with writing(notary):
                await asyncio.sleep(0.2)
                assert notary.pending() == [1]
            monkeypatch.setattr(errands, "_CALM_SECONDS", 0.1)
            async with writing(notary):
                await until(lambda: notary.pending() == [])
        monkeypatch.setattr(errands, "_CALM_SECONDS", 3600.0)
        intervals, real = list[float](), notary.write_due

        def write_due() -> int:
            intervals.append(sys.getswitchinterval())
            return real()

        monkeypatch.setattr(notary, "write_due", write_due)
        async with writing(notary):
            await engine.install(version="2.0.0")
            await until(lambda: notary.pending() == [] and notary.find(2) is not None)
        assert max(intervals) == pytest.approx(0.0002), "and then it hands the interpreter over early"
