"""The JSON Schemas of items, as they are written and as they are read."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from sluice import decimals
from sluice.columns import Column
from sluice.contract.wording import field_texts, summary
from sluice.resource import Resource

Schema = dict[str, Any]

REFERENCE = "#/components/schemas/"

ID = {"type": "string", "format": "uuid", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
KEY = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^(?!\\.{1,2}$)[A-Za-z0-9._~-]+$"}
VERSION = {"type": "string", "pattern": "^[0-7][0-9A-HJKMNP-TV-Z]{25}$"}

# What a later class may forbid and an earlier item may have: it is asked of what is written only.
_LIMITS = frozenset(
    {"default", "pattern", "minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum"}
    | {"exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minProperties", "maxProperties"}
)


def reference(name: str) -> Schema:
    return {"$ref": f"{REFERENCE}{name}"}


def id_shape(resource: Resource) -> Schema:
    return dict(KEY if resource.key else ID)


def written(resources: Sequence[Resource]) -> tuple[dict[str, str], dict[str, Schema]]:
    """The schemas of what clients write, and of the classes within, by name; and each collection's name among them."""
    found, schemas = msgspec.json.schema_components(
        [one.strict for one in resources], ref_template=f"{REFERENCE}{{name}}"
    )
    names = {}
    for resource, at in zip(resources, found, strict=True):
        name = names[resource.collection] = at["$ref"].removeprefix(REFERENCE)
        schemas[name] = _described(resource, schemas[name])
    return names, dict(schemas)


def _described(resource: Resource, schema: Schema) -> Schema:
    texts, columns = field_texts(resource.model), {column.name: column for column in resource.columns}
    fields = {}
    for name, field in schema["properties"].items():
        fields[name] = _exact(columns[name], field) if name in columns else dict(field)
        if name in texts:
            fields[name]["description"] = texts[name]
    described: Schema = {"title": schema["title"], "type": "object", "properties": fields}
    if text := summary(resource.model):
        described["description"] = text
    described |= {name: schema[name] for name in ("required", "additionalProperties") if name in schema}
    if resource.examples:
        described["examples"] = [dict(one) for one in resource.examples]
    return described


def _exact(column: Column, field: Schema) -> Schema:
    """A decimal is written as a text or as a number, within the digits of its column."""
    if column.type.name != "DECIMAL":
        return dict(field)
    before, behind = decimals.digits(column.type)
    most = float(Decimal(10) ** before - Decimal(10) ** -behind)
    text: Schema = {"type": "string", "pattern": decimals.pattern(column.type)}
    number = {"type": "number", "minimum": -most, "maximum": most, "multipleOf": float(Decimal(10) ** -behind)}
    choices: list[Schema] = [text, number]
    if column.presence == "optional":
        choices.append({"type": "null"})
    return {"anyOf": choices, **{name: field[name] for name in ("default",) if name in field}}


def read(resource: Resource, schema: Mapping[str, Any]) -> Schema:
    """The schema of what is read: its types, without what only a write must fulfil. No field need be there, since a
    list may be asked for some."""
    columns = {column.name: column for column in resource.columns}
    fields = {}
    for name, field in schema["properties"].items():
        fields[name] = _stored(columns[name], field) if name in columns else _loose(field)
    described: Schema = {
        "title": f"{schema['title']}AsRead",
        "description": f"The fields of {schema['title']} as the service keeps them.",
        "type": "object",
        "properties": fields,
    }
    return described


def _stored(column: Column, field: Schema) -> Schema:
    if column.type.name != "DECIMAL":
        return _loose(field)
    stored: Schema = {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?$"}
    kept = {"anyOf": [stored, {"type": "null"}]} if column.presence == "optional" else stored
    return kept | {name: field[name] for name in ("description",) if name in field}


def _loose(field: Mapping[str, Any]) -> Schema:
    kept: Schema = {name: value for name, value in field.items() if name not in _LIMITS}
    if "anyOf" in kept:
        kept["anyOf"] = [_loose(choice) for choice in kept["anyOf"]]
    if isinstance(kept.get("items"), Mapping):
        kept["items"] = _loose(kept["items"])
    return kept
