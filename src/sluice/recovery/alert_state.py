"""What a recovery told of last, so that what goes on failing is told of once a day, and not at every run.

One object in S3 is enough, since one recovery works at a time.
"""

import datetime

import msgspec

from sluice.aws.s3 import Bucket

ALERT_STATE_KEY = "recovery/alert.json"


REPEAT_AFTER = datetime.timedelta(days=1)


NO_ALERT = "none"


class AlertState(msgspec.Struct, frozen=True):
    """What it was alert, in words that differ as soon as something else is to be told; and when.

    Until the alert was taken it is not `sent`.
    """

    alert: str
    at: datetime.datetime
    sent: bool = True


def is_new_alert(bucket: Bucket, alert: str, now: datetime.datetime) -> bool:
    """Whether this is to be told: it is not what was told last, or that is a day ago.

    `NOTHING` is news where what was to be told before never was. Raises botocore's errors.
    """
    last = _read_state(bucket)
    if alert == NO_ALERT:
        if last and last.sent and last.alert != NO_ALERT:
            _write_state(bucket, AlertState(NO_ALERT, now))
        return bool(last and not last.sent)
    if last and last.sent and last.alert == alert and now - last.at < REPEAT_AFTER:
        return False
    _write_state(bucket, AlertState(alert, now, sent=False))
    return True


def record_alert_sent(bucket: Bucket, alert: str, now: datetime.datetime) -> None:
    """Keep that the alert was taken: told twice is better than never. Raises botocore's errors."""
    _write_state(bucket, AlertState(alert, now))


def _write_state(bucket: Bucket, told: AlertState) -> None:
    bucket.write_object(ALERT_STATE_KEY, msgspec.json.encode(told))


def _read_state(bucket: Bucket) -> AlertState | None:
    stored = bucket.find_object(ALERT_STATE_KEY)
    return msgspec.json.decode(stored.content, type=AlertState) if stored else None
