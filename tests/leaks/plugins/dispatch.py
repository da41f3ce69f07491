"""A class registered with the host's `singledispatch` function."""

from the_host import render


class Chart: ...


@render.register
def _(thing: Chart) -> str:
    return "chart"
