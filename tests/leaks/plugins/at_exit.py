"""A function that is to run when the process ends."""

import atexit
import functools

from the_host import CALLBACKS


class Saver:
    def save(self) -> None:
        CALLBACKS.append("saved")


def save(what: str) -> None:
    CALLBACKS.append(what)


atexit.register(Saver().save)
atexit.register(functools.partial(save, "x"))
