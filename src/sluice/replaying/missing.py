"""Which of some batches are missing: neither in the ledger nor set aside as unreadable."""

from collections.abc import Iterable, Sequence

from sluice.archive import Listed, pages
from sluice.database import Database

QUARANTINE = "quarantine/"

# MariaDB makes a table of a longer list.
_ASKED_AT_ONCE = 500


def loaded(database: Database, objects: Sequence[Listed]) -> set[tuple[str, str]]:
    """Key and ETag of those objects that are in the ledger. Raises the faults of `sluice.faults`."""
    found: set[tuple[str, str]] = set()
    for start in range(0, len(objects), _ASKED_AT_ONCE):
        keys = tuple(one.key for one in objects[start : start + _ASKED_AT_ONCE])
        marks = ", ".join(["%s"] * len(keys))
        rows = database.query(
            f"SELECT object_key, etag FROM loaded_batches WHERE object_key IN ({marks})",  # noqa: S608  only marks
            keys,
        )
        found.update((row["object_key"], row["etag"]) for row in rows)
    return found


def quarantined(bucket: str, objects: Iterable[Listed]) -> set[str]:
    """The keys of those objects that were set aside. One that came later under the same key is another object."""
    ages = {one.key: one.modified for one in objects}
    if not ages:
        return set()
    first, last = QUARANTINE + min(ages), QUARANTINE + max(ages)
    copies = (copy for page in pages(bucket, QUARANTINE, first[:-1], last) for copy in page)
    keys = ((copy.key.removeprefix(QUARANTINE), copy.modified) for copy in copies)
    return {key for key, copied in keys if key in ages and copied >= ages[key]}


def missing(database: Database, bucket: str, objects: Sequence[Listed]) -> list[Listed]:
    """Those objects that a load has yet to apply. Raises the faults of `sluice.faults` and botocore's errors."""
    there = loaded(database, objects)
    lacking = [one for one in objects if (one.key, one.etag) not in there]
    aside = quarantined(bucket, lacking)
    return [one for one in lacking if one.key not in aside]
