"""`make bench`: what many items in one POST cost: records and bytes billed by Firehose, the handler's time per line.

The handler is the deployed one, with its client of AWS; only the network is left out.
"""

import base64
import contextlib
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

from bench.lambdas import environment
from bench.results import keep, short

LINES, AT_ONCE = 10_000, (500, 10_000)
PACKS = {"not packed": 1, "5 KiB": 5 << 10, "25 KiB": 25 << 10, "100 KiB": 100 << 10, "1,000 KiB": 1000 << 10}
BILLED = 5 << 10


def booking(number: int, notes: int = 0) -> bytes:
    item = {
        "passenger": f"Passenger {number}",
        "departs_at": "2026-12-24T09:30:00+01:00",
        "seats": number % 9 + 1,
        "price": f"{100 + number % 900}.90",
        "cabin": "economy",
        "airports": ["EDDF", "LPPT"],
        "notes": "window, please" + "." * notes,
    }
    return json.dumps(item).encode()


def event(lines: list[bytes], media: str = "application/x-ndjson") -> dict[str, Any]:
    """A POST of bookings as API Gateway hands it on."""
    return {
        "resource": "/v1/{collection}",
        "path": "/v1/bookings",
        "httpMethod": "POST",
        "headers": {"Content-Type": media},
        "pathParameters": {"collection": "bookings"},
        "requestContext": {"authorizer": {"claims": {"sub": "somebody", "scope": "sluice/write"}}},
        "body": b"\n".join(lines).decode(),
        "isBase64Encoded": False,
    }


class Firehose:
    """What answers in Firehose's place; it keeps the requests' bodies, when it is told to."""

    def __init__(self, client: Any) -> None:
        self.kept: list[bytes] | None = None
        client._endpoint.post = self._answer

    def _answer(self, body: bytes, _headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if self.kept is not None:
            self.kept.append(body)
        entries = [{"RecordId": "1"}] * body.count(b'"Data":')
        answer = {"RecordId": "1", "FailedPutCount": 0, "RequestResponses": entries}
        return 200, {}, json.dumps(answer).encode()

    def records(self) -> list[bytes]:
        """The records of the requests that were kept."""
        return [base64.b64decode(one["Data"]) for body in self.kept or () for one in json.loads(body)["Records"]]


@contextlib.contextmanager
def handler() -> Iterator[tuple[Callable[[dict[str, Any], Any], dict[str, Any]], Firehose]]:
    """The POST handler in a warm function, its log thrown away."""
    os.environ.update(environment(POWERTOOLS_TRACE_DISABLED="1"))
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
        from sluice.aws import surroundings  # noqa: PLC0415

        for name in surroundings._OTHERWISE:  # what this machine adds, and Lambda does not
            os.environ.pop(name, None)
        from sluice import stream  # noqa: PLC0415
        from sluice.handlers.post import handle  # noqa: PLC0415

        yield handle, Firehose(stream._client())


def billed(records: list[bytes]) -> int:
    """The bytes that Firehose counts: each record's, rounded up to 5 KiB."""
    return sum(-(-len(record) // BILLED) * BILLED for record in records)


def cost(handle: Any, firehose: Firehose, at_once: int) -> dict[str, Any]:
    """Records and billed bytes of 10,000 lines, so many in a POST: as they are put, not packed, in other packs."""
    from sluice.packing import packed, packs  # noqa: PLC0415

    firehose.kept = []
    for start in range(0, LINES, at_once):
        answer = handle(event([booking(start + number) for number in range(at_once)]), None)
        assert answer["statusCode"] == 202
    put = firehose.records()
    firehose.kept = None
    lines = [line + b"\n" for record in put for line in record.splitlines()]
    requests = [lines[start : start + at_once] for start in range(0, LINES, at_once)]
    found = {
        name: [packed(some, pack) for some in requests for pack in packs(some, size)] for name, size in PACKS.items()
    }
    found["as put"] = put
    return {name: {"records": len(records), "billed_bytes": billed(records)} for name, records in found.items()}


def microseconds(handle: Any, sent: dict[str, Any], lines: int, runs: int) -> float:
    """The median of the processor's time that a warm handler takes, for each line: nothing is waited for here."""
    times = []
    for _ in range(runs):
        started = time.process_time()
        answer = handle(sent, None)
        times.append(time.process_time() - started)
        assert answer["statusCode"] == 202
    return round(statistics.median(times) / lines * 1e6, 1)


def measure() -> dict[str, Any]:
    with handler() as (handle, firehose):
        largest = event([booking(number, notes=350) for number in range(LINES)])
        few = short()
        return {
            "cost": {str(at_once): cost(handle, firehose, at_once) for at_once in AT_ONCE},
            "largest_body": len(largest["body"]),
            "us_per_line": {
                "1": microseconds(handle, event([booking(1)], "application/json"), 1, 50 if few else 2000),
                "500": microseconds(handle, event([booking(n) for n in range(500)]), 500, 5 if few else 60),
                "10000": microseconds(handle, largest, LINES, 2 if few else 9),
            },
        }


def main() -> None:
    found = measure()
    for at_once, sizes in found["cost"].items():
        print(f"{LINES:,} writes, in POSTs of {int(at_once):,} lines:")
        for name, one in sizes.items():
            print(f"  {name:>10}: {one['records']:6,} records, {one['billed_bytes']:11,} bytes billed")
    for lines, taken in found["us_per_line"].items():
        print(f"warm handler, a POST of {int(lines):,}: {taken} µs of processor time a line")
    keep("many", found)


if __name__ == "__main__":
    main()
