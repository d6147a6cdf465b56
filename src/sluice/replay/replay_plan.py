"""A replay's state, as it travels through its workflow: what was asked for, how far it came, what it came to."""

import datetime
import hashlib

import msgspec

from sluice.aws.s3 import ListedObject
from sluice.replay.replay_request import ReplayRequest

# The workflow's own folder, in the bucket of the batches.
REPLAY_FOLDER = "replays/"


# Of keys and failures: enough for an operator to begin with, and far below what a state may hold.
SAMPLE_SIZE = 20


class LoadFailure(msgspec.Struct, frozen=True):
    """An object that could not be loaded, and the class of the error."""

    key: str
    error: str


class OutcomeCounts(msgspec.Struct, kw_only=True):
    """Objects by what became of them, and the writes in them."""

    loaded: int = 0
    already_loaded: int = 0
    quarantined: int = 0
    failed: int = 0
    applied: int = 0
    stale: int = 0
    rejected: int = 0


class ObjectSummary(msgspec.Struct, kw_only=True):
    """Objects that a listing found wanting. `bytes` is their size in S3, `oldest` when S3 got the first of them.

    `digest` is another as soon as one of them is.
    """

    objects: int = 0
    bytes: int = 0
    oldest: datetime.datetime | None = None
    sample: list[str] = []
    digest: str = ""

    def add_objects(self, objects: list[ListedObject]) -> None:
        self.objects += len(objects)
        self.bytes += sum(one.size for one in objects)
        self.oldest = min((one.modified for one in objects), default=self.oldest) if not self.oldest else self.oldest
        self.sample = [*self.sample, *(one.key for one in objects)][:SAMPLE_SIZE]
        for one in objects:  # one by one, so that it does not depend on where S3's pages end
            self.digest = hashlib.sha256(f"{self.digest} {one.key} {one.etag}".encode()).hexdigest()


class SyncedExclusions(msgspec.Struct):
    """What rebuilds left out and the database did not know: it was restored from before them."""

    names: list[str] = []


class ReplayPlan(msgspec.Struct, kw_only=True):
    """The state. A part is what one manifest holds and one Map Run loads; `cursor` is the last key that was looked at.

    Only objects that S3 got until `before` count, in planning and in verifying: others come after this replay.
    """

    name: str
    request: ReplayRequest
    bucket: str
    started_at: datetime.datetime
    before: datetime.datetime
    concurrency: int
    # How many loads may meet no database before the rest is left for later.
    patience: int
    archived: bool
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
    # Of the part at hand, written out for the workflow.
    manifest: str = ""
    results: str = ""

    @property
    def folder(self) -> str:
        return f"{REPLAY_FOLDER}{self.name}"

    def start_part(self, count: int) -> None:
        """Make the next part the one at hand."""
        self.part_count = count
        if count:
            self.part += 1
            self.manifest = f"{self.folder}/manifest-{self.part:05}.jsonl"
            self.results = f"{self.folder}/results/{self.part:05}"
