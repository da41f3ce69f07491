"""An object of the plugin's among the names of a function of the host's that a thread executes."""

import threading
import time

from the_host import CALLBACKS, keep


class Order: ...


def start() -> None:
    CALLBACKS.append(Order)
    threading.Thread(target=keep, name="keeper", daemon=True).start()
    while CALLBACKS:
        time.sleep(0.01)
