"""When a client should read the receipt of its write again."""

import pytest
from ulid import ULID

from sluice.query.read_context import retry_after_seconds

NOW = 1_800_000_000.0


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: NOW)


@pytest.mark.parametrize(
    ("age", "seconds"),
    [(0, 60), (0.5, 60), (1, 59), (59.5, 1), (60, 6), (100, 10), (600, 60), (86_400, 60), (-5, 60), (-1e10, 60)],
)
def test_a_client_retries_when_the_write_is_expected_and_then_less_often(age: float, seconds: int) -> None:
    assert retry_after_seconds(str(ULID.from_timestamp(NOW - age)), 60) == seconds


def test_a_client_never_retries_immediately() -> None:
    assert retry_after_seconds(str(ULID.from_timestamp(NOW)), 0) == 1


def test_the_lowest_and_the_greatest_version_are_accepted() -> None:
    assert retry_after_seconds("7" + "Z" * 25, 60) == 60
    assert retry_after_seconds("0" * 26, 60) == 60
