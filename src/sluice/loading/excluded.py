"""The writes that rebuilds left out, kept beside the rows: a load of a batch goes without them."""

from dataclasses import replace

from sluice.archive import BatchObject
from sluice.database import Connection
from sluice.exclusions import COLUMNS, of_rows, without

_READ = f"SELECT {COLUMNS} FROM exclusions"  # noqa: S608


def left_out(connection: Connection, batch: BatchObject, *, numbered: bool) -> BatchObject:
    """The batch without the writes that were excluded; with `numbered`, its lines keep their numbers.

    Raises pymysql's errors.
    """
    with connection.cursor() as cursor:
        cursor.execute(_READ)
        found = of_rows(cursor.fetchall())
    change, leave_out = batch.change, without(found, numbered=numbered)
    return replace(batch, change=(lambda block: leave_out(change(block))) if change else leave_out)
