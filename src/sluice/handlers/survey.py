"""What the database is like: `{}` in, a survey out; with `{"probe": true}` a primary that takes no writes is an error.

With `since`, a date-time, the answer has how many `seconds` ago that was.
"""

import datetime
import time
from typing import Any

import msgspec

from sluice.database import Database
from sluice.observability import Event, note, observed
from sluice.recovering.survey import probe, survey
from sluice.settings import DatabaseSettings, SurveySettings, read

# How long the replica may take to come to where the primary is.
PATIENCE = 15.0
STATEMENT_SECONDS = 20

_settings = read(SurveySettings)
_primary = Database(_settings, statement_seconds=STATEMENT_SECONDS)
_replica = Database(
    DatabaseSettings(
        _settings.replica_host, _settings.replica_port, _settings.database_name, _settings.reader_secret_arn
    ),
    statement_seconds=STATEMENT_SECONDS,
)


@observed
def handle(event: Event, _context: Any) -> dict[str, Any]:
    """Probe or survey. Raises the faults of `sluice.faults` when probing only."""
    passed = _seconds_since(event["since"]) if "since" in event else None
    if event.get("probe"):
        probe(_primary)
        return {"seconds": passed}
    found = survey(_primary, _replica, time.monotonic, PATIENCE)
    note(database=found["sentence"])
    return {**found, "seconds": passed}


def _seconds_since(moment: str) -> int:
    since = msgspec.convert(moment, datetime.datetime, strict=False)
    return round((datetime.datetime.now(datetime.UTC) - since).total_seconds())
