"""The libraries' caches: they are found without walking the heap, and let go of what was loaded."""

from __future__ import annotations

import gc
import typing
import weakref

import pydantic
from fastapi import APIRouter

from hotbay.activate import caches


def test_fastapis_hold_on_an_endpoint_is_let_go() -> None:
    router = APIRouter()

    @router.get("/")
    def endpoint() -> None: ...

    reference = weakref.ref(endpoint)
    del endpoint, router
    gc.collect()
    assert reference() is not None, "FastAPI caches no endpoints any more: this room can go"
    caches.clear()
    gc.collect()
    assert reference() is None


def test_typings_hold_on_a_class_is_let_go() -> None:
    class Model(pydantic.BaseModel): ...

    typing.Optional[Model]  # noqa: UP045 - the subscription is what caches
    reference = weakref.ref(Model)
    del Model
    caches.clear()
    gc.collect()
    assert reference() is None


def test_clear_answers_how_many_and_can_be_repeated() -> None:
    first = caches.clear()
    assert first > 10
    assert caches.clear() == first


def test_only_the_known_libraries_caches_are_emptied() -> None:
    import re

    pattern = re.compile("abc[0-9]+")
    caches.clear()
    assert re.compile("abc[0-9]+") is pattern
