"""Sending rows with LOAD DATA LOCAL, from memory and never from a file that the server names."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import pymysql
from pymysql.constants import COMMAND
from pymysql.protocol import OKPacketWrapper

from sluice.database import Connection

# Of rows sent in one packet. A packet can carry 16 MiB; a row of more than that goes in several.
PACKET_BYTES, LARGEST_PACKET = 1 << 18, 8 << 20


class RowsRefused(Exception):  # noqa: N818
    """The database would not keep the rows as they are. `reason` is its first complaint; it may quote data."""

    def __init__(self, reason: str) -> None:
        super().__init__("rows refused")
        self.reason = reason


def fill(connection: Connection, statement: str, rows: Iterable[bytes], expected: int) -> None:
    """Run a LOAD DATA LOCAL statement over the rows' texts, without their line ends.

    Raises RowsRefused unless the server kept all `expected` rows without a warning: with LOCAL it would otherwise cut,
    clip or skip what does not fit. Raises pymysql's errors.
    """
    answer = _send(connection, statement, rows)
    if answer.warning_count or _said(answer.message, "Records") != expected or _said(answer.message, "Skipped"):
        raise RowsRefused(complaint(connection))


def merge(connection: Connection, statement: str) -> int:
    """Run a merge and return how many rows of the table it made or changed. Raises pymysql's errors."""
    with connection.cursor() as cursor:
        changed = int(cursor.execute(statement))
        result: Any = cursor._result
        # The server counts a new row once and a changed one twice, and says apart how many were changed.
        return changed - _said(result.message, "Duplicates")


def run(connection: Connection, statement: str) -> None:
    """Run a statement that gives nothing back. Raises pymysql's errors."""
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _said(message: bytes | None, name: str) -> int:
    """A count of the server's account of what it did, such as `Records: 3  Duplicates: 1  Warnings: 0`."""
    found = re.search(rb"%b: (\d+)" % name.encode(), message or b"")
    return int(found[1]) if found else 0


def complaint(connection: Connection) -> str:
    """The first warning or error of the last statement, as text."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW WARNINGS LIMIT 1")
        found = cursor.fetchone()
    return str(found[2]) if found else "the rows were not all taken"


def _send(connection: Connection, statement: str, rows: Iterable[bytes]) -> OKPacketWrapper:
    """PyMySQL offers only to send the file that the server asks for, so the exchange is spelled out here."""
    wire: Any = connection
    wire._execute_command(COMMAND.COM_QUERY, statement)
    if not wire._read_packet().is_load_local_packet():
        raise pymysql.err.InternalError("the server did not ask for the rows")
    try:
        for chunk in _chunks(rows):
            wire.write_packet(chunk)
    except BaseException:
        # To end the rows here would load a part as if it were all: break the connection instead.
        wire._force_close()
        raise
    wire.write_packet(b"")
    return OKPacketWrapper(wire._read_packet())


def _chunks(rows: Iterable[bytes]) -> Iterator[bytes]:
    chunk: list[bytes] = []
    size = 0
    for row in rows:
        chunk.append(row)
        size += len(row)
        if size >= PACKET_BYTES:
            yield from _packets(chunk)
            chunk, size = [], 0
    if chunk:
        yield from _packets(chunk)


def _packets(rows: list[bytes]) -> Iterator[bytes]:
    rows.append(b"")
    text = b"\n".join(rows)
    for start in range(0, len(text), LARGEST_PACKET):
        yield text[start : start + LARGEST_PACKET]
