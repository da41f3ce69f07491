"""`Server-Timing` on plugins' answers, where the settings want it."""

from __future__ import annotations

import re
from pathlib import Path

from console.desks import opened

TEXT = re.compile(r'^hotbay;desc="notes 1\.0\.0";dur=[0-9]+\.[0-9]{2}$')


def test_it_is_off_unless_the_settings_want_it(tmp_path: Path) -> None:
    for wanted in (False, True):
        with opened(tmp_path / str(wanted), server_timing=wanted) as desk:
            desk.pack()
            desk.install()
            answer = desk.client.get("/api/v1/notes/version")
            assert answer.status_code == 200
            assert bool(TEXT.match(answer.headers.get("server-timing", ""))) is wanted
            assert "server-timing" not in desk.client.get("/openapi.json").headers
