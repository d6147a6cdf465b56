"""Plan and verify a replay: list S3 page by page, and leave out the objects that the ledger has."""

import datetime
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from sluice.aws.s3 import Bucket, ListedObject
from sluice.db.connection import Database
from sluice.model.batch_keys import QUARANTINE_PREFIX
from sluice.replay.replay_plan import ReplayPlan, compute_key_range, parse_replay_request

# Objects per part. The last page may add up to 999.
PART_SIZE = 5_000

# MariaDB converts a longer IN list to a temporary table.
KEYS_PER_QUERY = 500

_encoder = msgspec.json.Encoder()


class LoadedBatch(msgspec.Struct, frozen=True):
    """An entry of the ledger: a batch, the counts of its writes, and when its load ended (UTC)."""

    key: str
    etag: str
    applied: int
    stale: int
    rejected: int
    loaded_at: datetime.datetime


@dataclass(frozen=True)
class Buckets:
    """The two buckets. Manifests and results are in the bucket of the batches."""

    batches: Bucket
    archive: Bucket


class Planner:
    """Lists S3 in steps of limited time. `primary` has the live ledger, `shadow` that of a rebuild.

    A replica would be wrong: batches that it has not replicated yet would count as missing.
    """

    def __init__(self, primary: Database, shadow: Database, buckets: Buckets, concurrency: int) -> None:
        self._primary = primary
        self._shadow = shadow
        self._buckets = buckets
        self._concurrency = concurrency

    def begin_replay(self, name: str, value: Any, collections: Collection[str], now: datetime.datetime) -> ReplayPlan:
        """Create the plan for an execution's input. Raises the input errors of `sluice.errors`."""
        request = parse_replay_request(value, collections, now)
        archived = request.source == "archive"
        return ReplayPlan(
            name=name,
            request=request,
            bucket=(self._buckets.archive if archived else self._buckets.batches).name,
            started_at=now,
            before=now - datetime.timedelta(seconds=request.min_age),
            # A rebuild is not urgent and leaves capacity for the loads of live traffic.
            concurrency=max(1, self._concurrency - 1) if request.shadow else self._concurrency,
            max_unavailable_loads=2 * self._concurrency,
            archived=archived,
            reload=request.mode == "all",
        )

    def plan_next_part(self, plan: ReplayPlan, seconds: float) -> ReplayPlan:
        """Find the next part, write its manifest, and record the progress in the plan.

        Takes up to `seconds` plus the time of one page. Raises the database errors of `sluice.errors`, and botocore's.
        """
        deadline, part = time.monotonic() + seconds, list[ListedObject]()
        for page in self._list_pages(plan, plan.cursor):
            plan.cursor = page[-1].key
            objects = self._select_old_enough(plan, page)
            plan.listed += len(objects)
            plan.listed_bytes += sum(object_.size for object_ in objects)
            part += objects if plan.reload else self._find_missing(plan, objects)
            if len(part) >= PART_SIZE or time.monotonic() > deadline:
                break
        else:
            plan.done = True
        plan.planned.add_objects(part)
        plan.start_part(len(part))
        if part:
            manifest = b"".join(_encode_manifest_line(object_) for object_ in part)
            self._buckets.batches.write_object(plan.manifest, manifest)
        return plan

    def verify_remaining(self, plan: ReplayPlan, seconds: float) -> ReplayPlan:
        """Compare S3 with the ledger once more, and count what remains. Time and errors as in `plan_next_part`.

        For loads that the ledger does not have, the remaining objects follow from the results of the loads.
        """
        if not plan.request.uses_ledger:
            plan.remaining.objects = plan.planned.objects - plan.count.loaded - plan.count.already_loaded
            plan.verified = True
            return plan
        deadline = time.monotonic() + seconds
        for page in self._list_pages(plan, plan.verify_cursor):
            plan.verify_cursor = page[-1].key
            plan.remaining.add_objects(self._find_missing(plan, self._select_old_enough(plan, page)))
            if time.monotonic() > deadline:
                return plan
        plan.verified = True
        return plan

    def look_up_batches(self, keys: Sequence[str]) -> list[LoadedBatch]:
        """The ledger's entries for up to KEYS_PER_QUERY keys. Raises the database errors of `sluice.errors`."""
        if not keys:
            return []
        rows = _select_entries(self._primary, "object_key, etag, applied, stale, rejected, loaded_at", keys)
        return [
            LoadedBatch(
                row["object_key"], row["etag"], row["applied"], row["stale"], row["rejected"],
                row["loaded_at"].replace(tzinfo=datetime.UTC),
            )
            for row in rows
        ]  # fmt: skip

    def _list_pages(self, plan: ReplayPlan, cursor: str) -> Iterator[list[ListedObject]]:
        keys = compute_key_range(plan.request)
        return self._source_bucket(plan).list_objects(keys.prefix, max(keys.after, cursor), keys.until)

    @staticmethod
    def _select_old_enough(plan: ReplayPlan, page: list[ListedObject]) -> list[ListedObject]:
        return [object_ for object_ in page if object_.modified <= plan.before]

    def _find_missing(self, plan: ReplayPlan, objects: list[ListedObject]) -> list[ListedObject]:
        ledger = self._shadow if plan.request.shadow else self._primary
        return find_missing(ledger, self._source_bucket(plan), objects)

    def _source_bucket(self, plan: ReplayPlan) -> Bucket:
        return self._buckets.archive if plan.archived else self._buckets.batches


def _encode_manifest_line(object_: ListedObject) -> bytes:
    return _encoder.encode({"key": object_.key, "etag": object_.etag, "size": object_.size}) + b"\n"


def find_missing(database: Database, bucket: Bucket, objects: Sequence[ListedObject]) -> list[ListedObject]:
    """The objects that are neither in the ledger nor in quarantine.

    Raises the database errors of `sluice.errors`, and botocore's errors.
    """
    loaded = find_loaded(database, objects)
    not_loaded = [object_ for object_ in objects if (object_.key, object_.etag) not in loaded]
    quarantined = find_quarantined(bucket, not_loaded)
    return [object_ for object_ in not_loaded if object_.key not in quarantined]


def find_loaded(database: Database, objects: Sequence[ListedObject]) -> set[tuple[str, str]]:
    """Key and ETag of the objects that the ledger has. Raises the database errors of `sluice.errors`."""
    loaded: set[tuple[str, str]] = set()
    for start in range(0, len(objects), KEYS_PER_QUERY):
        keys = [object_.key for object_ in objects[start : start + KEYS_PER_QUERY]]
        rows = _select_entries(database, "object_key, etag", keys)
        loaded.update((row["object_key"], row["etag"]) for row in rows)
    return loaded


def _select_entries(database: Database, columns: str, keys: Sequence[str]) -> list[dict[str, Any]]:
    """Select columns of the ledger's entries for these keys: at least one, and at most KEYS_PER_QUERY."""
    return database.query(
        f"SELECT {columns} FROM loaded_batches WHERE object_key IN ({', '.join(['%s'] * len(keys))})",  # noqa: S608
        tuple(keys),
    )


def find_quarantined(bucket: Bucket, objects: Iterable[ListedObject]) -> set[str]:
    """The keys of the objects that have a copy in quarantine. A copy older than the object belongs to another one."""
    modified = {object_.key: object_.modified for object_ in objects}
    if not modified:
        return set()
    first, last = QUARANTINE_PREFIX + min(modified), QUARANTINE_PREFIX + max(modified)
    copies = (copy for page in bucket.list_objects(QUARANTINE_PREFIX, first[:-1], last) for copy in page)
    keys = ((copy.key.removeprefix(QUARANTINE_PREFIX), copy.modified) for copy in copies)
    return {key for key, copied in keys if key in modified and copied >= modified[key]}
