"""A function of the host's replaced; nobody keeps the one before."""

import the_host


def _price() -> int:
    return 99


the_host.price = _price
the_host.added = _price
