"""What the health check says about the replicas, in words for an operator."""

from collections.abc import Iterator
from typing import Any

Replica = dict[str, Any]
"""A replica of the health check's report: `name`, `is_reachable`, `replicates`, `seconds`, `reason`."""


def read_replicas(health: dict[str, Any]) -> list[Replica]:
    """The replicas in a report of the health check. The report of an older version has one without a name."""
    if "replicas" not in health:
        return [{"name": "replica-1", **health["replica"]}]
    replicas: list[Replica] = health["replicas"]
    return replicas


def compute_lag(replicas: list[Replica]) -> float | None:
    """The seconds that the slowest replica needed to get a heartbeat; None when none replicates."""
    return max((replica["seconds"] for replica in replicas if replica["replicates"]), default=None)


def list_replica_rows(primary: dict[str, Any], replicas: list[Replica]) -> list[tuple[str, str]]:
    """Name and state of each replica, for a person."""
    if not replicas:
        return [("replicas", "none: the primary serves the reads")]
    return [(replica["name"], _describe_replica(primary, replica)) for replica in replicas]


def _describe_replica(primary: dict[str, Any], replica: Replica) -> str:
    if replica["replicates"]:
        return f"replicates, {replica['seconds']} s behind"
    if not replica["is_reachable"]:
        return f"does not respond: {replica['reason']}"
    if not primary["is_reachable"]:
        return "responds; replication is unknown while the primary is unavailable"
    return f"does not replicate: {replica['reason']}"


def advise_on_replicas(primary: dict[str, Any], replicas: list[Replica]) -> Iterator[str]:
    """What needs attention, a sentence each."""
    if not replicas and not primary["is_reachable"]:
        yield "There is no replica, so reads fail while the primary does not respond."
    silent = [replica["name"] for replica in replicas if not replica["is_reachable"]]
    # Without the primary, replication is unknown.
    stopped = [
        replica["name"]
        for replica in replicas
        if replica["is_reachable"] and not replica["replicates"] and primary["is_reachable"]
    ]
    if silent:
        consequence = "reads fail" if len(silent) == len(replicas) else "the others serve the reads"
        yield f"{_join_names(silent)} not respond: {consequence}."
    if stopped:
        is_last = len(silent) + len(stopped) == len(replicas)
        yield f"{_join_names(stopped)} not replicate: {'reads are stale' if is_last else 'the others serve the reads'}."


def _join_names(names: list[str]) -> str:
    """The names as the subject of a sentence, with its verb."""
    return f"{names[0]} does" if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]} do"


def is_serving(primary: dict[str, Any], replica: Replica) -> bool:
    """Whether a replica answers, and follows the primary as far as that is known."""
    return bool(replica["is_reachable"] and (replica["replicates"] or not primary["accepts_writes"]))
