"""The Firehose stream: the only thing that a write function can reach."""

import time
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sluice.tries import CONNECT_TIMEOUT, READ_TIMEOUT, code_of, latest_begin, passes, tries

# PutRecordBatch takes at most 500 records and 4 MiB.
MOST_RECORDS = 500
MOST_BYTES = 4 * 1024 * 1024

_NOT_ASKED = "NotAsked"


class StreamAway(Exception):  # noqa: N818
    """The stream did not take a record. `code` is AWS's error code, or the class of the client's error."""

    def __init__(self, code: str) -> None:
        super().__init__(f"the stream did not take the write: {code}")
        self.code = code


@cache
def _client() -> Any:
    # Retries are ours: botocore's know neither single records nor when the answer must be there.
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"mode": "standard", "total_max_attempts": 1},
    )
    return botocore.session.get_session().create_client("firehose", config=config)


def prepare() -> None:
    """Make the client now, while the function starts, instead of in its first request."""
    _client()


def put(stream: str, record: bytes) -> None:
    """Put one record. Returns when Firehose took it; raises StreamAway when it did not."""
    code = _NOT_ASKED
    for _ in tries(latest_begin()):
        try:
            _client().put_record(DeliveryStreamName=stream, Record={"Data": record})
        except (ClientError, BotoCoreError) as error:
            code = code_of(error)
            if not passes(error):
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
            except (ClientError, BotoCoreError) as error:
                left.update(dict.fromkeys(positions, code_of(error)))
                if not passes(error):
                    return left
            else:
                for position in positions:
                    del left[position]
                left.update(failed)
        if not left:
            break
    return left


def _put_request(stream: str, records: Sequence[bytes], positions: Sequence[int]) -> dict[int, str]:
    answer = _client().put_record_batch(
        DeliveryStreamName=stream, Records=[{"Data": records[position]} for position in positions]
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
