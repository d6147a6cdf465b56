"""What a recovery told of last, so that what goes on failing is told of once a day, and not at every run.

One object in S3 is enough, since one recovery works at a time.
"""

import datetime

import msgspec
from botocore.exceptions import ClientError

from sluice import archive

KEY = "recovery/told.json"
AGAIN = datetime.timedelta(days=1)


NOTHING = "nothing"


class Told(msgspec.Struct, frozen=True):
    """What it was about, in words that differ as soon as something else is to be told; and when.

    Until the alert was taken it is not `sent`.
    """

    about: str
    at: datetime.datetime
    sent: bool = True


def is_news(bucket: str, about: str, now: datetime.datetime) -> bool:
    """Whether this is to be told: it is not what was told last, or that is a day ago.

    `NOTHING` is news where what was to be told before never was. Raises botocore's errors.
    """
    last = _last(bucket)
    if about == NOTHING:
        if last and last.sent and last.about != NOTHING:
            _keep(bucket, Told(NOTHING, now))
        return bool(last and not last.sent)
    if last and last.sent and last.about == about and now - last.at < AGAIN:
        return False
    _keep(bucket, Told(about, now, sent=False))
    return True


def was_told(bucket: str, about: str, now: datetime.datetime) -> None:
    """Keep that the alert was taken: told twice is better than never. Raises botocore's errors."""
    _keep(bucket, Told(about, now))


def _keep(bucket: str, told: Told) -> None:
    archive.write(bucket, KEY, msgspec.json.encode(told))


def _last(bucket: str) -> Told | None:
    try:
        content, _ = archive.read(bucket, KEY)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return None
        raise
    return msgspec.json.decode(content, type=Told)
