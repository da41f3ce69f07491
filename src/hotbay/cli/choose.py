"""What of the plugins somebody looks for: the marketplace's search and filters, as options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from hotbay.model import Live
    from hotbay.source import Offer

RUNTIMES = ("inprocess", "isolated")


@dataclass(frozen=True)
class Choice:
    """Which plugins are looked for; the fields are those of `GET {api}/marketplace/addons`."""

    search: str = ""
    category: str = ""
    paid: bool | None = None
    runtime: str = ""
    missing: bool = False

    def of(self, offers: Sequence[Offer], live: Mapping[str, Live]) -> frozenset[str]:
        """The ids that fit. The newest offer of a plugin decides, else what is installed."""
        from hotbay.console.shelf import joined

        installed = False if self.missing else None
        return frozenset(
            one.id
            for one in joined(offers, live)
            if one.fits(self.search, self.category, installed, paid=self.paid, runtime=self.runtime)
        )


_OPTIONS = (
    click.option("--search", metavar="WORDS", default="", help="Only plugins that have all of these words."),
    click.option("--category", metavar="NAME", default="", help="Only plugins of this category."),
    click.option("--free/--paid", "free", default=None, help="Only free plugins, or only those with a price."),
    click.option("--runtime", type=click.Choice(RUNTIMES), default=None, help="Only plugins that run like this."),
    click.option("--not-installed", "missing", is_flag=True, help="Only what is offered and not installed."),
)


def choosing(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a verb the options of a choice, as its argument `choice`."""

    def chosen(*given: Any, free: bool | None, runtime: str | None, **named: Any) -> Any:
        kept = {name: named.pop(name) for name in ("search", "category", "missing")}
        choice = Choice(**kept, paid=None if free is None else not free, runtime=runtime or "")
        return verb(*given, choice=choice, **named)

    chosen.__doc__ = verb.__doc__
    for option in reversed(_OPTIONS):
        chosen = option(chosen)
    return chosen
