"""What the bucket knows between two proofs: the instances that may still exist, and the last outcomes."""

import datetime

import msgspec

from sluice.aws.s3 import Bucket
from sluice.proof.proof_state import PROOF_FOLDER

RECORD_KEY = f"{PROOF_FOLDER}record.json"


class ProofRecord(msgspec.Struct, kw_only=True):
    """`since` is when proofs were switched on, `proven_at` when a backup was proven last.

    `instances` are the temporary instances that were not seen to be gone. `last` is the report of the last proof.
    """

    since: datetime.datetime
    proven_at: datetime.datetime | None = None
    instances: list[str] = []
    last: dict[str, object] = {}

    def compute_age(self, now: datetime.datetime) -> float:
        """How long ago a backup was proven, or proofs were switched on if none was; in seconds."""
        return (now - (self.proven_at or self.since)).total_seconds()


_decoder = msgspec.json.Decoder(ProofRecord)


def read_record(bucket: Bucket, now: datetime.datetime) -> ProofRecord:
    """Read the record; the first call creates it. Raises botocore's errors."""
    stored = bucket.find_object(RECORD_KEY)
    if stored:
        return _decoder.decode(stored.content)
    record = ProofRecord(since=now)
    write_record(bucket, record)
    return record


def write_record(bucket: Bucket, record: ProofRecord) -> None:
    """Write the record. Only the execution that has the lease may. Raises botocore's errors."""
    bucket.write_object(RECORD_KEY, msgspec.json.encode(record))
