"""Derive the fields of a resource from a JSON Schema of an object."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ops.data.cells import Kind
from ops.data.items import Field
from ops.data.names import map_field_names
from ops.data.source_file import SourceFile
from ops.errors import UsageError

MAX_REFERENCES = 20
_FORMATS: dict[str, tuple[Kind, str]] = {
    "date": ("date", "datetime.date"),
    "date-time": ("datetime", "datetime.datetime"),
    "uuid": ("uuid", "uuid.UUID"),
}
_NUMBER_LIMITS = {"minimum": "ge", "maximum": "le", "exclusiveMinimum": "gt", "exclusiveMaximum": "lt"}
_TEXT_LIMITS = {"minLength": "min_length", "maxLength": "max_length", "pattern": "pattern"}
_LIST_LIMITS = {"minItems": "min_length", "maxItems": "max_length"}
_PLAIN_TYPES: dict[Any, tuple[Kind, str, Mapping[str, str]]] = {
    "string": ("text", "str", _TEXT_LIMITS),
    "integer": ("int", "int", _NUMBER_LIMITS),
    "number": ("float", "float", _NUMBER_LIMITS),
    "boolean": ("bool", "bool", {}),
    "object": ("json", "dict[str, Any]", {}),
}
_SCALARS: dict[Any, str] = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}

_WORDS_OF_TYPES = {
    "object": {"properties", "additionalProperties", "patternProperties"},
    "array": {"items", "prefixItems", "minItems", "maxItems"},
    "string": {"minLength", "maxLength", "pattern", "format"},
    "number": {*_NUMBER_LIMITS, "multipleOf"},
}
_INT64 = 2**63

Schema = Mapping[str, Any]


class SchemaFile:
    """A JSON Schema. Raises UsageError for a file that is none of an object."""

    def __init__(self, file: SourceFile) -> None:
        try:
            document = json.loads(file.read_text())
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{file.path} is not JSON: {error}.", "Give CSV, JSON Lines or a JSON Schema.") from None
        self._document: Schema = document if isinstance(document, dict) else {}
        self._root = self._combine(self._document)
        if self._root.get("type") == "array":
            self._root = self._combine(self._root.get("items"))
        properties = self._root.get("properties")
        if not isinstance(properties, dict) or not properties:
            raise UsageError(
                f"{file.path} is not the JSON Schema of an object with properties.", _suggest_rows(file.path, document)
            )
        self._properties: Schema = properties
        self._required = frozenset(self._root.get("required", []))
        self.names = map_field_names(list(properties))

    @property
    def description(self) -> str:
        return str(self._root.get("description") or self._root.get("title") or "")

    def derive_fields(self, key: str = "") -> list[Field]:
        """The fields, in the order of the schema. `key` is the field of the ids."""
        return [self._derive_field(source, key) for source in self._properties]

    def choose_example(self) -> dict[str, Any] | None:
        """An example of the schema, or made of those of its properties; None when a required one has none."""
        for candidate in [*self._root.get("examples", []), self._root.get("example")]:
            if isinstance(candidate, dict):
                return {self.names.get(str(source), str(source)): value for source, value in candidate.items()}
        item: dict[str, Any] = {}
        for source, property_schema in self._properties.items():
            schema, _ = self._strip_null(property_schema)
            values = [*schema.get("examples", []), *schema.get("enum", [])]
            values += [schema[word] for word in ("example", "default", "const") if word in schema]
            if values:
                item[self.names[source]] = values[0]
            elif source in self._required:
                return None
        return item or None

    def _derive_field(self, source: str, key: str) -> Field:
        schema, is_nullable = self._strip_null(self._properties[source])
        kind, annotation = self._annotate(source, schema)
        name = self.names[source]
        if name == key and not annotation.startswith(("str", "Annotated[str")):
            raise UsageError(f"The key {source!r} is not a text in the schema.", "Choose a property of type string.")
        remarks = [] if source == name else [f"{source!r} in the schema."]
        remarks += [" ".join(str(schema["description"]).split())] if schema.get("description") else []
        required = name == key or (source in self._required and not is_nullable)
        is_short = annotation.startswith("Literal") or int(schema.get("maxLength", 1 << 20)) <= 512
        indexable = kind != "json" and (kind != "text" or is_short)
        return Field(name, source, kind, annotation, required, tuple(remarks), indexable)

    def _annotate(self, source: str, schema: Schema) -> tuple[Kind, str]:
        if values := _list_values(schema):
            types = {type(value) for value in values}
            if types in ({str}, {int}):
                return ("text" if types == {str} else "int"), f"Literal[{', '.join(map(repr, values))}]"
            if types == {bool}:
                return "bool", "bool"
            if types <= {int, float}:
                return "float", "float"
            raise UsageError(
                f"{source!r} is an enumeration of several types.", "Let it have only texts, or only whole numbers."
            )
        type_name = schema.get("type") or _guess_type(schema)
        if type_name == "string" and schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        if type_name == "array":
            return "json", _limit(f"list[{self._annotate_element(schema)}]", schema, _LIST_LIMITS)
        if type_name in _PLAIN_TYPES:
            kind, bare, limits = _PLAIN_TYPES[type_name]
            return kind, _limit(bare, _check_limits(source, schema, kind), limits)
        raise UsageError(
            f"{source!r} has no single type in the schema.", 'Give it one `type`, and "null" when it may be absent.'
        )

    def _annotate_element(self, schema: Schema) -> str:
        element = self._combine(schema.get("items", {}))
        is_plain = set(element) <= {"type", "description", "title"}
        return _SCALARS.get(element.get("type"), "Any") if is_plain and isinstance(element.get("type"), str) else "Any"

    def _strip_null(self, property_schema: Any) -> tuple[Schema, bool]:
        """A schema without null, and whether null is allowed."""
        schema = self._combine(property_schema)
        for word in ("anyOf", "oneOf"):
            choices = [self._combine(choice) for choice in schema.get(word, [])]
            others = [choice for choice in choices if choice.get("type") != "null"]
            if others and (common := _find_common(others)) is not None:
                outer = {name: value for name, value in schema.items() if name != word}
                stripped, is_nullable = self._strip_null(common)
                return {**outer, **stripped}, is_nullable or len(others) < len(choices)
        if isinstance(types := schema.get("type"), list):
            named = [name for name in types if name != "null"]
            if set(named) == {"integer", "number"}:
                named = ["number"]
            return {**schema, "type": named[0] if len(named) == 1 else None}, "null" in types
        return schema, bool(schema.get("nullable")) or None in schema.get("enum", [])

    def _combine(self, schema: Any, depth: int = 0) -> Schema:
        """A schema with what it refers to, and with all of its `allOf`. Raises UsageError."""
        resolved = self._resolve(schema)
        parts = resolved.get("allOf", [])
        if depth > MAX_REFERENCES:
            raise UsageError("The references of the schema go in a circle.", "Make one of them an object without $ref.")
        combined: dict[str, Any] = {}
        outer = {name: value for name, value in resolved.items() if name != "allOf"}
        for part in [*(self._combine(part, depth + 1) for part in parts), outer]:
            properties = {**combined.get("properties", {}), **part.get("properties", {})}
            required = [*combined.get("required", []), *part.get("required", [])]
            combined = {**combined, **part}
            if properties:
                combined["properties"] = properties
            if required:
                combined["required"] = required
        return combined

    def _resolve(self, schema: Any) -> Schema:
        """Follow references within the file. Raises UsageError for others."""
        for _ in range(MAX_REFERENCES):
            if not isinstance(schema, dict):
                return {}
            reference = schema.get("$ref")
            if reference is None:
                return schema
            if reference != "#" and not str(reference).startswith("#/"):
                raise UsageError(
                    f"The schema refers to {reference}.", "Put what it refers to into the file, below $defs."
                )
            target: Any = self._document
            for part in str(reference).split("/")[1:]:
                target = target.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(target, dict) else None
            if not isinstance(target, dict):
                raise UsageError(f"The schema has nothing at {reference}.", "Correct the reference.")
            schema = {**target, **{name: value for name, value in schema.items() if name != "$ref"}}
        raise UsageError("The references of the schema go in a circle.", "Make one of them an object without $ref.")


def _list_values(schema: Schema) -> list[Any]:
    """The values of an enumeration or a constant, without null."""
    return [schema["const"]] if "const" in schema else [value for value in schema.get("enum", []) if value is not None]


def _guess_type(schema: Schema) -> str | None:
    """The type that the other words of a schema without `type` are about."""
    for type_name, words in _WORDS_OF_TYPES.items():
        if words & set(schema):
            return type_name
    return None


def _find_common(choices: list[Schema]) -> Schema | None:
    """A schema that all choices fit, or None when they differ in type. The limits that differ are left out."""
    if len(choices) == 1:
        return choices[0]
    if all(_list_values(choice) for choice in choices):
        return {"enum": [value for choice in choices for value in _list_values(choice)]}
    types = {choice.get("type") or _guess_type(choice) for choice in choices}
    if types == {"integer", "number"}:
        types = {"number"}
    formats = {choice.get("format") for choice in choices}
    if len(types) > 1:
        return None
    return {"type": types.pop(), **({"format": formats.pop()} if len(formats) == 1 else {})}


def _check_limits(source: str, schema: Schema, kind: Kind) -> Schema:
    """A schema without the limits that every value of its column keeps. Raises UsageError for a pattern."""
    checked = dict(schema)
    for word in _NUMBER_LIMITS:
        limit = schema.get(word)
        if kind != "int" or isinstance(limit, bool) or not isinstance(limit, int | float):
            continue
        if not -_INT64 <= limit < _INT64:
            del checked[word]
        elif isinstance(limit, float) and limit.is_integer():
            checked[word] = int(limit)
    if isinstance(pattern := schema.get("pattern"), str):
        try:
            re.compile(pattern)
        except re.error as error:
            raise UsageError(
                f"{source!r} has the pattern {pattern!r}, which Python does not understand: {error}.",
                "Write it without what only JavaScript has, such as \\p{…}.",
            ) from None
    return checked


def _suggest_rows(path: Path, document: Any) -> str:
    """How to make JSON Lines of a document that has the items in a member, or as its members."""
    members = document if isinstance(document, dict) else {}
    lists = [
        name for name, value in members.items() if isinstance(value, list) and value and isinstance(value[0], dict)
    ]
    if lists:
        path_of_items = f".{lists[0]}[]" if lists[0].isidentifier() else f".[{json.dumps(lists[0])}][]"
    elif members and all(isinstance(value, dict) for value in members.values()):
        path_of_items = "to_entries[] | {key} + .value"
    else:
        return "Give CSV, JSON Lines, a JSON list or such a schema."
    return f"Write its items on a line each, such as with `jq -c '{path_of_items}' {path.name} > items.jsonl`."


def _limit(type_name: str, schema: Schema, limits: Mapping[str, str]) -> str:
    arguments = [
        f"{argument}={schema[word]!r}"
        for word, argument in limits.items()
        if isinstance(schema.get(word), str if word == "pattern" else int | float)
        and not isinstance(schema[word], bool)
    ]
    return f"Annotated[{type_name}, Meta({', '.join(arguments)})]" if arguments else type_name
