"""The ways to write that the loader is measured against."""

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
    """The limit: a file of the latest rows in the table's order, ready for LOAD DATA."""

    def __init__(self, writes: Sequence[Write], file: Path) -> None:
        latest: dict[tuple[str, str], Write] = {}
        for write in sorted(writes, key=lambda one: one.version):
            latest[write.owner, write.id] = write
        rows = (build_row(latest[key]) for key in sorted(latest))
        file.write_text("".join("\t".join("\\N" if v is None else str(v) for v in row) + "\n" for row in rows))
        self._file = file
        self._rows = len(latest)

    def load(self, connection: "Connection[Any]", duplicates: str) -> None:
        """Load the file and commit; `duplicates` is REPLACE or IGNORE. Every row must have been taken."""
        with connection.cursor() as cursor:
            cursor.execute(
                f"LOAD DATA LOCAL INFILE '{self._file}' {duplicates} INTO TABLE bookings CHARACTER SET utf8mb4 "
                f"({', '.join(COLUMNS)})"
            )
            result: Any = cursor._result
            assert f"Records: {self._rows} ".encode() in result.message, result.message
        connection.commit()


def write_with_executemany(connection: "Connection[Any]", text: bytes) -> None:
    """One transaction through PyMySQL's `executemany`, from the batch's unzipped lines."""
    rows = [build_row(decode_write(line)) for line in text.splitlines()]
    with connection.cursor() as cursor:
        cursor.executemany(UPSERT, rows)
    connection.commit()


def write_row_by_row(connection: "Connection[Any]", batch: WriteBatch, limit: int) -> int:
    """One statement and one commit for each of the first writes; returns how many. The connection autocommits."""
    rows = [build_row(write) for write in batch.writes[:limit]]
    with connection.cursor() as cursor:
        for row in rows:
            cursor.execute(UPSERT, row)
    return len(rows)


def build_row(write: Write) -> list[Any]:
    """A write as a row of the table."""
    moment = write.accepted_at.replace(tzinfo=None).isoformat()
    head = [write.owner, write.id, write.version, moment, int(write.operation == "delete")]
    data = msgspec.json.decode(write.data)
    if data is None:
        return [*head, *[None] * len(FIELDS)]
    data["departs_at"] = data["departs_at"].removesuffix("Z")
    data["airports"] = msgspec.json.encode(data["airports"]).decode()
    return [*head, *(data.get(name) for name in FIELDS)]
