"""A callback in a list of the host's."""

from the_host import CALLBACKS


def changed() -> None: ...


CALLBACKS.append({"on": changed})
