"""Plan a replay and verify it: list S3 page by page and leave out what the ledger has."""

import datetime
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from sluice.aws.s3 import Bucket, ListedObject
from sluice.db.connection import Database
from sluice.model.batch_keys import QUARANTINE_PREFIX
from sluice.replay.replay_plan import ReplayPlan
from sluice.replay.replay_request import compute_key_range, parse_replay_request

# MariaDB makes a table of a longer list.
_KEYS_PER_QUERY = 500


def find_loaded(database: Database, objects: Sequence[ListedObject]) -> set[tuple[str, str]]:
    """Key and ETag of those objects that are in the ledger. Raises the faults of `sluice.db.errors`."""
    found: set[tuple[str, str]] = set()
    for start in range(0, len(objects), _KEYS_PER_QUERY):
        keys = tuple(one.key for one in objects[start : start + _KEYS_PER_QUERY])
        marks = ", ".join(["%s"] * len(keys))
        rows = database.query(
            f"SELECT object_key, etag FROM loaded_batches WHERE object_key IN ({marks})",  # noqa: S608  only marks
            keys,
        )
        found.update((row["object_key"], row["etag"]) for row in rows)
    return found


def find_quarantined(bucket: Bucket, objects: Iterable[ListedObject]) -> set[str]:
    """The keys of those objects that were set aside. One that came later under the same key is another object."""
    ages = {one.key: one.modified for one in objects}
    if not ages:
        return set()
    first, last = QUARANTINE_PREFIX + min(ages), QUARANTINE_PREFIX + max(ages)
    copies = (copy for page in bucket.list_objects(QUARANTINE_PREFIX, first[:-1], last) for copy in page)
    keys = ((copy.key.removeprefix(QUARANTINE_PREFIX), copy.modified) for copy in copies)
    return {key for key, copied in keys if key in ages and copied >= ages[key]}


def find_missing(database: Database, bucket: Bucket, objects: Sequence[ListedObject]) -> list[ListedObject]:
    """Those objects that a load has yet to apply. Raises the faults of `sluice.db.errors` and botocore's errors."""
    there = find_loaded(database, objects)
    lacking = [one for one in objects if (one.key, one.etag) not in there]
    aside = find_quarantined(bucket, lacking)
    return [one for one in lacking if one.key not in aside]


# Objects of one part. The last page may bring up to 999 more.
PART_SIZE = 5_000


_encoder = msgspec.json.Encoder()


@dataclass(frozen=True)
class Buckets:
    """Where the objects are. The manifests and results go to that of the batches."""

    batches: Bucket
    archive: Bucket


class Planner:
    """Looks through S3 in steps, each as long as its caller has time. `primary` has the ledger, `shadow` a rebuild's.

    A replica would do as well for the tables, but what it lacks while it lags would be taken for missing.
    """

    def __init__(self, primary: Database, shadow: Database, buckets: Buckets, concurrency: int) -> None:
        self._primary = primary
        self._shadow = shadow
        self._buckets = buckets
        self._concurrency = concurrency

    def begin_replay(self, name: str, given: Any, known: Collection[str], now: datetime.datetime) -> ReplayPlan:
        """A new plan for an execution's input. Raises the errors of `sluice.model.workflow_input`."""
        request = parse_replay_request(given, known, now)
        archived = request.source == "archive"
        return ReplayPlan(
            name=name,
            request=request,
            bucket=(self._buckets.archive if archived else self._buckets.batches).name,
            started_at=now,
            before=now - datetime.timedelta(seconds=request.min_age),
            # A rebuild takes its time, and leaves room for the loads of live traffic.
            concurrency=max(1, self._concurrency - 1) if request.shadow else self._concurrency,
            patience=2 * self._concurrency,
            archived=archived,
            reload=request.mode == "all",
        )

    def plan_next_part(self, plan: ReplayPlan, seconds: float) -> ReplayPlan:
        """Find the next part, write its manifest, and say in the plan how far that got.

        It takes up to `seconds` and the time of one page. Raises the faults of `sluice.db.errors` and botocore's
        errors.
        """
        deadline, found = time.monotonic() + seconds, list[ListedObject]()
        for page in self._pages(plan, plan.cursor):
            plan.cursor = page[-1].key
            counted = self._counted(plan, page)
            plan.listed += len(counted)
            plan.listed_bytes += sum(one.size for one in counted)
            found += counted if plan.reload else self._missing(plan, counted)
            if len(found) >= PART_SIZE or time.monotonic() > deadline:
                break
        else:
            plan.done = True
        plan.planned.add_objects(found)
        plan.start_part(len(found))
        if found:
            self._buckets.batches.write_object(plan.manifest, b"".join(_line(one) for one in found))
        return plan

    def verify_remaining(self, plan: ReplayPlan, seconds: float) -> ReplayPlan:
        """Go on listing S3 and the ledger once more, and count what remains. As `plan` in time and errors.

        What is not entered in the ledger can only be told from what its loads said.
        """
        if not plan.request.uses_ledger:
            plan.remaining.objects = plan.planned.objects - plan.count.loaded - plan.count.already_loaded
            plan.verified = True
            return plan
        deadline = time.monotonic() + seconds
        for page in self._pages(plan, plan.verify_cursor):
            plan.verify_cursor = page[-1].key
            plan.remaining.add_objects(self._missing(plan, self._counted(plan, page)))
            if time.monotonic() > deadline:
                return plan
        plan.verified = True
        return plan

    def _missing(self, plan: ReplayPlan, objects: list[ListedObject]) -> list[ListedObject]:
        return find_missing(self._shadow if plan.request.shadow else self._primary, self._source_bucket(plan), objects)

    def _source_bucket(self, plan: ReplayPlan) -> Bucket:
        return self._buckets.archive if plan.archived else self._buckets.batches

    def _pages(self, plan: ReplayPlan, cursor: str) -> Iterator[list[ListedObject]]:
        keys = compute_key_range(plan.request)
        return self._source_bucket(plan).list_objects(keys.prefix, max(keys.after, cursor), keys.until)

    @staticmethod
    def _counted(plan: ReplayPlan, page: list[ListedObject]) -> list[ListedObject]:
        return [one for one in page if one.modified <= plan.before]


def _line(one: ListedObject) -> bytes:
    return _encoder.encode({"key": one.key, "etag": one.etag, "size": one.size}) + b"\n"
