"""The last alert of a recovery, stored in the emulated S3."""

import datetime

import pytest

from sluice.recovery.alert_state import ALERT_STATE_KEY, NO_ALERT, is_new_alert, record_alert_sent
from tests.database.s3 import bucket

NOON = datetime.datetime(2026, 11, 25, 12, 0, tzinfo=datetime.UTC)


pytestmark = pytest.mark.usefixtures("s3")


def after(**passed: float) -> datetime.datetime:
    return NOON + datetime.timedelta(**passed)


def send_alert(alert: str, now: datetime.datetime) -> bool:
    """Send an alert if it is new, and return whether it is."""
    is_new = is_new_alert(bucket(), alert, now)
    if is_new:
        record_alert_sent(bucket(), alert, now)
    return is_new


def test_the_same_alert_is_new_once_a_day_and_another_one_at_once() -> None:
    assert send_alert("incomplete a", NOON)
    assert not send_alert("incomplete a", after(minutes=15))
    assert not send_alert("incomplete a", after(hours=23, minutes=59))
    assert send_alert("incomplete a", after(hours=24))
    assert not send_alert("incomplete a", after(hours=47))
    assert send_alert("incomplete b", after(hours=47))
    assert send_alert("incomplete a", after(hours=47, minutes=15))


def test_an_alert_that_was_not_sent_is_new_the_next_time() -> None:
    assert is_new_alert(bucket(), "incomplete c", NOON)
    assert send_alert("incomplete c", after(minutes=15))
    assert not send_alert("incomplete c", after(minutes=30))


def test_no_alert_is_new_only_after_an_unsent_alert() -> None:
    assert send_alert("incomplete d", NOON)
    assert not send_alert(NO_ALERT, after(minutes=15))
    assert send_alert("incomplete d", after(minutes=30))
    assert is_new_alert(bucket(), "complete d", after(minutes=45))
    assert is_new_alert(bucket(), NO_ALERT, after(minutes=60))
    assert send_alert(NO_ALERT, after(minutes=75))
    assert not send_alert(NO_ALERT, after(minutes=90))


def test_the_state_is_stored_beside_the_lease() -> None:
    record_alert_sent(bucket(), "retries exhausted with KeyError", NOON)
    expected = b'{"alert":"retries exhausted with KeyError","at":"2026-11-25T12:00:00Z","sent":true}'
    assert bucket().read_object(ALERT_STATE_KEY).content == expected


def test_a_state_without_the_field_sent_counts_as_sent() -> None:
    bucket().write_object(ALERT_STATE_KEY, b'{"alert":"incomplete e","at":"2026-11-25T12:00:00Z"}')
    assert not is_new_alert(bucket(), "incomplete e", after(minutes=15))
