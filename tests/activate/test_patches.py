"""A plugin's functions in places of the host's: the host's come back; what can't be put back goes on working."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import MethodType, ModuleType
from typing import Any

import pluggy
import pytest

from activate.broods import Brood, Hatch
from hotbay.activate import patches
from hotbay.activate.patches import remember, undo

PATCHING = """
    def price(): return 11

    def added(): ...

    class Price: ...

    class Service:
        def work(self): return "patched"

    class Plugin:
        ...
"""
HOST = """
def price(): return 10

class Mailer:
    def send(self): return "host"
    @staticmethod
    def fixed(): return "host"
    @classmethod
    def made(cls): return cls.__name__
    @property
    def name(self): return "host"

class Money: ...

RATE = 3
"""


@pytest.fixture
def shop(brood: Hatch) -> Brood:
    return brood(patching=PATCHING)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    module: Any = ModuleType("patched_host")
    exec(HOST, vars(module))
    monkeypatch.setitem(sys.modules, "patched_host", module)
    yield module
    patches._originals.pop("patched_host", None)


def spaces(shop: Brood) -> list[dict[str, Any]]:
    return [vars(module) for module in shop.modules.values()]


def test_what_was_remembered_comes_back(shop: Brood, host: Any) -> None:
    remember()
    price, money = host.price, host.Money
    host.price, host.Money = shop.patching.price, shop.patching.Price
    assert undo(shop.owner, []) == (["patched_host.price was replaced", "patched_host.Money was replaced"], [])
    assert (host.price, host.Money) == (price, money)
    assert undo(shop.owner, []) == ([], [])


def test_what_was_not_there_goes(shop: Brood, host: Any) -> None:
    remember()
    host.added, host.service = shop.patching.added, shop.patching.Service()
    done, left = undo(shop.owner, [])
    assert done == ["patched_host.added was replaced", "patched_host.service was replaced"]
    assert left == []
    assert not hasattr(host, "added")
    assert not hasattr(host, "service")


def test_it_is_remembered_once_and_never_of_plugins(shop: Brood, host: Any) -> None:
    """What a module holds later may be a patch already."""
    remember()
    price, host.price = host.price, shop.patching.price
    remember()
    undo(shop.owner, [])
    assert host.price is price
    assert not any(name.startswith("_hotbay_") for name in patches._originals)


def test_a_value_that_the_host_changes_itself_is_not_put_back(shop: Brood, host: Any) -> None:
    """The number that was there at the start is old: nobody knows what would be there now."""
    remember()
    host.RATE = shop.patching.price
    done, (left,) = undo(shop.owner, [])
    assert done == []
    assert (left.place, left.name, left.value) == (host, "RATE", shop.patching.price)
    assert host.RATE is shop.patching.price


def test_what_nobody_remembered_or_kept_stays_and_works(shop: Brood, host: Any) -> None:
    host.price = shop.patching.price
    done, (left,) = undo(shop.owner, spaces(shop))
    assert done == []
    assert str(left) == "patched_host.price"
    assert host.price() == 11


def closure(shop: Brood, original: Any) -> Any:
    vars(shop.patching)["around"] = None
    exec("def wrap(before):\n    return lambda *args: before(*args)", vars(shop.patching))
    return shop.patching.wrap(original)


def wrapped(shop: Brood, original: Any) -> Any:
    shop.patching.price.__wrapped__ = original
    return shop.patching.price


def in_a_module(shop: Brood, original: Any) -> Any:
    shop.patching.real = original
    return shop.patching.price


KEEPING = pytest.mark.parametrize("keep", [closure, wrapped, in_a_module])


@KEEPING
def test_the_original_that_the_patch_keeps_comes_back(shop: Brood, host: Any, keep: Any) -> None:
    price = host.price
    host.price = keep(shop, price)
    assert undo(shop.owner, spaces(shop)) == (["patched_host.price was replaced"], [])
    assert host.price is price


@KEEPING
def test_a_method_comes_back_from_what_the_patch_keeps(shop: Brood, host: Any, keep: Any) -> None:
    host.Mailer.send = keep(shop, host.Mailer.send)
    assert undo(shop.owner, spaces(shop)) == (["patched_host.Mailer.send was replaced"], [])
    assert host.Mailer().send() == "host"


def test_another_function_that_the_patch_keeps_is_not_taken_for_the_original(shop: Brood, host: Any) -> None:
    host.price = closure(shop, host.Mailer.send)
    assert undo(shop.owner, spaces(shop))[0] == []
    host.Mailer.send = closure(shop, host.Mailer.fixed)
    assert undo(shop.owner, spaces(shop))[0] == []


def test_a_function_of_its_own_that_goes_by_the_originals_name_is_not_the_original(shop: Brood, host: Any) -> None:
    """`functools.wraps` gives it the name; put in place, the host would keep the plugin's function."""
    shop.patching.added.__module__, shop.patching.added.__qualname__ = "patched_host", "price"
    host.price = closure(shop, shop.patching.added)
    done, left = undo(shop.owner, spaces(shop))
    assert done == []
    assert [str(patch) for patch in left] == ["patched_host.price"]


@pytest.mark.parametrize("wrap", [staticmethod, classmethod, property, lambda function: function])
def test_patches_of_each_kind_in_a_class_are_seen(shop: Brood, host: Any, wrap: Any) -> None:
    host.Mailer.name = wrap(shop.patching.price)
    _, (left,) = undo(shop.owner, [])
    assert (left.place, left.name) == (host.Mailer, "name")
    assert str(left) == "patched_host.Mailer.name"


def test_a_bound_method_and_a_class_that_was_imported_elsewhere(
    shop: Brood, host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other: Any = ModuleType("patched_other")
    other.Mailer = host.Mailer
    monkeypatch.setitem(sys.modules, "patched_other", other)
    remember()
    host.price = MethodType(shop.patching.price, 3)
    host.Mailer.name = shop.patching.price
    done, left = undo(shop.owner, [])
    assert done == ["patched_host.price was replaced"]
    assert [str(patch) for patch in left] == ["patched_host.Mailer.name"], "once: where the class is written"
    patches._originals.pop("patched_other")


def test_other_generations_classes_are_their_own(brood: Hatch) -> None:
    first, second = brood(patching=PATCHING), brood(patching=PATCHING)
    second.patching.Service.work = first.patching.price
    assert undo(first.owner, []) == ([], []), "nobody but the other generation runs it"
    second.patching.price = first.patching.price
    _, (left,) = undo(first.owner, [])
    assert left.place is second.patching


def test_what_can_not_be_set_is_left(shop: Brood, host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Frozen(ModuleType):
        def __setattr__(self, name: str, value: Any) -> None:
            raise AttributeError("frozen")

    frozen = Frozen("patched_frozen")
    vars(frozen)["price"] = host.price
    monkeypatch.setitem(sys.modules, "patched_frozen", frozen)
    remember()
    vars(frozen)["price"] = shop.patching.price
    done, (left,) = undo(shop.owner, [])
    assert (done, left.name) == ([], "price")
    patches._originals.pop("patched_frozen")


def test_its_plugins_leave_pluggys_managers(shop: Brood, host: Any) -> None:
    host.HOOKS = pluggy.PluginManager("the host")
    other = object()
    for plugin in (shop.patching.Plugin(), shop.patching, other):
        host.HOOKS.register(plugin)
    done, left = undo(shop.owner, [])
    assert (sorted(done), left) == (["Plugin in pluggy's 'the host'", "shop.patching in pluggy's 'the host'"], [])
    assert host.HOOKS.get_plugins() == {other}


def test_what_is_no_module_in_the_table_of_modules_is_passed_over(shop: Brood, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "patched_nothing", None)  # type: ignore[arg-type]
    remember()
    assert undo(shop.owner, []) == ([], [])
    assert "patched_nothing" not in patches._originals
