"""Accepting many items at once: each line is accepted or refused on its own."""

import datetime
from collections.abc import Sequence

import msgspec

from sluice import stream, versions
from sluice.api.problems import Problem
from sluice.api.requests import Request
from sluice.api.responses import Response
from sluice.observability import count, note
from sluice.packing import packed, packs
from sluice.records import LARGEST_RECORD, to_line
from sluice.resource import Resource
from sluice.writes.accept import receipt_of, settings, write_of
from sluice.writes.decode import decode_item, too_large
from sluice.writes.lines import Answer, numbered, refused, told
from sluice.writes.naming import chosen_ids, idempotency_key, natural_id

_AWAY = "The write was not accepted; try again."
_MOST_NAMES = 20


def accept_lines(resource: Resource, request: Request) -> Response:
    """Put the items of a body on the stream, and answer each line: 202 when all were accepted, 207 when some were.

    Raises Problem 400 or 413 for the body as a whole, 422 when no line was accepted, 503 when the stream took none.
    """
    key, lines = idempotency_key(request), numbered(request)
    ids = chosen_ids(resource, request, key, [number for number, _ in lines])
    base = f"{resource.collection}/"
    answers: list[Answer] = []
    taken: list[Answer] = []
    records: list[bytes] = []
    faulty: set[str] = set()
    moment = datetime.datetime.now(datetime.UTC)
    # In the order of the lines, so that of two to one item the later one holds.
    given = zip(lines, ids, versions.new_versions(len(lines)), strict=True)
    for (number, text), chosen, version in given:
        try:
            item = decode_item(text, resource)
            item_id = chosen or natural_id(resource, item)
            record = to_line(write_of(resource, request.caller, item_id, version, moment, item))
            if len(record) > LARGEST_RECORD:
                raise too_large()
        except Problem as problem:
            answers.append(refused(number, problem))
            faulty.update(problem.reason())
        else:
            answer = Answer(number, 202, item_id, version, receipt_of(base, item_id, version))
            answers.append(answer)
            taken.append(answer)
            records.append(record)
    note(operation="put", lines=len(lines), faulty_fields=sorted(faulty)[:_MOST_NAMES])
    _put(taken, records)
    return _answered(resource, answers)


def _put(taken: Sequence[Answer], lines: Sequence[bytes]) -> None:
    """Put lines on the stream, and change the answers to those that it did not take."""
    records = packs(lines)
    left = stream.put_many(settings().stream_name, [packed(lines, pack) for pack in records])
    for answer in (taken[at] for position in left for at in records[position]):
        answer.status, answer.detail = 503, _AWAY
        answer.id = answer.version = answer.receipt = ""
    if left:
        note(error=stream.StreamAway.__name__, stream_error=sorted(set(left.values())))
    note(records=len(records))


def _answered(resource: Resource, answers: list[Answer]) -> Response:
    accepted = [answer for answer in answers if answer.status == 202]
    away = sum(answer.status == 503 for answer in answers)
    if away:
        count("WritesRefused", away)
    body = {"accepted": len(accepted), "refused": len(answers) - len(accepted), "lines": told(answers)}
    note(accepted=body["accepted"], refused=body["refused"])
    if away and not accepted:
        raise Problem(503, "No line was accepted; try again.", headers={"Retry-After": "1"}, members=body)
    if not accepted:
        raise Problem(422, "No line could be accepted.", members=body)
    count("WritesAccepted", len(accepted))
    note(first_version=accepted[0].version, last_version=accepted[-1].version)
    headers = {
        "Location": resource.collection,
        "Retry-After": str(settings().buffer_seconds),
        "Cache-Control": "no-store",
    }
    return Response(202 if len(accepted) == len(answers) else 207, msgspec.json.encode(body), headers)
