"""The parameters of the operations, made of what the functions take."""

from collections.abc import Mapping
from typing import Any

from sluice.model.columns import MAX_DECIMAL_DIGITS, MAX_DECIMAL_SCALE, Column
from sluice.model.list_parameters import OPERATORS
from sluice.model.resource import Resource
from sluice.openapi import examples
from sluice.openapi.schemas import VERSION_SCHEMA, Schema, id_schema
from sluice.query.query_planner import DEFAULT_LIMIT, MAX_LIMIT

Parameter = dict[str, Any]


_WORDS = {"gt": "greater than", "gte": "at least", "lt": "less than", "lte": "at most"}


_INT64 = 2**63


_DECIMAL = f"^-?(?=(\\.?[0-9]){{1,{MAX_DECIMAL_DIGITS}}}$)[0-9]+(\\.[0-9]{{1,{MAX_DECIMAL_SCALE}}})?$"


# The parameters' types by column, as `sluice.model.list_parameters` reads them.
_PARAMETER_SCHEMAS: Mapping[str, Schema] = {
    "BOOLEAN": {"type": "boolean"},
    "BIGINT": {"type": "integer", "minimum": -_INT64, "maximum": _INT64 - 1},
    "DOUBLE": {"type": "number"},
    "DECIMAL": {"type": "string", "pattern": _DECIMAL},
    "DATE": {"type": "string", "format": "date"},
    "DATETIME": {"type": "string", "format": "date-time"},
    "UUID": {"type": "string", "format": "uuid"},
    "VARCHAR": {"type": "string"},
}


SHARED_PARAMETERS: Mapping[str, Parameter] = {
    "Limit": {
        "name": "limit",
        "in": "query",
        "description": "How many items a page has at most.",
        "schema": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    },
    "After": {
        "name": "after",
        "in": "query",
        "description": "The `next` of the page before. It belongs to one question: the same filters, order and caller.",
        "schema": {"type": "string"},
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "ETags that the client holds. When one of them is still right, the answer is 304.",
        "schema": {"type": "string"},
    },
    "Version": {
        "name": "version",
        "in": "query",
        "description": "Read one's own write: the item once the replica has this version or a later one, else 425.",
        "schema": VERSION_SCHEMA,
    },
    "Prefer": {
        "name": "Prefer",
        "in": "header",
        "description": "With `version`: `wait=10` lets the service wait up to so many seconds for it (RFC 7240), at "
        "most as many as it is set up for; `Preference-Applied` says how many those were.",
        "schema": {"type": "string"},
    },
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A repeated POST with the same key names the same item, or items. Keys are each caller's own.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"},
    },
}


def parameter_reference(name: str) -> Parameter:
    return {"$ref": f"#/components/parameters/{name}"}


def item_id_parameter(resource: Resource) -> Parameter:
    text = f"The item's `{resource.key}`." if resource.key else "The item's id."
    return {
        "name": "id",
        "in": "path",
        "required": True,
        "description": text,
        "schema": id_schema(resource),
        "example": examples.example_id(resource),
    }


def write_version_parameter() -> Parameter:
    return {
        "name": "version",
        "in": "path",
        "required": True,
        "description": "The version that the write was accepted with.",
        "schema": VERSION_SCHEMA,
        "example": examples.EXAMPLE_VERSIONS[0],
    }


def list_parameters(resource: Resource) -> list[Parameter]:
    """What a list can be asked: one parameter for each end of a range and each value of an indexed field."""
    columns = {column.name: column for column in resource.columns}
    indexed = list(dict.fromkeys(field for index in resource.indexes for field in index.fields))
    filters = [
        one for field in indexed for one in _filter_parameters(columns[field], ordering=_can_order_by(resource, field))
    ]
    return [
        parameter_reference("Limit"),
        parameter_reference("After"),
        _sort_parameter(resource),
        _fields_parameter(resource),
        *filters,
        parameter_reference("IfNoneMatch"),
    ]


def _can_order_by(resource: Resource, field: str) -> bool:
    return any(index.fields[-1] == field for index in resource.indexes)


def _filter_parameters(column: Column, *, ordering: bool) -> list[Parameter]:
    type_ = _PARAMETER_SCHEMAS[column.type.name]
    equal = {"name": column.name, "in": "query", "description": f"Items with this `{column.name}`.", "schema": type_}
    bounds = [
        {
            "name": f"{column.name}.{operator}",
            "in": "query",
            "description": f"Items whose `{column.name}` is {_WORDS[operator]} this, in its order.",
            "schema": type_,
        }
        for operator in OPERATORS
    ]
    return [equal, *bounds] if ordering else [equal]


def _sort_parameter(resource: Resource) -> Parameter:
    last = dict.fromkeys(index.fields[-1] for index in resource.indexes)
    names = list(dict.fromkeys(["id", *([resource.key] if resource.key else []), *last]))
    return {
        "name": "sort",
        "in": "query",
        "description": "The field that orders; a `-` before it turns the order round.",
        "schema": {"enum": [f"{sign}{name}" for name in names for sign in ("", "-")], "default": "id"},
    }


def _fields_parameter(resource: Resource) -> Parameter:
    names = [*([resource.key] if resource.key else []), *(column.name for column in resource.columns)]
    return {
        "name": "fields",
        "in": "query",
        "description": "The fields that `data` is to have, separated by commas; all, when it is not given.",
        "style": "form",
        "explode": False,
        "schema": {"type": "array", "minItems": 1, "items": {"enum": names}},
        "example": names[:2],
    }
