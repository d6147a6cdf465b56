"""How an adopting team declares a resource: `Item`, `@resource` and `Digits`."""

import importlib
import pkgutil
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypedDict, TypeVar, Unpack, get_type_hints

import msgspec

from sluice.model.columns import (
    Column,
    ColumnType,
    Digits,
    Index,
    Presence,
    create_indexes,
    derive_column_type,
    unwrap_annotation,
)
from sluice.model.schema_names import SERVICE_TABLES
from sluice.model.strict_model import create_strict_model
from sluice.model.validation import ItemDecoder

__all__ = [
    "CANARY_COLLECTION",
    "Digits",
    "Item",
    "Resource",
    "create_resource",
    "describe_invalid_id",
    "get_declared_resources",
    "load_resources",
    "resource",
]

NATURAL_ID_TYPE = ColumnType("VARCHAR", length=128)
UUID_ID_TYPE = ColumnType("UUID")

# RFC 3986's unreserved characters, so that an id needs no escaping in a path.
# A path segment of one or two dots would address another resource.
_NATURAL_ID = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}")
_NATURAL_ID_RULE = "Expected 1 to 128 of the characters A-Z a-z 0-9 . _ ~ - and more than one or two dots"

_SYSTEM_COLUMNS = frozenset({"owner", "id", "version", "written_at", "deleted"})
_SYSTEM_TABLES = frozenset({*SERVICE_TABLES, "migrations", "openapi", "docs", "status"})
# The collection of `sluice.model.canary_item`, which no other class can declare.
CANARY_COLLECTION = "sluice_canary"
_NAME_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,47}")


class Item(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Base of every resource class: its annotated fields are the item's data."""


@dataclass(frozen=True, eq=False)  # each resource exists once; hashing all fields at each request would cost time
class Resource:
    """A declared resource.

    `model` is the class as written. `strict_model` is the same class with every limit that the columns set;
    `decoder` decodes into it. `key` names the field that is the item's id (None: the service chooses a UUID).
    `writers` names the group that may write a shared collection (None: everyone with the write scope). `free_text` says
    that the firewall lets bodies through whose texts look like an attack. `revision` increases with each change of the
    class. `examples` are items as a client writes them, for the OpenAPI document.
    """

    collection: str
    model: type[Item]
    strict_model: type[Item]
    private: bool
    key: str | None
    writers: str | None
    free_text: bool
    revision: int
    columns: tuple[Column, ...]
    indexes: tuple[Index, ...] = ()
    examples: tuple[Mapping[str, Any], ...] = ()

    @property
    def id_type(self) -> ColumnType:
        return NATURAL_ID_TYPE if self.key else UUID_ID_TYPE

    @cached_property
    def decoder(self) -> ItemDecoder[Item]:
        """Decodes and validates the items that clients write."""
        return ItemDecoder(self.model, self.strict_model, self.columns)

    @cached_property
    def optional_fields(self) -> tuple[str, ...]:
        """The fields that may be null."""
        return tuple(column.name for column in self.columns if column.presence == "optional")

    def encode_default(self, field: str) -> bytes:
        """Encode a field's default as the JSON text that a write would contain."""
        info = next(info for info in msgspec.structs.fields(self.model) if info.name == field)
        value = info.default if info.default is not msgspec.NODEFAULT else info.default_factory()
        return msgspec.json.encode(value)


class ResourceOptions(TypedDict, total=False):
    """The options of `@resource`: see Resource."""

    key: str | None
    private: bool
    writers: str | None
    free_text: bool
    revision: int
    indexes: Sequence[str | Sequence[str]]
    examples: Sequence[Mapping[str, Any]]


T = TypeVar("T", bound=type[Item])
_resources_by_collection: dict[str, Resource] = {}


def get_declared_resources() -> dict[str, Resource]:
    """Return every resource declared so far, by collection, in alphabetical order."""
    return dict(sorted(_resources_by_collection.items()))


def load_resources() -> Mapping[str, Resource]:
    """Import every module of the package `resources` and return the resources that they declare, by collection.

    Each call lists the package's folder. A handler calls it once, when Lambda imports the handler.
    """
    import resources  # noqa: PLC0415  its modules import this one, and not every user of this module needs them

    for module in pkgutil.iter_modules(resources.__path__, "resources."):
        importlib.import_module(module.name)
    return get_declared_resources()


def resource(collection: str, **options: Unpack[ResourceOptions]) -> Callable[[T], T]:
    """Declare a class as the resource of a collection.

    Raises TypeError, naming class and field, for what the service cannot serve: a name that is not a lower-case
    identifier, a field with the name of a system column or another name in JSON, a type without a column, a default
    that the column cannot store, a key that is not a required text field, an index that the table cannot have, an
    example that is not a valid item.
    """

    def declare(model: T) -> T:
        if collection == CANARY_COLLECTION:
            raise TypeError(f"{model.__name__}: {collection!r} cannot name a collection; it is reserved for the canary")
        other = _resources_by_collection.get(collection)
        if other and (other.model.__module__, other.model.__qualname__) != (model.__module__, model.__qualname__):
            raise TypeError(f"{model.__name__}: {collection!r} is declared in {other.model.__module__} too")
        _resources_by_collection[collection] = create_resource(model, collection, **options)
        return model

    return declare


def create_resource(  # noqa: PLR0913  the options of a resource, all by name
    model: type[Item],
    collection: str,
    *,
    key: str | None = None,
    private: bool = False,
    writers: str | None = None,
    free_text: bool = False,
    revision: int = 1,
    indexes: Sequence[str | Sequence[str]] = (),
    examples: Sequence[Mapping[str, Any]] = (),
) -> Resource:
    """Create a resource from a class without declaring it. Raises TypeError as `resource` does."""
    if not _NAME_PATTERN.fullmatch(collection) or collection in _SYSTEM_TABLES:
        raise TypeError(f"{model.__name__}: {collection!r} cannot name a collection ([a-z][a-z0-9_]*, at most 48)")
    if not (isinstance(model, type) and issubclass(model, Item)):
        raise TypeError(f"{model.__name__}: a resource must be a subclass of Item")
    config = model.__struct_config__
    if config.frozen or config.array_like or config.tag is not None:
        raise TypeError(f"{model.__name__}: a resource cannot be frozen, array_like or tagged")
    if revision < 1:
        raise TypeError(f"{model.__name__}: the first revision is 1, not {revision}")
    columns = tuple(_create_columns(model, key))
    try:
        table_indexes = create_indexes(columns, indexes)
    except TypeError as error:
        raise TypeError(f"{model.__name__}: {error}") from None
    strict_model = create_strict_model(model)
    for example in examples:
        try:
            msgspec.convert(example, strict_model)
        except msgspec.ValidationError as error:
            raise TypeError(f"{model.__name__}: an example is not a valid item: {error}") from None
    return Resource(
        collection,
        model,
        strict_model,
        private,
        key,
        writers,
        free_text,
        revision,
        columns,
        table_indexes,
        examples=tuple(examples),
    )


def _create_columns(model: type[Item], key: str | None) -> list[Column]:
    hints = get_type_hints(model, include_extras=True)
    columns = []
    fields = {field.name: field for field in msgspec.structs.fields(model)}
    if key is not None and (
        key not in fields or not fields[key].required or unwrap_annotation(hints[key])[0] is not str
    ):
        raise TypeError(f"{model.__name__}: the key {key!r} must be a required field of type str")
    for name, field in fields.items():
        if not _NAME_PATTERN.fullmatch(name) or (name in _SYSTEM_COLUMNS):
            raise TypeError(f"{model.__name__}.{name}: this name is reserved or is not a lower-case identifier")
        if field.encode_name != name:
            raise TypeError(
                f"{model.__name__}.{name}: the field has the name {field.encode_name!r} in JSON, unlike its column"
            )
        try:
            column_type = derive_column_type(hints[name])
        except TypeError as error:
            raise TypeError(f"{model.__name__}.{name}: {error}") from None
        if name != key:
            optional = unwrap_annotation(hints[name])[2]
            if optional and not field.required and field.default is not None:
                # Reads show a NULL as the default, so a written null would be lost.
                raise TypeError(f"{model.__name__}.{name}: the default of a field that may be null must be None")
            columns.append(Column(name, column_type, _derive_presence(field, optional=optional)))
    return columns


def _derive_presence(field: msgspec.structs.FieldInfo, *, optional: bool) -> Presence:
    if field.required:
        return "required"
    return "optional" if optional and field.default is None else "default"


def describe_invalid_id(resource: Resource, item_id: str) -> str | None:
    """Describe what is wrong with an id, or return None if it is valid."""
    if resource.key:
        return None if _NATURAL_ID.fullmatch(item_id) else _NATURAL_ID_RULE
    try:
        return None if str(uuid.UUID(item_id)) == item_id else "Expected a UUID in lower case with hyphens"
    except ValueError:
        return "Expected a UUID"
