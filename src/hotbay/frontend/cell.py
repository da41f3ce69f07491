"""A process that may nearly nothing: it limits itself, then becomes a command or evaluates a configuration.

Run as a file by `sandbox`, with `python -I -S`; it imports nothing of Hotbay, and nothing of the host's environment
reaches it. What it gets is one JSON document as its argument:

    {"cpu": seconds, "memory": bytes or 0, "file": bytes, "read": [paths], "write": [paths],
     "command": [program, arguments...] or null, "quickjs": folder}

Without a command it reads JavaScript from standard input and writes what its last expression gave.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from typing import Any

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same numbers on every architecture
_NO_NEW_PRIVILEGES, _DIE_WITH_PARENT = 38, 1
_VERSION = 1
_PATH_BENEATH = 1
_FILE_RIGHTS = 0b0101  # execute, read a file
_DIR_RIGHTS = 0b1101  # and list a folder
_SCRIPT_SECONDS, _SCRIPT_BYTES, _SCRIPT_STACK = 1.0, 64 * 1024 * 1024, 512 * 1024


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32)]


def limit(document: dict[str, Any]) -> None:
    """Resource limits: processor time, size of a file, memory, no core dump."""
    limits = [(resource.RLIMIT_CPU, document["cpu"]), (resource.RLIMIT_FSIZE, document["file"])]
    limits += [(resource.RLIMIT_CORE, 0)]
    if document["memory"]:
        limits += [(resource.RLIMIT_AS, document["memory"])]
    for name, value in limits:
        resource.setrlimit(name, (value, value))
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and what it becomes would too.
        signal.signal(number, signal.SIG_DFL)


def die_with_parent() -> None:
    """Nobody waits for what a process that was killed wanted, and it must not write where somebody clears up."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)


def confine(read: list[str], write: list[str]) -> bool:
    """Landlock: from now on only these paths exist, and no network. False where the kernel does not know how."""
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    if version < 1:
        return False
    every = (1 << (13 + min(version - 1, 2) + (version >= 5))) - 1
    rules = _Ruleset(every, 0b11 if version >= 4 else 0, 0b11 if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = libc.syscall(_CREATE, ctypes.byref(rules), ctypes.c_size_t(size), ctypes.c_uint32(0))
    if ruleset < 0:
        return False
    for path, rights in [*((path, _DIR_RIGHTS) for path in read), *((path, every) for path in write)]:
        folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
        allowed = rights if os.path.isdir(path) else rights & _FILE_RIGHTS  # noqa: PTH112 - every import costs time here
        rule = _Beneath(allowed, folder)
        if libc.syscall(_ADD, ruleset, _PATH_BENEATH, ctypes.byref(rule), ctypes.c_uint32(0)):
            return False
        os.close(folder)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        return False
    done: int = libc.syscall(_RESTRICT, ruleset, ctypes.c_uint32(0))
    os.close(ruleset)
    return done == 0


def evaluate(folder: str) -> str:
    """What the JavaScript on standard input gives. Raises what QuickJS raises."""
    source = sys.stdin.read()
    sys.path.append(folder)
    import _quickjs  # type: ignore[import-not-found]  # it has no types

    confine([], [])
    context = _quickjs.Context()
    context.set_memory_limit(_SCRIPT_BYTES)
    context.set_max_stack_size(_SCRIPT_STACK)
    context.set_time_limit(_SCRIPT_SECONDS)
    return str(context.eval(source))


def main() -> None:
    """Become the command, or evaluate."""
    document = json.loads(sys.argv[1])
    die_with_parent()
    limit(document)
    if document["command"]:
        if document["read"]:
            confine(document["read"], document["write"])
        os.execve(document["command"][0], document["command"], {})  # noqa: S606 - that is what this file is for
    try:
        answer = {"value": evaluate(document["quickjs"])}
    except Exception as error:  # noqa: BLE001 - whatever a script does is an answer, too
        answer = {"error": str(error) or type(error).__name__}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
