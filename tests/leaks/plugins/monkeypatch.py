"""A function of the host's replaced, which the replacement calls."""

import the_host

before = the_host.price


def price() -> int:
    return before() + 1


the_host.price = price
