"""What a recovery told of already, by S3's own word."""

import datetime

import pytest

from sluice import archive
from sluice.recovering.told import KEY, is_news

NOON = datetime.datetime(2026, 11, 25, 12, 0, tzinfo=datetime.UTC)


pytestmark = pytest.mark.usefixtures("s3")


def after(**passed: float) -> datetime.datetime:
    return NOON + datetime.timedelta(**passed)


def test_the_same_is_news_once_a_day_and_anything_else_at_once() -> None:
    assert is_news("batches", "incomplete a", NOON)
    assert not is_news("batches", "incomplete a", after(minutes=15))
    assert not is_news("batches", "incomplete a", after(hours=23, minutes=59))
    assert is_news("batches", "incomplete a", after(hours=24))
    assert not is_news("batches", "incomplete a", after(hours=47))
    assert is_news("batches", "incomplete b", after(hours=47))
    assert is_news("batches", "incomplete a", after(hours=47, minutes=15))


def test_it_is_kept_beside_what_says_who_is_at_work() -> None:
    is_news("batches", "given up with KeyError", NOON)
    assert archive.read("batches", KEY)[0] == b'{"about":"given up with KeyError","at":"2026-11-25T12:00:00Z"}'
