"""What in a status wants somebody's attention, and the command that helps."""

from typing import Any

from ops.moments import duration
from ops.printing import batches, many

# Longer than a delivered batch takes to be loaded, retries included.
LONG = 900


def attention(found: dict[str, Any]) -> list[str]:
    """A sentence for each thing; none when all is well."""
    said = [*_database(found), *_batches(found)]
    if count := found["quarantined"]:
        said.append(f"{batches(count)} cannot be read: `sluice quarantine list`.")
    if count := found["rejects"]:
        said.append(f"{many(count, 'write')} could not be taken: `sluice rejects list`.")
    if count := found["undelivered"]:
        said.append(f"{many(count, 'object')} under errors/: Firehose could not deliver these; see docs/operate.md.")
    if count := found["dead_letters"]:
        said.append(f"{many(count, 'event')} started nothing; what they were for is loaded by `sluice recover --wait`.")
    return said


def _database(found: dict[str, Any]) -> list[str]:
    said = []
    if not found["primary"]["answers"]:
        said.append("The primary does not answer. Writes go on being accepted; recover loads them when it is back.")
    elif not found["primary"]["takes_writes"]:
        said.append("The primary takes no writes. They go on being accepted; recover loads them when it does.")
    if not found["replica"]["answers"]:
        said.append("The replica does not answer: reads fail.")
    elif not found["replica"]["follows"] and found["primary"]["answers"]:
        said.append("The replica does not follow: reads are stale.")
    return said


def _batches(found: dict[str, Any]) -> list[str]:
    running = any(found["running"].values())
    if found["parked"]:
        helps = "a workflow is at work, see `sluice executions`" if running else "`sluice recover --wait`"
        return [f"{batches(found['parked'])} parked: {helps}."]
    missing = found["waiting"]
    if missing and missing["batches"] and missing["age_seconds"] > LONG and not (running or found["loading"]):
        return [f"Nothing loads what waits for {duration(missing['age_seconds'])}: `sluice recover --wait`."]
    return []
