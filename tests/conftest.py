"""Make the folders of tests importable (`system.packages`), and keep the demo's settings out of them."""

import os
import sys
import tempfile
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

# The project's own hotbay.toml describes the demo. A test that means a file names it or leaves this folder.
_empty = Path(tempfile.mkdtemp(prefix="hotbay-tests-")) / "hotbay.toml"
_empty.write_text("")
os.environ["HOTBAY_CONFIG"] = str(_empty)

# On a busy machine an example may take long: that is no finding.
settings.register_profile("hotbay", deadline=None)
settings.load_profile("hotbay")
