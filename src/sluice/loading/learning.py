"""What rebuilds left out since the database was saved, told to one that was restored from before.

Loads obey the table beside the rows, and a rebuild writes the same down in S3. Only rebuilds add to either, so what is
in S3 and not in the table is what a restored database does not know.
"""

from collections.abc import Sequence

import pymysql

from sluice.database import Connection, Database
from sluice.exclusions import COLUMNS, Exclusion, as_row, end, in_force, of_rows
from sluice.faults import meaning

_READ = f"SELECT {COLUMNS} FROM exclusions"  # noqa: S608
# Another one that learns at the same time adds the same.
_ADD = (
    f"INSERT INTO exclusions ({COLUMNS}) VALUES (%s, %s, %s, %s) "  # noqa: S608
    "ON DUPLICATE KEY UPDATE execution = VALUES(execution)"
)
# It may never go back: a load looks at the rules for what is older only.
_MARK = (
    "INSERT INTO marks (name, version) VALUES ('exclusions', %s) "
    "ON DUPLICATE KEY UPDATE version = GREATEST(version, VALUES(version))"
)


def learn(database: Database, written_down: Sequence[Exclusion]) -> list[str]:
    """Enter what is in force and not known yet; return the names of it. Raises the faults of `sluice.faults`.

    A load that has begun before goes on without: what was learned is a reason to rebuild at any rate.
    """
    if not written_down:
        return []
    connection = database.live_connection()
    try:
        connection.begin()
        fresh = _unknown(connection, written_down)
        with connection.cursor() as cursor:
            for one in fresh:
                cursor.execute(_ADD, as_row(one))
            if last := end(fresh):
                cursor.execute(_MARK, (last,))
        connection.commit()
    except BaseException as error:
        database.drop()
        if isinstance(error, pymysql.Error | OSError) and (fault := meaning(error)):
            raise fault from None
        raise
    return [one.execution for one in fresh]


def _unknown(connection: Connection, written_down: Sequence[Exclusion]) -> list[Exclusion]:
    with connection.cursor() as cursor:
        cursor.execute(_READ)
        known = of_rows(cursor.fetchall())
    names = {one.execution for one in known}
    return [one for one in in_force([*written_down, *known]) if one.execution not in names]
