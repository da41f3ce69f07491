"""A daemon timer."""

import threading


def remind() -> None: ...


def start() -> None:
    timer = threading.Timer(3600, remind)
    timer.daemon = True
    timer.name = "remind"
    timer.start()
