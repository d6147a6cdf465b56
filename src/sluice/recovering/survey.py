"""What the database is like: does the primary take writes, does the replica follow."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import msgspec
import pymysql

from sluice.database import Connection, Database
from sluice.faults import AccessDenied, DatabaseAway, SchemaBehind, TryAgain, meaning
from sluice.recovering import heartbeat

_FAULTS = (DatabaseAway, TryAgain, AccessDenied, SchemaBehind)


class Primary(msgspec.Struct):
    """`reason` says why, when it takes no writes."""

    answers: bool
    takes_writes: bool
    reason: str = ""


class Replica(msgspec.Struct):
    """`follows`: it came to what the primary had when it was asked; that took `seconds`."""

    answers: bool
    follows: bool
    seconds: float | None = None
    reason: str = ""


class Ledger(msgspec.Struct):
    """How many batches are in the ledger, and the last of them by key. `rejected` counts rejected writes."""

    batches: int
    latest: str | None
    rejected: int


def probe(primary: Database) -> None:
    """Return if the primary takes a write: one is made, in the ledger, and undone. Raises the faults otherwise."""
    connection = primary.live_connection()
    try:
        _write_and_undo(connection)
    except BaseException as error:
        primary.drop()
        if isinstance(error, pymysql.Error | OSError) and (fault := meaning(error)):
            raise fault from None
        raise


def _write_and_undo(connection: Connection) -> None:
    with connection.cursor() as cursor:
        # An account that may write to a read-only server would not notice that it is one.
        cursor.execute("SELECT @@read_only")
        found = cursor.fetchone()
        if found and found[0]:
            raise DatabaseAway("the primary is read-only")
        connection.begin()
        cursor.execute(
            "INSERT INTO loaded_batches (object_key, etag, applied, stale, rejected, duration_ms, loaded_at) "
            "VALUES (%s, '', 0, 0, 0, 0, UTC_TIMESTAMP(6))",
            (f"probe/{uuid4()}",),
        )
        connection.rollback()


def see_primary(primary: Database) -> Primary:
    """What is to be said of the primary."""
    try:
        probe(primary)
    except _FAULTS as fault:
        answers = _answers(primary)
        return Primary(answers, takes_writes=False, reason=f"{type(fault).__name__}: {fault}")
    return Primary(answers=True, takes_writes=True)


def see_replica(primary: Database, replica: Database, clock: Callable[[], float], patience: float) -> Replica:
    """Wait up to `patience` seconds for the replica to come to where the primary is now, and say whether it did.

    It is tried out with a heartbeat; its position alone may mislead (see sluice.recovering.heartbeat).
    """
    try:
        replica.live_connection()
    except _FAULTS as fault:
        return Replica(answers=False, follows=False, reason=f"{type(fault).__name__}: {fault}")
    try:
        version = heartbeat.beat(primary)
        position = primary.query("SELECT @@gtid_binlog_pos AS position", ())[0]["position"]
        if not position:
            return Replica(answers=True, follows=False, reason="the primary keeps no log that a replica could follow")
        started = clock()
        late = replica.query("SELECT MASTER_GTID_WAIT(%s, %s) AS late", (position, patience))[0]["late"]
        heard = heartbeat.heard(replica)
    except _FAULTS as fault:
        return Replica(answers=True, follows=False, reason=f"{type(fault).__name__}: {fault}")
    if late:
        return Replica(answers=True, follows=False, reason=f"behind the primary for more than {patience:g} s")
    if heard < version:
        return Replica(answers=True, follows=False, reason="it has not what the primary wrote: it is another's replica")
    return Replica(answers=True, follows=True, seconds=round(clock() - started, 3))


def see_ledger(primary: Database) -> Ledger | None:
    """What is in the ledger and among the rejects, or None when the primary does not say."""
    try:
        batches = primary.query("SELECT COUNT(*) AS n, MAX(object_key) AS latest FROM loaded_batches", ())[0]
        rejected = primary.query("SELECT COUNT(*) AS n FROM rejected_writes", ())[0]
    except _FAULTS:
        return None
    return Ledger(batches["n"], batches["latest"], rejected["n"])


def _answers(database: Database) -> bool:
    try:
        database.query("SELECT 1", ())
    except _FAULTS:
        return False
    return True


def told(primary: Primary, replica: Replica) -> str:
    """Both in one sentence, for an alert."""
    first = "The primary takes writes" if primary.takes_writes else f"The primary takes no writes ({primary.reason})"
    second = "the replica follows it" if replica.follows else f"the replica does not follow ({replica.reason})"
    return f"{first}; {second}."


def survey(primary: Database, replica: Database, clock: Callable[[], float], patience: float) -> dict[str, Any]:
    """All of it. Never raises for a database that is away."""
    first = see_primary(primary)
    second = see_replica(primary, replica, clock, patience)
    found = {"primary": first, "replica": second, "ledger": see_ledger(primary), "sentence": told(first, second)}
    return dict(msgspec.to_builtins(found))
