"""Hooks registered with the host's own manager."""

import sys

import pluggy
from the_host import HOOKS

impl = pluggy.HookimplMarker("the_host")


class Hooks:
    @impl
    def greet(self) -> str:
        return "hello"


HOOKS.register(Hooks())
HOOKS.register(sys.modules[__name__])
