"""A plugin's classes and functions in SQLAlchemy's registries: its own ones, and those of the host."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

from sqlalchemy import MetaData
from sqlalchemy.event import registry as listeners
from sqlalchemy.orm import Mapper, RelationshipProperty, registry

from hotbay.activate.owned import Owner
from hotbay.activate.statements import forget


def own_classes(modules: Iterable[ModuleType]) -> list[type]:
    """The classes that are written in these modules."""
    return [
        thing
        for module in modules
        for thing in vars(module).copy().values()
        if issubclass(type(thing), type) and vars(thing).get("__module__") == module.__name__
    ]


def undo(owner: Owner, modules: list[ModuleType]) -> list[str]:
    """Remove listeners from what is not the plugin's, and its models from registries that are not its own.

    Its own registries are taken apart in order, not in the collector's callbacks; that is not worth a word.
    """
    found = list(_unlisten(owner))
    classes = own_classes(modules)
    own = {id(item): item for cls in classes if isinstance(item := vars(cls).get("registry"), registry)}
    found += [f"the model {cls.__name__} in a registry of the host's" for cls in classes if _unmap(cls, own)]
    forget(mentioned for cls in classes for mentioned in _mentioned(cls))
    for item in own.values():
        _dispose(item)
        time.sleep(0)
    return found


def _mentioned(cls: type) -> Iterator[object]:
    """What statements mention of a model."""
    yield from (thing for name in ("__mapper__", "__table__") if (thing := vars(cls).get(name)) is not None)


def _dispose(own: registry) -> None:
    # A relation to a model of the host's makes the host's registry keep the plugin's one.
    for other in own._dependencies:
        other._dependents.discard(own)
    own._dependents.clear()
    mappers = list(own.mappers)
    own.dispose()
    # A statement that was executed is in a cycle with its memory, and holds the mapper: emptied, that ends with it, and
    # the classes need not wait for a full collection.
    for mapper in mappers:
        vars(mapper).clear()


class _Key(listeners._EventKey[Any]):
    """A listener's key as SQLAlchemy stored it: of the target only the identity is known."""

    __slots__ = ("stored",)

    def __init__(self, stored: Any, function: Any, wrapped: Any = None) -> None:
        super().__init__(None, stored[1], function, None, wrapped)
        self.stored = stored

    @property
    def _key(self) -> Any:
        return self.stored

    def with_wrapper(self, fn_wrap: Any) -> Any:
        return _Key(self.stored, self.fn, fn_wrap)


def _unlisten(owner: Owner) -> Iterator[str]:
    """SQLAlchemy's `event.remove` wants the target, and there is no public way from a function to what it listens to.

    That includes listeners of the plugin's own engines and classes; they are not worth a word, but can't be told apart.
    """
    # Copies: SQLAlchemy's weak references delete from these, whenever the collector runs or another thread lets go.
    for key, collections in listeners._key_to_collection.copy().items():
        found = [(owned, function) for owned, ref in collections.copy().items() if owner.owns(function := ref())]
        for reference, function in found:
            if (collection := reference()) is not None:
                _remove(_Key(key, function), collection, function)
        if found:
            listeners._key_to_collection.pop(key, None)
            name = getattr(owner.innermost(found[0][1]), "__qualname__", "without a name")
            yield f"the listener {name} of {key[1]!r}"


def _remove(key: _Key, collection: Any, function: Any) -> None:
    levels = getattr(collection, "_clslevel", None)
    if levels is None:
        collection.remove(key)
        return
    for functions in list(levels.values()):  # By class: the target's, and its subclasses'.
        if function in functions:
            functions.remove(function)
    listeners._removed_from_collection(key, collection)


def _unmap(cls: type, own: dict[int, registry]) -> bool:
    """Take a model out of a registry of the host's; True when it was in one."""
    mapper = vars(cls).get("__mapper__")
    if not isinstance(mapper, Mapper) or id(mapper.registry) in own:
        return False
    table = vars(cls).get("__table__")
    if table is not None and isinstance(metadata := getattr(table, "metadata", None), MetaData):
        metadata.remove(table)
    for other in {other.mapper for other in _relations(mapper)} - {mapper}:
        _forget_relations(other, mapper)
    mapper.registry._managers.pop(mapper.class_manager, None)
    mapper.registry._dispose_manager_and_mapper(mapper.class_manager)
    return True


def _relations(mapper: Mapper[Any]) -> list[RelationshipProperty[Any]]:
    return [
        item for item in mapper._props.values() if isinstance(item, RelationshipProperty) and "mapper" in vars(item)
    ]


def _forget_relations(other: Mapper[Any], mine: Mapper[Any]) -> None:
    """Let a model of the host's forget the relations of the plugin's one, and the attributes that it got by them."""
    for item in [item for item in _relations(other) if item.mapper is mine]:
        _forget_attribute(other, item.key)
    for one in other.self_and_descendants:  # Models that inherit from the host's got the processors as well.
        processors = one._dependency_processors
        processors[:] = [item for item in processors if item.parent is not mine and item.mapper is not mine]
        one._expire_memoizations()


def _forget_attribute(mapper: Mapper[Any], key: str) -> None:
    """SQLAlchemy's way, `uninstrument_attribute`, is refused by declarative classes."""
    for one in mapper.self_and_descendants:
        one._props.pop(key, None)
        manager: Any = one.class_manager
        manager.local_attrs.pop(key, None)
        manager._reset_memoizations()
        manager.pop(key, None)
        if key in vars(one.class_):
            type.__delattr__(one.class_, key)
