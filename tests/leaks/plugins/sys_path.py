"""Folders and finders for imports."""

import sys
from importlib.abc import MetaPathFinder
from pathlib import Path


class Finder(MetaPathFinder):
    def find_spec(self, fullname, path, target=None):
        return None


def hook(path):
    raise ImportError(path)


sys.path.append(str(Path(__file__).parent))
sys.path.append("/somewhere/else")
sys.meta_path.append(Finder())
sys.path_hooks.append(hook)
