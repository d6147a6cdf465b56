"""From a window of time to a range of keys.

An object's key has the hour in which its oldest record arrived, so that keys are in the order of time, hour by hour.
"""

import datetime
from dataclasses import dataclass

from sluice.replaying.request import Request

PREFIXES = {"batches": "batches/", "archive": "archive/"}

# An object has writes that came up to two buffers (15 minutes each) after its oldest one.
OVERLAP = datetime.timedelta(hours=1)
# Between the clocks of the API and of Firehose.
SKEW = datetime.timedelta(minutes=1)
# Above every character that a key has, for the end of a range.
_ABOVE = "~"


@dataclass(frozen=True)
class Range:
    """The keys above `after` and not above `until`, all with the prefix."""

    prefix: str
    after: str
    until: str


def key_range(request: Request) -> Range:
    """The range of keys that holds every write which arrived in the request's window, and some that did not."""
    prefix = PREFIXES[request.source]
    after = f"{prefix}{_hour(request.from_ - OVERLAP)}/" if request.from_ else ""
    until = f"{prefix}{_hour(request.to + SKEW)}/{_ABOVE}" if request.to else f"{prefix}{_ABOVE}"
    return Range(prefix, after, until)


def _hour(moment: datetime.datetime) -> str:
    return f"{moment.astimezone(datetime.UTC):%Y/%m/%d/%H}"
