"""Read the rows of a CSV or JSON Lines file one after another, however large it is."""

import csv
import gzip
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from ops.errors import UsageError

FileFormat = Literal["csv", "jsonl", "schema"]

_SUFFIXES: dict[str, FileFormat] = {
    ".csv": "csv", ".tsv": "csv", ".psv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "schema",
}  # fmt: skip
_DELIMITERS = ",;\t|"
MAX_CELL_CHARACTERS = 16 * 1024 * 1024
_HEADER_HINT = "Write the names of the columns on the first line."

csv.field_size_limit(MAX_CELL_CHARACTERS)


@dataclass(frozen=True)
class Row:
    """A row: its number, counted from 1 without the header, and its values by name in the file.

    `line` is the line of the file on which the row ends. A row that cannot be read has a `fault` and no values.
    """

    number: int
    line: int
    values: dict[str, Any]
    fault: str = ""


class SourceFile:
    """A file of rows. `encoding` is a name that Python has for it. `consumed_bytes` says how far it is read."""

    def __init__(self, path: Path, encoding: str = "utf-8-sig") -> None:
        self.path = path
        self.encoding = encoding
        self.consumed_bytes = 0
        self.format = self._detect_format()

    def _detect_format(self) -> FileFormat:
        suffixes = [suffix.lower() for suffix in self.path.suffixes if suffix.lower() != ".gz"]
        by_name = _SUFFIXES.get(suffixes[-1] if suffixes else "")
        if by_name in {"csv", "jsonl"}:
            return by_name
        with self._open() as (text, _):
            first, second = text.readline(1_000_000), text.readline(1_000_000)
        if _is_object(first) and second.strip() and _is_object(second):
            return "jsonl"
        if by_name == "schema" or first.lstrip().startswith("{"):
            return "jsonl" if _is_object(first) and "properties" not in json.loads(first) else "schema"
        return "csv"

    @contextmanager
    def _open(self) -> Iterator[tuple[IO[str], IO[bytes]]]:
        """The text of the file, unpacked if its name ends with .gz, and the file itself. Raises UsageError."""
        try:
            with self.path.open("rb") as raw:
                unpacked: Any = gzip.GzipFile(fileobj=raw) if self.path.suffix.lower() == ".gz" else raw
                with io.TextIOWrapper(unpacked, encoding=self.encoding, newline="") as text:
                    yield text, raw
        except LookupError:
            raise UsageError(f"Python has no encoding {self.encoding}.", "Give --encoding, such as latin-1.") from None
        except UnicodeError:
            name = self.encoding.removesuffix("-sig")
            raise UsageError(f"{self.path} is not in {name}.", "Give --encoding, such as latin-1.") from None
        except csv.Error as error:
            raise UsageError(f"{self.path} is not CSV: {error}.", "Check its quotation marks.") from None
        except (OSError, EOFError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(f"{self.path} cannot be read: {reason}.", "Check the file.") from None

    @property
    def size_bytes(self) -> int:
        return self.path.stat().st_size

    def read_header(self) -> list[str]:
        """The names of a CSV file. Raises UsageError for a file that has none, or one twice."""
        with self._open() as (text, _):
            return self._check_header(next(_read_csv(text)[0], []))

    def iterate_rows(self) -> Iterator[Row]:
        """The rows in order. Raises UsageError for the file as a whole."""
        with self._open() as (text, raw):
            for row in self._iterate_csv(text) if self.format == "csv" else _iterate_json(text):
                if row.number % 200 == 0:
                    self.consumed_bytes = raw.tell()
                yield row
        self.consumed_bytes = self.size_bytes

    def _check_header(self, header: list[str]) -> list[str]:
        names = [name.strip() for name in header]
        if not any(names):
            raise UsageError(f"{self.path} has no header.", _HEADER_HINT)
        names = [name or f"column {number}" for number, name in enumerate(names, 1)]
        if duplicates := sorted({name for name in names if names.count(name) > 1}):
            raise UsageError(f"{self.path} has two columns {duplicates[0]!r}.", "Give each column its own name.")
        if all(_looks_like_value(name) for name in names):
            raise UsageError(f"{self.path} has no header: its first line has only values.", _HEADER_HINT)
        return names

    def _iterate_csv(self, text: IO[str]) -> Iterator[Row]:
        reader, skipped = _read_csv(text)
        names = self._check_header(next(reader, []))
        number = 0
        for cells in reader:
            if not cells:
                continue
            number += 1
            line = reader.line_num + skipped
            if len(cells) == len(names):
                yield Row(number, line, dict(zip(names, cells, strict=True)))
            else:
                yield Row(number, line, {}, f"the row has {len(cells)} cells, and the header {len(names)}")


def _read_csv(text: IO[str]) -> tuple[Any, int]:
    """A reader that is before the header, and how many lines of comment precede the header."""
    skipped, first = 0, text.readline()
    while first and (not first.strip() or first.startswith("#")):
        skipped, first = skipped + 1, text.readline()
    delimiter = max(_DELIMITERS, key=lambda character: _count_outside_quotes(first, character))
    return csv.reader(_chain(first, text), delimiter=delimiter, strict=True), skipped


def _iterate_json(text: IO[str]) -> Iterator[Row]:
    number = 0
    for line_number, line in enumerate(text, 1):
        if line.isspace():
            continue
        number += 1
        try:
            value = json.loads(line, parse_constant=_refuse_constant, object_pairs_hook=_build_object)
        except (ValueError, RecursionError) as error:
            yield Row(number, line_number, {}, f"the line is not JSON: {error}")
            continue
        if isinstance(value, dict):
            yield Row(number, line_number, value)
        else:
            yield Row(number, line_number, {}, "the line is not a JSON object")


def _chain(first: str, text: IO[str]) -> Iterator[str]:
    yield first
    yield from text


def _count_outside_quotes(line: str, character: str) -> int:
    return sum(part.count(character) for part in line.split('"')[::2])


def _looks_like_value(name: str) -> bool:
    """Whether a name of a header is a number, other than a year."""
    return name.lstrip("-").replace(".", "", 1).isdigit() and not (len(name) == 4 and name[:2] in {"19", "20"})


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no value of JSON")


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a name stands twice in an object")
    return values
