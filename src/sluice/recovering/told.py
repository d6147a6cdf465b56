"""What a recovery told of last, so that what goes on failing is told of once a day, and not at every run.

One object in S3 is enough, since one recovery works at a time.
"""

import datetime

import msgspec
from botocore.exceptions import ClientError

from sluice import archive

KEY = "recovery/told.json"
AGAIN = datetime.timedelta(days=1)


class Told(msgspec.Struct, frozen=True):
    """What it was about, in words that differ as soon as something else is to be told; and when."""

    about: str
    at: datetime.datetime


def is_news(bucket: str, about: str, now: datetime.datetime) -> bool:
    """Whether this is to be told: it is not what was told last, or that is a day ago. Then it counts as told.

    Raises botocore's errors.
    """
    last = _last(bucket)
    if last and last.about == about and now - last.at < AGAIN:
        return False
    archive.write(bucket, KEY, msgspec.json.encode(Told(about, now)))
    return True


def _last(bucket: str) -> Told | None:
    try:
        content, _ = archive.read(bucket, KEY)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return None
        raise
    return msgspec.json.decode(content, type=Told)
