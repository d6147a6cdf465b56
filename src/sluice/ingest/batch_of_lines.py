"""Accept a batch of items, one JSON object on each line (NDJSON): each line is accepted or rejected on its own."""

import datetime
import json
from collections.abc import Sequence

import msgspec

from sluice.errors import StreamUnavailable
from sluice.http.problem import FieldFault, Problem
from sluice.http.request import Request
from sluice.http.response import Response
from sluice.ingest import firehose as stream
from sluice.ingest.accept import build_receipt_path, create_write, settings
from sluice.ingest.firehose import join_lines, plan_records
from sluice.ingest.item_body import (
    choose_item_ids,
    decode_item,
    get_natural_id,
    parse_idempotency_key,
    record_too_large_problem,
    require_utf8,
)
from sluice.model import versions
from sluice.model.record import MAX_RECORD_BYTES, encode_write
from sluice.model.resource import Resource
from sluice.observability import add_log_fields, add_metric

NDJSON_MEDIA_TYPE = "application/x-ndjson"


# Lambda takes and gives 6 MB. So many lines fit into an answer with the longest ids and collection's name there can be.
MAX_LINES = 10_000


MAX_BODY_BYTES = 6 * 1024 * 1024


MAX_RESPONSE_BYTES = 6_000_000


MAX_DETAIL_CHARACTERS = 300  # characters: it may quote what the client sent


_TOO_MUCH = "This line cannot be taken. The answer has no room to say why; send fewer lines."


class LineResult(msgspec.Struct, omit_defaults=True):
    """What became of a line: 202 with its receipt, 422 with what is wrong, 503 when the stream did not take it."""

    line: int
    status: int
    id: str = ""
    version: str = ""
    receipt: str = ""
    detail: str = ""
    errors: Sequence[FieldFault] = ()


def split_lines(request: Request) -> list[tuple[int, bytes]]:
    """The lines that are not blank, numbered from 1 as the client counts them.

    Raises Problem 415 for another charset, 413 for more than are taken, 400 when there is none.
    """
    require_utf8(request)
    body = request.body
    if len(body) > MAX_BODY_BYTES:
        raise Problem(413, f"A body may have at most {MAX_BODY_BYTES} bytes. Send the lines in several requests.")
    if body.count(b"\n") - body.endswith(b"\n") >= MAX_LINES:
        raise Problem(413, f"A body may have at most {MAX_LINES} lines. Send them in several requests.")
    found = [(number, line) for number, line in enumerate(body.split(b"\n"), 1) if line and not line.isspace()]
    if not found:
        raise Problem(400, "The body is empty; a JSON object on each line was expected.")
    return found


def rejected_line_result(line: int, problem: Problem) -> LineResult:
    """The answer to a line that has something wrong with it."""
    faults = [FieldFault(_short(fault.field), _short(fault.detail)) for fault in problem.faults]
    return LineResult(line, 422, detail=_short(problem.detail), errors=faults)


def encode_line_results(answers: list[LineResult]) -> msgspec.Raw:
    """The answers as JSON that fits into one of Lambda's."""
    text = msgspec.json.encode(answers)
    if not _fits(text):
        text = msgspec.json.encode([_silent(one) if one.status == 422 else one for one in answers])
    return msgspec.Raw(text)


def _fits(text: bytes) -> bool:
    # Lambda's runtime makes a JSON text of it once more; each byte takes three at most.
    return 3 * len(text) < MAX_RESPONSE_BYTES or len(json.dumps(text.decode())) < MAX_RESPONSE_BYTES


def _silent(answer: LineResult) -> LineResult:
    return LineResult(answer.line, answer.status, detail=_TOO_MUCH)


def _short(text: str) -> str:
    return text if len(text) <= MAX_DETAIL_CHARACTERS else f"{text[: MAX_DETAIL_CHARACTERS - 1]}…"


_AWAY = "The write was not accepted; try again."


_MOST_NAMES = 20


def accept_lines(resource: Resource, request: Request) -> Response:
    """Put the items of a body on the stream, and answer each line: 202 when all were accepted, 207 when some were.

    Raises Problem 400 or 413 for the body as a whole, 422 when no line was accepted, 503 when the stream took none.
    """
    key, lines = parse_idempotency_key(request), split_lines(request)
    ids = choose_item_ids(resource, request, key, [number for number, _ in lines])
    base = f"{resource.collection}/"
    answers: list[LineResult] = []
    taken: list[LineResult] = []
    records: list[bytes] = []
    faulty: set[str] = set()
    moment = datetime.datetime.now(datetime.UTC)
    # In the order of the lines, so that of two to one item the later one holds.
    given = zip(lines, ids, versions.new_versions(len(lines)), strict=True)
    for (number, text), chosen, version in given:
        try:
            item = decode_item(text, resource)
            item_id = chosen or get_natural_id(resource, item)
            record = encode_write(create_write(resource, request.caller, item_id, version, moment, item))
            if len(record) > MAX_RECORD_BYTES:
                raise record_too_large_problem()
        except Problem as problem:
            answers.append(rejected_line_result(number, problem))
            faulty.update(problem.loggable_reason())
        else:
            answer = LineResult(number, 202, item_id, version, build_receipt_path(base, item_id, version))
            answers.append(answer)
            taken.append(answer)
            records.append(record)
    add_log_fields(operation="put", lines=len(lines), faulty_fields=sorted(faulty)[:_MOST_NAMES])
    _put(taken, records)
    return _answered(resource, answers)


def _put(taken: Sequence[LineResult], lines: Sequence[bytes]) -> None:
    """Put lines on the stream, and change the answers to those that it did not take."""
    records = plan_records(lines)
    left = stream.put_records(settings().stream_name, [join_lines(lines, pack) for pack in records])
    for answer in (taken[at] for position in left for at in records[position]):
        answer.status, answer.detail = 503, _AWAY
        answer.id = answer.version = answer.receipt = ""
    if left:
        add_log_fields(error=StreamUnavailable.__name__, stream_error=sorted(set(left.values())))
    add_log_fields(records=len(records))


def _answered(resource: Resource, answers: list[LineResult]) -> Response:
    accepted = [answer for answer in answers if answer.status == 202]
    away = sum(answer.status == 503 for answer in answers)
    if away:
        add_metric("WritesRefused", away)
    body = {"accepted": len(accepted), "refused": len(answers) - len(accepted), "lines": encode_line_results(answers)}
    add_log_fields(accepted=body["accepted"], refused=body["refused"])
    if away and not accepted:
        raise Problem(503, "No line was accepted; try again.", headers={"Retry-After": "1"}, members=body)
    if not accepted:
        raise Problem(422, "No line could be accepted.", members=body)
    add_metric("WritesAccepted", len(accepted))
    add_log_fields(first_version=accepted[0].version, last_version=accepted[-1].version)
    headers = {
        "Location": resource.collection,
        "Retry-After": str(settings().buffer_seconds),
        "Cache-Control": "no-store",
    }
    return Response(202 if len(accepted) == len(answers) else 207, msgspec.json.encode(body), headers)
