"""Send rows with LOAD DATA LOCAL: the SQL of a load, the exchange with the server, and the rows that it rejects.

Rows come from memory, never from a file that the server names. Every identifier in the SQL comes from a resource's
declaration; values are never part of it.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pymysql
from pymysql.constants import COMMAND
from pymysql.protocol import OKPacketWrapper

from sluice.db.connection import Connection
from sluice.db.errors import classify_error
from sluice.errors import RowsRejected
from sluice.load.row_format import LOAD_DATA_FORMAT, SYSTEM_COLUMNS
from sluice.model.resource import Resource

_ASCII = "CHARACTER SET ascii COLLATE ascii_bin"
_TEXT = "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"

# Classes of SQLSTATE: a wrong value, a violated constraint, an error that a trigger raises.
_SQLSTATES_ABOUT_ROWS = ("22", "23", "45")

# A packet can carry 16 MiB. A longer row is sent in several packets.
TARGET_PACKET_BYTES, MAX_PACKET_BYTES = 1 << 18, 8 << 20


@dataclass(frozen=True)
class LoadStatements:
    """The SQL for one collection.

    `replace_rows` loads rows directly into the table. Older rows go through the stage: `create_stage`, `fill_stage`,
    `merge_stage` into the table, `empty_stage`. To find out which rows are stale, `fill_keys` loads only their keys;
    `select_newer` returns the positions of the rows that are newer than the table.
    """

    replace_rows: str
    create_stage: str
    fill_stage: str
    merge_stage: str
    empty_stage: str
    create_keys: str
    fill_keys: str
    select_newer: str
    empty_keys: str


def build_load_statements(resource: Resource) -> LoadStatements:
    """Build the statements for a resource."""
    table, stage, keys = (f"`{prefix}{resource.collection}`" for prefix in ("", "stage_", "keys_"))
    names = [*SYSTEM_COLUMNS, *(column.name for column in resource.columns)]
    columns = ", ".join(f"`{name}`" for name in names)
    load = "LOAD DATA LOCAL INFILE 'batch'"
    temporary = "CREATE OR REPLACE TEMPORARY TABLE"
    stage_columns = ", ".join([*_key_columns(resource), *_value_columns(resource)])
    return LoadStatements(
        replace_rows=f"{load} REPLACE INTO TABLE {table} {LOAD_DATA_FORMAT} ({columns})",
        create_stage=f"{temporary} {stage} ({stage_columns}) ENGINE=InnoDB",
        fill_stage=f"{load} INTO TABLE {stage} {LOAD_DATA_FORMAT} ({columns})",
        merge_stage=f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {stage} ORDER BY owner, id "  # noqa: S608
        f"ON DUPLICATE KEY UPDATE {', '.join(_build_updates(table, names))}",
        empty_stage=f"DELETE FROM {stage}",  # noqa: S608
        create_keys=f"{temporary} {keys} ({', '.join([*_key_columns(resource), 'place INT NOT NULL'])}) ENGINE=InnoDB",
        fill_keys=f"{load} INTO TABLE {keys} {LOAD_DATA_FORMAT} (version, owner, id, place)",
        select_newer=f"SELECT {keys}.place FROM {keys} LEFT JOIN {table} USING (owner, id) "  # noqa: S608
        f"WHERE {table}.version IS NULL OR {table}.version < {keys}.version ORDER BY {keys}.place",
        empty_keys=f"DELETE FROM {keys}",  # noqa: S608
    )


def _build_updates(table: str, names: list[str]) -> list[str]:
    """Take every column from the greater version. `version` comes last, because the others compare the stored one."""
    others = [name for name in names if name not in ("owner", "id", "version")]
    return [
        f"`{name}` = IF(VALUES(version) > {table}.version, VALUES(`{name}`), {table}.`{name}`)"
        for name in [*others, "version"]
    ]


def _key_columns(resource: Resource) -> list[str]:
    id_type = resource.id_type.ddl + (f" {_ASCII}" if resource.key else "")
    return [
        f"owner VARCHAR(128) {_ASCII} NOT NULL",
        f"id {id_type} NOT NULL",
        f"version CHAR(26) {_ASCII} NOT NULL",
        "PRIMARY KEY (owner, id)",
    ]


def _value_columns(resource: Resource) -> list[str]:
    fields = [
        f"`{column.name}` {column.type.ddl}" + (f" {_TEXT}" if column.type.name in ("VARCHAR", "MEDIUMTEXT") else "")
        for column in resource.columns
    ]
    return ["written_at DATETIME(6) NOT NULL", "deleted BOOLEAN NOT NULL", *fields]


def load_rows(connection: Connection, statement: str, rows: Iterable[bytes], expected: int) -> None:
    """Run a LOAD DATA LOCAL statement with the texts of rows, without line ends.

    Raises RowsRejected unless the server stores all `expected` rows without a warning: with LOCAL the server truncates,
    clips or skips values that do not fit. Raises pymysql's errors except those about rows.
    """
    with _translate_errors():
        reply = _send_rows(connection, statement, rows)
    if (
        reply.warning_count
        or _read_count(reply.message, "Records") != expected
        or _read_count(reply.message, "Skipped")
    ):
        raise collect_warnings(connection, reply.warning_count)


def merge_rows(connection: Connection, statement: str) -> int:
    """Run a merge statement, and return how many rows of the table it inserted or changed.

    Raises RowsRejected, and pymysql's errors except those about rows.
    """
    with connection.cursor() as cursor, _translate_errors():
        affected = int(cursor.execute(statement))
        result: Any = cursor._result
        # The server counts a new row once and a changed row twice; it reports the changed rows separately.
        return affected - _read_count(result.message, "Duplicates")


def run_statement(connection: Connection, statement: str) -> None:
    """Run a statement without a result. Raises pymysql's errors."""
    with connection.cursor() as cursor:
        cursor.execute(statement)


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Raise RowsRejected for a database error that is about the rows, not about the state of the database."""
    try:
        yield
    except pymysql.Error as error:
        is_about_rows = isinstance(error, pymysql.DataError) or (error.sqlstate or "").startswith(_SQLSTATES_ABOUT_ROWS)
        if classify_error(error) is not None or not is_about_rows:
            raise
        raise RowsRejected(describe_rejection(str(error.args[-1]))) from None


def _read_count(message: bytes | None, name: str) -> int:
    """Read a count from the server's summary of a statement, such as `Records: 3  Duplicates: 1  Warnings: 0`."""
    match = re.search(rb"%b: (\d+)" % name.encode(), message or b"")
    return int(match[1]) if match else 0


def collect_warnings(connection: Connection, count: int) -> RowsRejected:
    """Collect the warnings of the last statement, which had `count` of them, into an exception."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW WARNINGS")
        messages = [describe_rejection(row[2]) for row in cursor.fetchall()]
        for number in range(1, len(messages) + 1):
            cursor.execute(f"GET DIAGNOSTICS CONDITION {number} @row_{number} = ROW_NUMBER")
        cursor.execute(f"SELECT {', '.join(f'@row_{number}' for number in range(1, len(messages) + 1)) or 'NULL'}")
        [row_numbers] = cursor.fetchall()
    reasons: dict[int, str] = {}
    for row_number, message in zip(row_numbers, messages, strict=False):
        if row_number:  # rows count from 1
            reasons.setdefault(int(row_number) - 1, message)
    return RowsRejected(
        next(iter(messages), "the database did not store all rows"), reasons, has_more=count > len(messages)
    )


def _send_rows(connection: Connection, statement: str, rows: Iterable[bytes]) -> OKPacketWrapper:
    """Send rows from memory. PyMySQL can only send the file that the server requests, so this speaks the protocol."""
    wire: Any = connection
    wire._execute_command(COMMAND.COM_QUERY, statement)
    if not wire._read_packet().is_load_local_packet():
        raise pymysql.err.InternalError("the server did not request the rows")
    try:
        for packet in _pack_rows(rows):
            wire.write_packet(packet)
    except BaseException:
        # To end the rows here would load a part of them as if it were all. Break the connection instead.
        wire._force_close()
        raise
    wire.write_packet(b"")
    return OKPacketWrapper(wire._read_packet())


def _pack_rows(rows: Iterable[bytes]) -> Iterator[bytes]:
    chunk: list[bytes] = []
    size = 0
    for row in rows:
        chunk.append(row)
        size += len(row)
        if size >= TARGET_PACKET_BYTES:
            yield from _split_packets(chunk)
            chunk, size = [], 0
    if chunk:
        yield from _split_packets(chunk)


def _split_packets(rows: list[bytes]) -> Iterator[bytes]:
    rows.append(b"")
    text = b"\n".join(rows)
    for start in range(0, len(text), MAX_PACKET_BYTES):
        yield text[start : start + MAX_PACKET_BYTES]


# The server's messages name our tables, the schema, and the position of the row. A client may read only the field and
# what is wrong with it. Only the text of the message has the name of the field.
_ROW_POSITION = re.compile(r" at row \d+$")
# Each kind of message names the field in another way; a schema, a table or the stage can stand before it.
_MESSAGES_ABOUT_FIELDS = (
    re.compile(r"(?P<problem>.+) for column (?:'|(?:`[^`]*`\.)*`)(?P<field>[^`']*)['`]", re.DOTALL),
    re.compile(r"(?P<problem>Column) '(?P<field>[^']*)' cannot be null"),
    re.compile(r"(?P<problem>CONSTRAINT) `(?:[^`]*\.)?(?P<field>[^`]*)` failed for .+"),
    re.compile(r".+ (?P<problem>foreign key).+ FOREIGN KEY \(`(?P<field>[^`]*)`.+", re.DOTALL),
)
_PROBLEMS = {
    "Column": "Must have a value",
    "CONSTRAINT": "Fails the check of this name",
    "Data truncated": "Does not fit",
    "foreign key": "Refers to something that is not there",
}
_QUALIFIED_NAMES = re.compile(r"`[^`]*`(\.`[^`]*`)*")


def describe_rejection(message: str) -> str:
    """Describe a message of the server as `field: problem` if it names a field. The text can quote data in quotes."""
    text = _ROW_POSITION.sub("", message)
    for form in _MESSAGES_ABOUT_FIELDS:
        if match := form.fullmatch(text):
            return f"{match['field']}: {_PROBLEMS.get(match['problem'], match['problem'])}"
    return _QUALIFIED_NAMES.sub("…", text)
