"""The state of a replay, which travels through its workflow: the request, the progress and the results."""

import datetime
import hashlib

import msgspec

from sluice.aws.s3 import ListedObject
from sluice.replay.replay_request import ReplayRequest

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

    def start_part(self, count: int) -> None:
        """Start the next part, if it has objects."""
        self.part_count = count
        if count:
            self.part += 1
            self.manifest = f"{self.folder}/manifest-{self.part:05}.jsonl"
            self.results = f"{self.folder}/results/{self.part:05}"
