"""The publishers that a host trusts: names and public keys, taken by console, API and command line, in the audit.

A name may have several keys; a key belongs to one name, the one that its owner signs with. There is no list that comes
with Hotbay, and none that is fetched: whom to trust is an administrator's decision, key by key.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from hotbay import asked, store
from hotbay.errors import BadInput, HotbayError, NotFound, NotVerified, Problem, Refused
from hotbay.keys import parse_public
from hotbay.model import Live, Trust, TrustState
from hotbay.provenance import recorded
from hotbay.signature import LONGEST_NAME, PublisherKey, fit_name, sidecar
from hotbay.source import Offer
from hotbay.store import Store
from hotbay.verify import TrustedPublishers, appraise

log = logging.getLogger("hotbay.publishers")
MOST = 200
_META = "publishers"
_KEYID = re.compile(r"[0-9a-f]{8,64}")
Rows = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Publisher:
    """A trusted key: whose it is, since when, and who said so."""

    key: PublisherKey
    at: str
    actor: str

    def to_json(self) -> dict[str, str]:
        """Flat JSON."""
        key = self.key
        return {"name": key.publisher, "keyid": key.keyid, "key": key.text, "at": self.at, "actor": self.actor}


class Publishers:
    """The trusted publishers of one host."""

    def __init__(self, registry: Store) -> None:
        self.store = registry

    def all(self) -> list[Publisher]:
        """By name, then by age."""
        return sorted(_read(self.store.get_meta(_META)), key=lambda one: (one.key.publisher.casefold(), one.at))

    @property
    def chosen(self) -> bool:
        """True when somebody has decided here whom to trust, be it nobody any more."""
        return self.store.get_meta(_META) is not None

    def policy(self, *, required: bool = False) -> TrustedPublishers:
        """What `verify` judges by, as of now."""
        return TrustedPublishers((one.key for one in self.all()), required=required)

    def trust(self, name: str, key: str, actor: str) -> Publisher:
        """Trust a public key (`ed25519:…`) under a publisher's name. Safe to repeat.

        Raises BadInput for what is no name or no key, and Refused when the key belongs to another name.
        """
        if not fit_name(name):
            rule = f"must have 1 to {LONGEST_NAME} printable characters, and no blanks around it"
            raise BadInput("that is no publisher's name", problems=(Problem("name", rule),))
        wanted = Publisher(PublisherKey(name, parse_public(key)), store.now(), actor)
        with self.store.write(durable=True) as connection:
            known = {one.key.keyid: one for one in _here(connection)}
            there = known.get(wanted.key.keyid)
            if there is not None:
                return _same(there, name)
            if len(known) >= MOST:
                raise Refused(f"this host trusts {MOST} keys already", mend="remove those that are not needed")
            _write(connection, [*known.values(), wanted], wanted, actor, "trusted")
        return wanted

    def distrust(self, keyid: str, actor: str) -> Publisher:
        """Trust a key no more, named by its id or at least 8 of its first digits; answers what it was.

        What is installed stays. Raises NotFound, and BadInput when several keys begin like that.
        """
        with self.store.write(durable=True) as connection:
            known = _here(connection)
            gone = _only(known, keyid.strip().lower())
            _write(connection, [one for one in known if one is not gone], gone, actor, "distrusted")
        return gone


def word_on(offer: Offer, policy: TrustedPublishers) -> tuple[Trust, Problem | None]:
    """What a list shows of an offer: who made it; and if its signature is none, why an install would be refused."""
    try:
        return appraise(offer, policy), None
    except NotVerified as error:
        file = str(sidecar(Path(offer.location))) if Path(offer.location).is_absolute() else ""
        details = "; ".join(str(problem) for problem in error.problems)
        rule = f"{error.message}: {details}" if details else error.message
        return Trust(TrustState.INVALID), Problem("(signature)", rule, file=file, mend=error.mend)


def word_on_live(row: Live, policy: TrustedPublishers) -> Trust:
    """Who made what is installed: what was seen when it came, as far as the key is still trusted."""
    return policy.still(recorded(row))


def _same(there: Publisher, name: str) -> Publisher:
    """What is trusted already. Raises Refused when that is under another name."""
    if there.key.publisher == name:
        return there
    raise Refused(
        f"the key {there.key.keyid} belongs to {there.key.publisher}",
        mend=f"`hotbay publishers distrust {there.key.keyid}` first, if that was wrong",
    )


def _only(known: list[Publisher], keyid: str) -> Publisher:
    found = [one for one in known if _KEYID.fullmatch(keyid) and one.key.keyid.startswith(keyid)]
    if not found:
        raise NotFound(f"no trusted key has the id {keyid!r}", mend="`hotbay publishers` lists them")
    if len(found) > 1:
        raise BadInput(f"{len(found)} trusted keys begin with {keyid}", mend="give more of its digits")
    return found[0]


def _here(connection: Connection) -> list[Publisher]:
    """What is stored, in the transaction that will change it."""
    return _read(connection.scalar(asked.META, {"name": _META}))


def _read(value: Any) -> list[Publisher]:
    """What is stored. What is not readable is not trusted."""
    return [one for keyid, row in (value or {}).items() if (one := _one(keyid, row)) is not None]


def _one(keyid: str, row: Any) -> Publisher | None:
    try:
        found = Publisher(PublisherKey(str(row["name"]), parse_public(row["key"])), str(row["at"]), str(row["actor"]))
    except (HotbayError, KeyError, TypeError, AttributeError):
        log.error("the trusted key %s is not readable in the database: it is not trusted", keyid)
        return None
    return found if found.key.keyid == keyid else None


def _write(connection: Connection, known: list[Publisher], about: Publisher, actor: str, result: str) -> None:
    store.set_meta(connection, _META, {one.key.keyid: one.to_json() for one in known})
    detail = {"publisher": about.key.publisher, "keyid": about.key.keyid, "key": about.key.text}
    entry: dict[str, Any] = {"actor": actor, "action": "publisher", "plugin": "", "before": "", "after": ""}
    store.add_audit(connection, **entry, result=result, operation=None, detail=detail)
    store.bump_rev(connection)  # Whoever looks at the marketplace sees it at once.
