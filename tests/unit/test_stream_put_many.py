"""Many records: within Firehose's limits, and only what failed is put again."""

import json

import pytest

from sluice.ingest import firehose
from sluice.ingest.firehose import FirehoseStream
from tests.unit.loopback import Loopback, StubResponse, error, partly

MIB = 1024 * 1024
BUSY = "ServiceUnavailableException"


def sizes(stream: Loopback) -> list[int]:
    return [len(request.records) for request in stream.requests]


def records(count: int) -> list[bytes]:
    return [b"%d\n" % number for number in range(count)]


def test_none_is_no_request(stream: Loopback, writes: FirehoseStream) -> None:
    assert writes.put_records([]) == {}
    assert stream.requests == []


@pytest.mark.parametrize(
    ("count", "requests"), [(1, [1]), (500, [500]), (501, [500, 1]), (1200, [500, 500, 200])], ids=str
)
def test_a_request_has_at_most_500_records(
    stream: Loopback, writes: FirehoseStream, count: int, requests: list[int]
) -> None:
    sent = records(count)
    assert writes.put_records(sent) == {}
    assert sizes(stream) == requests
    assert [record for request in stream.requests for record in request.records] == sent
    assert {request.operation for request in stream.requests} == {"PutRecordBatch"}


@pytest.mark.parametrize(
    ("lengths", "requests"),
    [
        ([MIB] * 4, [4]),
        ([MIB] * 4 + [1], [4, 1]),
        ([MIB, MIB, MIB, MIB - 1, 1], [5]),
        ([MIB, MIB, MIB, MIB - 1, 2, MIB], [4, 2]),
        ([1_024_000] * 5, [4, 1]),
    ],
    ids=str,
)
def test_a_request_has_at_most_4_mib(
    stream: Loopback, writes: FirehoseStream, lengths: list[int], requests: list[int]
) -> None:
    assert writes.put_records([b"x" * length for length in lengths]) == {}
    assert sizes(stream) == requests
    assert all(sum(map(len, request.records)) <= 4 * MIB for request in stream.requests)


def test_only_what_failed_is_put_again(stream: Loopback, writes: FirehoseStream) -> None:
    stream.answers.extend([partly(1, 3, 4), partly(0, 2), partly()])
    sent = records(6)
    assert writes.put_records(sent) == {}
    assert [request.records for request in stream.requests] == [sent, [sent[1], sent[3], sent[4]], [sent[1], sent[4]]]


def test_what_keeps_failing_is_given_up_by_its_position(stream: Loopback, writes: FirehoseStream) -> None:
    stream.answers.extend([partly(1, 3), partly(1), partly(0), partly(0)])
    sent = records(5)
    assert writes.put_records(sent) == {3: BUSY}
    assert [request.records for request in stream.requests] == [sent, [sent[1], sent[3]], [sent[3]], [sent[3]]]


def test_positions_count_over_all_requests(stream: Loopback, writes: FirehoseStream) -> None:
    stream.otherwise = lambda request: partly(len(request.records) - 1)(request)
    assert writes.put_records(records(700)) == {699: BUSY}
    # What failed of all requests is put again together.
    assert sizes(stream) == [500, 200, 2, 1, 1]


def test_a_request_that_failed_as_a_whole_is_put_again(stream: Loopback, writes: FirehoseStream) -> None:
    stream.answers.extend([error(BUSY, 503), partly(2)])
    sent = records(3)
    assert writes.put_records(sent) == {}
    assert [request.records for request in stream.requests] == [sent, sent, [sent[2]]]


def test_requests_that_all_fail_are_given_up(stream: Loopback, writes: FirehoseStream, pauses: list[float]) -> None:
    stream.otherwise = error("ThrottlingException")
    assert writes.put_records(records(3)) == dict.fromkeys(range(3), "ThrottlingException")
    assert sizes(stream) == [3] * firehose.MAX_ATTEMPTS
    assert len(pauses) == firehose.MAX_ATTEMPTS - 1


def test_one_request_that_fails_does_not_stop_the_next(stream: Loopback, writes: FirehoseStream) -> None:
    stream.answers.extend([error(BUSY, 503), partly(), *[error(BUSY, 503)] * firehose.MAX_ATTEMPTS])
    assert writes.put_records(records(501)) == dict.fromkeys(range(500), BUSY)
    assert sizes(stream) == [500, 1, 500, 500, 500]


def test_what_no_retry_can_help_is_given_up_at_once(
    stream: Loopback, writes: FirehoseStream, pauses: list[float]
) -> None:
    stream.answers.append(partly(1))
    stream.otherwise = error("AccessDeniedException")
    assert writes.put_records(records(1200)) == {
        1: BUSY,
        **dict.fromkeys(range(500, 1000), "AccessDeniedException"),
        **dict.fromkeys(range(1000, 1200), "NotAttempted"),
    }
    assert (sizes(stream), pauses) == ([500, 500], [])


def test_a_cut_connection_is_a_failure_too(stream: Loopback, writes: FirehoseStream) -> None:
    stream.answers.extend([lambda _: StubResponse(0, {})] * 3)
    assert writes.put_records(records(2)) == {}


def test_pauses_grow_at_random_up_to_a_cap(
    stream: Loopback, writes: FirehoseStream, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream.otherwise = partly(0)
    for _ in range(30):
        writes.put_records(records(1))
    most = [max(pauses[at :: firehose.MAX_ATTEMPTS - 1]) for at in range(firehose.MAX_ATTEMPTS - 1)]
    assert len(set(pauses)) > 80
    assert all(limit / 2 < seconds <= limit for seconds, limit in zip(most, (0.2, 0.4, 0.8), strict=True))
    monkeypatch.setattr(firehose, "MAX_BACKOFF_SECONDS", 0.05)
    pauses.clear()
    writes.put_records(records(1))
    assert all(0 <= pause <= 0.05 for pause in pauses)


def test_a_line_of_a_record_is_not_touched(stream: Loopback, writes: FirehoseStream) -> None:
    line = json.dumps({"text": "ä\u2028"}, ensure_ascii=False).encode() + b"\n"
    writes.put_records([line])
    assert stream.requests[0].records == [line]
