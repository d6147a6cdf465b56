"""Rows of CSV, in the dialect that the first lines show."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Literal

from ops.data.rows_of_json import RowParts
from ops.errors import UsageError

Quotes = Literal["double", "backslash", "none"]
"""How a quotation mark stands in a quoted text: doubled, after a backslash, or all marks are plain characters."""

QUOTES: tuple[Quotes, ...] = ("double", "backslash", "none")
MAX_CELL_CHARACTERS = 16 * 1024 * 1024
_DELIMITERS = ",;\t|"
_FORMATS: dict[Quotes, dict[str, Any]] = {
    "double": {"strict": True},
    "backslash": {"strict": True, "escapechar": "\\"},
    "none": {"quoting": csv.QUOTE_NONE},
}
_HEADER_HINT = "Write the names of the columns on the first line."

csv.field_size_limit(MAX_CELL_CHARACTERS)


class CsvReader:
    """The rows of a CSV file, and the `names` of its header. Raises UsageError for the file as a whole."""

    def __init__(self, path: Path, text: IO[str], quotes: Quotes = "double") -> None:
        self._path, self._quotes = path, quotes
        comment, self._skipped, first = "", 0, text.readline()
        while first and (not first.strip() or first.startswith("#")):
            comment = first if first.strip() else ""
            self._skipped, first = self._skipped + 1, text.readline()
        delimiter = max(_DELIMITERS, key=lambda character: _count_outside_quotes(first, character))
        if header := self._find_header_in_comment(comment, first, delimiter):
            # The line after it is a row.
            self._skipped -= 1
            lines = _chain([header, first], text)
        else:
            lines = _chain([first], text)
        self._reader = csv.reader(lines, delimiter=delimiter, **_FORMATS[quotes])
        self.names = self._read_names()

    def _find_header_in_comment(self, comment: str, first: str, delimiter: str) -> str:
        """The header in the last comment, such as `#code,name`. Raises UsageError when it could be one."""
        cells = _count_outside_quotes(first, delimiter)
        if not cells or _count_outside_quotes(comment, delimiter) != cells:
            return ""
        header = comment.lstrip("#")
        if header[:1].isspace() and delimiter != "\t":
            raise UsageError(
                f"{self._path} has its header on line {self._skipped} or {self._skipped + 1}: nobody can tell.",
                "Remove # from the header, or the comment.",
            )
        return header

    def _read_names(self) -> list[str]:
        """The names of the header. A column without a name gets one, and of several with one name all but the first."""
        names = [name.strip() for name in next(self._read_cells(), [])]
        if not any(names):
            raise UsageError(f"{self._path} has no header.", _HEADER_HINT)
        names = [name or f"column {number}" for number, name in enumerate(names, 1)]
        if all(_looks_like_value(name) for name in names):
            raise UsageError(f"{self._path} has no header: its first line has only values.", _HEADER_HINT)
        used: set[str] = set()
        for at, name in enumerate(names):
            number = 2
            while names[at] in used:
                names[at], number = f"{name} ({number})", number + 1
            used.add(names[at])
        return names

    def iterate_rows(self) -> Iterator[RowParts]:
        """The rows. One with another number of cells than the header has a fault."""
        names, count = self.names, len(self.names)
        for cells in self._read_cells():
            if len(cells) == count:
                yield self._line, dict(zip(names, cells, strict=True)), ""
            elif cells and (len(cells) > 1 or cells[0].strip()):
                yield self._line, {}, f"the row has {len(cells)} cells, and the header {count}"

    @property
    def _line(self) -> int:
        return int(self._reader.line_num) + self._skipped

    def _read_cells(self) -> Iterator[list[str]]:
        line = self._line
        try:
            for cells in self._reader:
                line = self._line
                yield cells
        except csv.Error as error:
            if "expected after" in str(error) or self._quotes == "none":
                reason, line = str(error), self._line
            else:
                reason, line = f"a row that begins there does not end ({error})", line + 1
            raise UsageError(
                f"{self._path} is not CSV: line {line}: {reason}.",
                "Correct its quotation marks, or give --quotes none (they are plain characters) or backslash.",
            ) from None


def _chain(first: list[str], text: IO[str]) -> Iterator[str]:
    yield from first
    yield from text


def _count_outside_quotes(line: str, character: str) -> int:
    return sum(part.count(character) for part in line.split('"')[::2])


def _looks_like_value(name: str) -> bool:
    """Whether a name of a header is a number, other than a year."""
    return name.lstrip("-").replace(".", "", 1).isdigit() and not (len(name) == 4 and name[:2] in {"19", "20"})
