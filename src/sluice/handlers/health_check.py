"""What the database is like: `{}` in, a survey out; with `{"probe": true}` a primary that takes no writes is an error.

With `since`, a date-time, the answer has how many `seconds` ago that was.
"""

import datetime
import time
from typing import Any

import msgspec

from sluice.db.connection import Database
from sluice.observability import Event, add_log_fields, instrument_handler
from sluice.recovery.database_health import check_health, probe_primary
from sluice.settings import DatabaseSettings, HealthCheckSettings, read_settings

# How long the replica may take to come to where the primary is.
REPLICA_WAIT_SECONDS = 15.0


STATEMENT_SECONDS = 20


_settings = read_settings(HealthCheckSettings)


_primary = Database(_settings, statement_timeout_seconds=STATEMENT_SECONDS)


_replica = Database(
    DatabaseSettings(
        _settings.replica_host, _settings.replica_port, _settings.database_name, _settings.reader_secret_arn
    ),
    statement_timeout_seconds=STATEMENT_SECONDS,
)


@instrument_handler
def handle(event: Event, _context: Any) -> dict[str, Any]:
    """Probe or survey. Raises the faults of `sluice.db.errors` when probing only."""
    passed = _seconds_since(event["since"]) if "since" in event else None
    if event.get("probe"):
        probe_primary(_primary)
        return {"seconds": passed}
    found = check_health(_primary, _replica, time.monotonic, REPLICA_WAIT_SECONDS)
    add_log_fields(database=found["sentence"])
    return {**found, "seconds": passed}


def _seconds_since(moment: str) -> int:
    since = msgspec.convert(moment, datetime.datetime, strict=False)
    return round((datetime.datetime.now(datetime.UTC) - since).total_seconds())
