"""The parameters of the operations, derived from what the functions accept."""

from collections.abc import Mapping
from typing import Any

from sluice.model.columns import MAX_DECIMAL_DIGITS, MAX_DECIMAL_SCALE, Column
from sluice.model.list_parameters import OPERATORS
from sluice.model.resource import Resource
from sluice.openapi.examples import EXAMPLE_VERSIONS, example_id
from sluice.openapi.schemas import VERSION_SCHEMA, Schema, id_schema
from sluice.query.query_planner import DEFAULT_LIMIT, MAX_LIMIT

Parameter = dict[str, Any]

_OPERATOR_WORDS = {"gt": "greater than", "gte": "at least", "lt": "less than", "lte": "at most"}
_INT64 = 2**63
_DECIMAL = f"^-?(?=(\\.?[0-9]){{1,{MAX_DECIMAL_DIGITS}}}$)[0-9]+(\\.[0-9]{{1,{MAX_DECIMAL_SCALE}}})?$"

# The schemas of filters by column type, as `sluice.model.list_parameters` parses the values.
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
        "description": "The maximum number of items on a page.",
        "schema": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    },
    "After": {
        "name": "after",
        "in": "query",
        "description": "The `next` of the previous page. It is valid only for the same filters, order and caller.",
        "schema": {"type": "string"},
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "ETags of the client's stored responses. If one of them is current, the response is 304.",
        "schema": {"type": "string"},
    },
    "AsOfFloor": {
        "name": "Sluice-As-Of",
        "in": "header",
        "description": "The value of an earlier response: the answer is never older than that one, whichever replica "
        "gives it, else 425. For an item, `Prefer: wait=10` makes the service wait longer for it.",
        "schema": {"type": "string", "format": "date-time"},
    },
    "Version": {
        "name": "version",
        "in": "query",
        "description": "Read your own write: the item if the replica has this version or a later one, else 425.",
        "schema": VERSION_SCHEMA,
    },
    "Prefer": {
        "name": "Prefer",
        "in": "header",
        "description": "With `version` or `Sluice-As-Of`: `wait=10` makes the service wait up to 10 seconds for it "
        "(RFC 7240), limited by the service's own maximum. `Preference-Applied` contains the seconds that apply.",
        "schema": {"type": "string"},
    },
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Repeated POSTs with the same key write the same item or items. Each caller has its own keys.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"},
    },
}


def parameter_reference(name: str) -> Parameter:
    return {"$ref": f"#/components/parameters/{name}"}


def item_id_parameter(resource: Resource) -> Parameter:
    description = f"The item's `{resource.key}`." if resource.key else "The item's id."
    return {
        "name": "id",
        "in": "path",
        "required": True,
        "description": description,
        "schema": id_schema(resource),
        "example": example_id(resource),
    }


def write_version_parameter() -> Parameter:
    return {
        "name": "version",
        "in": "path",
        "required": True,
        "description": "The version of the write.",
        "schema": VERSION_SCHEMA,
        "example": EXAMPLE_VERSIONS[0],
    }


def list_parameters(resource: Resource) -> list[Parameter]:
    """Create the parameters of a list: for each indexed field its value, and both bounds of a range if it can order."""
    columns = {column.name: column for column in resource.columns}
    indexed_fields = dict.fromkeys(field for index in resource.indexes for field in index.fields)
    filters = [
        parameter
        for field in indexed_fields
        for parameter in _filter_parameters(columns[field], can_order=_can_order_by(resource, field))
    ]
    return [
        parameter_reference("Limit"),
        parameter_reference("After"),
        _sort_parameter(resource),
        _fields_parameter(resource),
        *filters,
        *map(parameter_reference, ("IfNoneMatch", "AsOfFloor")),
    ]


def _can_order_by(resource: Resource, field: str) -> bool:
    return any(index.fields[-1] == field for index in resource.indexes)


def _filter_parameters(column: Column, *, can_order: bool) -> list[Parameter]:
    schema = _PARAMETER_SCHEMAS[column.type.name]
    equal = {"name": column.name, "in": "query", "description": f"Items with this `{column.name}`.", "schema": schema}
    bounds = [
        {
            "name": f"{column.name}.{operator}",
            "in": "query",
            "description": f"Items whose `{column.name}` is {_OPERATOR_WORDS[operator]} this value, in its order.",
            "schema": schema,
        }
        for operator in OPERATORS
    ]
    return [equal, *bounds] if can_order else [equal]


def _sort_parameter(resource: Resource) -> Parameter:
    last_fields = dict.fromkeys(index.fields[-1] for index in resource.indexes)
    names = list(dict.fromkeys(["id", *([resource.key] if resource.key else []), *last_fields]))
    return {
        "name": "sort",
        "in": "query",
        "description": "The field that orders the list. A `-` before it reverses the order.",
        "schema": {"enum": [f"{sign}{name}" for name in names for sign in ("", "-")], "default": "id"},
    }


def _fields_parameter(resource: Resource) -> Parameter:
    names = [*([resource.key] if resource.key else []), *(column.name for column in resource.columns)]
    return {
        "name": "fields",
        "in": "query",
        "description": "The fields that `data` contains, separated by commas. The default is all fields.",
        "style": "form",
        "explode": False,
        "schema": {"type": "array", "minItems": 1, "items": {"enum": names}},
        "example": names[:2],
    }
