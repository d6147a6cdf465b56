"""Put records on the Firehose stream, with retries and backoff."""

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from sluice.aws.client import AwsClient, Service, create_client
from sluice.aws.retry import is_retryable
from sluice.errors import AwsError, StreamUnavailable

# All in seconds. A put and its retries end within LONGEST, so that the client is answered before the function ends.
MAX_ATTEMPTS = 4


CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS = 1.0, 2.0


FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 0.2, 2.0


PUT_TIMEOUT_SECONDS = 15.0


def last_attempt_deadline() -> float:
    """When the last try may begin."""
    return time.monotonic() + PUT_TIMEOUT_SECONDS - CONNECT_TIMEOUT_SECONDS - READ_TIMEOUT_SECONDS


def retry_attempts(deadline: float) -> Iterator[int]:
    """The tries that a put may make: between them pauses at random, that may be longer each time."""
    yield 0
    for attempt in range(1, MAX_ATTEMPTS):
        pause = random.uniform(0, min(MAX_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** (attempt - 1)))  # noqa: S311  jitter
        if time.monotonic() + pause > deadline:
            return
        time.sleep(pause)
        yield attempt


# A multiple of 5 KiB, so that a full pack is billed for little more than its lines. Why not larger: ADR-0069.
MAX_PACKED_RECORD_BYTES = 100 * 1024


def plan_records(lines: Sequence[bytes], max_bytes: int = MAX_PACKED_RECORD_BYTES) -> list[range]:
    """Which lines make one record each, in their order; a line that is larger than a pack is one by itself."""
    found, start, size = [], 0, 0
    for position, length in enumerate(map(len, lines)):
        if size + length > max_bytes and position > start:
            found.append(range(start, position))
            start, size = position, 0
        size += length
    return [*found, range(start, len(lines))] if lines else []


def join_lines(lines: Sequence[bytes], positions: range) -> bytes:
    """The record of a pack."""
    return b"".join(lines[positions.start : positions.stop])


# PutRecordBatch takes at most 500 records and 4 MiB.
MAX_BATCH_RECORDS = 500


MAX_BATCH_BYTES = 4 * 1024 * 1024


# Retries are ours: the client's know neither single records nor when the answer must be there.
FIREHOSE_SERVICE = Service(
    "firehose",
    "FIREHOSE",
    "Firehose_20150804",
    connect_seconds=CONNECT_TIMEOUT_SECONDS,
    read_seconds=READ_TIMEOUT_SECONDS,
    max_attempts=1,
)


_NOT_ASKED = "NotAsked"


@cache
def _client() -> AwsClient:
    return create_client(FIREHOSE_SERVICE)


def prepare() -> None:
    """Make the client now, while the function starts, instead of in its first request."""
    _client()


def put_record(stream: str, record: bytes) -> None:
    """Put one record. Returns when Firehose took it; raises StreamUnavailable when it did not."""
    code = _NOT_ASKED
    for _ in retry_attempts(last_attempt_deadline()):
        try:
            _client().call("PutRecord", {"DeliveryStreamName": stream, "Record": {"Data": record}})
        except AwsError as error:
            code = error.code
            if not is_retryable(error):
                break
        else:
            return
    raise StreamUnavailable(code)


def put_records(stream: str, records: Sequence[bytes]) -> dict[int, str]:
    """Put many records, and only what failed again.

    Returns the positions of those that Firehose did not take, or may not have taken, each with a code as
    StreamUnavailable's.
    """
    left, latest = dict.fromkeys(range(len(records)), _NOT_ASKED), last_attempt_deadline()
    for _ in retry_attempts(latest) if records else ():
        for positions in _requests(records, tuple(left)):
            if time.monotonic() > latest:
                return left
            try:
                failed = _put_request(stream, records, positions)
            except AwsError as error:
                left.update(dict.fromkeys(positions, error.code))
                if not is_retryable(error):
                    return left
            else:
                for position in positions:
                    del left[position]
                left.update(failed)
        if not left:
            break
    return left


def _put_request(stream: str, records: Sequence[bytes], positions: Sequence[int]) -> dict[int, str]:
    answer = _client().call(
        "PutRecordBatch",
        {"DeliveryStreamName": stream, "Records": [{"Data": records[position]} for position in positions]},
    )
    answers = zip(positions, answer["RequestResponses"], strict=True)
    return {position: str(one["ErrorCode"]) for position, one in answers if one.get("ErrorCode")}


def _requests(records: Sequence[bytes], positions: Iterable[int]) -> list[list[int]]:
    """Positions, by what one request may hold."""
    requests: list[list[int]] = []
    size = 0
    for position in positions:
        if not requests or len(requests[-1]) == MAX_BATCH_RECORDS or size + len(records[position]) > MAX_BATCH_BYTES:
            requests.append([])
            size = 0
        requests[-1].append(position)
        size += len(records[position])
    return requests
