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

from bench.results import is_short, save_results
from testkit.lambda_environment import build_lambda_environment

TOTAL_LINES, LINES_PER_POST = 10_000, (500, 10_000)
PACK_SIZES = {"not packed": 1, "5 KiB": 5 << 10, "25 KiB": 25 << 10, "100 KiB": 100 << 10, "1,000 KiB": 1000 << 10}
BILLING_UNIT_BYTES = 5 << 10


def build_booking(number: int, notes: int = 0) -> bytes:
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


def build_event(lines: list[bytes], media: str = "application/x-ndjson") -> dict[str, Any]:
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


class FirehoseStub:
    """What answers in Firehose's place; it keeps the requests' bodies, when it is told to."""

    def __init__(self, client: Any) -> None:
        self.recorded_bodies: list[bytes] | None = None
        client._endpoint.post = self._answer

    def _answer(self, body: bytes, _headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if self.recorded_bodies is not None:
            self.recorded_bodies.append(body)
        entries = [{"RecordId": "1"}] * body.count(b'"Data":')
        answer = {"RecordId": "1", "FailedPutCount": 0, "RequestResponses": entries}
        return 200, {}, json.dumps(answer).encode()

    def decode_records(self) -> list[bytes]:
        """The records of the requests that were kept."""
        return [
            base64.b64decode(one["Data"]) for body in self.recorded_bodies or () for one in json.loads(body)["Records"]
        ]


@contextlib.contextmanager
def open_handler() -> Iterator[tuple[Callable[[dict[str, Any], Any], dict[str, Any]], FirehoseStub]]:
    """The POST handler as in a warm function. Its log is discarded."""
    os.environ.update(build_lambda_environment(POWERTOOLS_TRACE_DISABLED="1"))
    with open(os.devnull, "w") as devnull, contextlib.redirect_stdout(devnull):  # noqa: PTH123
        from sluice.aws.lambda_environment import BOTOCORE_ONLY_VARIABLES  # noqa: PLC0415

        for name in BOTOCORE_ONLY_VARIABLES:  # set on this machine, and not in Lambda
            os.environ.pop(name, None)
        from sluice.handlers.post import context, handle  # noqa: PLC0415

        yield handle, FirehoseStub(context.stream.client)


def count_billed_bytes(records: list[bytes]) -> int:
    """The bytes that Firehose counts: each record's, rounded up to 5 KiB."""
    return sum(-(-len(record) // BILLING_UNIT_BYTES) * BILLING_UNIT_BYTES for record in records)


def measure_cost(handle: Any, firehose: FirehoseStub, at_once: int) -> dict[str, Any]:
    """Records and billed bytes of 10,000 lines, so many in a POST: as they are put, not packed, in other packs."""
    from sluice.ingest.firehose import join_lines, plan_records  # noqa: PLC0415

    firehose.recorded_bodies = []
    for start in range(0, TOTAL_LINES, at_once):
        answer = handle(build_event([build_booking(start + number) for number in range(at_once)]), None)
        assert answer["statusCode"] == 202
    put = firehose.decode_records()
    firehose.recorded_bodies = None
    lines = [line + b"\n" for record in put for line in record.splitlines()]
    requests = [lines[start : start + at_once] for start in range(0, TOTAL_LINES, at_once)]
    found = {
        name: [join_lines(some, pack) for some in requests for pack in plan_records(some, size)]
        for name, size in PACK_SIZES.items()
    }
    found["as put"] = put
    return {
        name: {"records": len(records), "billed_bytes": count_billed_bytes(records)} for name, records in found.items()
    }


def measure_microseconds(handle: Any, sent: dict[str, Any], lines: int, runs: int) -> float:
    """The median of the processor's time that a warm handler takes, for each line: nothing is waited for here."""
    times = []
    for _ in range(runs):
        started = time.process_time()
        answer = handle(sent, None)
        times.append(time.process_time() - started)
        assert answer["statusCode"] == 202
    return round(statistics.median(times) / lines * 1e6, 1)


def measure_all() -> dict[str, Any]:
    with open_handler() as (handle, firehose):
        largest = build_event([build_booking(number, notes=350) for number in range(TOTAL_LINES)])
        few = is_short()
        return {
            "cost": {str(at_once): measure_cost(handle, firehose, at_once) for at_once in LINES_PER_POST},
            "largest_body": len(largest["body"]),
            "us_per_line": {
                "1": measure_microseconds(
                    handle, build_event([build_booking(1)], "application/json"), 1, 50 if few else 2000
                ),
                "500": measure_microseconds(
                    handle, build_event([build_booking(n) for n in range(500)]), 500, 5 if few else 60
                ),
                "10000": measure_microseconds(handle, largest, TOTAL_LINES, 2 if few else 9),
            },
        }


def main() -> None:
    found = measure_all()
    for at_once, sizes in found["cost"].items():
        print(f"{TOTAL_LINES:,} writes, in POSTs of {int(at_once):,} lines:")
        for name, one in sizes.items():
            print(f"  {name:>10}: {one['records']:6,} records, {one['billed_bytes']:11,} bytes billed")
    for lines, taken in found["us_per_line"].items():
        print(f"warm handler, a POST of {int(lines):,}: {taken} µs of processor time a line")
    save_results("many", found)


if __name__ == "__main__":
    main()
