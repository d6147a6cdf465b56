"""The other ways to write that the loader is compared with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from pymysql.connections import Connection

from bench.loading.batches import WriteBatch
from sluice.model.record import Write, decode_write

FIELDS = ("passenger", "departs_at", "seats", "price", "cabin", "airports", "notes", "born_on", "voucher")
COLUMNS = ("owner", "id", "version", "written_at", "deleted", *FIELDS)
_UPDATES = ", ".join(
    f"{name} = IF(VALUES(version) > bookings.version, VALUES({name}), bookings.{name})"
    for name in ("written_at", "deleted", *FIELDS, "version")
)
UPSERT = (
    f"INSERT INTO bookings ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))}) "
    f"ON DUPLICATE KEY UPDATE {_UPDATES}"
)


class PreparedFile:
    """The upper limit: a file of the latest rows in the order of the table, ready for LOAD DATA."""

    def __init__(self, writes: Sequence[Write], file: Path) -> None:
        latest: dict[tuple[str, str], Write] = {}
        for write in sorted(writes, key=lambda write: write.version):
            latest[write.owner, write.id] = write
        rows = (build_row(latest[key]) for key in sorted(latest))
        file.write_text("".join("\t".join("\\N" if v is None else str(v) for v in row) + "\n" for row in rows))
        self._file = file
        self._row_count = len(latest)

    def load(self, connection: "Connection[Any]", duplicates: str) -> None:
        """Load the file and commit; `duplicates` is REPLACE or IGNORE. Asserts that the database read every row."""
        with connection.cursor() as cursor:
            cursor.execute(
                f"LOAD DATA LOCAL INFILE '{self._file}' {duplicates} INTO TABLE bookings CHARACTER SET utf8mb4 "
                f"({', '.join(COLUMNS)})"
            )
            result: Any = cursor._result
            assert f"Records: {self._row_count} ".encode() in result.message, result.message
        connection.commit()


def write_with_executemany(connection: "Connection[Any]", text: bytes) -> None:
    """Write the lines of an unzipped batch in one transaction with PyMySQL's `executemany`."""
    rows = [build_row(decode_write(line)) for line in text.splitlines()]
    with connection.cursor() as cursor:
        cursor.executemany(UPSERT, rows)
    connection.commit()


def write_row_by_row(connection: "Connection[Any]", batch: WriteBatch, limit: int) -> int:
    """Write the first writes with a statement and a commit each, over an autocommitting connection.

    Returns how many were written.
    """
    rows = [build_row(write) for write in batch.writes[:limit]]
    with connection.cursor() as cursor:
        for row in rows:
            cursor.execute(UPSERT, row)
    return len(rows)


def build_row(write: Write) -> list[Any]:
    """The values of the columns for a write."""
    written_at = write.accepted_at.replace(tzinfo=None).isoformat()
    system_values = [write.owner, write.id, write.version, written_at, int(write.operation == "delete")]
    data = msgspec.json.decode(write.data)
    if data is None:
        return [*system_values, *[None] * len(FIELDS)]
    data["departs_at"] = data["departs_at"].removesuffix("Z")
    data["airports"] = msgspec.json.encode(data["airports"]).decode()
    return [*system_values, *(data.get(name) for name in FIELDS)]
