"""How a late beat is written: process id, when it came, how late, CPU time of its thread and of its process."""

import struct

RECORD = struct.Struct("<Qdddd")
