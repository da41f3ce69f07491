"""How a late beat is written: process id, when it came, by how much it was late, CPU time of its thread, of its process."""

import struct

RECORD = struct.Struct("<Qdddd")
