"""The Firehose stream: the only thing that a write function can reach."""

import random
import time
from collections.abc import Sequence
from functools import cache

from sluice.aws.client import client
from sluice.aws.faults import AwsError
from sluice.aws.service import Client, Service

# PutRecordBatch takes at most 500 records and 4 MiB.
MOST_RECORDS = 500
MOST_BYTES = 4 * 1024 * 1024
TRIES = 4
LONGEST_PAUSE = 2.0  # seconds

# With its retries a call stays below the function's timeout.
SERVICE = Service("firehose", "FIREHOSE", "Firehose_20150804", connect_seconds=1, read_seconds=2, tries=3)


class StreamAway(Exception):  # noqa: N818
    """The stream did not take a record. `code` is AWS's error code, or the class of the client's error."""

    def __init__(self, code: str) -> None:
        super().__init__(f"the stream did not take the write: {code}")
        self.code = code


@cache
def _client() -> Client:
    return client(SERVICE)


def prepare() -> None:
    """Make the client now, while the function starts, instead of in its first request."""
    _client()


def put(stream: str, record: bytes) -> None:
    """Put one record. Returns when Firehose took it; raises StreamAway when it did not."""
    try:
        _client().call("PutRecord", {"DeliveryStreamName": stream, "Record": {"Data": record}})
    except AwsError as error:
        raise StreamAway(error.code) from None


def put_many(stream: str, records: Sequence[bytes]) -> list[int]:
    """Put many records and return the positions of those that Firehose did not take, after retrying only those."""
    left: list[int] = []
    for chunk in _chunks(records):
        left.extend(_put_chunk(stream, records, chunk))
    return left


def _put_chunk(stream: str, records: Sequence[bytes], positions: list[int]) -> list[int]:
    for attempt in range(TRIES):
        if attempt:
            time.sleep(random.uniform(0, min(LONGEST_PAUSE, 0.1 * 2**attempt)))  # noqa: S311  jitter
        try:
            answer = _client().call(
                "PutRecordBatch",
                {"DeliveryStreamName": stream, "Records": [{"Data": records[position]} for position in positions]},
            )
        except AwsError:
            continue
        answers = answer["RequestResponses"]
        positions = [at for at, one in zip(positions, answers, strict=True) if one.get("ErrorCode")]
        if not positions:
            break
    return positions


def _chunks(records: Sequence[bytes]) -> list[list[int]]:
    chunks: list[list[int]] = []
    size = 0
    for position, record in enumerate(records):
        if not chunks or len(chunks[-1]) == MOST_RECORDS or size + len(record) > MOST_BYTES:
            chunks.append([])
            size = 0
        chunks[-1].append(position)
        size += len(record)
    return chunks
