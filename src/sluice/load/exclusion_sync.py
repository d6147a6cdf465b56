"""The table of exclusions in the database: loads filter their batches by it, and a replay brings it up to date.

A rebuild stores its exclusions in this table and in S3. Only rebuilds add to either. So an exclusion that S3 has and
the table lacks was made after the backup from which the database was restored.
"""

from collections.abc import Sequence
from dataclasses import replace

import pymysql

from sluice.db.connection import Connection, Database
from sluice.db.errors import classify_error
from sluice.load.batch_reader import BatchObject
from sluice.model.exclusions import (
    EXCLUSION_COLUMNS,
    Exclusion,
    compute_end_version,
    create_exclusion_filter,
    decode_exclusion_rows,
    encode_exclusion_row,
    select_active_exclusions,
)

_SELECT_EXCLUSIONS = f"SELECT {EXCLUSION_COLUMNS} FROM exclusions"  # noqa: S608
# Another sync at the same time adds the same rows.
_INSERT_EXCLUSION = (
    f"INSERT INTO exclusions ({EXCLUSION_COLUMNS}) VALUES (%s, %s, %s, %s) "  # noqa: S608
    "ON DUPLICATE KEY UPDATE execution = VALUES(execution)"
)
# This version must never decrease: a load reads the rules only for older writes.
_RAISE_END_VERSION = (
    "INSERT INTO marks (name, version) VALUES ('exclusions', %s) "
    "ON DUPLICATE KEY UPDATE version = GREATEST(version, VALUES(version))"
)


def filter_excluded_writes(connection: Connection, batch: BatchObject, *, keeps_line_numbers: bool) -> BatchObject:
    """Return the batch without its excluded writes. Raises pymysql's errors.

    With `keeps_line_numbers`, a blank line replaces an excluded one.
    """
    change = batch.transform_block
    remove_excluded = create_exclusion_filter(_read_exclusions(connection), keeps_line_numbers=keeps_line_numbers)
    return replace(batch, transform_block=(lambda block: remove_excluded(change(block))) if change else remove_excluded)


def sync_exclusions(database: Database, stored: Sequence[Exclusion]) -> list[str]:
    """Add the active exclusions of S3 that the table lacks, and return their names. Raises `sluice.db.errors`.

    A load that began before goes on without them. The operator has to rebuild in any case when this adds some.
    """
    if not stored:
        return []
    connection = database.get_live_connection()
    try:
        connection.begin()
        missing = _find_missing(connection, stored)
        with connection.cursor() as cursor:
            for exclusion in missing:
                cursor.execute(_INSERT_EXCLUSION, encode_exclusion_row(exclusion))
            if end_version := compute_end_version(missing):
                cursor.execute(_RAISE_END_VERSION, (end_version,))
        connection.commit()
    except BaseException as error:
        database.drop_connection()
        if isinstance(error, pymysql.Error | OSError) and (classified := classify_error(error)):
            raise classified from None
        raise
    return [exclusion.execution for exclusion in missing]


def _find_missing(connection: Connection, stored: Sequence[Exclusion]) -> list[Exclusion]:
    present = _read_exclusions(connection)
    names = {exclusion.execution for exclusion in present}
    return [
        exclusion for exclusion in select_active_exclusions([*stored, *present]) if exclusion.execution not in names
    ]


def _read_exclusions(connection: Connection) -> list[Exclusion]:
    with connection.cursor() as cursor:
        cursor.execute(_SELECT_EXCLUSIONS)
        return decode_exclusion_rows(cursor.fetchall())
