"""A class in the `lru_cache` of a library."""

from leaky_library import describe


class Item: ...


describe(Item)
