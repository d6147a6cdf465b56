"""Check the database: does the primary accept writes, and does the replica follow it."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import msgspec
import pymysql

from sluice.db.connection import Connection, Database
from sluice.db.errors import classify_error
from sluice.errors import AccessDenied, DatabaseUnavailable, LockConflict, SchemaOutdated
from sluice.recovery import heartbeat

_DATABASE_ERRORS = (DatabaseUnavailable, LockConflict, AccessDenied, SchemaOutdated)


class PrimaryHealth(msgspec.Struct):
    """`reason` says why, when it takes no writes."""

    answers: bool
    takes_writes: bool
    reason: str = ""


class ReplicaHealth(msgspec.Struct):
    """`follows`: it came to what the primary had when it was asked; that took `seconds`."""

    answers: bool
    follows: bool
    seconds: float | None = None
    reason: str = ""


class LedgerSummary(msgspec.Struct):
    """How many batches are in the ledger, and the last of them by key. `rejected` counts rejected writes."""

    batches: int
    latest: str | None
    rejected: int


def probe_primary(primary: Database) -> None:
    """Return if the primary takes a write: one is made, in the ledger, and undone. Raises the faults otherwise."""
    connection = primary.get_live_connection()
    try:
        _write_and_roll_back(connection)
    except BaseException as error:
        primary.drop_connection()
        if isinstance(error, pymysql.Error | OSError) and (fault := classify_error(error)):
            raise fault from None
        raise


def _write_and_roll_back(connection: Connection) -> None:
    with connection.cursor() as cursor:
        # An account that may write to a read-only server would not notice that it is one.
        cursor.execute("SELECT @@read_only")
        found = cursor.fetchone()
        if found and found[0]:
            raise DatabaseUnavailable("the primary is read-only")
        connection.begin()
        cursor.execute(
            "INSERT INTO loaded_batches (object_key, etag, applied, stale, rejected, duration_ms, loaded_at) "
            "VALUES (%s, '', 0, 0, 0, 0, UTC_TIMESTAMP(6))",
            (f"probe/{uuid4()}",),
        )
        connection.rollback()


def check_primary(primary: Database) -> PrimaryHealth:
    """What is to be said of the primary."""
    try:
        probe_primary(primary)
    except _DATABASE_ERRORS as fault:
        answers = _is_reachable(primary)
        return PrimaryHealth(answers, takes_writes=False, reason=f"{type(fault).__name__}: {fault}")
    return PrimaryHealth(answers=True, takes_writes=True)


def check_replica(primary: Database, replica: Database, clock: Callable[[], float], patience: float) -> ReplicaHealth:
    """Wait up to `patience` seconds for the replica to come to where the primary is now, and say whether it did.

    It is tried out with a heartbeat; its position alone may mislead (see sluice.recovery.heartbeat).
    """
    try:
        replica.get_live_connection()
    except _DATABASE_ERRORS as fault:
        return ReplicaHealth(answers=False, follows=False, reason=f"{type(fault).__name__}: {fault}")
    try:
        version = heartbeat.write_heartbeat(primary)
        position = primary.query("SELECT @@gtid_binlog_pos AS position", ())[0]["position"]
        if not position:
            return ReplicaHealth(
                answers=True, follows=False, reason="the primary keeps no log that a replica could follow"
            )
        started = clock()
        late = replica.query("SELECT MASTER_GTID_WAIT(%s, %s) AS late", (position, patience))[0]["late"]
        heard = heartbeat.read_heartbeat(replica)
    except _DATABASE_ERRORS as fault:
        return ReplicaHealth(answers=True, follows=False, reason=f"{type(fault).__name__}: {fault}")
    if late:
        return ReplicaHealth(answers=True, follows=False, reason=f"behind the primary for more than {patience:g} s")
    if heard < version:
        return ReplicaHealth(
            answers=True, follows=False, reason="it has not what the primary wrote: it is another's replica"
        )
    return ReplicaHealth(answers=True, follows=True, seconds=round(clock() - started, 3))


def read_ledger_summary(primary: Database) -> LedgerSummary | None:
    """What is in the ledger and among the rejects, or None when the primary does not say."""
    try:
        batches = primary.query("SELECT COUNT(*) AS n, MAX(object_key) AS latest FROM loaded_batches", ())[0]
        rejected = primary.query("SELECT COUNT(*) AS n FROM rejected_writes", ())[0]
    except _DATABASE_ERRORS:
        return None
    return LedgerSummary(batches["n"], batches["latest"], rejected["n"])


def _is_reachable(database: Database) -> bool:
    try:
        database.query("SELECT 1", ())
    except _DATABASE_ERRORS:
        return False
    return True


def describe_health(primary: PrimaryHealth, replica: ReplicaHealth) -> str:
    """Both in one sentence, for an alert."""
    first = "The primary takes writes" if primary.takes_writes else f"The primary takes no writes ({primary.reason})"
    second = "the replica follows it" if replica.follows else f"the replica does not follow ({replica.reason})"
    return f"{first}; {second}."


def check_health(primary: Database, replica: Database, clock: Callable[[], float], patience: float) -> dict[str, Any]:
    """All of it. Never raises for a database that is away."""
    first = check_primary(primary)
    second = check_replica(primary, replica, clock, patience)
    found = {
        "primary": first,
        "replica": second,
        "ledger": read_ledger_summary(primary),
        "sentence": describe_health(first, second),
    }
    return dict(msgspec.to_builtins(found))
