"""The keys of batches in S3: their prefixes, and how a time maps to keys.

Firehose puts the UTC hour in which an object's oldest record arrived into the key. So keys sort by time, hour by hour.
"""

import datetime

BATCH_PREFIX = "batches/"
ARCHIVE_PREFIX = "archive/"
QUARANTINE_PREFIX = "quarantine/"  # the key of the batch follows
SOURCE_PREFIXES = {"batches": BATCH_PREFIX, "archive": ARCHIVE_PREFIX}  # by the source of a replay

# Greater than every character of a key: ends a range of keys.
ABOVE_ALL_KEYS = "~"
# An object has writes that arrived up to two buffers (15 minutes each) after its oldest one. So the writes of an hour
# are in objects whose key has this hour or the hour before, and copies of one write can differ by as much.
KEY_OVERLAP = datetime.timedelta(hours=1)
# Between the clocks of the API and of Firehose.
CLOCK_SKEW = datetime.timedelta(minutes=1)

_HOUR_FORMAT = "%Y/%m/%d/%H"


def format_hour(time: datetime.datetime) -> str:
    """Format the UTC hour of a time as a key has it, such as `2026/11/29/04`."""
    return time.astimezone(datetime.UTC).strftime(_HOUR_FORMAT)


def parse_hour(key: str) -> datetime.datetime | None:
    """Parse the hour in a key. Returns None for a key that does not come from Firehose."""
    try:
        return datetime.datetime.strptime("/".join(key.split("/")[1:5]), _HOUR_FORMAT).replace(tzinfo=datetime.UTC)
    except ValueError:
        return None
