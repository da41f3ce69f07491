"""A thread that nobody told to stop."""

import threading

from the_host import END


def poll() -> None:
    END.wait(60)


def start() -> None:
    threading.Thread(target=poll, name="poll", daemon=True).start()
