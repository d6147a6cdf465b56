"""Decode and validate an item: JSON in, values in the form that the table stores out."""

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

T = TypeVar("T", bound=msgspec.Struct)


class ItemDecoder(Generic[T]):
    """Decodes the items of a class."""

    def __init__(self, model: type[msgspec.Struct], strict: type[T], columns: Iterable[Column]) -> None:
        self._decoder = msgspec.json.Decoder(strict)
        self._checks = create_field_checks(model)
        self._spelling = DecimalSpelling(columns)
        self._model = model

    @cached_property
    def _patterned(self) -> "FieldPatterns":
        return FieldPatterns.from_model(self._model)

    def decode(self, body: bytes) -> T:
        """Decode and check an item; its values are in the form in which they are stored.

        Raises msgspec's errors and RecursionError for what is not of its class, Unfit.
        """
        item = self._decoder.decode(body)
        if self._patterned.may_differ(body):
            for field, kind in self._patterned.fields.items():
                for place, pattern in find_mismatches(kind, getattr(item, field)):
                    raise InvalidFieldValue(f"{field}{place}", f"Expected `str` matching regex {pattern!r}")
        if spelt := self._spelling.find_fault(body):
            raise InvalidFieldValue(*spelt)
        for field, check in self._checks.items():
            value = getattr(item, field)
            if value is not None:
                try:
                    setattr(item, field, check(value))
                except ValueError as error:
                    raise InvalidFieldValue(field, str(error)) from None
        return item


# MariaDB's JSON_VALID refuses deeper nesting, and with it the whole row.
MAX_JSON_DEPTH = 31


# What cannot hold anything else.
_SCALAR_TYPES = {bool, int, float, str, Decimal, datetime.date, datetime.datetime}


FieldCheck = Callable[[Any], Any]


def create_field_checks(model: type[msgspec.Struct]) -> dict[str, FieldCheck]:
    """What msgspec's constraints cannot say, by field: each takes a value and returns the one to store.

    A check raises ValueError with a sentence for a value that its column cannot hold.
    """
    found: dict[str, FieldCheck] = {}
    hints = get_type_hints(model, include_extras=True)
    for field in msgspec.structs.fields(model):
        if check := create_field_check(hints[field.name]):
            found[field.name] = check
    return found


def create_field_check(annotation: Any) -> FieldCheck | None:
    bare, type_ = unwrap_annotation(annotation)[0], derive_column_type(annotation)
    if bare is Decimal:
        return create_decimal_check(type_)
    if bare is datetime.datetime:
        return _convert_to_utc
    return _check_depth if type_.name == "JSON" and not _is_flat(bare) else None


def _is_flat(container: Any) -> bool:
    """Whether what a container holds is a value, by its type: then there is no nesting to count."""
    try:
        inner = [unwrap_annotation(one)[0] for one in get_args(container) if one is not ...]
    except TypeError:  # a union of several types
        return False
    return bool(inner) and all(one in _SCALAR_TYPES for one in inner)


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


_PATTERN_PARTS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)


_ASCII_CLASS = re.compile(r"\\[dDwWbB]")


@cache
def compile_published_pattern(pattern: str) -> re.Pattern[str]:
    """A pattern with the meaning that it has in the contract."""
    return re.compile("".join(map(_translate_part, _PATTERN_PARTS.findall(pattern))))


def _translate_part(part: str) -> str:
    if part == "$":
        return r"\Z"
    return f"(?a:{part})" if _ASCII_CLASS.search(part) else part


@dataclass(frozen=True)
class FieldPatterns:
    """The types of those fields of a class that have a pattern somewhere within."""

    fields: dict[str, inspect.Type]
    has_ascii_classes: bool

    @classmethod
    def from_model(cls, model: type[msgspec.Struct]) -> Self:
        known = inspect.type_info(model)
        assert isinstance(known, inspect.StructType)  # noqa: S101  what a Struct is
        schemas = {one.name: str(msgspec.json.schema(one.type)) for one in msgspec.structs.fields(model)}
        found = {one.name: one.type for one in known.fields if "'pattern'" in schemas[one.name]}
        return cls(found, any(_ASCII_CLASS.search(schemas[name].replace("\\\\", "\\")) for name in found))

    def may_differ(self, body: bytes) -> bool:
        """Whether a text in this JSON may fit a pattern in Python's sense only."""
        if b"\\" in body and (b"\\n" in body or b"\\u" in body):
            return True
        return self.has_ascii_classes and not body.isascii()


def find_mismatches(kind: inspect.Type, value: Any) -> Iterator[tuple[str, str]]:
    """The places within a decoded value of texts that do not fit their patterns, such as `[1].name`, with these."""
    match kind:
        case inspect.StrType(pattern=str(pattern)):
            if isinstance(value, str) and not compile_published_pattern(pattern).search(value):
                yield "", pattern
        case inspect.Metadata(type=inner):
            yield from find_mismatches(inner, value)
        case inspect.UnionType(types=types):
            for one in types:
                yield from find_mismatches(one, value)
        case _:
            for place, inner, one in _iterate_children(kind, value):
                yield from ((place + deeper, pattern) for deeper, pattern in find_mismatches(inner, one))


def _iterate_children(kind: inspect.Type, value: Any) -> Iterator[tuple[str, inspect.Type, Any]]:
    match kind:
        case inspect.CollectionType(item_type=inner):
            if isinstance(value, list | tuple | set | frozenset):
                yield from ((f"[{at}]", inner, one) for at, one in enumerate(value))
        case inspect.TupleType(item_types=types):
            if isinstance(value, tuple):
                yield from ((f"[{at}]", *both) for at, both in enumerate(zip(types, value, strict=False)))
        case inspect.DictType(key_type=key, value_type=inner):
            if isinstance(value, dict):
                for name, one in value.items():
                    yield from (("[...]", key, name), ("[...]", inner, one))
        case inspect.StructType(cls=cls, fields=fields) | inspect.DataclassType(cls=cls, fields=fields):
            if isinstance(value, cls):
                yield from ((f".{one.encode_name}", one.type, getattr(value, one.name)) for one in fields)


# Python's own context would round to 28 digits; this one holds every digit and exponent that a record can bring.
_EXACT_CONTEXT = Context(prec=1 << 20, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[])


_NULL = Raw(b"null")


def create_decimal_check(type_: ColumnType) -> Callable[[Decimal], Decimal]:
    """Make the function that returns a decimal in the one form in which its column's values are kept: 100, not 1E+2.

    It raises ValueError for one that the column cannot hold.
    """
    before, behind = count_decimal_digits(type_)

    def check(value: Decimal) -> Decimal:
        if not value.is_finite():
            raise ValueError("Expected a finite number")
        value = value.normalize(_EXACT_CONTEXT)
        # The place of the first digit tells first: an exponent can make a text of any length.
        if not value or -behind <= value.adjusted() < before:
            text = f"{value:f}"
            if len(text.partition(".")[2]) <= behind:
                return Decimal(text)
        raise ValueError(describe_decimal(type_))

    return check


class DecimalSpelling:
    """Looks at the decimals of an item that are texts: Python takes more for one than the contract says."""

    def __init__(self, columns: Iterable[Column]) -> None:
        types = {one.name: one.type for one in columns if one.type.name == "DECIMAL"}
        # A number and a null are spelt as JSON has them.
        spelt = [
            re.compile(f'[^"].*|"{create_decimal_pattern(type_)[1:-1]}"'.encode(), re.DOTALL).fullmatch
            for type_ in types.values()
        ]
        self._columns = list(zip(types.items(), spelt, strict=True))
        fields: list[Any] = [(name, Raw, _NULL) for name in types]
        self._decode = msgspec.json.Decoder(msgspec.defstruct("Decimals", fields)).decode

    def find_fault(self, body: bytes) -> tuple[str, str] | None:
        """The first field of an item with another spelling, and what is said of it. `body` has been decoded before."""
        if self._columns:
            texts = msgspec.structs.astuple(self._decode(body))
            for ((name, type_), spelt), text in zip(self._columns, texts, strict=True):
                if not spelt(text) and not spelt(_without_escapes(text)):
                    return name, describe_decimal(type_)
        return None


def _without_escapes(text: Raw) -> bytes:
    return f'"{msgspec.json.decode(text, type=str)}"'.encode()
