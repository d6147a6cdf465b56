"""The fingerprint of a collection's table: the numbers of its items and tombstones, and a checksum of all its rows.

The server computes it in one scan. It is the same on every server, whatever the order of rows and columns, and whatever
somebody added to a table by hand: only the columns that the resource declares count.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from sluice.db.connection import Connection
from sluice.load.row_format import SYSTEM_COLUMNS
from sluice.model.columns import Column
from sluice.model.resource import Resource

# Texts of this size become part of a row's text as their digest, so that no row's text exceeds `max_allowed_packet`.
_LONG_TYPES = frozenset({"MEDIUMTEXT", "LONGTEXT", "JSON"})


class Fingerprint(msgspec.Struct, frozen=True):
    """The number of existing items, of tombstones, and the checksum: 16 hexadecimal digits."""

    items: int
    tombstones: int
    checksum: str


def read_fingerprint(connection: Connection, resource: Resource) -> Fingerprint:
    """Compute the fingerprint of a collection's table, in the connection's transaction. Raises pymysql's errors."""
    digest, values = build_row_digest(resource)
    # Numbers of 64 bits: XOR does not depend on the order of the rows. A part of MD5 is used instead of CRC32, because
    # the CRC32s of two rows that exchange their values have the same XOR as before.
    number = f"CAST(CONV(LEFT({digest}, 16), 16, 10) AS UNSIGNED)"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT COUNT(*), COALESCE(SUM(deleted), 0), COUNT(number), LPAD(HEX(BIT_XOR(number)), 16, '0') "  # noqa: S608
            f"FROM (SELECT deleted, {number} AS number FROM `{resource.collection}`) AS numbered",
            values,
        )
        [(rows, tombstones, numbered, checksum)] = cursor.fetchall()
    if rows != numbered:
        raise RuntimeError(f"{rows - numbered} rows of {resource.collection} have no digest")
    return Fingerprint(int(rows) - int(tombstones), int(tombstones), str(checksum).lower())


def build_row_digest(resource: Resource) -> tuple[str, tuple[Any, ...]]:
    """Build the SQL expression of a row's digest, 32 hexadecimal digits, and the values of its placeholders."""
    values: list[Any] = []
    texts = [f"`{name}`" for name in SYSTEM_COLUMNS]
    for column in resource.columns:
        text = f"`{column.name}`"
        if column.presence == "default":
            # A row from before the field has NULL, which reads show as the default: a load of the same write by the
            # present code stores the default.
            text, values = f"NULLIF({text}, %s)", [*values, _decode_default(resource, column)]
        texts.append(f"MD5({text})" if column.type.name in _LONG_TYPES else text)
    # QUOTE writes NULL without quotes, so that a NULL differs from every text, and no two rows have the same text. As
    # bytes, texts of different collations can be joined.
    quoted = ", ".join(f"QUOTE(CAST({text} AS BINARY))" for text in texts)
    return f"MD5(CONCAT_WS(',', {quoted}))", tuple(values)


def _decode_default(resource: Resource, column: Column) -> Any:
    """The default of a field as the table stores it."""
    text = resource.encode_default(column.name)
    if column.type.name == "JSON":
        return text.decode()
    value = msgspec.json.decode(text)
    return value.removesuffix("Z") if column.type.name == "DATETIME" else value


def find_differing_key(
    live: Connection, copy: Connection, resource: Resource, high_water: str, parts: Iterator[tuple[int, int]]
) -> tuple[str, str] | None:
    """Find the owner and the id of an item whose rows differ on two servers, or return None.

    Rows with a version above `high_water` do not count: the live database got them after its fingerprint. Each of the
    `parts`, (number, of how many), needs a scan of both tables, and memory for its share of the rows. Raises pymysql's
    errors.
    """
    for part in parts:
        live_rows, copied_rows = (_read_digests(connection, resource, part) for connection in (live, copy))
        for key in sorted(live_rows.keys() | copied_rows.keys()):
            rows = {live_rows.get(key, ("", "")), copied_rows.get(key, ("", ""))}
            if len(rows) > 1 and all(version <= high_water for version, _ in rows):
                return key
    return None


def _read_digests(
    connection: Connection, resource: Resource, part: tuple[int, int]
) -> dict[tuple[str, str], tuple[str, str]]:
    """The version and the digest of each row in a part of a table, by owner and id."""
    number, count = part
    digest, values = build_row_digest(resource)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT owner, id, version, {digest} FROM `{resource.collection}` "  # noqa: S608
            "WHERE CRC32(CONCAT_WS('/', CAST(owner AS BINARY), CAST(id AS BINARY))) MOD %s = %s",
            (*values, count, number),
        )
        return {(str(owner), str(id_)): (str(version), str(hash_)) for owner, id_, version, hash_ in cursor.fetchall()}
