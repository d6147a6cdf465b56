"""The heartbeat of each minute: the primary's time for the replica, and what the replica shows, for `GET /v1/status`.

The heartbeat keeps the moment of `sluice.db.as_of` fresh when no load does. What it sees on the replica goes into an
object in S3, because the function that serves the status is outside the VPC.
"""

import datetime
from collections.abc import Callable

import msgspec

from sluice.db.as_of import Queries, parse_moment, read_as_of, write_as_of
from sluice.errors import AccessDenied, DatabaseUnavailable, LockConflict, SchemaOutdated
from sluice.observability import add_log_fields

READS_STATE_KEY = "status/reads.json"
# How long the replica may take to get the heartbeat. A later one counts at the next minute.
REPLICA_WAIT_SECONDS = 2.0

_DATABASE_ERRORS = (DatabaseUnavailable, LockConflict, AccessDenied, SchemaOutdated)


class ReadsState(msgspec.Struct, frozen=True):
    """Whether the replica answered at `checked_at`, and the moment of the primary that it had reached by then.

    `as_of` is None if the replica did not answer, and before the first heartbeat.
    """

    checked_at: datetime.datetime
    is_available: bool
    as_of: datetime.datetime | None = None


def beat(primary: Queries, replica: Queries, now: Callable[[], datetime.datetime]) -> ReadsState:
    """Commit the time on the primary, wait shortly for the replica, and return what it shows.

    Never raises when a database is unavailable.
    """
    position = _write_heartbeat(primary)
    try:
        if position:
            replica.query("SELECT MASTER_GTID_WAIT(%s, %s) AS late", (position, REPLICA_WAIT_SECONDS))
        checked_at = now()
        moment = read_as_of(replica)
    except _DATABASE_ERRORS as error:
        add_log_fields(replica_fault=f"{type(error).__name__}: {error}")
        return ReadsState(now(), is_available=False)
    return ReadsState(checked_at, is_available=True, as_of=parse_moment(moment) if moment else None)


def _write_heartbeat(primary: Queries) -> str:
    """Commit the time, and return the primary's position; empty if it accepts no writes or writes no binary log."""
    try:
        write_as_of(primary)
        return str(primary.query("SELECT @@gtid_binlog_pos AS position", ())[0]["position"] or "")
    except _DATABASE_ERRORS as error:
        add_log_fields(primary_fault=f"{type(error).__name__}: {error}")
        return ""
