"""Infer the fields of a file from all its rows, with memory for one summary of each column."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ops.data import cells
from ops.data.cells import Kind
from ops.data.items import Field
from ops.data.names import choose_field_name
from ops.data.rows_of_json import keeps_number
from ops.data.source_file import ReadingOptions, Row, SourceFile
from ops.errors import UsageError

MAX_FIELDS = 300
MAX_ID_CHARACTERS = 128
_INT64 = 2**63
_MAX_DECIMAL_DIGITS, _MAX_DECIMAL_SCALE = 65, 38
_FLOAT_INTEGERS = 2**53  # up to which a float keeps each whole number
# Of a row, for all short texts together; MariaDB allows 65,535.
_MAX_SHORT_TEXT_BYTES = 48_000
_MAX_SHORT_TEXT_CHARACTERS = 512
# A page of InnoDB takes so many bytes of a row's fields. Of a text of 64 characters or more it counts a pointer.
_MAX_PAGE_BYTES = 7_700
_OUTSIDE_CHARACTERS, _POINTER_BYTES = 64, 21
_FIELD_BYTES: dict[Kind, int] = {
    "int": 8, "float": 8, "decimal": 30, "bool": 1, "date": 3, "datetime": 8, "uuid": 16, "json": _POINTER_BYTES,
}  # fmt: skip
# Quotation marks, tags, and signs of programs: the rules of firewalls see attacks in them.
_FREE_TEXT = re.compile(r"[\"“”„«»`<>{}\\]|--|/\*|\.\./|;\s")
_MAX_SEEN, _MAX_SEEN_CHARACTERS = 1_000, 64
_LENGTHS = (8, 16, 32, 64, 128, 255, 512)
_TEXT_KINDS: tuple[Kind, ...] = ("bool", "int", "decimal", "date", "datetime", "uuid")
_ID_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-")
_SPOKEN_TYPES = {
    "str": "a text",
    "int": "a number",
    "float": "a number",
    "Decimal": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "an object",
}


@dataclass
class Column:
    """The summary of the values of a name in the file."""

    source: str
    count: int = 0  # rows with a value
    null_texts: int = 0  # cells that say "no value" unless the column holds texts; empty ones do not count
    kinds: set[Kind] = field(default_factory=lambda: set(_TEXT_KINDS))
    json_types: dict[str, str] = field(default_factory=dict)  # place of the first value by type
    element_types: set[str] = field(default_factory=set)
    max_length: int = 0
    min_length: int = 1 << 62
    least: Any = None
    greatest: Any = None
    scales: set[int] = field(default_factory=set)
    integer_digits: int = 0
    has_exponent: bool = False
    fits_float: bool = True  # so that no number loses a digit
    only_naive_times: bool = True
    may_be_id: bool = True
    free_text: str = ""  # the first text that a firewall may take for an attack
    # The last texts, and whether each says "no value": a text that was added before changes nothing but the counts.
    seen: dict[str, bool] = field(default_factory=dict)

    def add_cell(self, text: str, *, assume_utc: bool) -> None:
        """Add the cell of a row of CSV."""
        if text == "":
            return
        says_null = self.seen.get(text)
        if says_null is None:
            says_null = cells.is_null(text)
            self._remember(text, says_null)
            self._add_text(text)
            if not says_null:
                self._narrow(text.strip(), assume_utc=assume_utc)
        if says_null:
            self.null_texts += 1
        else:
            self.count += 1

    def add_value(self, value: Any, place: str, *, assume_utc: bool) -> None:
        """Add a value of JSON, which stands at a place of the file."""
        if value is None:
            return
        self.count += 1
        self.json_types.setdefault(type(value).__name__, place)
        if isinstance(value, str):
            if value not in self.seen:
                self._remember(value, False)
                self._add_text(value)
                self._narrow(value, assume_utc=assume_utc)
        elif isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            self._add_number(value if isinstance(value, int) else Decimal(str(value)))
        elif isinstance(value, list | dict):
            self.free_text = self.free_text or next(filter(_FREE_TEXT.search, _iterate_texts(value)), "")
            if isinstance(value, list):
                self.element_types.update(map(_name_element_type, value))

    def _remember(self, text: str, says_null: bool) -> None:
        if len(text) <= _MAX_SEEN_CHARACTERS:
            if len(self.seen) >= _MAX_SEEN:
                self.seen.clear()
            self.seen[text] = says_null

    def _add_text(self, text: str) -> None:
        if not self.free_text and _FREE_TEXT.search(text):
            self.free_text = text
        self.max_length, self.min_length = max(self.max_length, len(text)), min(self.min_length, len(text))
        if self.may_be_id:
            fits = 0 < len(text) <= MAX_ID_CHARACTERS and _ID_CHARACTERS.issuperset(text)
            self.may_be_id = fits and text not in {".", ".."}

    def _narrow(self, text: str, *, assume_utc: bool) -> None:
        """Remove the kinds that a text is not."""
        if "bool" in self.kinds and cells.parse_boolean(text) is None:
            self.kinds.discard("bool")
        if "decimal" in self.kinds:
            self._narrow_number(text)
        if "date" in self.kinds and cells.parse_date(text) is None:
            self.kinds.discard("date")
        if "datetime" in self.kinds and cells.parse_time(text, assume_utc=assume_utc) is None:
            self.kinds.discard("datetime")
        if self.only_naive_times and (assume_utc or not _is_naive_time(text)):
            self.only_naive_times = False
        if "uuid" in self.kinds and cells.parse_uuid(text) is None:
            self.kinds.discard("uuid")
        if self.kinds & {"date", "datetime"}:
            self._add_extremes(text)

    def _narrow_number(self, text: str) -> None:
        whole = cells.parse_integer(text)
        if whole is not None:
            self._add_number(whole)
            return
        self.kinds.discard("int")
        number = cells.parse_number(text)
        if number is None:
            self.kinds.discard("decimal")
            return
        self.has_exponent = self.has_exponent or "e" in text or "E" in text
        self._add_number(number)

    def _add_number(self, number: int | Decimal) -> None:
        if isinstance(number, int):
            scale, integer_digits = 0, len(str(abs(number)))
            keeps = -_FLOAT_INTEGERS <= number <= _FLOAT_INTEGERS or (
                integer_digits < 300 and int(float(number)) == number
            )
        else:
            exponent = int(number.as_tuple().exponent)
            scale, integer_digits = max(0, -exponent), number.adjusted() + 1
            keeps = keeps_number(str(number))
        self.scales.add(scale)
        self.integer_digits = max(self.integer_digits, integer_digits)
        self.fits_float = self.fits_float and keeps
        self._add_extremes(number)

    def _add_extremes(self, value: int | Decimal | str) -> None:
        if self.least is None or isinstance(self.least, str) is not isinstance(value, str):
            self.least = self.greatest = value
        else:
            self.least, self.greatest = min(self.least, value), max(self.greatest, value)


class FieldInference:
    """Infers the fields of a file: add every row, then derive the fields."""

    def __init__(self, file: SourceFile, options: ReadingOptions) -> None:
        self.columns = {source: Column(source) for source in (file.read_header() if file.is_text else ())}
        self.rows = 0
        self._file, self._assume_utc = file, options.assume_utc
        self._sources_by_name: dict[str, str] = {}

    def add(self, row: Row) -> None:
        """Add a row. Raises UsageError for a row that cannot be read: the class could not be proven to hold it."""
        if row.fault:
            place = self._file.describe_place(row)
            raise UsageError(f"{place[:1].upper()}{place[1:]} cannot be read: {row.fault}.", "Correct or remove it.")
        self.rows += 1
        if self._file.is_text:
            for column, text in zip(self.columns.values(), row.values.values(), strict=True):
                column.add_cell(text, assume_utc=self._assume_utc)
            return
        place = self._file.describe_place(row)
        for source, value in row.values.items():
            if source not in self.columns:
                self.columns[source] = self._create_column(source, place)
            self.columns[source].add_value(value, place, assume_utc=self._assume_utc)

    def _create_column(self, source: str, place: str) -> Column:
        name = choose_field_name(source)
        if name in self._sources_by_name:
            raise UsageError(
                f"{self._sources_by_name[name]!r} and {source!r} (in {place}) would both be the field {name}.",
                "Rename one of them in the file.",
            )
        self._sources_by_name[name] = source
        if len(self.columns) >= MAX_FIELDS:
            raise UsageError(f"The file has more than {MAX_FIELDS} names.", "Put what varies into one object.")
        return Column(source)

    @property
    def free_text(self) -> str:
        """A text of the file that a firewall may take for an attack; empty when there is none."""
        return next((column.free_text for column in self.columns.values() if column.free_text), "")

    def derive_fields(self, names: Mapping[str, str], key: str = "", indexed: Collection[str] = ()) -> list[Field]:
        """The fields in the order of the file.

        `names` maps its names to fields, `key` is the field of the ids, `indexed` are names of the file whose texts
        must stay short.
        """
        if not self.rows:
            raise UsageError("The file has no rows.", "Give a file with data.")
        if len(self.columns) > MAX_FIELDS:
            raise UsageError(f"The file has more than {MAX_FIELDS} columns.", "Remove those that are not needed.")
        lengths = self._choose_lengths(key and next(source for source, name in names.items() if name == key), indexed)
        return [self._derive_field(column, names[source], lengths, key) for source, column in self.columns.items()]

    def choose_kind(self, column: Column) -> Kind:
        """The kind of a column. Raises UsageError for JSON of several types."""
        if self._file.is_text:
            return _choose_text_kind(column)
        types = set(column.json_types)
        if types <= {"str"}:
            fitting = [kind for kind in _TEXT_KINDS[3:] if kind in column.kinds]
            return fitting[0] if column.count and fitting else "text"
        if types <= {"int", "float", "Decimal"}:
            kind = _choose_number_kind(column, is_float=types != {"int"})
            if kind is None:
                raise UsageError(
                    f"{column.source!r} has numbers of more digits than a column keeps.", "Write them as texts."
                )
            return kind
        if types == {"bool"}:
            return "bool"
        if len(types) == 1:
            return "json"
        places = " and ".join(f"{_SPOKEN_TYPES[name]} on {place}" for name, place in column.json_types.items())
        raise UsageError(f"{column.source!r} is {places}.", "Make its values of one type.")

    def _choose_lengths(self, key_source: str, indexed: Collection[str]) -> dict[str, int]:
        """The limits of the texts, so that a row fits into a page, and all short texts together into a row."""
        lengths = {}
        others = 0
        for source, column in self.columns.items():
            kind = self.choose_kind(column)
            if source == key_source:
                continue
            if kind == "text":
                fitting = (length for length in _LENGTHS if length >= column.max_length)
                lengths[source] = next(fitting, 1 << column.max_length.bit_length())
            else:
                others += _FIELD_BYTES[kind]
        while others + sum(map(_count_page_bytes, lengths.values())) > _MAX_PAGE_BYTES:
            inside = {source: length for source, length in lengths.items() if length < _OUTSIDE_CHARACTERS}
            if not inside:
                break  # the check of the class says it
            lengths[max(inside, key=lambda source: inside[source])] = _OUTSIDE_CHARACTERS
        while True:
            short = {source: length for source, length in lengths.items() if length <= _MAX_SHORT_TEXT_CHARACTERS}
            movable = [source for source in short if source not in indexed]
            if sum(4 * length for length in short.values()) <= _MAX_SHORT_TEXT_BYTES or not movable:
                return lengths
            lengths[max(movable, key=lambda source: short[source])] = 2 * _MAX_SHORT_TEXT_CHARACTERS

    def _derive_field(self, column: Column, name: str, lengths: Mapping[str, int], key: str) -> Field:
        source_note = () if column.source == name else (f"{column.source!r} in the file.",)
        if name == key:
            length = max(8, column.max_length, column.integer_digits + 1)
            annotation = f"Annotated[str, Meta(min_length=1, max_length={min(MAX_ID_CHARACTERS, length)})]"
            return Field(name, column.source, "text", annotation, required=True, remarks=source_note)
        kind, length = self.choose_kind(column), lengths.get(column.source, 0)
        count = column.count + (column.null_texts if kind == "text" else 0)
        required = count == self.rows
        remarks = (*source_note, *_describe_values(column, kind))
        indexable = kind != "json" and length <= _MAX_SHORT_TEXT_CHARACTERS
        annotation = _annotate(column, kind, length, required=required)
        return Field(name, column.source, kind, annotation, required, remarks, indexable)


def _is_naive_time(text: str) -> bool:
    return bool(cells.parse_time(text, assume_utc=True)) and not cells.parse_time(text, assume_utc=False)


def _count_page_bytes(length: int) -> int:
    return 4 * length + 1 if length < _OUTSIDE_CHARACTERS else _POINTER_BYTES


def _iterate_texts(value: Any) -> Iterator[str]:
    """The texts in a value of JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _iterate_texts(inner)


def _name_element_type(element: Any) -> str:
    """The type of an element of a list. A whole number that a float would change is of a type of its own."""
    is_large = type(element) is int and not -_FLOAT_INTEGERS <= element <= _FLOAT_INTEGERS
    return "large int" if is_large else type(element).__name__


def _choose_text_kind(column: Column) -> Kind:
    if not column.count:
        return "text"
    for kind in ("bool", "date", "datetime", "uuid"):
        if kind in column.kinds:
            return kind
    if "decimal" in column.kinds:
        return _choose_number_kind(column, is_float="int" not in column.kinds) or "text"
    return "text"


def _choose_number_kind(column: Column, *, is_float: bool) -> Kind | None:
    """Prices have two digits after the point in every row; what a float would change is a decimal too.

    None for numbers that neither keeps.
    """
    if not is_float and column.least >= -_INT64 and column.greatest < _INT64:
        return "int"
    scale = max(column.scales)
    fits = scale <= _MAX_DECIMAL_SCALE and max(column.integer_digits, 1) + scale <= _MAX_DECIMAL_DIGITS
    is_money = column.scales == {2} and not column.has_exponent and not column.json_types
    if fits and (not is_float or is_money or not column.fits_float):
        return "decimal"
    return "float" if column.fits_float else None


def _annotate(column: Column, kind: Kind, length: int, *, required: bool) -> str:
    if kind == "text":
        least = "min_length=1, " if required and column.min_length >= 1 else ""
        return f"Annotated[str, Meta({least}max_length={length})]"
    if kind in {"int", "float"}:
        return f"Annotated[{kind}, Meta(ge=0)]" if column.least >= 0 else kind
    if kind == "decimal":
        scale = max(column.scales)
        # Two digits more than the file needs.
        precision = min(_MAX_DECIMAL_DIGITS, max(column.integer_digits, 1) + 2 + scale)
        return f"Annotated[Decimal, Digits({precision}, {scale})]"
    if kind == "json":
        return _annotate_json(column)
    return {"bool": "bool", "date": "datetime.date", "datetime": "datetime.datetime", "uuid": "uuid.UUID"}[kind]


def _annotate_json(column: Column) -> str:
    if "dict" in column.json_types:
        return "dict[str, Any]"
    if len(column.element_types) == 1 and (element := min(column.element_types)) in {"str", "float", "bool"}:
        return f"list[{element}]"
    return "list[float]" if column.element_types == {"int", "float"} else "list[Any]"


def _describe_values(column: Column, kind: Kind) -> tuple[str, ...]:
    if not column.count and not column.null_texts:
        return ("The file has no value of it.",)
    if kind in {"int", "float", "decimal", "date", "datetime"} and column.least is not None:
        return (f"From {_format(column.least)} to {_format(column.greatest)} in the file.",)
    if kind == "text" and column.count and column.only_naive_times and not column.null_texts:
        return ("Date-times without a time zone, so they stay texts.",)
    return ()


def _format(value: Decimal | str) -> str:
    return str(value)
