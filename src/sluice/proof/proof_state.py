"""The state of a proof between two steps of its workflow, and its folder in the bucket of the batches."""

import datetime
from typing import Literal

import msgspec

from sluice.aws.s3 import Bucket
from sluice.proof.fingerprint import Fingerprint
from sluice.proof.live_state import SAMPLE_SIZE, LiveState, Tail

Outcome = Literal["", "proven", "different", "not_comparable"]

# The workflow's own folder.
PROOF_FOLDER = "proofs/"

_tail_decoder = msgspec.json.Decoder(Tail)


class LoadFailure(msgspec.Struct, frozen=True):
    """A batch that could not be loaded into the copy, and the class of the error."""

    key: str
    error: str


class CopyInstance(msgspec.Struct, frozen=True):
    """The temporary database instance: its identifier and its endpoint."""

    identifier: str
    host: str
    port: int


class BackupSnapshot(msgspec.Struct, frozen=True):
    """The snapshot that the instance was restored from."""

    identifier: str
    created_at: datetime.datetime


class Proof(msgspec.Struct, kw_only=True):
    """The state.

    `live` is what the copy has to reach. `position` counts the batches of the tail that were loaded, or that failed.
    `replaced` counts the batches of which S3 has only a later object. `failed` counts those that could not be loaded.
    `copied` are the fingerprints of the copy's tables so far. `outcome` is set by the last step that the proof needs;
    `sentences` say why it is not `proven`, `examples` have owner and id of a differing item by its collection.
    """

    name: str
    started_at: datetime.datetime
    snapshot: BackupSnapshot
    instance: CopyInstance
    live: LiveState | None = None
    tail: int = 0
    position: int = 0
    replaced: int = 0
    failed: int = 0
    failures: list[LoadFailure] = []
    loaded: bool = False
    copied: dict[str, Fingerprint] = {}
    outcome: Outcome = ""
    sentences: list[str] = []
    examples: dict[str, tuple[str, str]] = {}

    @property
    def folder(self) -> str:
        return f"{PROOF_FOLDER}{self.name}"

    def add_failure(self, key: str, error: str) -> None:
        self.failed += 1
        self.failures = [*self.failures, LoadFailure(key, error)][:SAMPLE_SIZE]


def write_tail(bucket: Bucket, proof: Proof, tail: Tail) -> None:
    """Store what the copy lacks. Raises botocore's errors."""
    proof.tail = len(tail.batches)
    bucket.write_object(f"{proof.folder}/tail.json", msgspec.json.encode(tail))


def read_tail(bucket: Bucket, proof: Proof) -> Tail:
    """Read what the copy lacks. Raises botocore's errors."""
    return _tail_decoder.decode(bucket.read_object(f"{proof.folder}/tail.json").content)
