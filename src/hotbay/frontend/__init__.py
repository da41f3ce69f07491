"""Plugins' frontends: compiled from what authors write, checked against what the shell shares, kept by content hash.

`build` is the door: a package's folder goes in, a `Bundle` comes out, or an error that names file, line and mend.
"""

from __future__ import annotations

from hotbay.frontend.build import build, has_frontend
from hotbay.frontend.bundle import Bundle
from hotbay.frontend.toolchain import Toolchain

__all__ = ["Bundle", "Toolchain", "build", "has_frontend"]
