"""What was excluded, written down in S3 too: a database that is lost takes its own table of it along."""

from collections.abc import Sequence

import msgspec

from sluice.aws.s3 import Bucket
from sluice.model.exclusions import Exclusion

EXCLUSIONS_KEY = "rebuilds/exclusions.json"


_exclusions = msgspec.json.Decoder(list[Exclusion])


def read_stored_exclusions(bucket: Bucket) -> list[Exclusion]:
    """What the last rebuild wrote down. Raises botocore's errors."""
    stored = bucket.find_object(EXCLUSIONS_KEY)
    return _exclusions.decode(stored.content) if stored else []


def store_exclusions(bucket: Bucket, exclusions: Sequence[Exclusion]) -> None:
    """Write down what is excluded now, in place of what was. Raises botocore's errors."""
    bucket.write_object(EXCLUSIONS_KEY, msgspec.json.encode(exclusions))
