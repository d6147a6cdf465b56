"""Load into the copy exactly the batches that the live ledger has and the copy's lacks."""

import time

from botocore.exceptions import ClientError

from sluice.aws.s3 import is_absent_object
from sluice.errors import UnreadableBatch
from sluice.load.loader import Loader
from sluice.proof.live_state import LedgerEntry, Tail
from sluice.proof.proof_state import Proof

EXPIRED = "Expired"
"""The failure of a batch that is no longer in the bucket."""


def load_tail(proof: Proof, tail: Tail, loader: Loader, bucket: str, seconds: float) -> Proof:
    """Load the next batches of the tail. Takes up to `seconds`, plus the time of one load.

    Batches that arrived later than the live state are not loaded: the copy has to reach that state, not a later one.
    Raises the database errors of `sluice.errors`, and botocore's errors; a retry continues.
    """
    deadline = time.monotonic() + seconds
    for entry in tail.batches[proof.position :]:
        _load_entry(proof, entry, loader, bucket)
        proof.position += 1
        if time.monotonic() > deadline:
            break
    proof.loaded = proof.position == len(tail.batches)
    return proof


def _load_entry(proof: Proof, entry: LedgerEntry, loader: Loader, bucket: str) -> None:
    try:
        result = loader.load_batch(bucket, entry.key)
    except UnreadableBatch:
        proof.add_failure(entry.key, UnreadableBatch.__name__)
    except ClientError as error:
        if not is_absent_object(error):
            raise
        proof.add_failure(entry.key, EXPIRED)
    else:
        proof.replaced += result.etag != entry.etag
