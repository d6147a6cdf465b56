"""What a source record becomes, on its way to a batch and again when it is read out of the archive: lines of writes."""

import json
from collections.abc import Iterator

import msgspec

from sluice.records import from_line

_decoder = json.JSONDecoder()


def lines_of(record: bytes) -> tuple[list[bytes], int]:
    """The lines of a record that are writes, without their ends; and how many are none."""
    lines = [line for line in record.split(b"\n") if line]
    writes = [line for line in lines if _is_write(line)]
    return writes, len(lines) - len(writes)


def lines_of_joined(records: bytes) -> Iterator[bytes]:
    """The lines of all writes in records that stand one after the other, without their ends.

    Nothing tells where a record began, so each line stands for itself; one record without a line's end and the next
    are told apart where they are JSON. What is no write is left out: it was no write to the transform either.
    """
    for line in records.split(b"\n"):
        if _is_write(line):
            yield line
        elif line:
            yield from (value for value in _apart(line) if _is_write(value))


def _is_write(line: bytes) -> bool:
    try:
        from_line(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _apart(line: bytes) -> Iterator[bytes]:
    """The JSON values that a line begins with. What follows a broken one could be a part of it, and is not taken."""
    text, at = line.decode(errors="surrogateescape"), 0
    while at < len(text):
        try:
            _, end = _decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return
        yield text[at:end].encode(errors="surrogateescape")
        at = end
