"""Send rows with LOAD DATA LOCAL: the statements, the exchange with the server, and what the server complains of."""

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
from sluice.load import row_format
from sluice.load.row_format import SYSTEM_COLUMNS
from sluice.model.resource import Resource

_ASCII = "CHARACTER SET ascii COLLATE ascii_bin"


_TEXT = "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"


@dataclass(frozen=True)
class LoadStatements:
    """What is sent for one collection.

    `replace` fills the table itself. The stage: `make`, `fill`, `merge` into the table, `empty`. The keys of rows that
    may have lost: `make_keys`, `fill_keys`, `wanted` gives the places of those that have not, `empty_keys`.
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
    """Write the statements for a resource."""
    table, stage, keys = (f"`{prefix}{resource.collection}`" for prefix in ("", "stage_", "keys_"))
    names = [*SYSTEM_COLUMNS, *(column.name for column in resource.columns)]
    listed = ", ".join(f"`{name}`" for name in names)
    load = "LOAD DATA LOCAL INFILE 'batch'"
    temporary = "CREATE OR REPLACE TEMPORARY TABLE"
    return LoadStatements(
        replace_rows=f"{load} REPLACE INTO TABLE {table} {row_format.LOAD_DATA_FORMAT} ({listed})",
        create_stage=f"{temporary} {stage} ({', '.join([*_key_columns(resource), *_value_columns(resource)])}) ENGINE=InnoDB",  # noqa: E501
        fill_stage=f"{load} INTO TABLE {stage} {row_format.LOAD_DATA_FORMAT} ({listed})",
        merge_stage=f"INSERT INTO {table} ({listed}) SELECT {listed} FROM {stage} ORDER BY owner, id "  # noqa: S608
        f"ON DUPLICATE KEY UPDATE {', '.join(_build_updates(table, names))}",
        empty_stage=f"DELETE FROM {stage}",  # noqa: S608
        create_keys=f"{temporary} {keys} ({', '.join([*_key_columns(resource), 'place INT NOT NULL'])}) ENGINE=InnoDB",
        fill_keys=f"{load} INTO TABLE {keys} {row_format.LOAD_DATA_FORMAT} (version, owner, id, place)",
        select_newer=f"SELECT {keys}.place FROM {keys} LEFT JOIN {table} USING (owner, id) "  # noqa: S608
        f"WHERE {table}.version IS NULL OR {table}.version < {keys}.version ORDER BY {keys}.place",
        empty_keys=f"DELETE FROM {keys}",  # noqa: S608
    )


def _build_updates(table: str, names: list[str]) -> list[str]:
    """Take every column of the greater version. `version` comes last: the others compare with the stored one."""
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
        f"`{c.name}` {c.type.ddl}" + (f" {_TEXT}" if c.type.name in ("VARCHAR", "MEDIUMTEXT") else "")
        for c in resource.columns
    ]
    return ["written_at DATETIME(6) NOT NULL", "deleted BOOLEAN NOT NULL", *fields]


# Classes of SQLSTATE: a value, a constraint, what a trigger says.
_ABOUT_ROWS = ("22", "23", "45")


# Of rows sent in one packet. A packet can carry 16 MiB; a row of more than that goes in several.
TARGET_PACKET_BYTES, MAX_PACKET_BYTES = 1 << 18, 8 << 20


def load_rows(connection: Connection, statement: str, rows: Iterable[bytes], expected: int) -> None:
    """Run a LOAD DATA LOCAL statement over the rows' texts, without their line ends.

    Raises RowsRefused unless the server kept all `expected` rows without a warning: with LOCAL it would otherwise cut,
    clip or skip what does not fit. Raises pymysql's errors but those about rows.
    """
    with _translate_errors():
        answer = _send_rows(connection, statement, rows)
    if (
        answer.warning_count
        or _read_count(answer.message, "Records") != expected
        or _read_count(answer.message, "Skipped")
    ):
        raise collect_warnings(connection, answer.warning_count)


def merge_rows(connection: Connection, statement: str) -> int:
    """Run a merge and return how many rows of the table it made or changed.

    Raises RowsRefused, and pymysql's errors but those about rows.
    """
    with connection.cursor() as cursor, _translate_errors():
        changed = int(cursor.execute(statement))
        result: Any = cursor._result
        # The server counts a new row once and a changed one twice, and says apart how many were changed.
        return changed - _read_count(result.message, "Duplicates")


def run_statement(connection: Connection, statement: str) -> None:
    """Run a statement that gives nothing back. Raises pymysql's errors."""
    with connection.cursor() as cursor:
        cursor.execute(statement)


@contextmanager
def _translate_errors() -> Iterator[None]:
    """An error of the database that is about the rows themselves, and not about its own state, is RowsRefused."""
    try:
        yield
    except pymysql.Error as error:
        about_rows = isinstance(error, pymysql.DataError) or (error.sqlstate or "").startswith(_ABOUT_ROWS)
        if classify_error(error) is not None or not about_rows:
            raise
        raise RowsRejected(describe_rejection(str(error.args[-1]))) from None


def _read_count(message: bytes | None, name: str) -> int:
    """A count of the server's account of what it did, such as `Records: 3  Duplicates: 1  Warnings: 0`."""
    found = re.search(rb"%b: (\d+)" % name.encode(), message or b"")
    return int(found[1]) if found else 0


def collect_warnings(connection: Connection, count: int) -> RowsRejected:
    """What the database has to say of the last statement, which gave so many warnings."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW WARNINGS")
        found = [describe_rejection(row[2]) for row in cursor.fetchall()]
        for number in range(1, len(found) + 1):
            cursor.execute(f"GET DIAGNOSTICS CONDITION {number} @row_{number} = ROW_NUMBER")
        cursor.execute(f"SELECT {', '.join(f'@row_{number}' for number in range(1, len(found) + 1)) or 'NULL'}")
        [rows] = cursor.fetchall()
    reasons: dict[int, str] = {}
    for row, one in zip(rows, found, strict=False):
        if row:  # no row has the number 0
            reasons.setdefault(int(row) - 1, one)
    return RowsRejected(next(iter(found), "the rows were not all taken"), reasons, has_more=count > len(found))


def _send_rows(connection: Connection, statement: str, rows: Iterable[bytes]) -> OKPacketWrapper:
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
        if size >= TARGET_PACKET_BYTES:
            yield from _packets(chunk)
            chunk, size = [], 0
    if chunk:
        yield from _packets(chunk)


def _packets(rows: list[bytes]) -> Iterator[bytes]:
    rows.append(b"")
    text = b"\n".join(rows)
    for start in range(0, len(text), MAX_PACKET_BYTES):
        yield text[start : start + MAX_PACKET_BYTES]


_PLACE = re.compile(r" at row \d+$")


# Each names a field in its own way; a schema, a table or the stage may stand before it.
_OF_A_FIELD = (
    re.compile(r"(?P<what>.+) for column (?:'|(?:`[^`]*`\.)*`)(?P<field>[^`']*)['`]", re.DOTALL),
    re.compile(r"(?P<what>Column) '(?P<field>[^']*)' cannot be null"),
    re.compile(r"(?P<what>CONSTRAINT) `(?:[^`]*\.)?(?P<field>[^`]*)` failed for .+"),
    re.compile(r".+ (?P<what>foreign key).+ FOREIGN KEY \(`(?P<field>[^`]*)`.+", re.DOTALL),
)


_WHAT = {
    "Column": "Must have a value",
    "CONSTRAINT": "Fails the check of this name",
    "Data truncated": "Does not fit",
    "foreign key": "Refers to something that is not there",
}


_QUALIFIED_NAMES = re.compile(r"`[^`]*`(\.`[^`]*`)*")


def describe_rejection(complaint: str) -> str:
    """What is wrong, as `field: what` where the database names a field. It may quote data, in single quotes."""
    text = _PLACE.sub("", complaint)
    for form in _OF_A_FIELD:
        if found := form.fullmatch(text):
            return f"{found['field']}: {_WHAT.get(found['what'], found['what'])}"
    return _QUALIFIED_NAMES.sub("…", text)
