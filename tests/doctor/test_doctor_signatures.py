"""The doctor names signatures that are none: their packages would be refused."""

from __future__ import annotations

from pathlib import Path

from engine_host import opened, shop
from hotbay.doctor import examine
from hotbay.publishers import Publishers
from signing import envelope, payload, publisher, put, signed


def test_signatures_that_do_not_fit_are_named(tmp_path: Path) -> None:
    ada, packages = publisher(), tmp_path / "packages"
    good, bad = signed(shop(packages, "1.0.0"), ada), shop(packages, "1.1.0")
    shop(packages, "1.2.0")
    with opened(tmp_path / "home") as host:
        for trusted in (False, True):
            if trusted:
                Publishers(host.store).trust("Ada", ada.public.text, "ann")
            assert not [one for one in examine(host.settings) if one.id.startswith("source:")]
        put(bad, envelope(payload(good), ada))
        (found,) = [one for one in examine(host.settings) if one.check == "source"]
    assert found.level == "warning"
    assert found.message.startswith("the signature is not that of shop 1.1.0")
    assert found.id.endswith(f"signature:{bad.name}.sig.json") and found.mend
