"""The plan of a replay: the input of the workflow, its range of object keys, and the state between two steps."""

import datetime
import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from sluice.aws.s3 import ListedObject
from sluice.errors import InvalidWindow
from sluice.model.batch_keys import ABOVE_ALL_KEYS, CLOCK_SKEW, KEY_OVERLAP, SOURCE_PREFIXES, format_hour
from sluice.model.workflow_input import check_collections, check_not_future, convert_input, format_time, strip_starter

AwareTime = Annotated[datetime.datetime, Meta(tz=True)]


class ReplayRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A replay's input; each field is optional.

    `from` and `to` are arrival times (None: no limit). `collections` limits which writes are applied (empty: all).
    `mode` is `missing` (what the ledger lacks) or `all`. Objects that S3 got less than `min_age` seconds before the
    start are left to load_batch. `shadow` loads into the shadow tables of a rebuild.
    """

    from_: AwareTime | None = msgspec.field(default=None, name="from")
    to: AwareTime | None = None
    collections: tuple[str, ...] = ()
    source: Literal["batches", "archive"] = "batches"
    mode: Literal["missing", "all"] = "missing"
    dry_run: bool = False
    min_age: Annotated[int, Meta(ge=0)] = 0
    shadow: bool = False

    @property
    def uses_ledger(self) -> bool:
        """Whether loads of this replay are entered in the ledger, so that the ledger shows what remains."""
        return self.source == "batches" and not self.collections


def parse_replay_request(value: Any, collections: Collection[str], now: datetime.datetime) -> ReplayRequest:
    """Parse an execution's input. `collections` are the existing ones. Raises the input errors of `sluice.errors`."""
    request = convert_input(strip_starter(value), ReplayRequest, "replay")
    check_not_future((request.from_, request.to), now)
    if request.from_ and request.to and request.from_ >= request.to:
        raise InvalidWindow(
            f"The window ends ({format_time(request.to)}) before it begins ({format_time(request.from_)}). Swap them."
        )
    check_collections(request.collections, collections)
    if request.source == "archive":
        # The ledger never has objects of the archive, so it cannot show which of them are missing.
        request = msgspec.structs.replace(request, mode="all")
    return request


@dataclass(frozen=True)
class KeyRange:
    """The keys with a prefix, above `after` and not above `until`."""

    prefix: str
    after: str
    until: str


def compute_key_range(request: ReplayRequest) -> KeyRange:
    """The range of keys that contains every write which arrived in the request's window, and some others."""
    prefix = SOURCE_PREFIXES[request.source]
    after = f"{prefix}{format_hour(request.from_ - KEY_OVERLAP)}/" if request.from_ else ""
    last_hour = f"{format_hour(request.to + CLOCK_SKEW)}/" if request.to else ""
    return KeyRange(prefix, after, f"{prefix}{last_hour}{ABOVE_ALL_KEYS}")


# The workflow's own folder, in the bucket of the batches.
REPLAY_FOLDER = "replays/"
# Keys and failures that a report lists: enough for an operator to start with, and small enough for a workflow's state.
SAMPLE_SIZE = 20


class LoadFailure(msgspec.Struct, frozen=True):
    """An object that could not be loaded, and the class of the error."""

    key: str
    error: str


class OutcomeCounts(msgspec.Struct, kw_only=True):
    """The number of objects by the outcome of their load, and of the writes in them."""

    loaded: int = 0
    already_loaded: int = 0
    quarantined: int = 0
    failed: int = 0
    applied: int = 0
    stale: int = 0
    rejected: int = 0


class ObjectSummary(msgspec.Struct, kw_only=True):
    """Objects of a listing: their number, size in bytes, the time of the oldest, a sample of keys.

    `digest` changes when any of the objects changes.
    """

    objects: int = 0
    bytes: int = 0
    oldest: datetime.datetime | None = None
    sample: list[str] = []
    digest: str = ""

    def add_objects(self, objects: list[ListedObject]) -> None:
        self.objects += len(objects)
        self.bytes += sum(object_.size for object_ in objects)
        if not self.oldest:
            self.oldest = min((object_.modified for object_ in objects), default=None)
        self.sample = [*self.sample, *(object_.key for object_ in objects)][:SAMPLE_SIZE]
        for object_ in objects:  # each separately, so that the digest does not depend on the size of S3's pages
            self.digest = hashlib.sha256(f"{self.digest} {object_.key} {object_.etag}".encode()).hexdigest()


class SyncedExclusions(msgspec.Struct):
    """The rebuilds whose exclusions the database lacked, because it was restored from an earlier snapshot."""

    names: list[str] = []


class ReplayPlan(msgspec.Struct, kw_only=True):
    """The state. A part is the content of one manifest, and one Map Run loads it. `cursor` is the last listed key.

    Only objects that S3 got until `before` count, in planning and in verifying. Later objects are not this replay's.
    """

    name: str
    request: ReplayRequest
    bucket: str
    started_at: datetime.datetime
    before: datetime.datetime
    concurrency: int
    # The number of loads that may find the database unavailable before the Map Run stops.
    max_unavailable_loads: int
    archived: bool
    # Load objects that the ledger has too.
    reload: bool
    synced_exclusions: SyncedExclusions = msgspec.field(default_factory=SyncedExclusions)
    listed: int = 0
    listed_bytes: int = 0
    planned: ObjectSummary = msgspec.field(default_factory=ObjectSummary)
    cursor: str = ""
    done: bool = False
    part: int = 0
    part_count: int = 0
    count: OutcomeCounts = msgspec.field(default_factory=OutcomeCounts)
    failures: list[LoadFailure] = []
    stopped: bool = False
    remaining: ObjectSummary = msgspec.field(default_factory=ObjectSummary)
    verify_cursor: str = ""
    verified: bool = False
    # The manifest and the results of the current part.
    manifest: str = ""
    results: str = ""

    @property
    def folder(self) -> str:
        return f"{REPLAY_FOLDER}{self.name}"

    def count_missing(self) -> int | None:
        """The batches that the ledger lacks, of all that load_batch has had its time for.

        None where this replay does not know: it has not listed all, loads a part only, or takes young batches too.
        """
        request = self.request
        looks_for_all = request.uses_ledger and request.mode == "missing" and not request.shadow and not request.to
        if not looks_for_all or not request.min_age or not self.done:
            return None
        return (self.remaining if self.verified else self.planned).objects

    def start_part(self, count: int) -> None:
        """Start the next part, if it has objects."""
        self.part_count = count
        if count:
            self.part += 1
            self.manifest = f"{self.folder}/manifest-{self.part:05}.jsonl"
            self.results = f"{self.folder}/results/{self.part:05}"
