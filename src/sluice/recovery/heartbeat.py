"""The heartbeat of each minute: a new moment on the primary, and what the replicas show of it, for `GET /v1/status`.

It keeps the moment (`sluice.db.moment`) fresh when no load does. What it sees on the replicas goes into an object in
S3, because the function that serves the status is outside the VPC.
"""

import datetime
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

import msgspec

from sluice.db.moment import parse_moment, read_moment, write_moment
from sluice.errors import DATABASE_ERRORS
from sluice.observability import add_log_fields

if TYPE_CHECKING:  # the function that serves the status does not import the driver
    from sluice.db.connection import Queries

READS_STATE_KEY = "status/reads.json"
# How long a replica may take to get the heartbeat. A later one counts at the next minute.
REPLICA_WAIT_SECONDS = 2.0
# Two heartbeats: a replica whose moment is that much older than another's lacks for a minute what the other one has
# shown. Reads skip it long before, so it does not count.
MAX_COUNTED_LAG_SECONDS = 120.0

Server = TypeVar("Server", bound="Queries")
Result = TypeVar("Result")


class ReadsState(msgspec.Struct, frozen=True):
    """Whether reads were answered at `checked_at`, and the moment that they had reached by then.

    Without replicas the primary answers. `as_of` is None if nothing answered, and before the first moment.
    """

    checked_at: datetime.datetime
    is_available: bool
    as_of: datetime.datetime | None = None


def send_heartbeat(
    primary: "Queries", replicas: Mapping[str, "Queries"], now: Callable[[], datetime.datetime]
) -> ReadsState:
    """Commit a new moment on the primary, wait shortly for the replicas (by name), and return what they show.

    Never raises when a database is unavailable.
    """
    position = _write_heartbeat(primary)
    if replicas:
        shown = ask_each(replicas, lambda replica: _read_replica(replica, position, now))
    else:
        shown = {"primary": _read_replica(primary, "", now)}
    faults = {name: state for name, state in shown.items() if isinstance(state, str)}
    if faults:
        add_log_fields(read_faults=faults)
    return merge_states([state for state in shown.values() if isinstance(state, ReadsState)], now())


def _read_replica(replica: "Queries", position: str, now: Callable[[], datetime.datetime]) -> ReadsState | str:
    """What a replica shows, or its fault."""
    try:
        if position:
            wait_for_position(replica, position, REPLICA_WAIT_SECONDS)
        checked_at = now()
        moment = read_moment(replica)
    except DATABASE_ERRORS as error:
        return f"{type(error).__name__}: {error}"
    return ReadsState(checked_at, is_available=True, as_of=parse_moment(moment) if moment else None)


def merge_states(states: list[ReadsState], at: datetime.datetime) -> ReadsState:
    """Return what a client can count on, from the states of the replicas that answered.

    A read goes to any of them, so the earliest moment counts. A replica that is far behind the freshest counts only
    when it is the last one: reads skip it.
    """
    if not states:
        return ReadsState(at, is_available=False)
    checked_at = min(state.checked_at for state in states)
    moments = [state.as_of for state in states if state.as_of]
    if not moments:
        return ReadsState(checked_at, is_available=True)
    oldest = max(moments) - datetime.timedelta(seconds=MAX_COUNTED_LAG_SECONDS)
    return ReadsState(checked_at, is_available=True, as_of=min(moment for moment in moments if moment >= oldest))


def ask_each(servers: Mapping[str, Server], ask: Callable[[Server], Result]) -> dict[str, Result]:
    """Call `ask` with each server, each in a thread of its own, and return the results by name.

    One after the other, servers that hang would take the sum of their timeouts, which is more than a function has.
    """
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  the function of the status asks no server

    with ThreadPoolExecutor(len(servers)) as threads:
        return dict(zip(servers, threads.map(ask, servers.values()), strict=True))


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
