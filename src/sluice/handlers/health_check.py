"""Check the health of the database: `{}` returns a report; `{"probe": true}` fails unless the primary accepts writes.

With `since`, a date-time, the result has the `seconds` since then, and a report the number of batches `loaded` since
then (null if the primary does not answer). `{"heartbeat": true}`, each minute, writes a new moment to the primary, and
what the replicas show of it to S3.
"""

import datetime
import time
from typing import Any

import msgspec

from sluice.aws.s3 import S3Client
from sluice.db.connection import Database
from sluice.observability import Event, add_log_fields, instrument_handler
from sluice.recovery.database_health import check_health, count_loads_since, probe_primary, require_replication
from sluice.recovery.heartbeat import READS_STATE_KEY, send_heartbeat
from sluice.settings import HealthCheckSettings, place_databases, read_settings

# How long a replica may take to get the primary's heartbeat.
REPLICA_WAIT_SECONDS = 15.0
# A server that hangs costs the timeout for each statement and for each attempt to connect. These sum up to less than
# the function's time when all servers hang: three times the primary's, and twice the replicas', which wait together.
PRIMARY_TIMEOUT_SECONDS = 10
REPLICA_TIMEOUT_SECONDS = 20
# A heartbeat is over before the next one, also when all databases hang.
HEARTBEAT_TIMEOUT_SECONDS = 5

_settings = read_settings(HealthCheckSettings)


def _create_replicas(statement_timeout_seconds: int) -> dict[str, Database]:
    """A connection to each replica, by its name."""
    places = place_databases(_settings.replica_endpoints, _settings.database_name, _settings.reader_secret_arn)
    return {
        f"replica-{number}": Database(place, statement_timeout_seconds=statement_timeout_seconds)
        for number, place in enumerate(places, start=1)
    }


_primary = Database(_settings, statement_timeout_seconds=PRIMARY_TIMEOUT_SECONDS)
_replicas = _create_replicas(REPLICA_TIMEOUT_SECONDS)
_heartbeat_primary = Database(_settings, statement_timeout_seconds=HEARTBEAT_TIMEOUT_SECONDS)
_heartbeat_replicas = _create_replicas(HEARTBEAT_TIMEOUT_SECONDS)
_bucket = S3Client().bucket(_settings.batch_bucket)


@instrument_handler
def handle(event: Event, _context: Any) -> dict[str, Any]:
    """Probe the primary, send a heartbeat, or check the health.

    Only a probe, and the check of one `replica`, raise the database errors of `sluice.errors`.
    """
    if event.get("heartbeat"):
        return _send_heartbeat()
    since = msgspec.convert(event["since"], datetime.datetime, strict=False) if "since" in event else None
    seconds = round((datetime.datetime.now(datetime.UTC) - since).total_seconds()) if since else None
    if event.get("probe"):
        probe_primary(_primary)
        return {"seconds": seconds}
    health = check_health(_primary, _replicas, time.monotonic, REPLICA_WAIT_SECONDS)
    add_log_fields(database=health["summary"])
    if "replica" in event:
        require_replication(health, event["replica"])
    loaded = count_loads_since(_primary, since) if since and health["ledger"] else None
    return {**health, "seconds": seconds, "loaded": loaded}


def _send_heartbeat() -> dict[str, Any]:
    state = send_heartbeat(_heartbeat_primary, _heartbeat_replicas, lambda: datetime.datetime.now(datetime.UTC))
    _bucket.write_object(READS_STATE_KEY, msgspec.json.encode(state))
    add_log_fields(is_available=state.is_available, as_of=state.as_of)
    return dict(msgspec.to_builtins(state))
