"""The Firehose stream: the only thing that a write function can reach."""

import time
from collections.abc import Iterable, Sequence
from functools import cache

from sluice.aws.client import client
from sluice.aws.faults import AwsError
from sluice.aws.retrying import worth_another
from sluice.aws.service import Client, Service
from sluice.tries import CONNECT_SECONDS, READ_SECONDS, latest_begin, tries

# PutRecordBatch takes at most 500 records and 4 MiB.
MOST_RECORDS = 500
MOST_BYTES = 4 * 1024 * 1024

# Retries are ours: the client's know neither single records nor when the answer must be there.
SERVICE = Service(
    "firehose", "FIREHOSE", "Firehose_20150804", connect_seconds=CONNECT_SECONDS, read_seconds=READ_SECONDS, tries=1
)

_NOT_ASKED = "NotAsked"


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
    code = _NOT_ASKED
    for _ in tries(latest_begin()):
        try:
            _client().call("PutRecord", {"DeliveryStreamName": stream, "Record": {"Data": record}})
        except AwsError as error:
            code = error.code
            if not worth_another(error):
                break
        else:
            return
    raise StreamAway(code)


def put_many(stream: str, records: Sequence[bytes]) -> dict[int, str]:
    """Put many records, and only what failed again.

    Returns the positions of those that Firehose did not take, or may not have taken, each with a code as StreamAway's.
    """
    left, latest = dict.fromkeys(range(len(records)), _NOT_ASKED), latest_begin()
    for _ in tries(latest) if records else ():
        for positions in _requests(records, tuple(left)):
            if time.monotonic() > latest:
                return left
            try:
                failed = _put_request(stream, records, positions)
            except AwsError as error:
                left.update(dict.fromkeys(positions, error.code))
                if not worth_another(error):
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
        if not requests or len(requests[-1]) == MOST_RECORDS or size + len(records[position]) > MOST_BYTES:
            requests.append([])
            size = 0
        requests[-1].append(position)
        size += len(records[position])
    return requests
