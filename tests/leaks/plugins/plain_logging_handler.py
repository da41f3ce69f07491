"""A handler that does not show whose it is."""

import io
import logging


def start() -> None:
    logging.getLogger("the_host").addHandler(logging.StreamHandler(io.StringIO()))
