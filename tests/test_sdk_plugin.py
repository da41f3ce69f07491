"""The plugin's interface: decorators that only mark, and `context()` that knows whose module asks."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import hotbay_sdk
from hotbay_sdk import plugin
from hotbay_sdk.plugin import MARKS, Mark, cron, every, filters, on, service


def marks(function: Any) -> tuple[Mark, ...]:
    return getattr(function, MARKS, ())


def test_each_decorator_writes_its_mark_and_leaves_the_function_as_it_is() -> None:
    def work(value: int = 0) -> int:
        return value + 1

    for decorate, mark in (
        (on("order.created"), Mark("event", "order.created")),
        (filters("total", order=5), Mark("filter", "total", order=5)),
        (every(2.5, name="sync"), Mark("every", "sync", seconds=2.5)),
        (cron("0 3 * * *"), Mark("cron", "0 3 * * *")),
        (service("price"), Mark("service", "price")),
    ):
        assert decorate(work) is work
        assert marks(work)[-1] == mark
    assert len(marks(work)) == 5
    assert work(1) == 2


def test_marks_of_one_function_are_not_those_of_another() -> None:
    @on("a")
    def one() -> None: ...

    @on("b")
    @on("a")
    def two() -> None: ...

    assert [mark.name for mark in marks(one)] == ["a"]
    assert [mark.name for mark in marks(two)] == ["a", "b"]


def test_a_method_of_a_subclass_does_not_mark_its_parents() -> None:
    class Base:
        @on("a")
        def heard(self) -> None: ...

    class Child(Base):
        @on("b")
        def heard(self) -> None: ...

    assert [mark.name for mark in marks(Base.heard)] == ["a"]
    assert [mark.name for mark in marks(Child.heard)] == ["b"]


@pytest.mark.parametrize("seconds", [0.09, 0, -1])
def test_an_interval_that_is_too_short_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"at least 0\.1 seconds"):
        every(seconds)


def test_every_takes_the_shortest_interval() -> None:
    every(0.1)


def test_context_belongs_to_the_package_of_the_module() -> None:
    one: Any = object()
    plugin.bind("hotbay_test_package", one)
    try:
        assert plugin.context("hotbay_test_package") is one
        assert plugin.context("hotbay_test_package.deep.module") is one
        with pytest.raises(LookupError, match="'hotbay_test_package_2'"):
            plugin.context("hotbay_test_package_2")
    finally:
        plugin.bind("hotbay_test_package", None)
    plugin.bind("hotbay_test_package", None)
    with pytest.raises(LookupError, match="__name__"):
        plugin.context("hotbay_test_package")


def test_all_a_plugin_needs_is_in_the_package_itself() -> None:
    for name in ("context", "cron", "every", "filters", "on", "service", "Context"):
        assert getattr(hotbay_sdk, name) is getattr(plugin, name)


def test_the_sdk_needs_the_standard_library_only() -> None:
    code = "import hotbay_sdk.plugin, hotbay_sdk.manifest; print('ok')"
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {_source()!r}); {code}"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "ok\n"


def _source() -> str:
    from pathlib import Path

    return str(Path(hotbay_sdk.__file__).parents[1])
