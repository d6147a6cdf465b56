"""Create resource classes in tests."""

from typing import Any, cast

import msgspec

from sluice.model.resource import Item


def create_item_class(*fields: tuple[Any, ...], name: str = "Thing", **options: Any) -> type[Item]:
    """Create a class with these fields: each is a name, a type and optionally a default."""
    return cast("type[Item]", msgspec.defstruct(name, fields, bases=(Item,), kw_only=True, **options))
