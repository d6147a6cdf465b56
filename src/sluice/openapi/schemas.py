"""The JSON Schemas of items, as clients write and read them, and of the answers around them."""

import ast
import inspect
import textwrap
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from sluice.model import columns as decimals
from sluice.model.columns import Column
from sluice.model.resource import Item, Resource
from sluice.openapi import examples


def get_summary(model: type[Item]) -> str:
    """The docstring of a class, without one inherited."""
    return inspect.cleandoc(model.__dict__.get("__doc__") or "")


def parse_field_descriptions(model: type[Item]) -> dict[str, str]:
    """The text that stands below a field, by the field's name. Nothing where the class's source is not at hand."""
    try:
        source = textwrap.dedent(inspect.getsource(model))
    except (OSError, TypeError):
        return {}
    [made] = ast.parse(source).body
    assert isinstance(made, ast.ClassDef)  # noqa: S101  it is the source of a class
    found = {}
    for line, below in zip(made.body, made.body[1:], strict=False):
        match line, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = inspect.cleandoc(text)
    return found


Schema = dict[str, Any]


SCHEMA_REFERENCE_PREFIX = "#/components/schemas/"


UUID_SCHEMA = {"type": "string", "format": "uuid", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}


NATURAL_ID_SCHEMA = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^(?!\\.{1,2}$)[A-Za-z0-9._~-]+$"}


VERSION_SCHEMA = {"type": "string", "pattern": "^[0-7][0-9A-HJKMNP-TV-Z]{25}$"}


# What a later class may forbid and an earlier item may have: it is asked of what is written only.
_LIMITS = frozenset(
    {"default", "pattern", "minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum"}
    | {"exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minProperties", "maxProperties"}
)


def schema_reference(name: str) -> Schema:
    return {"$ref": f"{SCHEMA_REFERENCE_PREFIX}{name}"}


def id_schema(resource: Resource) -> Schema:
    return dict(NATURAL_ID_SCHEMA if resource.key else UUID_SCHEMA)


def create_write_schemas(resources: Sequence[Resource]) -> tuple[dict[str, str], dict[str, Schema]]:
    """The schemas of what clients write, and of the classes within, by name; and each collection's name among them."""
    found, schemas = msgspec.json.schema_components(
        [one.strict_model for one in resources], ref_template=f"{SCHEMA_REFERENCE_PREFIX}{{name}}"
    )
    names = {}
    for resource, at in zip(resources, found, strict=True):
        name = names[resource.collection] = at["$ref"].removeprefix(SCHEMA_REFERENCE_PREFIX)
        schemas[name] = _describe_schema(resource, schemas[name])
    return names, dict(schemas)


def _describe_schema(resource: Resource, schema: Schema) -> Schema:
    texts, columns = parse_field_descriptions(resource.model), {column.name: column for column in resource.columns}
    fields = {}
    for name, field in schema["properties"].items():
        fields[name] = _write_field_schema(columns[name], field) if name in columns else dict(field)
        if name in texts:
            fields[name]["description"] = texts[name]
    described: Schema = {"title": schema["title"], "type": "object", "properties": fields}
    if text := get_summary(resource.model):
        described["description"] = text
    described |= {name: schema[name] for name in ("required", "additionalProperties") if name in schema}
    if resource.examples:
        described["examples"] = [dict(one) for one in resource.examples]
    return described


def _write_field_schema(column: Column, field: Schema) -> Schema:
    """A decimal is written as a text or as a number, within the digits of its column."""
    if column.type.name != "DECIMAL":
        return dict(field)
    before, behind = decimals.count_decimal_digits(column.type)
    most = float(Decimal(10) ** before - Decimal(10) ** -behind)
    text: Schema = {"type": "string", "pattern": decimals.create_decimal_pattern(column.type)}
    number = {"type": "number", "minimum": -most, "maximum": most, "multipleOf": float(Decimal(10) ** -behind)}
    choices: list[Schema] = [text, number]
    if column.presence == "optional":
        choices.append({"type": "null"})
    return {"anyOf": choices, **{name: field[name] for name in ("default",) if name in field}}


def create_read_schema(resource: Resource, schema: Mapping[str, Any]) -> Schema:
    """The schema of what is read: its types, without what only a write must fulfil. No field need be there, since a
    list may be asked for some."""
    columns = {column.name: column for column in resource.columns}
    fields = {}
    for name, field in schema["properties"].items():
        fields[name] = _read_field_schema(columns[name], field) if name in columns else _remove_limits(field)
    described: Schema = {
        "title": f"{schema['title']}AsRead",
        "description": f"The fields of {schema['title']} as the service keeps them.",
        "type": "object",
        "properties": fields,
    }
    return described


def _read_field_schema(column: Column, field: Schema) -> Schema:
    if column.type.name != "DECIMAL":
        return _remove_limits(field)
    stored: Schema = {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?$"}
    kept = {"anyOf": [stored, {"type": "null"}]} if column.presence == "optional" else stored
    return kept | {name: field[name] for name in ("description",) if name in field}


def _remove_limits(field: Mapping[str, Any]) -> Schema:
    kept: Schema = {name: value for name, value in field.items() if name not in _LIMITS}
    if "anyOf" in kept:
        kept["anyOf"] = [_remove_limits(choice) for choice in kept["anyOf"]]
    if isinstance(kept.get("items"), Mapping):
        kept["items"] = _remove_limits(kept["items"])
    return kept


WRITTEN_AT_SCHEMA = {
    "type": "string",
    "format": "date-time",
    "description": "When the item's latest write was accepted, in UTC.",
}


def create_response_schemas(resource: Resource, name: str, schema: Mapping[str, Any]) -> dict[str, Schema]:
    """The schemas of a collection's answers, by name. `name` is that of what is written, `schema` its schema."""
    as_read = f"{name}AsRead"
    whole: Schema = {"allOf": [schema_reference(as_read), {"type": "object", "required": list(schema["properties"])}]}
    page: Schema = {
        "title": f"{name}Page",
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": _item_schema(resource, f"{name}Listed", schema_reference(as_read))},
            "next": {
                "type": "string",
                "description": "Where the next page begins: the `after` of the same question. Not there on the last.",
            },
        },
        "required": ["items"],
    }
    return {
        f"{name}Item": _item_schema(resource, f"{name}Item", whole) | {"examples": examples.example_items(resource)},
        f"{name}Page": page | {"examples": [examples.example_page(resource)]},
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


def _id_and_version(resource: Resource, which: str) -> dict[str, Schema]:
    """The id of an item and a version of it."""
    return {"id": id_schema(resource), "version": VERSION_SCHEMA | {"description": which}}


def _accepted_schema(resource: Resource, name: str) -> Schema:
    return {
        "title": f"{name}Accepted",
        "description": "A write that was accepted, and is applied later.",
        "type": "object",
        "properties": {
            **_id_and_version(resource, "Of this write."),
            "status": {"const": "pending"},
            "receipt": {
                "type": "string",
                "format": "uri-reference",
                "description": "Where to ask what became of the write, relative to the request's address.",
            },
        },
        "required": ["id", "version", "status", "receipt"],
        "examples": [examples.example_accepted(resource, f"{resource.collection}/")],
    }


def _receipt_schema(resource: Resource, name: str) -> Schema:
    return {
        "title": f"{name}Receipt",
        "description": "What became of a write.",
        "type": "object",
        "properties": {
            **_id_and_version(resource, "Of the write."),
            "status": {
                "enum": ["pending", "applied", "superseded", "rejected"],
                "description": "pending: not in the tables yet. applied: the item is as this write left it. "
                "superseded: the item has a later version. rejected: the database could not take it.",
            },
            "superseded_by": VERSION_SCHEMA | {"description": "The item's version, when this write is superseded."},
            "reason": {"type": "string", "description": "Why the write is rejected, without its data."},
        },
        "required": ["id", "version", "status"],
        "examples": examples.example_receipts(resource),
    }
