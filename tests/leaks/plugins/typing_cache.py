"""Classes in the caches of typing and pydantic."""

from typing import Annotated, Optional, Union

from pydantic import BaseModel, TypeAdapter
from the_host import Page


class Item(BaseModel):
    name: str


PAGES = Page[Item](items=[Item(name="a")])
Either = Union[Item, Optional[list[Item]], Annotated[Item, "x"]]
ADAPTER = TypeAdapter(dict[str, Page[Item]])
