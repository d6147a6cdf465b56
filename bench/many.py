"""`make bench`: the cost of many items in one POST: records and bytes that Firehose bills, processor time per line.

The handler and its client of AWS are the deployed ones. Only the network is replaced.
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


def build_booking(number: int, extra_bytes: int = 0) -> bytes:
    item = {
        "passenger": f"Passenger {number}",
        "departs_at": "2026-12-24T09:30:00+01:00",
        "seats": number % 9 + 1,
        "price": f"{100 + number % 900}.90",
        "cabin": "economy",
        "airports": ["EDDF", "LPPT"],
        "notes": "window, please" + "." * extra_bytes,
    }
    return json.dumps(item).encode()


def build_event(lines: list[bytes], media_type: str = "application/x-ndjson") -> dict[str, Any]:
    """A POST of bookings, as API Gateway passes it on."""
    return {
        "resource": "/v1/bookings",
        "path": "/v1/bookings",
        "httpMethod": "POST",
        "headers": {"Content-Type": media_type},
        "pathParameters": None,
        "requestContext": {"authorizer": {"claims": {"sub": "somebody", "scope": "sluice/write"}}},
        "body": b"\n".join(lines).decode(),
        "isBase64Encoded": False,
    }


class FirehoseStub:
    """Responds in place of Firehose. It records the bodies of the requests while `recorded_bodies` is a list."""

    def __init__(self, client: Any) -> None:
        self.recorded_bodies: list[bytes] | None = None
        client._endpoint.post = self._respond

    def _respond(self, body: bytes, _headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if self.recorded_bodies is not None:
            self.recorded_bodies.append(body)
        entries = [{"RecordId": "1"}] * body.count(b'"Data":')
        response = {"RecordId": "1", "FailedPutCount": 0, "RequestResponses": entries}
        return 200, {}, json.dumps(response).encode()

    def decode_records(self) -> list[bytes]:
        """The records of the recorded requests."""
        bodies = map(json.loads, self.recorded_bodies or ())
        return [base64.b64decode(record["Data"]) for body in bodies for record in body["Records"]]


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
    """The bytes that Firehose bills: each record is rounded up to 5 KiB."""
    return sum(-(-len(record) // BILLING_UNIT_BYTES) * BILLING_UNIT_BYTES for record in records)


def measure_cost(handle: Any, firehose: FirehoseStub, lines_per_post: int) -> dict[str, Any]:
    """Records and billed bytes of 10,000 lines: as the handler puts them, not packed, and in packs of other sizes."""
    from sluice.ingest.firehose import join_lines, plan_records  # noqa: PLC0415

    firehose.recorded_bodies = []
    for start in range(0, TOTAL_LINES, lines_per_post):
        response = handle(build_event([build_booking(start + number) for number in range(lines_per_post)]), None)
        assert response["statusCode"] == 202
    put_records = firehose.decode_records()
    firehose.recorded_bodies = None
    lines = [line + b"\n" for record in put_records for line in record.splitlines()]
    posts = [lines[start : start + lines_per_post] for start in range(0, TOTAL_LINES, lines_per_post)]
    records_by_pack = {
        name: [join_lines(post, pack) for post in posts for pack in plan_records(post, size)]
        for name, size in PACK_SIZES.items()
    }
    records_by_pack["as put"] = put_records
    return {
        name: {"records": len(records), "billed_bytes": count_billed_bytes(records)}
        for name, records in records_by_pack.items()
    }


def measure_microseconds(handle: Any, event: dict[str, Any], lines: int, runs: int) -> float:
    """Median processor time of a warm handler per line. The handler waits for nothing here."""
    times = []
    for _ in range(runs):
        started = time.process_time()
        response = handle(event, None)
        times.append(time.process_time() - started)
        assert response["statusCode"] == 202
    return round(statistics.median(times) / lines * 1e6, 1)


def measure_all() -> dict[str, Any]:
    with open_handler() as (handle, firehose):
        largest = build_event([build_booking(number, extra_bytes=350) for number in range(TOTAL_LINES)])
        medium = build_event([build_booking(number) for number in range(500)])
        single = build_event([build_booking(1)], "application/json")
        short = is_short()
        return {
            "cost": {str(lines): measure_cost(handle, firehose, lines) for lines in LINES_PER_POST},
            "largest_body": len(largest["body"]),
            "us_per_line": {
                "1": measure_microseconds(handle, single, 1, 50 if short else 2000),
                "500": measure_microseconds(handle, medium, 500, 5 if short else 60),
                "10000": measure_microseconds(handle, largest, TOTAL_LINES, 2 if short else 9),
            },
        }


def main() -> None:
    figures = measure_all()
    for lines_per_post, packs in figures["cost"].items():
        print(f"{TOTAL_LINES:,} writes, in POSTs of {int(lines_per_post):,} lines:")
        for name, cost in packs.items():
            print(f"  {name:>10}: {cost['records']:6,} records, {cost['billed_bytes']:11,} bytes billed")
    for lines, microseconds in figures["us_per_line"].items():
        print(f"warm handler, a POST of {int(lines):,}: {microseconds} µs of processor time a line")
    save_results("many", figures)


if __name__ == "__main__":
    main()
