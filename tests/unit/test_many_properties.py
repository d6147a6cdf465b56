"""Whatever lines come and whatever the stream takes: every line is answered once, and the answer is true."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.errors import AwsConnectionError, AwsError
from sluice.ingest import batch_of_lines as limits
from sluice.ingest import firehose
from sluice.model.record import decode_write
from tests.unit.loopback import Loopback
from tests.unit.requesting import AIRPORT, EDITOR, Context, ask, lines_event


@dataclass
class FailingFirehose:
    """A stream that fails as it is told to, request by request: wholly, without an answer, or some of its entries."""

    plan: list[Any]
    accepted_records: list[bytes] = field(default_factory=list)

    def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        assert operation == "PutRecordBatch"
        records = [record["Data"] for record in parameters["Records"]]
        assert 0 < len(records) <= 500
        assert sum(map(len, records)) <= 4 * 1024 * 1024
        assert max(map(len, records)) <= 1_024_000
        failing = self.plan.pop(0) if self.plan else ()
        if failing == "busy":
            raise AwsError("ThrottlingException", operation, 400)
        if failing == "denied":
            raise AwsError("AccessDeniedException", operation, 400)
        if failing == "silent":
            self.accepted_records += records
            raise AwsConnectionError("ReadTimeoutError")
        self.accepted_records += [record for at, record in enumerate(records) if at not in failing]
        return {
            "FailedPutCount": len(failing),
            "RequestResponses": [{"ErrorCode": "Internal"} if at in failing else {} for at in range(len(records))],
        }


def airport(code: str, number: int, size: int) -> str:
    return json.dumps({**AIRPORT, "icao": code, "elevation": number, "name": "x" * size})


GOOD = st.builds(airport, st.sampled_from(["EDDB", "EDDF"]), st.integers(0, 10**6), st.integers(1, 120))
LINES = st.lists(st.one_of(GOOD, GOOD, st.sampled_from(["", " ", "{", '{"icao": 1}', "[]"])), max_size=40)
FAILURE = st.one_of(st.sampled_from(["busy", "denied", "silent"]), st.sets(st.integers(0, 12)))


@settings(deadline=None, max_examples=150)
@given(LINES, st.lists(FAILURE, max_size=6), st.sampled_from([200, 700, 3000]), st.integers(1, 5))
def test_every_line_is_answered_once_and_truly(
    aws: Loopback, lines: list[str], plan: list[Any], pack: int, most: int
) -> None:
    stream = FailingFirehose(plan)
    from sluice.handlers.post import context  # noqa: PLC0415  after the fixture has set its environment

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context.stream, "client", stream)
        patch.setattr(firehose, "MAX_BATCH_RECORDS", most)
        patch.setattr("sluice.ingest.firehose.plan_records.__defaults__", (pack,))
        answer = ask(lines_event("airports", lines, claims=EDITOR))
    sent = {number: line for number, line in enumerate(lines, 1) if line.strip()}
    if not sent:
        assert answer.status == 400
        return
    answered = answer.body["lines"]
    assert [line["line"] for line in answered] == list(sent)
    by_status = {status: [line for line in answered if line["status"] == status] for status in (202, 422, 503)}
    assert sum(map(len, by_status.values())) == len(answered)
    assert answer.status == expected({status: len(some) for status, some in by_status.items()})
    assert all(line["line"] in numbers_of_bad(sent) for line in by_status[422])
    assert {line["line"] for line in by_status[422]} == numbers_of_bad(sent)
    # What is on the stream; a record that came twice is the same twice.
    writes = {
        write.version: write for record in stream.accepted_records for write in map(decode_write, record.splitlines())
    }
    accepted = by_status[202]
    assert {line["version"] for line in accepted} <= writes.keys()
    for line in accepted:
        write, item = writes[line["version"]], json.loads(sent[line["line"]])
        assert (write.id, json.loads(bytes(write.data))) == (item["icao"], {**json.loads(bytes(write.data)), **item})
        assert line["id"] == write.id
    assert [line["version"] for line in accepted] == sorted({line["version"] for line in accepted})


def numbers_of_bad(sent: dict[int, str]) -> set[int]:
    return {number for number, line in sent.items() if not line.startswith('{"icao": "')}


def expected(counts: dict[int, int]) -> int:
    if not counts[202]:
        return 503 if counts[503] else 422
    return 207 if counts[422] or counts[503] else 202


# The size of an answer: Lambda gives 6 MB, as JSON made of JSON.


def size(lines: Iterable[object], **more: Any) -> int:
    from sluice.handlers.post import handle  # noqa: PLC0415

    answer = handle(lines_event("bookings", lines, **more), Context())
    assert [line["line"] for line in json.loads(answer["body"])["lines"]] == list(range(1, limits.MAX_LINES + 1))
    return len(json.dumps(answer))


AWKWARD = ["\u0001", '"', "\\", "é", "🛫", "x"]


@pytest.mark.parametrize("character", AWKWARD, ids=ascii)
def test_an_answer_to_all_lines_bad_fits(stream: Loopback, character: str) -> None:
    line = json.dumps({character * 90: 1}, ensure_ascii=False)
    assert size([line] * limits.MAX_LINES) < 6 * 1024 * 1024


def test_an_answer_with_the_longest_ids_fits() -> None:
    name, item_id = "c" * 48, "i" * 128
    answers = [
        limits.LineResult(number, 202, item_id, "v" * 26, f"{name}/{item_id}/writes/{'v' * 26}")
        for number in range(1, limits.MAX_LINES + 1)
    ]
    assert len(json.dumps(bytes(limits.encode_line_results(answers)).decode())) < limits.MAX_RESPONSE_BYTES


def test_an_answer_that_only_grows_too_large_when_it_is_sent_is_noticed() -> None:
    answers = [limits.LineResult(number, 422, detail='"' * limits.MAX_DETAIL_CHARACTERS) for number in range(1, 8001)]
    assert len(bytes(msgspec.json.encode(answers))) < limits.MAX_RESPONSE_BYTES
    assert len(json.dumps(bytes(limits.encode_line_results(answers)).decode())) < limits.MAX_RESPONSE_BYTES


def test_a_fault_that_quotes_much_is_cut_short(stream: Loopback) -> None:
    answer = ask(lines_event("bookings", [json.dumps({"x" * 10_000: 1})]))
    assert (answer.status, len(answer.body["lines"][0]["detail"])) == (422, limits.MAX_DETAIL_CHARACTERS)
    assert len(answer.body["lines"][0]["errors"][0]["field"]) == limits.MAX_DETAIL_CHARACTERS


def test_faults_are_told_as_long_as_there_is_room(stream: Loopback) -> None:
    few = ask(lines_event("bookings", ["{}"] * 1000))
    assert all(line["errors"] for line in few.body["lines"])
    many = ask(lines_event("bookings", [json.dumps({"x" * 300: 1})] * limits.MAX_LINES))
    assert not any("errors" in line for line in many.body["lines"])
    assert all("fewer lines" in line["detail"] for line in many.body["lines"])
