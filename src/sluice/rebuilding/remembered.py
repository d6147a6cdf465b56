"""What was excluded, written down in S3 too: a database that is lost takes its own table of it along."""

from collections.abc import Sequence

import msgspec
from botocore.exceptions import ClientError

from sluice import archive
from sluice.exclusions import Exclusion

KEY = "rebuilds/exclusions.json"

_exclusions = msgspec.json.Decoder(list[Exclusion])


def remembered(bucket: str) -> list[Exclusion]:
    """What the last rebuild wrote down. Raises botocore's errors."""
    try:
        content, _ = archive.read(bucket, KEY)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return []
        raise
    return _exclusions.decode(content)


def remember(bucket: str, exclusions: Sequence[Exclusion]) -> None:
    """Write down what is excluded now, in place of what was. Raises botocore's errors."""
    archive.write(bucket, KEY, msgspec.json.encode(exclusions))
