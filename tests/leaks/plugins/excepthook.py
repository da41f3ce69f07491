"""The process's hook for exceptions."""

import sys


def hook(kind, error, traceback) -> None: ...


sys.excepthook = hook
