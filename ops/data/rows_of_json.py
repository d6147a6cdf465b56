"""Rows of JSON Lines and of a JSON list: the line on which each ends, its values, and what is wrong with it."""

import json
from collections.abc import Iterator
from decimal import Context, Decimal
from pathlib import Path
from typing import IO, Any, NoReturn

from ops.errors import UsageError

_PIECE_CHARACTERS = 64 * 1024
MAX_ITEM_CHARACTERS = 16 * 1024 * 1024
_FLOAT_DIGITS = 15  # that a float keeps of any number

RowParts = tuple[int, dict[str, Any], str]


def keeps_number(text: str) -> bool:
    """Whether a float keeps a number: it shows the same digits again."""
    digits = text.partition("e")[0].partition("E")[0].strip("-0.").replace(".", "")
    if len(digits) <= _FLOAT_DIGITS:
        return True
    number = Decimal(text)
    context = Context(prec=len(number.as_tuple().digits))
    return context.create_decimal(Decimal.from_float(float(text))) == number


def _parse_float(text: str) -> float | Decimal:
    return float(text) if len(text) <= _FLOAT_DIGITS + 1 or keeps_number(text) else Decimal(text)


def _parse_constant(name: str) -> None:
    """Python writes NaN where it has no number, although JSON has none either. Raises ValueError for an infinity."""
    if name != "NaN":
        raise ValueError(f"{name} is no value of JSON")


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a name stands twice in an object")
    return values


_DECODER = json.JSONDecoder(parse_float=_parse_float, parse_constant=_parse_constant, object_pairs_hook=_build_object)


def _check_row(line: int, value: Any, unit: str) -> RowParts:
    return (line, value, "") if isinstance(value, dict) else (line, {}, f"the {unit} is not a JSON object")


def iterate_lines(text: IO[str]) -> Iterator[RowParts]:
    """The rows of JSON Lines. A line that is no JSON object is a row with a fault."""
    for line_number, line in enumerate(text, 1):
        if line.isspace():
            continue
        try:
            value = _DECODER.decode(line)
        except (ValueError, RecursionError) as error:
            yield line_number, {}, f"the line is not JSON: {error}"
        else:
            yield _check_row(line_number, value, "line")


def iterate_list(path: Path, text: IO[str]) -> Iterator[RowParts]:
    """The rows of a file that is one JSON list, of which an item at a time is in memory. Raises UsageError."""
    reader = _ListReader(path, text)
    reader.skip("[", "a list")
    if reader.next_character() == "]":
        return
    while True:
        value = reader.read_value()
        yield _check_row(reader.line, value, "item")
        if reader.next_character() == "]":
            return
        reader.skip(",", "a comma or the end of the list")


class _ListReader:
    """The text of a list, of which the part that is not read yet is in memory."""

    def __init__(self, path: Path, text: IO[str]) -> None:
        self._path, self._text = path, text
        self._buffer, self._at = "", 0
        self.line = 1

    def _read_more(self) -> bool:
        piece = self._text.read(max(_PIECE_CHARACTERS, len(self._buffer) - self._at))
        self._buffer, self._at = self._buffer[self._at :] + piece, 0
        return bool(piece)

    def next_character(self) -> str:
        """The next character that is not white space, which stays unread; empty at the end."""
        while True:
            while self._at < len(self._buffer):
                character = self._buffer[self._at]
                if not character.isspace():
                    return character
                self.line += character == "\n"
                self._at += 1
            if not self._read_more():
                return ""

    def skip(self, character: str, name: str) -> None:
        if self.next_character() != character:
            self._refuse(f"{name} is expected")
        self._at += 1

    def read_value(self) -> Any:
        self.next_character()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                # The value may only be incomplete.
                if len(self._buffer) - self._at > MAX_ITEM_CHARACTERS or not self._read_more():
                    self._refuse(error.msg)
            except (ValueError, RecursionError) as error:
                self._refuse(str(error))
            else:
                # A number may go on in the next piece.
                if end == len(self._buffer) and self._read_more():
                    continue
                self.line += self._buffer.count("\n", self._at, end)
                self._at = end
                return value

    def _refuse(self, reason: str) -> NoReturn:
        raise UsageError(f"{self._path} is not JSON: line {self.line}: {reason}.", "Correct the line.")
