"""Resource classes made on the spot."""

from typing import Any, cast

import msgspec

from sluice.model.resource import Item


def create_item_class(*fields: tuple[Any, ...], name: str = "Thing", **options: Any) -> type[Item]:
    """A class with these fields, each a name, a type and perhaps a default."""
    return cast("type[Item]", msgspec.defstruct(name, fields, bases=(Item,), kw_only=True, **options))
