"""The JSON Schemas of items, as clients write and read them, and of the responses that contain them."""

import ast
import inspect
import textwrap
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from sluice.model.columns import Column, count_decimal_digits, create_decimal_pattern
from sluice.model.resource import Item, Resource
from sluice.openapi.examples import example_accepted, example_items, example_page, example_receipts

Schema = dict[str, Any]

SCHEMA_REFERENCE_PREFIX = "#/components/schemas/"

UUID_SCHEMA = {"type": "string", "format": "uuid", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
NATURAL_ID_SCHEMA = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^(?!\\.{1,2}$)[A-Za-z0-9._~-]+$"}
VERSION_SCHEMA = {"type": "string", "pattern": "^[0-7][0-9A-HJKMNP-TV-Z]{25}$"}
WRITTEN_AT_SCHEMA = {
    "type": "string",
    "format": "date-time",
    "description": "When the item's latest write was accepted, in UTC.",
}

# A later class may forbid what an earlier item has, so only the schemas of writes contain these.
_LIMITS = frozenset(
    {"default", "pattern", "minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum"}
    | {"exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minProperties", "maxProperties"}
)


def schema_reference(name: str) -> Schema:
    return {"$ref": f"{SCHEMA_REFERENCE_PREFIX}{name}"}


def id_schema(resource: Resource) -> Schema:
    return dict(NATURAL_ID_SCHEMA if resource.key else UUID_SCHEMA)


def get_summary(model: type[Item]) -> str:
    """Return the docstring of a class, or an empty text if it only inherits one."""
    return inspect.cleandoc(model.__dict__.get("__doc__") or "")


def create_write_schemas(resources: Sequence[Resource]) -> tuple[dict[str, str], dict[str, Schema]]:
    """Create the schemas of what clients write, and of the classes inside.

    Returns each collection's schema name, and the schemas by name.
    """
    references, schemas = msgspec.json.schema_components(
        [resource.strict_model for resource in resources], ref_template=f"{SCHEMA_REFERENCE_PREFIX}{{name}}"
    )
    names = {}
    for resource, reference in zip(resources, references, strict=True):
        name = names[resource.collection] = reference["$ref"].removeprefix(SCHEMA_REFERENCE_PREFIX)
        schemas[name] = _describe_schema(resource, schemas[name])
    return names, dict(schemas)


def _describe_schema(resource: Resource, schema: Schema) -> Schema:
    descriptions = _parse_field_descriptions(resource.model)
    columns = {column.name: column for column in resource.columns}
    fields = {}
    for name, field in schema["properties"].items():
        fields[name] = _write_field_schema(columns[name], field) if name in columns else dict(field)
        if name in descriptions:
            fields[name]["description"] = descriptions[name]
    described: Schema = {"title": schema["title"], "type": "object", "properties": fields}
    if summary := get_summary(resource.model):
        described["description"] = summary
    described |= {name: schema[name] for name in ("required", "additionalProperties") if name in schema}
    if resource.examples:
        described["examples"] = [dict(example) for example in resource.examples]
    return described


def _parse_field_descriptions(model: type[Item]) -> dict[str, str]:
    """Return the texts below the fields, by field. Return nothing if the source of the class is not available."""
    try:
        source = textwrap.dedent(inspect.getsource(model))
    except (OSError, TypeError):
        return {}
    [definition] = ast.parse(source).body
    assert isinstance(definition, ast.ClassDef)  # noqa: S101  the source of a class
    descriptions = {}
    for statement, following in zip(definition.body, definition.body[1:], strict=False):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                descriptions[name] = inspect.cleandoc(text)
    return descriptions


def _write_field_schema(column: Column, field: Schema) -> Schema:
    """Clients write a decimal as a text or as a number, within the digits of its column."""
    if column.type.name != "DECIMAL":
        return dict(field)
    integer_digits, fraction_digits = count_decimal_digits(column.type)
    step = Decimal(10) ** -fraction_digits
    maximum = float(Decimal(10) ** integer_digits - step)
    text: Schema = {"type": "string", "pattern": create_decimal_pattern(column.type)}
    number = {"type": "number", "minimum": -maximum, "maximum": maximum, "multipleOf": float(step)}
    choices: list[Schema] = [text, number]
    if column.presence == "optional":
        choices.append({"type": "null"})
    return {"anyOf": choices, **{name: field[name] for name in ("default",) if name in field}}


def create_read_schema(resource: Resource, schema: Mapping[str, Any]) -> Schema:
    """Create the schema of what clients read: the types without the limits of writes.

    No field is required, because a list can select fields.
    """
    columns = {column.name: column for column in resource.columns}
    fields = {}
    for name, field in schema["properties"].items():
        fields[name] = _read_field_schema(columns[name], field) if name in columns else _remove_limits(field)
    return {
        "title": f"{schema['title']}AsRead",
        "description": f"The fields of {schema['title']} as the service stores them.",
        "type": "object",
        "properties": fields,
    }


def _read_field_schema(column: Column, field: Schema) -> Schema:
    if column.type.name != "DECIMAL":
        return _remove_limits(field)
    text: Schema = {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?$"}
    schema = {"anyOf": [text, {"type": "null"}]} if column.presence == "optional" else text
    return schema | {name: field[name] for name in ("description",) if name in field}


def _remove_limits(field: Mapping[str, Any]) -> Schema:
    schema: Schema = {name: value for name, value in field.items() if name not in _LIMITS}
    if "anyOf" in schema:
        schema["anyOf"] = [_remove_limits(choice) for choice in schema["anyOf"]]
    if isinstance(schema.get("items"), Mapping):
        schema["items"] = _remove_limits(schema["items"])
    return schema


def create_response_schemas(resource: Resource, name: str, schema: Mapping[str, Any]) -> dict[str, Schema]:
    """Create the schemas of a collection's responses, by name. `name` and `schema` are those of a written item."""
    as_read = f"{name}AsRead"
    complete: Schema = {
        "allOf": [schema_reference(as_read), {"type": "object", "required": list(schema["properties"])}]
    }
    page: Schema = {
        "title": f"{name}Page",
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": _item_schema(resource, f"{name}Listed", schema_reference(as_read))},
            "next": {
                "type": "string",
                "description": "The `after` of the next page, for the same query. The last page has no `next`.",
            },
        },
        "required": ["items"],
    }
    return {
        f"{name}Item": _item_schema(resource, f"{name}Item", complete) | {"examples": example_items(resource)},
        f"{name}Page": page | {"examples": [example_page(resource)]},
        f"{name}Accepted": _accepted_schema(resource, name),
        f"{name}Receipt": _receipt_schema(resource, name),
    }


def _item_schema(resource: Resource, title: str, data: Schema) -> Schema:
    return {
        "title": title,
        "type": "object",
        "properties": {
            **_id_and_version(resource, "Of the item's latest write."),
            "written_at": WRITTEN_AT_SCHEMA,
            "data": data,
        },
        "required": ["id", "version", "written_at", "data"],
    }


def _id_and_version(resource: Resource, description: str) -> dict[str, Schema]:
    return {"id": id_schema(resource), "version": VERSION_SCHEMA | {"description": description}}


def _accepted_schema(resource: Resource, name: str) -> Schema:
    return {
        "title": f"{name}Accepted",
        "description": "An accepted write. The service applies it later.",
        "type": "object",
        "properties": {
            **_id_and_version(resource, "Of this write."),
            "status": {"const": "pending"},
            "receipt": {
                "type": "string",
                "format": "uri-reference",
                "description": "The address of the write's receipt, relative to the request's address.",
            },
        },
        "required": ["id", "version", "status", "receipt"],
        "examples": [example_accepted(resource, f"{resource.collection}/")],
    }


def _receipt_schema(resource: Resource, name: str) -> Schema:
    return {
        "title": f"{name}Receipt",
        "description": "The state of a write.",
        "type": "object",
        "properties": {
            **_id_and_version(resource, "Of the write."),
            "status": {
                "enum": ["pending", "applied", "superseded", "rejected"],
                "description": "pending: not in the tables yet. applied: the item is in the state of this write. "
                "superseded: the item has a later version. rejected: the database cannot accept the write.",
            },
            "superseded_by": VERSION_SCHEMA | {"description": "The item's version, if this write is superseded."},
            "reason": {"type": "string", "description": "Why the write is rejected, without its data."},
        },
        "required": ["id", "version", "status"],
        "examples": example_receipts(resource),
    }
