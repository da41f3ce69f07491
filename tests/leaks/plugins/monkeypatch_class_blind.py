"""A method of the host's replaced; nobody keeps the one before."""

import the_host

TEXT = "checked by the plugin"


def check(self) -> str:
    return TEXT


the_host.Mailer.check = check
