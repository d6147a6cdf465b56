"""Whether S3 has what the tables can be made of."""

import datetime

from sluice import archive
from sluice.inputs import NothingToBuildFrom

PREFIXES = {"batches": "batches/", "archive": "archive/"}
_ABOVE = "~"
# Of one write: the batch and the archive's object that have it may begin with other writes.
TOLERANCE = datetime.timedelta(hours=1)


def check(source: str, buckets: dict[str, str]) -> None:
    """Return if the tables can be made of a source. Raises NothingToBuildFrom with a sentence; botocore's errors."""
    first = {name: _first(bucket, PREFIXES[name]) for name, bucket in buckets.items()}
    if not first[source]:
        other = next(name for name in PREFIXES if name != source)
        hint = f" Build from the {other}." if first[other] else " The other bucket has nothing either."
        raise NothingToBuildFrom(f"There is nothing under {PREFIXES[source]} of the bucket {buckets[source]}.{hint}")
    begins, older = _hour(first[source]), _hour(first["archive"])
    # Batches expire long before the archive does.
    if source == "batches" and begins and older and older < begins - TOLERANCE:
        raise NothingToBuildFrom(
            f"The batches begin with {begins:%Y-%m-%dT%H}Z, the archive with {older:%Y-%m-%dT%H}Z: build from the "
            "archive, which then takes the batches in too."
        )


def _first(bucket: str, prefix: str) -> str:
    page = next(archive.pages(bucket, prefix, "", f"{prefix}{_ABOVE}"), [])
    return page[0].key if page else ""


def _hour(key: str) -> datetime.datetime | None:
    """The hour that Firehose gave a key; None for a key of another kind."""
    try:
        return datetime.datetime.strptime("/".join(key.split("/")[1:5]), "%Y/%m/%d/%H").replace(tzinfo=datetime.UTC)
    except ValueError:
        return None
