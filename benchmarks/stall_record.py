"""How a late beat is written: process id, when it came, how late, CPU time of its thread and of its process, and what a
hypervisor took away meanwhile (`steal` of `/proc/stat`, proc(5))."""

import os
import struct
from pathlib import Path

RECORD = struct.Struct("<Qddddd")


def stolen() -> float:
    """Seconds that a hypervisor took from all processors since the machine began, in steps of 10 ms; 0 elsewhere."""
    try:
        total = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
        return int(total[8]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError):
        return 0.0
