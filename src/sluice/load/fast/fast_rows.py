"""The classes that plain lines are decoded with, and the rows made of them.

Every value is decoded as the type that its column takes: a null, or a value of another type, is not plain.
"""

import datetime
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw

from sluice.errors import SchemaOutdated
from sluice.load.row_format import KEY_SEPARATOR, NULL, replace_json_escapes
from sluice.model.columns import Column
from sluice.model.resource import Resource

RowsByKey = dict[str, bytes]  # the text of an item's latest row by its key: owner, separator, id


RenderLines = Callable[[Iterable[Any], RowsByKey, bool], int]


RenderValue = Callable[[Any], Any]


_encode = msgspec.json.Encoder().encode


class FastLine(msgspec.Struct, gc=False):
    """What every line has; each resource's own class adds its `data`. The class's tag is the collection."""

    version: str
    id: str
    operation: Literal["put", "delete"]
    owner: str
    accepted_at: str
    schema: Annotated[int, Meta(ge=1)]
    data: Any


_TYPES: dict[str, Any] = {"BOOLEAN": bool, "BIGINT": int, "DOUBLE": float, "DATE": datetime.date, "JSON": Raw}


def create_line_class(resource: Resource) -> type[FastLine]:
    """The class of a resource's lines. An absent field is what a write without it means: its default, or NULL."""
    fields: list[Any] = []
    for column in resource.columns:
        kind = _TYPES.get(column.type.name, str)
        if column.is_required:
            fields.append((column.name, kind))
        elif column.presence == "optional":
            fields.append((column.name, kind, NULL))
        else:
            text = resource.encode_default(column.name)
            fields.append((column.name, kind, Raw(text) if kind is Raw else msgspec.json.decode(text, type=kind)))
    if resource.key:
        fields.append((resource.key, str))
    data = msgspec.defstruct("Data", fields, kw_only=True, forbid_unknown_fields=True, gc=False)
    return msgspec.defstruct(  # type: ignore[return-value]
        "PlainLine",
        [("data", data | None)],
        bases=(FastLine,),
        tag_field="collection",
        tag=resource.collection,
        forbid_unknown_fields=True,
        gc=False,
    )


def create_fast_renderer(resource: Resource) -> RenderLines:  # noqa: C901  for its one loop
    """Make the function that renders lines of a resource into rows, without line ends; it counts those that lost.

    Its last argument says whether there are escapes that only JSON knows. It raises ValueError for a line that is not
    plain, SchemaOutdated for one of a newer revision.
    """
    width, revision, keyed = len(resource.columns), resource.revision, resource.key is not None
    special = [(at, _special(column)) for at, column in enumerate(resource.columns) if column.type.name in _SPECIAL]
    tombstone = (1, *[NULL] * width)
    values_of = msgspec.structs.astuple

    # One loop without calls into our own code but for values that need it: it runs once for every write there is.
    def render(lines: Iterable[FastLine], rows: RowsByKey, escapes: bool) -> int:  # noqa: C901
        superseded = 0
        for line in lines:
            data, owner, id_, version = line.data, line.owner, line.id, line.version
            if line.schema > revision:
                raise SchemaOutdated(f"a write to {resource.collection} has revision {line.schema}")
            if (data is None) is (line.operation == "put"):
                raise ValueError("a put without data, or a delete with")
            at = line.accepted_at.removesuffix("Z")
            if data is None:
                text = _encode((version, owner, id_, at, *tombstone))
            else:
                values: Any = values_of(data)
                if special:
                    values = list(values)
                    for place, value in special:
                        values[place] = value(values[place])
                if keyed:  # the key is behind the columns, and is the id
                    values = values[:width]
                text = _encode((version, owner, id_, at, 0, *values))
            if escapes:
                text = replace_json_escapes(text)
            key = f"{owner}{KEY_SEPARATOR}{id_}"
            rival = rows.get(key)
            if rival is not None:
                superseded += 1
            if rival is None or rival < text:
                rows[key] = text
        return superseded

    return render


def _json(raw: Raw) -> Any:
    """A JSON column keeps the text as it is, so it is sent as a text."""
    if raw is NULL:
        return raw
    text = str(raw, "utf-8")
    return NULL if text == "null" else text


def _json_never_null(raw: Raw) -> Any:
    text = str(raw, "utf-8")
    if text == "null":
        raise ValueError("null in a field that has none")
    return text


def _boolean(value: Any) -> Any:
    return value if value is NULL else int(value)


# MariaDB takes no zone. That there is a Z at the end is seen by others (see `plain_spelling.py`).
_without_zone = itemgetter(slice(-1))


def _optional_datetime(value: Any) -> Any:
    return value if value is NULL else _without_zone(value)


# By a column's type, for a field that may be absent and for one that always has a value.
_SPECIAL: dict[str, tuple[RenderValue, RenderValue]] = {
    "JSON": (_json, _json_never_null),
    "BOOLEAN": (_boolean, int),
    "DATETIME": (_optional_datetime, _without_zone),
}


def _special(column: Column) -> RenderValue:
    absent, always = _SPECIAL[column.type.name]
    return absent if column.presence == "optional" else always
