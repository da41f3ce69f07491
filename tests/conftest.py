"""Make the folders of tests importable for one another (`system.packages`)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
