"""A body of many items, one on a line (NDJSON), and what is said of each line."""

import json
from collections.abc import Sequence

import msgspec

from sluice.api.problems import FieldFault, Problem
from sluice.api.requests import Request
from sluice.writes.decode import need_utf8

MEDIA = "application/x-ndjson"

# Lambda takes and gives 6 MB. So many lines fit into an answer with the longest ids and collection's name there can be.
MOST_LINES = 10_000
LARGEST_BODY = 6 * 1024 * 1024
LARGEST_ANSWER = 6_000_000
LONGEST_DETAIL = 300  # characters: it may quote what the client sent

_TOO_MUCH = "This line cannot be taken. The answer has no room to say why; send fewer lines."


class Answer(msgspec.Struct, omit_defaults=True):
    """What became of a line: 202 with its receipt, 422 with what is wrong, 503 when the stream did not take it."""

    line: int
    status: int
    id: str = ""
    version: str = ""
    receipt: str = ""
    detail: str = ""
    errors: Sequence[FieldFault] = ()


def numbered(request: Request) -> list[tuple[int, bytes]]:
    """The lines that are not blank, numbered from 1 as the client counts them.

    Raises Problem 415 for another charset, 413 for more than are taken, 400 when there is none.
    """
    need_utf8(request)
    body = request.body
    if len(body) > LARGEST_BODY:
        raise Problem(413, f"A body may have at most {LARGEST_BODY} bytes. Send the lines in several requests.")
    if body.count(b"\n") - body.endswith(b"\n") >= MOST_LINES:
        raise Problem(413, f"A body may have at most {MOST_LINES} lines. Send them in several requests.")
    found = [(number, line) for number, line in enumerate(body.split(b"\n"), 1) if line and not line.isspace()]
    if not found:
        raise Problem(400, "The body is empty; a JSON object on each line was expected.")
    return found


def refused(line: int, problem: Problem) -> Answer:
    """The answer to a line that has something wrong with it."""
    faults = [FieldFault(_short(fault.field), _short(fault.detail)) for fault in problem.faults]
    return Answer(line, 422, detail=_short(problem.detail), errors=faults)


def told(answers: list[Answer]) -> msgspec.Raw:
    """The answers as JSON that fits into one of Lambda's."""
    text = msgspec.json.encode(answers)
    if not _fits(text):
        text = msgspec.json.encode([_silent(one) if one.status == 422 else one for one in answers])
    return msgspec.Raw(text)


def _fits(text: bytes) -> bool:
    # Lambda's runtime makes a JSON text of it once more; each byte takes three at most.
    return 3 * len(text) < LARGEST_ANSWER or len(json.dumps(text.decode())) < LARGEST_ANSWER


def _silent(answer: Answer) -> Answer:
    return Answer(answer.line, answer.status, detail=_TOO_MUCH)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_DETAIL else f"{text[: LONGEST_DETAIL - 1]}…"
