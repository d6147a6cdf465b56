"""The shape of a batch's lines, made from the resources so that one decode gives a table row's raw values.

Values stay the JSON text that they are (`msgspec.Raw`): the API has checked them, the database judges them again, and
nobody pays for making Python objects of them. LOAD DATA reads most JSON values as they stand (see `rows.py`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from msgspec import Raw

from sluice.loading.format import NULL
from sluice.resource import Resource


class Line(msgspec.Struct):
    """What every line has; each resource's own class adds its `data`. The class's tag is the collection."""

    version: Raw
    id: Raw
    operation: Literal["put", "delete"]
    owner: Raw
    accepted_at: Raw
    schema: int
    data: Any


@dataclass(frozen=True)
class Shapes:
    """Decoders for the lines of all resources.

    `exact` refuses a field that no column takes, and asks for those that are required. `older` skips the one, and
    takes for the other the NULL that a row from before has.
    """

    exact: msgspec.json.Decoder[Line]
    older: msgspec.json.Decoder[Line]


def shapes(resources: Iterable[Resource]) -> Shapes:
    """Make the decoders for some resources."""
    known = list(resources)
    return Shapes(_decoder(known, exact=True), _decoder(known, exact=False))


def _decoder(resources: list[Resource], *, exact: bool) -> msgspec.json.Decoder[Line]:
    union: Any = None
    for resource in resources:
        line = msgspec.defstruct(
            "Line",
            [("data", _data_class(resource, exact=exact) | None)],
            bases=(Line,),
            tag_field="collection",
            tag=resource.collection,
        )
        union = line if union is None else union | line
    return msgspec.json.Decoder(union)


def _data_class(resource: Resource, *, exact: bool) -> Any:
    """A class with a raw value for each column, in their order, and one more for a natural key."""
    fields: list[Any] = []
    for column in resource.columns:
        if not column.required:
            fields.append((column.name, Raw, Raw(resource.default_text(column.name))))
        else:
            fields.append((column.name, Raw) if exact else (column.name, Raw, NULL))
    if resource.key:
        fields.append((resource.key, Raw) if exact else (resource.key, Raw, NULL))
    return msgspec.defstruct("Data", fields, kw_only=True, forbid_unknown_fields=exact)
