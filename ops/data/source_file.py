"""Read the rows of a file of CSV, JSON Lines or a JSON list one after another, however large it is."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ops.data.csv_dialect import CsvReader, Quotes
from ops.data.packed_file import DEFAULT_ENCODING, open_text
from ops.data.rows_of_json import iterate_lines, iterate_list

FileFormat = Literal["csv", "jsonl", "list", "schema"]

_SUFFIXES: dict[str, FileFormat] = {
    ".csv": "csv", ".tsv": "csv", ".psv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "schema",
}  # fmt: skip
_PACKED_SUFFIXES = frozenset({".gz", ".bz2", ".xz", ".zip"})
# Members of a schema at the top that no row is likely to have.
_SCHEMA_WORDS = frozenset({"$schema", "$ref", "$defs", "definitions", "properties", "allOf"})


@dataclass(frozen=True)
class ReadingOptions:
    """How a file is read: its encoding, whether date-times without a time zone are in UTC, the quotation of CSV."""

    encoding: str = DEFAULT_ENCODING
    assume_utc: bool = False
    quotes: Quotes = "double"


class Row(NamedTuple):
    """A row: its number, counted from 1 without the header, and its values by name in the file.

    `line` is the line of the file on which the row ends. A row that cannot be read has a `fault` and no values.
    """

    number: int
    line: int
    values: dict[str, Any]
    fault: str = ""


class SourceFile:
    """A file of rows. `consumed_bytes` says how far it is read."""

    def __init__(self, path: Path, options: ReadingOptions) -> None:
        self.path = path
        self.consumed_bytes = 0
        self._options = options
        self.format = self._detect_format()

    def _detect_format(self) -> FileFormat:
        suffixes = [suffix.lower() for suffix in self.path.suffixes if suffix.lower() not in _PACKED_SUFFIXES]
        by_name = _SUFFIXES.get(suffixes[-1] if suffixes else "")
        if by_name == "csv":
            return by_name
        with open_text(self.path, self._options.encoding) as (text, _):
            first = text.readline(1_000_000)
            while first.isspace():
                first = text.readline(1_000_000)
            second = text.readline(1_000_000)
        if first.lstrip().startswith("[") and (by_name or _is_list(first)):
            return "list"
        if by_name == "jsonl" or (_is_object(first) and _is_object(second)):
            return "jsonl"
        if by_name == "schema" or first.lstrip().startswith("{"):
            return "jsonl" if _is_object(first) and _is_item(json.loads(first)) else "schema"
        return "csv"

    @property
    def is_text(self) -> bool:
        """Whether the values of the rows are cells of CSV."""
        return self.format == "csv"

    @property
    def size_bytes(self) -> int:
        return self.path.stat().st_size

    def read_text(self) -> str:
        """The whole text. Raises UsageError."""
        with open_text(self.path, self._options.encoding) as (text, _):
            return text.read()

    def read_header(self) -> list[str]:
        """The names of a CSV file. Raises UsageError for a file that has none."""
        with open_text(self.path, self._options.encoding) as (text, _):
            return CsvReader(self.path, text, self._options.quotes).names

    def iterate_rows(self) -> Iterator[Row]:
        """The rows in order. Raises UsageError for the file as a whole."""
        with open_text(self.path, self._options.encoding) as (text, raw):
            if self.format == "csv":
                places = CsvReader(self.path, text, self._options.quotes).iterate_rows()
            else:
                places = iterate_list(self.path, text) if self.format == "list" else iterate_lines(text)
            for number, (line, values, fault) in enumerate(places, 1):
                if number % 200 == 0:
                    self.consumed_bytes = raw.tell()
                yield Row(number, line, values, fault)
        self.consumed_bytes = self.size_bytes

    def describe_place(self, row: Row) -> str:
        """Where a row is, for a person."""
        return f"item {row.number}" if self.format == "list" else f"line {row.line}"


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _is_item(value: dict[str, Any]) -> bool:
    """Whether an object is an item, rather than a schema or an object that has the items as its members."""
    has_items = len(value) > 1 and all(isinstance(member, dict) for member in value.values())
    return _SCHEMA_WORDS.isdisjoint(value) and not has_items


def _is_list(first: str) -> bool:
    """Whether a line begins a JSON list, such as `[`, `[{` or `[{"a": 1},`, and no header of CSV."""
    return first.strip() == "[" or first.replace(" ", "").startswith(("[{", "[]"))
