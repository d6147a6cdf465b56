"""Sending rows with LOAD DATA LOCAL, from memory and never from a file that the server names."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pymysql
from pymysql.constants import COMMAND
from pymysql.protocol import OKPacketWrapper

from sluice.database import Connection
from sluice.faults import meaning
from sluice.loading.reasons import reason

# Classes of SQLSTATE: a value, a constraint, what a trigger says.
_ABOUT_ROWS = ("22", "23", "45")

# Of rows sent in one packet. A packet can carry 16 MiB; a row of more than that goes in several.
PACKET_BYTES, LARGEST_PACKET = 1 << 18, 8 << 20


class RowsRefused(Exception):  # noqa: N818
    """The database would not keep the rows as they are. Reasons are as a client may read them; they may quote data.

    `reason` is the first, `reasons` those of rows that it names, by their place from 0. There may be `more`: a server
    keeps only some complaints (`max_error_count`).
    """

    def __init__(self, reason: str, reasons: Mapping[int, str] | None = None, *, more: bool = False) -> None:
        super().__init__("rows refused")
        self.reason = reason
        self.reasons = reasons or {}
        self.more = more


def fill(connection: Connection, statement: str, rows: Iterable[bytes], expected: int) -> None:
    """Run a LOAD DATA LOCAL statement over the rows' texts, without their line ends.

    Raises RowsRefused unless the server kept all `expected` rows without a warning: with LOCAL it would otherwise cut,
    clip or skip what does not fit. Raises pymysql's errors but those about rows.
    """
    with _refused():
        answer = _send(connection, statement, rows)
    if answer.warning_count or _said(answer.message, "Records") != expected or _said(answer.message, "Skipped"):
        raise complaints(connection, answer.warning_count)


def merge(connection: Connection, statement: str) -> int:
    """Run a merge and return how many rows of the table it made or changed.

    Raises RowsRefused, and pymysql's errors but those about rows.
    """
    with connection.cursor() as cursor, _refused():
        changed = int(cursor.execute(statement))
        result: Any = cursor._result
        # The server counts a new row once and a changed one twice, and says apart how many were changed.
        return changed - _said(result.message, "Duplicates")


def run(connection: Connection, statement: str) -> None:
    """Run a statement that gives nothing back. Raises pymysql's errors."""
    with connection.cursor() as cursor:
        cursor.execute(statement)


@contextmanager
def _refused() -> Iterator[None]:
    """An error of the database that is about the rows themselves, and not about its own state, is RowsRefused."""
    try:
        yield
    except pymysql.Error as error:
        about_rows = isinstance(error, pymysql.DataError) or (error.sqlstate or "").startswith(_ABOUT_ROWS)
        if meaning(error) is not None or not about_rows:
            raise
        raise RowsRefused(reason(str(error.args[-1]))) from None


def _said(message: bytes | None, name: str) -> int:
    """A count of the server's account of what it did, such as `Records: 3  Duplicates: 1  Warnings: 0`."""
    found = re.search(rb"%b: (\d+)" % name.encode(), message or b"")
    return int(found[1]) if found else 0


def complaints(connection: Connection, count: int) -> RowsRefused:
    """What the database has to say of the last statement, which gave so many warnings."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW WARNINGS")
        found = [reason(row[2]) for row in cursor.fetchall()]
        for number in range(1, len(found) + 1):
            cursor.execute(f"GET DIAGNOSTICS CONDITION {number} @row_{number} = ROW_NUMBER")
        cursor.execute(f"SELECT {', '.join(f'@row_{number}' for number in range(1, len(found) + 1)) or 'NULL'}")
        [rows] = cursor.fetchall()
    reasons: dict[int, str] = {}
    for row, one in zip(rows, found, strict=False):
        if row:  # no row has the number 0
            reasons.setdefault(int(row) - 1, one)
    return RowsRefused(next(iter(found), "the rows were not all taken"), reasons, more=count > len(found))


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
