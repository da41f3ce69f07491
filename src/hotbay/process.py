"""A process in the name of what it is making: whoever finds it half made can tell whether the maker is still there.

A number alone does not tell. It is given again: on a busy machine within minutes, and in a container that is started
anew the workers have the numbers of those before. So the name says as well when the process began, in the system's
ticks since it was booted (`/proc/<pid>/stat`, field 22: proc(5)), where the system tells.
"""

from __future__ import annotations

import os
from pathlib import Path


def me() -> str:
    """This process, as a part of a file's name: its number, `t`, and when it began; the number alone elsewhere."""
    pid = os.getpid()
    began = _began(pid)
    return f"{pid}t{began}" if began else str(pid)


def lives(name: str) -> bool:
    """True when the process that `me` named is there, whoever owns it. Of a number alone, when any process has it."""
    number, _, began = name.partition("t")
    try:
        pid = int(number)
        os.kill(pid, 0)
    except (ValueError, OverflowError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return not began or _began(pid) in ("", began)


def _began(pid: int) -> str:
    try:
        return fields(pid)[19]
    except OSError:
        return ""


def fields(pid: int) -> list[str]:
    """What `/proc/<pid>/stat` says of a process, from its state on (field 3: the process's name may hold anything).

    Raises OSError when there is no such process, or no such file on this system.
    """
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    return stat.rpartition(")")[2].split()
