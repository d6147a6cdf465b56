"""What was excluded, written down in S3 too: a database that is lost takes its own table of it along."""

from collections.abc import Sequence

import msgspec
from botocore.exceptions import ClientError

from sluice.aws import s3 as archive
from sluice.model.exclusions import Exclusion

EXCLUSIONS_KEY = "rebuilds/exclusions.json"


_exclusions = msgspec.json.Decoder(list[Exclusion])


def read_stored_exclusions(bucket: str) -> list[Exclusion]:
    """What the last rebuild wrote down. Raises botocore's errors."""
    try:
        content, _ = archive.read_object(bucket, EXCLUSIONS_KEY)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return []
        raise
    return _exclusions.decode(content)


def store_exclusions(bucket: str, exclusions: Sequence[Exclusion]) -> None:
    """Write down what is excluded now, in place of what was. Raises botocore's errors."""
    archive.write_object(bucket, EXCLUSIONS_KEY, msgspec.json.encode(exclusions))
