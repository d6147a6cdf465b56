"""Infer the fields of a file from all its rows, with memory for one summary of each column."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ops.data import cells
from ops.data.cells import Kind
from ops.data.items import Field
from ops.data.names import choose_field_name
from ops.data.source_file import Row
from ops.errors import UsageError

MAX_FIELDS = 300
MAX_ID_CHARACTERS = 128
_INT64 = 2**63
_MAX_DECIMAL_DIGITS, _MAX_DECIMAL_SCALE = 65, 38
_FLOAT_DIGITS = 17  # that a float tells apart
# Of a row, for all short texts together; MariaDB allows 65,535.
_MAX_SHORT_TEXT_BYTES = 48_000
_MAX_SHORT_TEXT_CHARACTERS = 512
_LENGTHS = (8, 16, 32, 64, 128, 255, 512)
_TEXT_KINDS: tuple[Kind, ...] = ("bool", "int", "decimal", "date", "datetime", "uuid")
_ID_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-")
_SPOKEN_TYPES = {
    "str": "a text",
    "int": "a number",
    "float": "a number",
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
    json_types: dict[str, int] = field(default_factory=dict)  # line of the first value by type
    element_types: set[str] = field(default_factory=set)
    max_length: int = 0
    min_length: int = 1 << 62
    least: Any = None
    greatest: Any = None
    scales: set[int] = field(default_factory=set)
    integer_digits: int = 0
    significant_digits: int = 0
    has_exponent: bool = False
    naive_times: int = 0
    may_be_id: bool = True

    def add_cell(self, text: str, *, assume_utc: bool) -> None:
        """Add the cell of a row of CSV."""
        if text == "":
            return
        self._add_text(text)
        if cells.is_null(text):
            self.null_texts += 1
        else:
            self.count += 1
            self._narrow(text.strip(), assume_utc=assume_utc)

    def add_value(self, value: Any, line: int, *, assume_utc: bool) -> None:
        """Add the value of a line of JSON."""
        if value is None:
            return
        self.count += 1
        self.json_types.setdefault(type(value).__name__, line)
        if isinstance(value, str):
            self._add_text(value)
            self._narrow(value, assume_utc=assume_utc)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            self._add_number(Decimal(str(value)))
        elif isinstance(value, list):
            self.element_types.update(type(element).__name__ for element in value)

    def _add_text(self, text: str) -> None:
        self.max_length, self.min_length = max(self.max_length, len(text)), min(self.min_length, len(text))
        if self.may_be_id:
            fits = 0 < len(text) <= MAX_ID_CHARACTERS and _ID_CHARACTERS.issuperset(text)
            self.may_be_id = fits and text not in {".", ".."}

    def _narrow(self, text: str, *, assume_utc: bool) -> None:
        """Remove the kinds that a text is not."""
        if "bool" in self.kinds and cells.parse_boolean(text) is None:
            self.kinds.discard("bool")
        if "decimal" in self.kinds:
            number = cells.parse_number(text)
            if number is None:
                self.kinds -= {"int", "decimal"}
            else:
                self.has_exponent = self.has_exponent or "e" in text.lower()
                if cells.parse_integer(text) is None:
                    self.kinds.discard("int")
                self._add_number(number)
        if "date" in self.kinds and cells.parse_date(text) is None:
            self.kinds.discard("date")
        if "datetime" in self.kinds and cells.parse_time(text, assume_utc=assume_utc) is None:
            self.kinds.discard("datetime")
        # Only while every value was one: a long file of texts need not be searched for times.
        if self.naive_times == self.count - 1 and not assume_utc and _is_naive_time(text):
            self.naive_times += 1
        if "uuid" in self.kinds and cells.parse_uuid(text) is None:
            self.kinds.discard("uuid")
        if self.kinds & {"date", "datetime"}:
            self._add_extremes(text)

    def _add_number(self, number: Decimal) -> None:
        _, digits, exponent = number.as_tuple()
        if len(self.scales) < 60:
            self.scales.add(max(0, -int(exponent)))
        self.integer_digits = max(self.integer_digits, number.adjusted() + 1)
        self.significant_digits = max(self.significant_digits, len(digits))
        self._add_extremes(number)

    def _add_extremes(self, value: Decimal | str) -> None:
        if self.least is None or type(self.least) is not type(value):
            self.least = self.greatest = value
        else:
            self.least, self.greatest = min(self.least, value), max(self.greatest, value)


class FieldInference:
    """Infers the fields: add every row, then derive the fields. `is_text` says that the values are cells of CSV."""

    def __init__(self, header: Iterable[str], *, is_text: bool, assume_utc: bool = False) -> None:
        self.columns = {source: Column(source) for source in header}
        self.rows = 0
        self._is_text, self._assume_utc = is_text, assume_utc
        self._sources_by_name: dict[str, str] = {}

    def add(self, row: Row) -> None:
        """Add a row. Raises UsageError for a row that cannot be read: the class could not be proven to hold it."""
        if row.fault:
            raise UsageError(f"Line {row.line} cannot be read: {row.fault}.", "Correct or remove the line.")
        self.rows += 1
        for source, value in row.values.items():
            column = self.columns.get(source)
            if column is None:
                column = self.columns[source] = self._create_column(source, row.line)
            if self._is_text:
                column.add_cell(value, assume_utc=self._assume_utc)
            else:
                column.add_value(value, row.line, assume_utc=self._assume_utc)

    def _create_column(self, source: str, line: int) -> Column:
        name = choose_field_name(source)
        if name in self._sources_by_name:
            raise UsageError(
                f"Line {line}: {self._sources_by_name[name]!r} and {source!r} would both be the field {name}.",
                "Rename one of them in the file.",
            )
        self._sources_by_name[name] = source
        if len(self.columns) >= MAX_FIELDS:
            raise UsageError(f"The file has more than {MAX_FIELDS} names.", "Put what varies into one object.")
        return Column(source)

    def derive_fields(self, names: Mapping[str, str], key: str = "") -> list[Field]:
        """The fields in the order of the file. `names` maps its names to fields; `key` is the field of the ids."""
        if not self.rows:
            raise UsageError("The file has no rows.", "Give a file with data.")
        if len(self.columns) > MAX_FIELDS:
            raise UsageError(f"The file has more than {MAX_FIELDS} columns.", "Remove those that are not needed.")
        lengths = self._choose_lengths()
        return [self._derive_field(column, names[source], lengths, key) for source, column in self.columns.items()]

    def choose_kind(self, column: Column) -> Kind:
        """The kind of a column. Raises UsageError for JSON of several types."""
        if self._is_text:
            return _choose_text_kind(column)
        types = set(column.json_types)
        if types <= {"str"}:
            fitting = [kind for kind in _TEXT_KINDS[3:] if kind in column.kinds]
            return fitting[0] if column.count and fitting else "text"
        if types <= {"int", "float"}:
            return _choose_number_kind(column, is_float="float" in types)
        if types == {"bool"}:
            return "bool"
        if len(types) == 1:
            return "json"
        places = " and ".join(f"{_SPOKEN_TYPES[name]} on line {line}" for name, line in column.json_types.items())
        raise UsageError(f"{column.source!r} is {places}.", "Make its values of one type.")

    def _choose_lengths(self) -> dict[str, int]:
        """The limits of the texts, so that all short texts together fit into a row."""
        lengths = {}
        for source, column in self.columns.items():
            if self.choose_kind(column) == "text":
                fitting = (length for length in _LENGTHS if length >= column.max_length)
                lengths[source] = next(fitting, 1 << column.max_length.bit_length())
        while True:
            short = {source: length for source, length in lengths.items() if length <= _MAX_SHORT_TEXT_CHARACTERS}
            if sum(4 * length for length in short.values()) <= _MAX_SHORT_TEXT_BYTES:
                return lengths
            lengths[max(short, key=lambda source: short[source])] = 2 * _MAX_SHORT_TEXT_CHARACTERS

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


def _choose_text_kind(column: Column) -> Kind:
    if not column.count:
        return "text"
    for kind in ("bool", "date", "datetime", "uuid"):
        if kind in column.kinds:
            return kind
    if "decimal" in column.kinds:
        return _choose_number_kind(column, is_float="int" not in column.kinds)
    return "text"


def _choose_number_kind(column: Column, *, is_float: bool) -> Kind:
    """Prices have two digits after the point in every row; what a float would round is a decimal too."""
    if not is_float:
        return "int" if column.least >= -_INT64 and column.greatest < _INT64 else "decimal"
    scale = max(column.scales)
    fits = scale <= _MAX_DECIMAL_SCALE and max(column.integer_digits, 1) + scale <= _MAX_DECIMAL_DIGITS
    is_exact = column.scales == {2} or column.significant_digits > _FLOAT_DIGITS
    return "decimal" if fits and is_exact and not column.has_exponent and not column.json_types else "float"


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
    if kind == "text" and 0 < column.count == column.naive_times:
        return ("Date-times without a time zone, so they stay texts.",)
    return ()


def _format(value: Decimal | str) -> str:
    return str(value)
