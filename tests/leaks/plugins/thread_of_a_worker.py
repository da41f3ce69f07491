"""A thread that is an object's, which is a class's."""

import threading

from the_host import END


class Worker:
    def run(self) -> None:
        END.wait(60)


def start() -> None:
    threading.Thread(target=Worker().run, name="worker", daemon=True).start()
