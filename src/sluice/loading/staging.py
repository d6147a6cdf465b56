"""Sending rows with LOAD DATA LOCAL, from memory and never from a file that the server names."""

from collections.abc import Iterable, Iterator
from typing import Any

import pymysql
from pymysql.constants import COMMAND
from pymysql.protocol import OKPacketWrapper

from sluice.database import Connection

# Of rows sent in one packet. A packet can carry 16 MiB, and one row has at most about 2.
PACKET_BYTES = 1 << 18


class RowsRefused(Exception):  # noqa: N818
    """The database would not keep the rows as they are. `reason` is its first complaint; it may quote data."""

    def __init__(self, reason: str) -> None:
        super().__init__("rows refused")
        self.reason = reason


def fill(connection: Connection, statement: str, rows: Iterable[bytes], expected: int) -> None:
    """Run a LOAD DATA LOCAL statement over rows.

    Raises RowsRefused unless the server kept all `expected` rows without a warning: with LOCAL it would otherwise cut,
    clip or skip what does not fit. Raises pymysql's errors.
    """
    answer = _send(connection, statement, rows)
    if answer.warning_count or answer.affected_rows != expected:
        raise RowsRefused(complaint(connection))


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
            yield b"".join(chunk)
            chunk, size = [], 0
    if chunk:
        yield b"".join(chunk)
