"""Who made what is installed: kept in the live row, so that it comes and goes with the switch. Pure.

A row remembers it by image, for the version in service and those that are kept: going back takes it back as well.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from hotbay.errors import OtherPublisher
from hotbay.model import Live, Trust, TrustState

# Where a row keeps it: `Live.extra[TRUST]`.
TRUST = "trust"


def recorded(row: Live) -> Trust:
    """What was known of who made the version in service when it was brought in."""
    return all_recorded(row).get(row.image, Trust())


def all_recorded(row: Live | None) -> dict[str, Trust]:
    """The same by image, of all versions that the row remembers. What is not readable is unsigned."""
    found: Any = row.extra.get(TRUST) if row is not None else None
    return {image: Trust.from_json(item) for image, item in found.items()} if isinstance(found, Mapping) else {}


def remembered(old: Live | None, kept: Collection[str], image: str, trust: Trust | None = None) -> dict[str, Any]:
    """What goes into `extra` of the row to be, which runs `image`; `kept` are the images that can be gone back to.

    `trust` is what is known of a package that comes in now; without it, what is known of the image already.
    """
    known = {name: item for name, item in all_recorded(old).items() if name in kept or name == image}
    if trust is not None:
        known[image] = trust
    told = {name: item.to_json() for name, item in known.items() if item.state is not TrustState.UNSIGNED}
    return {TRUST: told} if told else {}


def left(old: Live | None, trust: Trust) -> str:
    """The verified publisher of what is installed, if the package that is to take its place is not verified as theirs;
    else empty."""
    before = recorded(old) if old is not None else Trust()
    same = trust.verified and trust.publisher == before.publisher
    return before.publisher if before.verified and not same else ""


def other_publisher(plugin: str, version: str, before: str) -> OtherPublisher:
    """Why an upgrade is refused that takes a plugin away from its publisher."""
    return OtherPublisher(
        f"{plugin} is {before}'s, and {plugin} {version} is not signed by them",
        mend="agree to that (`--accept-publisher`) if the plugin has a new publisher",
        publisher=before,
    )
