"""The table of exclusions beside the rows: filter a batch by it, and add to it what S3 has."""

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

_READ_EXCLUSIONS = f"SELECT {EXCLUSION_COLUMNS} FROM exclusions"  # noqa: S608


def filter_excluded_writes(connection: Connection, batch: BatchObject, *, keeps_line_numbers: bool) -> BatchObject:
    """The batch without the writes that were excluded; with `numbered`, its lines keep their numbers.

    Raises pymysql's errors.
    """
    with connection.cursor() as cursor:
        cursor.execute(_READ_EXCLUSIONS)
        found = decode_exclusion_rows(cursor.fetchall())
    change, leave_out = batch.transform_block, create_exclusion_filter(found, keeps_line_numbers=keeps_line_numbers)
    return replace(batch, transform_block=(lambda block: leave_out(change(block))) if change else leave_out)


_SELECT_EXCLUSIONS = f"SELECT {EXCLUSION_COLUMNS} FROM exclusions"  # noqa: S608


# Another one that learns at the same time adds the same.
_ADD = (
    f"INSERT INTO exclusions ({EXCLUSION_COLUMNS}) VALUES (%s, %s, %s, %s) "  # noqa: S608
    "ON DUPLICATE KEY UPDATE execution = VALUES(execution)"
)


# It may never go back: a load looks at the rules for what is older only.
_MARK = (
    "INSERT INTO marks (name, version) VALUES ('exclusions', %s) "
    "ON DUPLICATE KEY UPDATE version = GREATEST(version, VALUES(version))"
)


def sync_exclusions(database: Database, stored: Sequence[Exclusion]) -> list[str]:
    """Enter what is in force and not known yet; return the names of it. Raises the faults of `sluice.db.errors`.

    A load that has begun before goes on without: what was learned is a reason to rebuild at any rate.
    """
    if not stored:
        return []
    connection = database.get_live_connection()
    try:
        connection.begin()
        fresh = _find_unknown(connection, stored)
        with connection.cursor() as cursor:
            for one in fresh:
                cursor.execute(_ADD, encode_exclusion_row(one))
            if last := compute_end_version(fresh):
                cursor.execute(_MARK, (last,))
        connection.commit()
    except BaseException as error:
        database.drop_connection()
        if isinstance(error, pymysql.Error | OSError) and (fault := classify_error(error)):
            raise fault from None
        raise
    return [one.execution for one in fresh]


def _find_unknown(connection: Connection, written_down: Sequence[Exclusion]) -> list[Exclusion]:
    with connection.cursor() as cursor:
        cursor.execute(_SELECT_EXCLUSIONS)
        known = decode_exclusion_rows(cursor.fetchall())
    names = {one.execution for one in known}
    return [one for one in select_active_exclusions([*written_down, *known]) if one.execution not in names]
