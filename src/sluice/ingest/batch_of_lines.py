"""Accept a batch of items, one JSON object on each line (NDJSON): each line is accepted or rejected on its own."""

import datetime
import json
from collections.abc import Sequence

import msgspec

from sluice.errors import StreamUnavailable
from sluice.http.problem import FieldFault, Problem
from sluice.http.request import Caller, Request
from sluice.http.response import Response
from sluice.ingest.accept import NOT_ACCEPTED_DETAIL, RETRY_AFTER_HEADERS, WriteContext, build_receipt_path
from sluice.ingest.firehose import FirehoseStream, join_lines, plan_records
from sluice.ingest.item_body import (
    choose_item_ids,
    decode_item,
    get_natural_id,
    parse_idempotency_key,
    read_utf8_body,
    record_too_large_problem,
)
from sluice.model.record import MAX_RECORD_BYTES, create_record
from sluice.model.resource import Resource
from sluice.model.versions import new_versions
from sluice.observability import add_log_fields, add_metric

NDJSON_MEDIA_TYPE = "application/x-ndjson"

# Lambda limits request and response to 6 MB. A response to so many lines fits, whatever the length of the ids and of
# the collection's name.
MAX_LINES = 10_000
MAX_BODY_BYTES = 6 * 1024 * 1024
MAX_RESPONSE_BYTES = 6_000_000
MAX_DETAIL_CHARACTERS = 300  # a detail may quote what the client sent

_NO_ROOM_DETAIL = "This line cannot be accepted. The response has no room to say why; send fewer lines."
_MAX_LOGGED_FIELDS = 20


class LineResult(msgspec.Struct, omit_defaults=True):
    """The result of one line: 202 with its receipt, 422 with its faults, 503 if the stream did not take it."""

    line: int
    status: int
    id: str = ""
    version: str = ""
    receipt: str = ""
    detail: str = ""
    errors: Sequence[FieldFault] = ()


def accept_lines(context: WriteContext, resource: Resource, caller: Caller, request: Request) -> Response:
    """Put the items of a body on the stream, and respond with the result of each line.

    Returns 202 if all lines were accepted, 207 if some were. Raises Problem 400, 413 or 415 for the body as a whole,
    422 if no line is valid, 503 if the stream took none.
    """
    key, lines, request_id = parse_idempotency_key(request), split_lines(request), request.origin.request_id
    ids = choose_item_ids(resource, caller, key, [number for number, _ in lines])
    base_path = f"{resource.collection}/"
    results: list[LineResult] = []
    pending: list[LineResult] = []  # one for each record
    records: list[bytes] = []
    invalid_fields: set[str] = set()
    accepted_at = datetime.datetime.now(datetime.UTC)
    # Versions in the order of the lines: of two lines that write the same item, the later one wins.
    for (number, text), chosen_id, version in zip(lines, ids, new_versions(len(lines)), strict=True):
        try:
            item = decode_item(text, resource)
            item_id = chosen_id or get_natural_id(resource, item)
            record = create_record(resource, caller.subject, item_id, version, accepted_at, item, request_id)
            if len(record) > MAX_RECORD_BYTES:
                raise record_too_large_problem()
        except Problem as problem:
            results.append(create_rejected_result(number, problem))
            invalid_fields.update(problem.loggable_reason())
        else:
            result = LineResult(number, 202, item_id, version, build_receipt_path(base_path, item_id, version))
            results.append(result)
            pending.append(result)
            records.append(record)
    add_log_fields(operation="put", lines=len(lines), faulty_fields=sorted(invalid_fields)[:_MAX_LOGGED_FIELDS])
    _put_lines(context.stream, pending, records)
    return _create_batch_response(resource, results, context.buffer_seconds)


def split_lines(request: Request) -> list[tuple[int, bytes]]:
    """Return the lines that are not blank, numbered from 1 as the client counts them.

    Raises Problem 415 for a charset other than UTF-8, 413 for a body that is too large, 400 if all lines are blank.
    """
    body = read_utf8_body(request)
    if len(body) > MAX_BODY_BYTES:
        raise Problem(413, f"A body may have at most {MAX_BODY_BYTES} bytes. Send the lines in several requests.")
    if body.count(b"\n") - body.endswith(b"\n") >= MAX_LINES:
        raise Problem(413, f"A body may have at most {MAX_LINES} lines. Send them in several requests.")
    lines = [(number, line) for number, line in enumerate(body.split(b"\n"), 1) if line and not line.isspace()]
    if not lines:
        raise Problem(400, "The body is empty; a JSON object on each line was expected.")
    return lines


def create_rejected_result(line: int, problem: Problem) -> LineResult:
    """Create the result of an invalid line."""
    faults = [FieldFault(_shorten(fault.field), _shorten(fault.detail)) for fault in problem.faults]
    return LineResult(line, 422, detail=_shorten(problem.detail), errors=faults)


def encode_line_results(results: list[LineResult]) -> msgspec.Raw:
    """Encode the results as JSON. Details are left out if the response would exceed Lambda's limit."""
    text = msgspec.json.encode(results)
    if not _fits_into_response(text):
        text = msgspec.json.encode([_without_details(result) if result.status == 422 else result for result in results])
    return msgspec.Raw(text)


def _put_lines(stream: FirehoseStream, pending: Sequence[LineResult], lines: Sequence[bytes]) -> None:
    """Put lines on the stream, and set 503 in the results of those that it did not take."""
    groups = plan_records(lines)
    failed = stream.put_records([join_lines(lines, group) for group in groups])
    for result in (pending[at] for position in failed for at in groups[position]):
        result.status, result.detail = 503, NOT_ACCEPTED_DETAIL
        result.id = result.version = result.receipt = ""
    if failed:
        add_log_fields(error=StreamUnavailable.__name__, stream_error=sorted(set(failed.values())))
    add_log_fields(records=len(groups))


def _create_batch_response(resource: Resource, results: list[LineResult], buffer_seconds: int) -> Response:
    accepted = [result for result in results if result.status == 202]
    not_taken = sum(result.status == 503 for result in results)
    if not_taken:
        add_metric("WritesRefused", not_taken)
    body = {"accepted": len(accepted), "refused": len(results) - len(accepted), "lines": encode_line_results(results)}
    add_log_fields(accepted=body["accepted"], refused=body["refused"])
    if not_taken and not accepted:
        raise Problem(503, "No line was accepted; retry.", headers=RETRY_AFTER_HEADERS, members=body)
    if not accepted:
        raise Problem(422, "No line could be accepted.", members=body)
    add_metric("WritesAccepted", len(accepted))
    add_log_fields(first_version=accepted[0].version, last_version=accepted[-1].version)
    headers = {"Location": resource.collection, "Retry-After": str(buffer_seconds), "Cache-Control": "no-store"}
    return Response(202 if len(accepted) == len(results) else 207, msgspec.json.encode(body), headers)


def _fits_into_response(text: bytes) -> bool:
    # Lambda's runtime encodes the text as JSON once more. A byte becomes three bytes at most.
    return 3 * len(text) < MAX_RESPONSE_BYTES or len(json.dumps(text.decode())) < MAX_RESPONSE_BYTES


def _without_details(result: LineResult) -> LineResult:
    return LineResult(result.line, result.status, detail=_NO_ROOM_DETAIL)


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_DETAIL_CHARACTERS else f"{text[: MAX_DETAIL_CHARACTERS - 1]}…"
