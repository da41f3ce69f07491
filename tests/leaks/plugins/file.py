"""A file handle, which only the host's list knows."""

from the_host import FILES

FILES.append(open(__file__))
