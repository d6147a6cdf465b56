"""The inputs of a replay and of a recovery, and the key range of a window."""

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import FutureTime, InvalidInput, InvalidWindow, UnknownCollection
from sluice.model.workflow_input import STARTED_BY_FIELD
from sluice.recovery.recovery_request import parse_recovery_request
from sluice.replay.replay_plan import ReplayRequest, compute_key_range, parse_replay_request

NOW = datetime.datetime(2026, 11, 23, 10, 30, tzinfo=datetime.UTC)
KNOWN = {"things", "codes"}


def test_everything_has_a_default() -> None:
    request = parse_replay_request({}, KNOWN, NOW)
    assert (request.source, request.mode, request.dry_run, request.collections) == ("batches", "missing", False, ())
    assert request.uses_ledger


def test_the_starting_execution_is_ignored() -> None:
    assert parse_replay_request({STARTED_BY_FIELD: "arn"}, KNOWN, NOW) == parse_replay_request({}, KNOWN, NOW)


def test_a_replay_of_the_archive_loads_the_whole_window() -> None:
    request = parse_replay_request({"source": "archive", "mode": "missing"}, KNOWN, NOW)
    assert request.mode == "all"
    assert not request.uses_ledger


def test_a_replay_of_some_collections_does_not_use_the_ledger() -> None:
    assert not parse_replay_request({"collections": ["things"]}, KNOWN, NOW).uses_ledger


@pytest.mark.parametrize(
    ("workflow_input", "error", "says"),
    [
        ([], InvalidInput, "The input of replay is invalid: Expected `object`"),
        ({"form": None}, InvalidInput, "unknown field `form`"),
        ({"from": "yesterday"}, InvalidInput, "Invalid RFC3339"),
        ({"from": "2026-11-23T10:00:00"}, InvalidInput, "timezone"),
        ({"from": "0001-01-01T00:00:00+14:00"}, InvalidInput, "0001-01-01T00:00:00+14:00 is before all writes"),
        ({"source": "nowhere"}, InvalidInput, "nowhere"),
        ({"min_age": -1}, InvalidInput, "min_age"),
        ({"from": "2026-11-23T10:31:00Z"}, FutureTime, "2026-11-23T10:31:00Z is in the future: it is 2026-11-23T10:30"),
        ({"to": "2026-11-23T11:31:01+01:00"}, FutureTime, "2026-11-23T10:31:01Z is in the future"),
        ({"from": "2026-11-23T10:00:00Z", "to": "2026-11-23T09:00:00Z"}, InvalidWindow, "before it begins"),
        ({"from": "2026-11-23T10:00:00Z", "to": "2026-11-23T10:00:00Z"}, InvalidWindow, "Swap them."),
        ({"collections": ["things", "birds"]}, UnknownCollection, "no collection 'birds'; there are codes, things."),
    ],
)
def test_an_invalid_input_is_refused_with_one_sentence(workflow_input: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error) as caught:
        parse_replay_request(workflow_input, KNOWN, NOW)
    assert says in str(caught.value)


def test_a_window_may_end_now() -> None:
    assert parse_replay_request({"to": "2026-11-23T10:30:00Z"}, KNOWN, NOW).to == NOW
    with pytest.raises(FutureTime):
        parse_replay_request({"to": "2026-11-23T10:30:00.000001Z"}, KNOWN, NOW)


def test_the_input_of_the_replay_follows_from_the_recovery_s() -> None:
    workflow_input = {"trigger": "schedule", "days": 2, "min_age": 600}
    request, replay = parse_recovery_request(workflow_input, NOW)
    assert request.trigger == "schedule"
    assert replay == {"from": "2026-11-21T10:30:00Z", "min_age": 600}
    assert parse_recovery_request({}, NOW)[1] == {"from": None, "min_age": 0}
    parse_replay_request(replay, KNOWN, NOW)


@pytest.mark.parametrize("workflow_input", [[], {"trigger": "moon"}, {"days": 0}, {"days": 999_999_999}, {"to": None}])
def test_an_invalid_input_of_a_recovery_is_refused(workflow_input: Any) -> None:
    with pytest.raises(InvalidInput, match="The input of recover is invalid"):
        parse_recovery_request(workflow_input, NOW)


HOUR = datetime.timedelta(hours=1)
# Minutes around the turn of a year.
MOMENTS = st.integers(-2000, 2000).map(
    lambda minutes: datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(minutes=minutes)
)


def key(oldest: datetime.datetime) -> str:
    """The key of a batch whose oldest record arrived at this time."""
    return f"batches/{oldest:%Y/%m/%d/%H}/stream-1-{oldest:%Y-%m-%d-%H-%M-%S}-uuid.jsonl.gz"


@given(MOMENTS, MOMENTS, MOMENTS, st.integers(0, 30))
def test_the_key_range_of_a_window_has_every_write_that_arrived_in_it(
    start: datetime.datetime, end: datetime.datetime, arrived: datetime.datetime, minutes: int
) -> None:
    """A batch has writes of up to two buffers, half an hour, after its oldest one."""
    request = ReplayRequest(from_=min(start, end), to=max(start, end))
    keys = compute_key_range(request)
    oldest = key(arrived - datetime.timedelta(minutes=minutes))
    if min(start, end) <= arrived <= max(start, end):
        assert keys.after < oldest <= keys.until
    if arrived < min(start, end) - 3 * HOUR or arrived > max(start, end) + 2 * HOUR:
        assert not keys.after < oldest <= keys.until


def test_without_a_window_the_range_has_all_keys() -> None:
    keys = compute_key_range(ReplayRequest())
    assert (keys.prefix, keys.after) == ("batches/", "")
    assert key(NOW) <= keys.until
    assert compute_key_range(ReplayRequest(source="archive")).prefix == "archive/"
