"""The heartbeat of each minute: a new moment on the primary, and what the replica shows of it, for `GET /v1/status`.

It keeps the moment (`sluice.db.moment`) fresh when no load does. What it sees on the replica goes into an object in S3,
because the function that serves the status is outside the VPC.
"""

import datetime
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from sluice.db.moment import parse_moment, read_moment, write_moment
from sluice.errors import DATABASE_ERRORS
from sluice.observability import add_log_fields

if TYPE_CHECKING:  # the function that serves the status does not import the driver
    from sluice.db.connection import Queries

READS_STATE_KEY = "status/reads.json"
# How long the replica may take to get the heartbeat. A later one counts at the next minute.
REPLICA_WAIT_SECONDS = 2.0


class ReadsState(msgspec.Struct, frozen=True):
    """Whether the replica answered at `checked_at`, and the moment that it had reached by then.

    `as_of` is None if the replica did not answer, and before the first heartbeat.
    """

    checked_at: datetime.datetime
    is_available: bool
    as_of: datetime.datetime | None = None


def send_heartbeat(primary: "Queries", replica: "Queries", now: Callable[[], datetime.datetime]) -> ReadsState:
    """Commit a new moment on the primary, wait shortly for the replica, and return what the replica shows.

    Never raises when a database is unavailable.
    """
    position = _write_heartbeat(primary)
    try:
        if position:
            wait_for_position(replica, position, REPLICA_WAIT_SECONDS)
        checked_at = now()
        moment = read_moment(replica)
    except DATABASE_ERRORS as error:
        add_log_fields(replica_fault=f"{type(error).__name__}: {error}")
        return ReadsState(now(), is_available=False)
    return ReadsState(checked_at, is_available=True, as_of=parse_moment(moment) if moment else None)


def _write_heartbeat(primary: "Queries") -> str:
    """Commit the moment, and return the primary's position; empty if it accepts no writes or writes no binary log."""
    try:
        write_moment(primary)
        return read_position(primary)
    except DATABASE_ERRORS as error:
        add_log_fields(primary_fault=f"{type(error).__name__}: {error}")
        return ""


def read_position(primary: "Queries") -> str:
    """Read the primary's position in its binary log; empty if it writes none.

    Raises the errors of `sluice.db.errors`.
    """
    return str(primary.query("SELECT @@gtid_binlog_pos AS position", ())[0]["position"] or "")


def wait_for_position(replica: "Queries", position: str, seconds: float) -> bool:
    """Wait until the replica has reached a position of its primary. Return whether it did within the seconds.

    Raises the errors of `sluice.db.errors`.
    """
    return not replica.query("SELECT MASTER_GTID_WAIT(%s, %s) AS late", (position, seconds))[0]["late"]
