"""The nouns go to JSON and come back the same."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotbay.model import Contributions, Live, Route, State, Version
from hotbay_sdk.manifest import ManifestError, parse
from rows import live

names = st.text(max_size=8)
lists = st.lists(names, max_size=3).map(tuple)
routes = st.builds(Route, path=names, methods=lists, websocket=st.booleans())
documents = st.dictionaries(names, st.integers() | names | st.none() | st.booleans(), max_size=3)
contributions = st.builds(
    Contributions,
    routes=st.lists(routes, max_size=3).map(tuple),
    mounts=lists,
    events=lists,
    filters=lists,
    jobs=lists,
    services=lists,
    settings_schema=st.none() | documents,
    eager=st.booleans(),
)
lives = st.builds(
    Live,
    plugin=names,
    version=names,
    sha256=names,
    image=names,
    state=st.sampled_from(State),
    revision=st.integers(),
    manifest=documents,
    contributions=contributions,
    source=names,
    grants=lists,
    installed_at=names,
    updated_at=names,
    candidate=st.none(),
    problem=names,
    settings_rev=st.integers(),
    extra=documents,
)


def through_json(data: Any) -> Any:
    return json.loads(json.dumps(data))


@given(contributions)
def test_contributions_come_back(value: Contributions) -> None:
    assert Contributions.from_json(through_json(value.to_json())) == value


@given(lives)
def test_live_rows_come_back(row: Live) -> None:
    assert Live.from_json(through_json(row.to_json())) == row


def test_a_row_does_not_carry_its_candidate_along() -> None:
    row = Live("a", "1", "s", "i", State.ACTIVE, 1, {}, Contributions(), candidate={"verb": "start"})
    assert row.to_json()["candidate"] is None
    assert row.active


def test_a_rows_manifest_is_checked_once() -> None:
    one, other = live("shop", menu={"label": "Shop"}), live("shop", version="1.0.1", menu={"label": "Shop"})
    assert one.parsed == parse(one.manifest)
    assert replace(one, revision=9, manifest=through_json(one.manifest)).parsed is one.parsed
    assert (one.parsed.version, other.parsed.version) == ("1.0.0", "1.0.1")
    for _ in range(2):
        with pytest.raises(ManifestError, match="version"):
            replace(one, manifest=one.manifest | {"version": 7}).parsed  # noqa: B018


def test_an_older_registry_knows_less_of_contributions() -> None:
    assert Contributions.from_json({}) == Contributions()


def test_a_version_is_flat_json() -> None:
    version = Version("a", "1.0", "s", "i", "local")
    assert Version(**through_json(version.to_json())) == version
