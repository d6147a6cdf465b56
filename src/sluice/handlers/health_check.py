"""Check the health of the database: `{}` returns a report; `{"probe": true}` fails unless the primary accepts writes.

With `since`, a date-time, the result has the `seconds` since then.
"""

import datetime
import time
from typing import Any

import msgspec

from sluice.db.connection import Database
from sluice.observability import Event, add_log_fields, instrument_handler
from sluice.recovery.database_health import check_health, probe_primary
from sluice.settings import DatabaseSettings, HealthCheckSettings, read_settings

# How long the replica may take to get the primary's heartbeat.
REPLICA_WAIT_SECONDS = 15.0
STATEMENT_TIMEOUT_SECONDS = 20

_settings = read_settings(HealthCheckSettings)
_primary = Database(_settings, statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS)
_replica = Database(
    DatabaseSettings(
        _settings.replica_host, _settings.replica_port, _settings.database_name, _settings.reader_secret_arn
    ),
    statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS,
)


@instrument_handler
def handle(event: Event, _context: Any) -> dict[str, Any]:
    """Probe the primary, or check the health. Only a probe raises the database errors of `sluice.errors`."""
    seconds = _seconds_since(event["since"]) if "since" in event else None
    if event.get("probe"):
        probe_primary(_primary)
        return {"seconds": seconds}
    health = check_health(_primary, _replica, time.monotonic, REPLICA_WAIT_SECONDS)
    add_log_fields(database=health["summary"])
    return {**health, "seconds": seconds}


def _seconds_since(time_text: str) -> int:
    since = msgspec.convert(time_text, datetime.datetime, strict=False)
    return round((datetime.datetime.now(datetime.UTC) - since).total_seconds())
