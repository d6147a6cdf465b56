"""What a recovery told of already, by S3's own word."""

import datetime

import pytest

from sluice.recovery.alert_state import ALERT_STATE_KEY, NO_ALERT, is_new_alert, record_alert_sent
from tests.database.s3 import bucket

NOON = datetime.datetime(2026, 11, 25, 12, 0, tzinfo=datetime.UTC)


pytestmark = pytest.mark.usefixtures("s3")


def after(**passed: float) -> datetime.datetime:
    return NOON + datetime.timedelta(**passed)


def told(about: str, now: datetime.datetime) -> bool:
    """Whether it is told, by an alert that is taken."""
    news = is_new_alert(bucket(), about, now)
    if news:
        record_alert_sent(bucket(), about, now)
    return news


def test_the_same_is_told_once_a_day_and_anything_else_at_once() -> None:
    assert told("incomplete a", NOON)
    assert not told("incomplete a", after(minutes=15))
    assert not told("incomplete a", after(hours=23, minutes=59))
    assert told("incomplete a", after(hours=24))
    assert not told("incomplete a", after(hours=47))
    assert told("incomplete b", after(hours=47))
    assert told("incomplete a", after(hours=47, minutes=15))


def test_what_no_alert_was_taken_for_is_news_the_next_time() -> None:
    assert is_new_alert(bucket(), "incomplete c", NOON)
    assert told("incomplete c", after(minutes=15))
    assert not told("incomplete c", after(minutes=30))


def test_that_nothing_is_missing_is_told_where_something_was_to_be_and_was_not() -> None:
    assert told("incomplete d", NOON)
    assert not told(NO_ALERT, after(minutes=15))
    assert told("incomplete d", after(minutes=30))
    assert is_new_alert(bucket(), "complete d", after(minutes=45))
    assert is_new_alert(bucket(), NO_ALERT, after(minutes=60))
    assert told(NO_ALERT, after(minutes=75))
    assert not told(NO_ALERT, after(minutes=90))


def test_it_is_kept_beside_what_says_who_is_at_work() -> None:
    record_alert_sent(bucket(), "retries exhausted with KeyError", NOON)
    kept = b'{"about":"retries exhausted with KeyError","at":"2026-11-25T12:00:00Z","sent":true}'
    assert bucket().read_object(ALERT_STATE_KEY).content == kept


def test_what_was_kept_before_alerts_were_confirmed_was_told() -> None:
    bucket().write_object(ALERT_STATE_KEY, b'{"alert":"incomplete e","at":"2026-11-25T12:00:00Z"}')
    assert not is_new_alert(bucket(), "incomplete e", after(minutes=15))
