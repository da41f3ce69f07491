"""The host's own thread, which stands in the plugin's function."""

import threading

from the_host import END, wait


def work() -> None:
    END.wait(60)


def start() -> None:
    threading.Thread(target=wait, args=(work,), name="host's own", daemon=True).start()
