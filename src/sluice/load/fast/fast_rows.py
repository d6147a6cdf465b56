"""The classes that the fast reader decodes lines with, and the rows that it renders from them.

Each value is decoded as the type of its column. A null, or a value of another type, is left to the strict engine.
"""

import datetime
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw

from sluice.errors import SchemaOutdated
from sluice.load.row_format import NULL, replace_json_escapes
from sluice.model.columns import Column
from sluice.model.item_state import KEY_SEPARATOR
from sluice.model.resource import Resource

RowsByKey = dict[str, bytes]  # the text of an item's latest row, by the item's key
RenderLines = Callable[[Iterable[Any], RowsByKey, bool], int]
RenderValue = Callable[[Any], Any]

_encode = msgspec.json.Encoder().encode


class FastLine(msgspec.Struct, kw_only=True, gc=False):
    """The fields of every line. Each resource's own class adds its `data`. The class's tag is the collection."""

    version: str
    id: str
    operation: Literal["put", "delete"]
    owner: str
    accepted_at: str
    request_id: str = ""
    schema: Annotated[int, Meta(ge=1)]
    data: Any


_TYPES: dict[str, Any] = {"BOOLEAN": bool, "BIGINT": int, "DOUBLE": float, "DATE": datetime.date, "JSON": Raw}


def create_line_class(resource: Resource) -> type[FastLine]:
    """Create the class of a resource's lines. An absent field has its default, or NULL."""
    fields: list[Any] = []
    for column in resource.columns:
        field_type = _TYPES.get(column.type.name, str)
        if column.is_required:
            fields.append((column.name, field_type))
        elif column.presence == "optional":
            fields.append((column.name, field_type, NULL))
        else:
            text = resource.encode_default(column.name)
            default = Raw(text) if field_type is Raw else msgspec.json.decode(text, type=field_type)
            fields.append((column.name, field_type, default))
    if resource.key:
        fields.append((resource.key, str))
    data = msgspec.defstruct("Data", fields, kw_only=True, forbid_unknown_fields=True, gc=False)
    return msgspec.defstruct(  # type: ignore[return-value]
        "ResourceLine",
        [("data", data | None)],
        bases=(FastLine,),
        tag_field="collection",
        tag=resource.collection,
        kw_only=True,
        forbid_unknown_fields=True,
        gc=False,
    )


def create_fast_renderer(resource: Resource) -> RenderLines:  # noqa: C901  for its one loop
    """Create the function that renders lines of a resource into rows, and returns how many writes were superseded.

    The rows have no line ends. The function's last argument says whether the lines have escapes that only JSON knows.
    It raises ValueError for a line that the strict engine has to read, and SchemaOutdated for a newer revision.
    """
    width, revision, has_natural_key = len(resource.columns), resource.revision, resource.key is not None
    special = [
        (position, _special_renderer(column))
        for position, column in enumerate(resource.columns)
        if column.type.name in _SPECIAL_RENDERERS
    ]
    tombstone = (1, *[NULL] * width)
    values_of = msgspec.structs.astuple

    # One loop that calls our own code only for the values that need it, because it runs once for every write.
    def render(lines: Iterable[FastLine], rows: RowsByKey, has_escapes: bool) -> int:  # noqa: C901
        superseded = 0
        for line in lines:
            data, owner, id_, version = line.data, line.owner, line.id, line.version
            if line.schema > revision:
                raise SchemaOutdated(f"a write to {resource.collection} has revision {line.schema}")
            if (data is None) is (line.operation == "put"):
                raise ValueError("a put without data, or a delete with data")
            written_at = line.accepted_at.removesuffix("Z")
            if data is None:
                row = _encode((version, owner, id_, written_at, *tombstone))
            else:
                values: Any = values_of(data)
                if special:
                    values = list(values)
                    for position, render_value in special:
                        values[position] = render_value(values[position])
                if has_natural_key:  # the key comes after the columns, and is the id
                    values = values[:width]
                row = _encode((version, owner, id_, written_at, 0, *values))
            if has_escapes:
                row = replace_json_escapes(row)
            key = f"{owner}{KEY_SEPARATOR}{id_}"
            previous = rows.get(key)
            if previous is not None:
                superseded += 1
            if previous is None or previous < row:
                rows[key] = row
        return superseded

    return render


def _render_json(raw: Raw) -> Any:
    """A JSON column keeps the text as it is, so it is sent as a string."""
    if raw is NULL:
        return raw
    text = str(raw, "utf-8")
    return NULL if text == "null" else text


def _render_required_json(raw: Raw) -> Any:
    text = str(raw, "utf-8")
    if text == "null":
        raise ValueError("null in a field that must have a value")
    return text


def _render_boolean(value: Any) -> Any:
    return value if value is NULL else int(value)


# MariaDB accepts no time zone. The spelling check makes sure that the text ends in Z.
_remove_zone = itemgetter(slice(-1))


def _render_optional_datetime(value: Any) -> Any:
    return value if value is NULL else _remove_zone(value)


# By the type of the column: for a field that can be absent, and for one that always has a value.
_SPECIAL_RENDERERS: dict[str, tuple[RenderValue, RenderValue]] = {
    "JSON": (_render_json, _render_required_json),
    "BOOLEAN": (_render_boolean, int),
    "DATETIME": (_render_optional_datetime, _remove_zone),
}


def _special_renderer(column: Column) -> RenderValue:
    render_optional, render_required = _SPECIAL_RENDERERS[column.type.name]
    return render_optional if column.presence == "optional" else render_required
