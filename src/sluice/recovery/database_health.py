"""Check the health of the database: does the primary accept writes, and does each replica follow it.

A replica's position alone is misleading. A replica whose threads have stopped is up to date until the next commit, and
the replica of a lost primary is further than the primary that was restored in its place. RDS does not allow SHOW
REPLICA STATUS. So the check commits a heartbeat on the primary and looks for it on the replicas. The heartbeat is one
row that no load touches.
"""

import datetime
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

import msgspec
import pymysql

from sluice.db.connection import Connection, Database
from sluice.db.errors import classify_error
from sluice.errors import DATABASE_ERRORS, DatabaseUnavailable
from sluice.model.versions import new_version
from sluice.recovery.heartbeat import ask_each, read_position, wait_for_position

_HEARTBEAT_NAME = "heartbeat"


class PrimaryHealth(msgspec.Struct):
    """`reason` says why the primary accepts no writes."""

    is_reachable: bool
    accepts_writes: bool
    reason: str = ""


class ReplicaHealth(msgspec.Struct):
    """`replicates`: the replica got everything that the primary had at the start of the check; that took `seconds`."""

    name: str
    is_reachable: bool
    replicates: bool
    seconds: float | None = None
    reason: str = ""


class LedgerSummary(msgspec.Struct):
    """The number of batches in the ledger, the key of the last one, and the number of rejected writes."""

    batches: int
    latest: str | None
    rejected: int


class Heartbeat(msgspec.Struct, frozen=True):
    """What a replica must get: a position of the primary, and a version that was committed before it.

    The version is empty when the primary accepts no writes. `fault` says why there is no position.
    """

    position: str = ""
    version: str = ""
    fault: str = ""


def check_health(
    primary: Database, replicas: Mapping[str, Database], clock: Callable[[], float], wait_seconds: float
) -> dict[str, Any]:
    """Check primary, replicas (by name) and ledger. Never raises when a database is unavailable."""
    primary_health = check_primary(primary)
    replica_health = check_replicas(primary, primary_health, replicas, clock, wait_seconds)
    health = {
        "primary": primary_health,
        "replicas": replica_health,
        # One that does not answer is not asked again: its timeouts would add up to more than the function has.
        "ledger": read_ledger_summary(primary) if primary_health.is_reachable else None,
        "summary": describe_health(primary_health, replica_health),
    }
    return dict(msgspec.to_builtins(health))


def require_replication(health: dict[str, Any], name: str) -> None:
    """Raise DatabaseUnavailable with the reason unless a replica, such as replica-1, follows the primary."""
    replica = next((replica for replica in health["replicas"] if replica["name"] == name), None)
    if replica is None:
        raise DatabaseUnavailable(f"there is no {name}")
    if not replica["replicates"]:
        raise DatabaseUnavailable(f"{name} does not follow the primary: {replica['reason']}")


def check_primary(primary: Database) -> PrimaryHealth:
    """Check whether the primary is reachable and accepts writes."""
    try:
        probe_primary(primary)
    except DATABASE_ERRORS as error:
        return PrimaryHealth(_is_reachable(primary), accepts_writes=False, reason=f"{type(error).__name__}: {error}")
    return PrimaryHealth(is_reachable=True, accepts_writes=True)


def probe_primary(primary: Database) -> None:
    """Insert a row into the primary's ledger and roll back. Raises the database errors of `sluice.errors`."""
    connection = primary.get_live_connection()
    try:
        _write_and_roll_back(connection)
    except BaseException as error:
        primary.drop_connection()
        if isinstance(error, pymysql.Error | OSError) and (classified := classify_error(error)):
            raise classified from None
        raise


def _write_and_roll_back(connection: Connection) -> None:
    with connection.cursor() as cursor:
        # Some accounts may write to a read-only server: for them the insert alone would succeed.
        cursor.execute("SELECT @@read_only")
        row = cursor.fetchone()
        if row and row[0]:
            raise DatabaseUnavailable("the primary is read-only")
        connection.begin()
        cursor.execute(
            "INSERT INTO loaded_batches (object_key, etag, applied, stale, rejected, duration_ms, loaded_at) "
            "VALUES (%s, '', 0, 0, 0, 0, UTC_TIMESTAMP(6))",
            (f"probe/{uuid4()}",),
        )
        connection.rollback()


def _is_reachable(database: Database) -> bool:
    try:
        database.query("SELECT 1", ())
    except DATABASE_ERRORS:
        return False
    return True


def check_replicas(
    primary: Database,
    primary_health: PrimaryHealth,
    replicas: Mapping[str, Database],
    clock: Callable[[], float],
    wait_seconds: float,
) -> list[ReplicaHealth]:
    """Check which replicas get within `wait_seconds` what the primary has now, a new heartbeat included."""
    if not replicas:
        return []
    heartbeat = _send_heartbeat(primary) if primary_health.is_reachable else Heartbeat(fault=primary_health.reason)
    checks = ask_each(replicas, lambda replica: _check_replica(replica, heartbeat, clock, wait_seconds))
    return [msgspec.structs.replace(health, name=name) for name, health in checks.items()]


def _check_replica(
    replica: Database, heartbeat: Heartbeat, clock: Callable[[], float], wait_seconds: float
) -> ReplicaHealth:
    try:
        replica.get_live_connection()
    except DATABASE_ERRORS as error:
        return ReplicaHealth("", is_reachable=False, replicates=False, reason=f"{type(error).__name__}: {error}")
    if not heartbeat.position:
        return ReplicaHealth("", is_reachable=True, replicates=False, reason=heartbeat.fault)
    try:
        started = clock()
        in_time = wait_for_position(replica, heartbeat.position, wait_seconds)
        replicated = _read_heartbeat(replica)
    except DATABASE_ERRORS as error:
        return ReplicaHealth("", is_reachable=True, replicates=False, reason=f"{type(error).__name__}: {error}")
    if not in_time:
        reason = f"more than {wait_seconds:g} s behind the primary"
        return ReplicaHealth("", is_reachable=True, replicates=False, reason=reason)
    if replicated < heartbeat.version:
        reason = "it lacks the primary's heartbeat: it replicates another primary"
        return ReplicaHealth("", is_reachable=True, replicates=False, reason=reason)
    return ReplicaHealth("", is_reachable=True, replicates=True, seconds=round(clock() - started, 3))


def _send_heartbeat(primary: Database) -> Heartbeat:
    version = _write_heartbeat(primary)
    try:
        position = read_position(primary)
    except DATABASE_ERRORS as error:
        return Heartbeat(fault=f"{type(error).__name__}: {error}")
    return Heartbeat(position, version, "" if position else "the primary writes no binary log")


def _write_heartbeat(primary: Database) -> str:
    """Commit a new version and return it; empty when the primary accepts no writes."""
    version = new_version()
    try:
        primary.query(
            "INSERT INTO marks (name, version) VALUES (%s, %s) ON DUPLICATE KEY UPDATE version = VALUES(version)",
            (_HEARTBEAT_NAME, version),
        )
    except DATABASE_ERRORS:
        return ""
    return version


def _read_heartbeat(replica: Database) -> str:
    """The last version that the replica has; empty when it has none."""
    rows = replica.query("SELECT version FROM marks WHERE name = %s", (_HEARTBEAT_NAME,))
    return str(rows[0]["version"]) if rows else ""


def read_ledger_summary(primary: Database) -> LedgerSummary | None:
    """Summarise the ledger and the rejected writes, or return None when the primary does not answer."""
    try:
        batches = primary.query("SELECT COUNT(*) AS n, MAX(object_key) AS latest FROM loaded_batches", ())[0]
        rejected = primary.query("SELECT COUNT(*) AS n FROM rejected_writes", ())[0]
    except DATABASE_ERRORS:
        return None
    return LedgerSummary(batches["n"], batches["latest"], rejected["n"])


def count_loads_since(primary: Database, since: datetime.datetime) -> int | None:
    """Count the batches that were loaded since a time, or return None when the primary does not answer."""
    moment = since.astimezone(datetime.UTC).replace(tzinfo=None)
    try:
        rows = primary.query("SELECT COUNT(*) AS n FROM loaded_batches WHERE loaded_at >= %s", (moment,))
    except DATABASE_ERRORS:
        return None
    return int(rows[0]["n"])


def describe_health(primary: PrimaryHealth, replicas: list[ReplicaHealth]) -> str:
    """Describe primary and replicas in one sentence for an alert."""
    first = (
        "The primary accepts writes" if primary.accepts_writes else f"The primary accepts no writes ({primary.reason})"
    )
    return f"{first}; {_describe_replicas(replicas)}."


def _describe_replicas(replicas: list[ReplicaHealth]) -> str:
    if not replicas:
        return "there is no replica"
    others = [f"{replica.name} does not follow it ({replica.reason})" for replica in replicas if not replica.replicates]
    if not others:
        return "its replica follows it" if len(replicas) == 1 else f"its {len(replicas)} replicas follow it"
    return "; ".join(others)
