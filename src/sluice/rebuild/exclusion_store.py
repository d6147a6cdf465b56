"""Store the exclusions in S3 too: a lost database takes its own table of them along."""

from collections.abc import Sequence

import msgspec

from sluice.aws.s3 import Bucket
from sluice.model.exclusions import Exclusion

EXCLUSIONS_KEY = "rebuilds/exclusions.json"

_exclusions_decoder = msgspec.json.Decoder(list[Exclusion])


def read_stored_exclusions(bucket: Bucket) -> list[Exclusion]:
    """The exclusions that the last rebuild stored; none before the first. Raises botocore's errors."""
    stored = bucket.find_object(EXCLUSIONS_KEY)
    return _exclusions_decoder.decode(stored.content) if stored else []


def store_exclusions(bucket: Bucket, exclusions: Sequence[Exclusion]) -> None:
    """Replace the stored exclusions. Raises botocore's errors."""
    bucket.write_object(EXCLUSIONS_KEY, msgspec.json.encode(exclusions))
