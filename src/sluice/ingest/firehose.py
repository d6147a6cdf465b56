"""Put records on the Firehose stream, with retries and backoff. A write function reaches nothing else."""

import random
import time
from collections.abc import Iterator, Sequence

from sluice.aws.client import AwsClient
from sluice.aws.lambda_environment import Service
from sluice.aws.retries import is_retryable
from sluice.errors import AwsError, StreamUnavailable

# A put with all its attempts ends within PUT_TIMEOUT_SECONDS, so that the client gets a response before the function
# times out.
PUT_TIMEOUT_SECONDS = 15.0
CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS = 1.0, 2.0
MAX_ATTEMPTS = 4
FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 0.2, 2.0

# Limits of PutRecordBatch: 500 records and 4 MiB.
MAX_BATCH_RECORDS = 500
MAX_BATCH_BYTES = 4 * 1024 * 1024

# Firehose bills a record as a multiple of 5 KiB. A full record of this size costs little more than its lines.
# ADR-0069 says why it is not larger.
MAX_PACKED_RECORD_BYTES = 100 * 1024

# The client itself makes one attempt: it knows neither single records nor the deadline.
FIREHOSE_SERVICE = Service(
    "firehose",
    "FIREHOSE",
    "Firehose_20150804",
    connect_seconds=CONNECT_TIMEOUT_SECONDS,
    read_seconds=READ_TIMEOUT_SECONDS,
    max_attempts=1,
)

_NOT_ATTEMPTED = "NotAttempted"


class FirehoseStream:
    """A Firehose stream by its name, and the client that puts records on it."""

    def __init__(self, name: str, client: AwsClient) -> None:
        self.name = name
        self.client = client

    def put_record(self, record: bytes, timeout_seconds: float = PUT_TIMEOUT_SECONDS) -> None:
        """Put one record. Returns after Firehose has taken it. Raises StreamUnavailable before the timeout."""
        code = _NOT_ATTEMPTED
        for _ in iterate_attempts(compute_attempt_deadline(timeout_seconds)):
            try:
                self.client.call("PutRecord", {"DeliveryStreamName": self.name, "Record": {"Data": record}})
            except AwsError as error:
                code = error.code
                if not is_retryable(error):
                    break
            else:
                return
        raise StreamUnavailable(code)

    def put_records(self, records: Sequence[bytes]) -> dict[int, str]:
        """Put many records, and retry only those that failed.

        Returns the positions of the records that Firehose did not take, or may not have taken, each with AWS's error
        code or the name of the connection error. An empty result means that Firehose has all of them.
        """
        failed, deadline = dict.fromkeys(range(len(records)), _NOT_ATTEMPTED), compute_attempt_deadline()
        for _ in iterate_attempts(deadline) if records else ():
            for positions in _split_into_batches(records, tuple(failed)):
                if time.monotonic() > deadline:
                    return failed
                try:
                    failed_now = self._put_batch(records, positions)
                except AwsError as error:
                    failed.update(dict.fromkeys(positions, error.code))
                    if not is_retryable(error):
                        return failed
                else:
                    for position in positions:
                        del failed[position]
                    failed.update(failed_now)
            if not failed:
                break
        return failed

    def _put_batch(self, records: Sequence[bytes], positions: Sequence[int]) -> dict[int, str]:
        response = self.client.call(
            "PutRecordBatch",
            {"DeliveryStreamName": self.name, "Records": [{"Data": records[position]} for position in positions]},
        )
        results = zip(positions, response["RequestResponses"], strict=True)
        return {position: str(result["ErrorCode"]) for position, result in results if result.get("ErrorCode")}


def compute_attempt_deadline(timeout_seconds: float = PUT_TIMEOUT_SECONDS) -> float:
    """Return the latest time, by the monotonic clock, at which an attempt may begin."""
    return time.monotonic() + timeout_seconds - CONNECT_TIMEOUT_SECONDS - READ_TIMEOUT_SECONDS


def iterate_attempts(deadline: float) -> Iterator[int]:
    """Yield the attempts of a put. Between two of them it sleeps: exponential backoff with full jitter."""
    yield 0
    for attempt in range(1, MAX_ATTEMPTS):
        limit = min(MAX_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** (attempt - 1))
        pause = random.uniform(0, limit)  # noqa: S311  jitter
        if time.monotonic() + pause > deadline:
            return
        time.sleep(pause)
        yield attempt


def plan_records(lines: Sequence[bytes], max_bytes: int = MAX_PACKED_RECORD_BYTES) -> list[range]:
    """Group consecutive lines into records of at most `max_bytes`. A longer line becomes a record of its own."""
    groups, start, size = [], 0, 0
    for position, length in enumerate(map(len, lines)):
        if size + length > max_bytes and position > start:
            groups.append(range(start, position))
            start, size = position, 0
        size += length
    return [*groups, range(start, len(lines))] if lines else []


def join_lines(lines: Sequence[bytes], positions: range) -> bytes:
    """Return the record of one group of lines."""
    return b"".join(lines[positions.start : positions.stop])


def _split_into_batches(records: Sequence[bytes], positions: Sequence[int]) -> list[list[int]]:
    """Group the positions of records by what one PutRecordBatch may contain."""
    batches: list[list[int]] = []
    size = 0
    for position in positions:
        length = len(records[position])
        if not batches or len(batches[-1]) == MAX_BATCH_RECORDS or size + length > MAX_BATCH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(position)
        size += length
    return batches
