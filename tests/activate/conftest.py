"""Lets the tests of the runtimes use the helpers of the folder above."""

from __future__ import annotations

import sys
from pathlib import Path

ABOVE = str(Path(__file__).parents[1])
if ABOVE not in sys.path:
    sys.path.insert(0, ABOVE)
