"""Decode and validate an item: from JSON to the values that its table stores.

msgspec checks the types and limits of the strict class (see `sluice.model.strict_model`). The checks here cover what
msgspec cannot express.
"""

import datetime
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from functools import cache, cached_property
from typing import Any, Generic, Self, TypeVar, get_args, get_type_hints

import msgspec
from msgspec import Raw, inspect

from sluice.errors import InvalidFieldValue
from sluice.model.columns import (
    Column,
    ColumnType,
    count_decimal_digits,
    create_decimal_pattern,
    derive_column_type,
    describe_decimal,
    unwrap_annotation,
)

# MariaDB's JSON_VALID rejects deeper nesting, and with it the whole row.
MAX_JSON_DEPTH = 31

FieldCheck = Callable[[Any], Any]
T = TypeVar("T", bound=msgspec.Struct)


class ItemDecoder(Generic[T]):
    """Decodes the items of one resource class."""

    def __init__(self, model: type[msgspec.Struct], strict_model: type[T], columns: Iterable[Column]) -> None:
        self._decoder = msgspec.json.Decoder(strict_model)
        self._checks = create_field_checks(model)
        self._spelling = DecimalSpelling(columns)
        self._model = model

    @cached_property
    def _patterns(self) -> "FieldPatterns":
        return FieldPatterns.from_model(self._model)

    def decode(self, body: bytes) -> T:
        """Decode and validate an item. Its values have the form in which the table stores them.

        Raises msgspec's errors and RecursionError if the JSON does not match the class; InvalidFieldValue if one
        field has a value that its column or its published pattern does not allow.
        """
        item = self._decoder.decode(body)
        if self._patterns.may_differ(body):
            for field, field_type in self._patterns.fields.items():
                for path, pattern in find_mismatches(field_type, getattr(item, field)):
                    raise InvalidFieldValue(f"{field}{path}", f"Expected `str` matching regex {pattern!r}")
        if misspelled := self._spelling.find_fault(body):
            raise InvalidFieldValue(*misspelled)
        for field, check in self._checks.items():
            value = getattr(item, field)
            if value is not None:
                try:
                    setattr(item, field, check(value))
                except ValueError as error:
                    raise InvalidFieldValue(field, str(error)) from None
        return item


def create_field_checks(model: type[msgspec.Struct]) -> dict[str, FieldCheck]:
    """Create the checks that msgspec cannot express, by field.

    A check takes a value and returns the value to store. It raises ValueError if the column cannot store the value.
    """
    hints = get_type_hints(model, include_extras=True)
    checks = {field.name: create_field_check(hints[field.name]) for field in msgspec.structs.fields(model)}
    return {name: check for name, check in checks.items() if check}


def create_field_check(annotation: Any) -> FieldCheck | None:
    """Create the check of one field, or return None if msgspec checks everything."""
    bare, column_type = unwrap_annotation(annotation)[0], derive_column_type(annotation)
    if bare is Decimal:
        return create_decimal_check(column_type)
    if bare is datetime.datetime:
        return _convert_to_utc
    return _check_depth if column_type.name == "JSON" and not _is_flat(bare) else None


# Types whose values cannot contain other values.
_SCALAR_TYPES = {bool, int, float, str, Decimal, datetime.date, datetime.datetime}


def _is_flat(container: Any) -> bool:
    """Whether a container type holds only scalars, so that its depth needs no check."""
    try:
        inner_types = [unwrap_annotation(inner)[0] for inner in get_args(container) if inner is not ...]
    except TypeError:  # a union of several types
        return False
    return bool(inner_types) and all(inner in _SCALAR_TYPES for inner in inner_types)


def _convert_to_utc(value: datetime.datetime) -> datetime.datetime:
    try:
        return value.astimezone(datetime.UTC)
    except OverflowError:
        raise ValueError("Expected a date-time from year 1 to 9999 in UTC") from None


def _check_depth(value: Any) -> Any:
    if not _is_within_depth(msgspec.to_builtins(value), MAX_JSON_DEPTH):
        raise ValueError(f"Expected at most {MAX_JSON_DEPTH} levels of nesting")
    return value


def _is_within_depth(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return True
    return levels > 0 and all(_is_within_depth(inner, levels - 1) for inner in value)


# Python's default context rounds to 28 digits. This one keeps every digit and exponent that a record can contain.
_EXACT_CONTEXT = Context(prec=1 << 20, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[])


def create_decimal_check(column_type: ColumnType) -> FieldCheck:
    """Create the check of a decimal. It returns the one form in which the column stores the value: 100, not 1E+2."""
    integer_digits, fraction_digits = count_decimal_digits(column_type)

    def check(value: Decimal) -> Decimal:
        if not value.is_finite():
            raise ValueError("Expected a finite number")
        value = value.normalize(_EXACT_CONTEXT)
        # Check the place of the first digit before formatting: an exponent can make the text arbitrarily long.
        if not value or -fraction_digits <= value.adjusted() < integer_digits:
            text = f"{value:f}"
            if len(text.partition(".")[2]) <= fraction_digits:
                return Decimal(text)
        raise ValueError(describe_decimal(column_type))

    return check


_NULL = Raw(b"null")


class DecimalSpelling:
    """Checks the decimals that are sent as texts: Python accepts more spellings than the OpenAPI document allows."""

    def __init__(self, columns: Iterable[Column]) -> None:
        types = {column.name: column.type for column in columns if column.type.name == "DECIMAL"}
        # JSON itself defines the spelling of numbers and null.
        spellings = [
            re.compile(f'[^"].*|"{create_decimal_pattern(column_type)[1:-1]}"'.encode(), re.DOTALL).fullmatch
            for column_type in types.values()
        ]
        self._columns = list(zip(types.items(), spellings, strict=True))
        fields: list[Any] = [(name, Raw, _NULL) for name in types]
        self._decode = msgspec.json.Decoder(msgspec.defstruct("Decimals", fields)).decode

    def find_fault(self, body: bytes) -> tuple[str, str] | None:
        """Return the first field with another spelling, and the error message. `body` is known to be valid JSON."""
        if self._columns:
            texts = msgspec.structs.astuple(self._decode(body))
            for ((name, column_type), is_allowed), text in zip(self._columns, texts, strict=True):
                if not is_allowed(text) and not is_allowed(_remove_escapes(text)):
                    return name, describe_decimal(column_type)
        return None


def _remove_escapes(text: Raw) -> bytes:
    return f'"{msgspec.json.decode(text, type=str)}"'.encode()


_PATTERN_PARTS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)
_ASCII_CLASS = re.compile(r"\\[dDwWbB]")


@cache
def compile_published_pattern(pattern: str) -> re.Pattern[str]:
    r"""Compile a pattern with the meaning that it has in the OpenAPI document (ECMA-262).

    There, `$` matches only at the end of the text, not before a last line break; `\d` and `\w` match only ASCII.
    """
    return re.compile("".join(map(_translate_part, _PATTERN_PARTS.findall(pattern))))


def _translate_part(part: str) -> str:
    if part == "$":
        return r"\Z"
    return f"(?a:{part})" if _ASCII_CLASS.search(part) else part


@dataclass(frozen=True)
class FieldPatterns:
    """The types of those fields of a class that contain a pattern."""

    fields: dict[str, inspect.Type]
    has_ascii_classes: bool

    @classmethod
    def from_model(cls, model: type[msgspec.Struct]) -> Self:
        info = inspect.type_info(model)
        assert isinstance(info, inspect.StructType)  # noqa: S101  type_info of a Struct
        schemas = {field.name: str(msgspec.json.schema(field.type)) for field in msgspec.structs.fields(model)}
        fields = {field.name: field.type for field in info.fields if "'pattern'" in schemas[field.name]}
        return cls(fields, any(_ASCII_CLASS.search(schemas[name].replace("\\\\", "\\")) for name in fields))

    def may_differ(self, body: bytes) -> bool:
        """Whether this JSON may contain a text that matches a pattern only as Python reads it."""
        if b"\\" in body and (b"\\n" in body or b"\\u" in body):
            return True
        return self.has_ascii_classes and not body.isascii()


def find_mismatches(type_: inspect.Type, value: Any) -> Iterator[tuple[str, str]]:
    """Yield the path (such as `[1].name`) and the pattern of each text in a decoded value that does not match."""
    match type_:
        case inspect.StrType(pattern=str(pattern)):
            if isinstance(value, str) and not compile_published_pattern(pattern).search(value):
                yield "", pattern
        case inspect.Metadata(type=inner):
            yield from find_mismatches(inner, value)
        case inspect.UnionType(types=types):
            for member in types:
                yield from find_mismatches(member, value)
        case _:
            for path, inner, child in _iterate_children(type_, value):
                yield from ((path + deeper, pattern) for deeper, pattern in find_mismatches(inner, child))


def _iterate_children(type_: inspect.Type, value: Any) -> Iterator[tuple[str, inspect.Type, Any]]:
    match type_:
        case inspect.CollectionType(item_type=inner):
            if isinstance(value, list | tuple | set | frozenset):
                yield from ((f"[{index}]", inner, child) for index, child in enumerate(value))
        case inspect.TupleType(item_types=types):
            if isinstance(value, tuple):
                yield from ((f"[{index}]", *pair) for index, pair in enumerate(zip(types, value, strict=False)))
        case inspect.DictType(key_type=key_type, value_type=inner):
            if isinstance(value, dict):
                for key, child in value.items():
                    yield from (("[...]", key_type, key), ("[...]", inner, child))
        case inspect.StructType(cls=cls, fields=fields) | inspect.DataclassType(cls=cls, fields=fields):
            if isinstance(value, cls):
                yield from ((f".{field.encode_name}", field.type, getattr(value, field.name)) for field in fields)
