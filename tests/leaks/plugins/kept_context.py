"""A context with an object of the plugin's, which the host keeps."""

import contextvars

from the_host import CALLBACKS, CURRENT


class Request: ...


def start() -> None:
    CURRENT.set(Request())
    CALLBACKS.append(contextvars.copy_context())
