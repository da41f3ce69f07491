"""The plugin under another name, and a module made of its functions."""

import sys
import types


def helper() -> None: ...


made = types.ModuleType("leak_made")
made.helper = helper
sys.modules["leak_made"] = made
sys.modules["leak_alias"] = sys.modules[__name__]
