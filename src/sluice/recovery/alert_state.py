"""Remember the last alert of a recovery, so that a persistent problem causes one alert a day and not one per recovery.

One S3 object is enough, because one recovery runs at a time.
"""

import datetime

import msgspec

from sluice.aws.s3 import Bucket

ALERT_STATE_KEY = "recovery/alert.json"
REPEAT_AFTER = datetime.timedelta(days=1)

# The alert of a recovery that found nothing missing.
NO_ALERT = "none"


class AlertState(msgspec.Struct, frozen=True):
    """The last alert: a text that identifies the problem, and the time. `sent` is false until SNS accepts the alert."""

    alert: str
    at: datetime.datetime
    sent: bool = True


def is_new_alert(bucket: Bucket, alert: str, now: datetime.datetime) -> bool:
    """Whether to send an alert: it differs from the last one, or the last one was sent a day ago.

    `NO_ALERT` is new when the last alert could not be sent. Raises botocore's errors.
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
    """Record that SNS accepted an alert. An alert may be sent twice, but is never lost. Raises botocore's errors."""
    _write_state(bucket, AlertState(alert, now))


def _write_state(bucket: Bucket, state: AlertState) -> None:
    bucket.write_object(ALERT_STATE_KEY, msgspec.json.encode(state))


def _read_state(bucket: Bucket) -> AlertState | None:
    stored = bucket.find_object(ALERT_STATE_KEY)
    return msgspec.json.decode(stored.content, type=AlertState) if stored else None
