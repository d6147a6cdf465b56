"""Many items in one POST: each line is accepted or refused on its own, by its number."""

import itertools
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from sluice.ingest import batch_of_lines as limits
from sluice.model.record import decode_write
from tests.unit.loopback import Loopback, StubResponse, error, partly
from tests.unit.requesting import AIRPORT, ALICE, BOOKING, EDITOR, Answer, ask, event, lines_event

Lines = Callable[[], list[dict[str, Any]]]

BAD = {**BOOKING, "seats": 10}
LARGE = {**BOOKING, "notes": "x" * 2000}  # some 45 of them are a pack


def statuses(answer: Answer) -> list[tuple[int, int]]:
    assert answer.body["accepted"] == sum(line["status"] == 202 for line in answer.body["lines"])
    assert answer.body["refused"] == sum(line["status"] != 202 for line in answer.body["lines"])
    return [(line["line"], line["status"]) for line in answer.body["lines"]]


def written(stream: Loopback) -> list[bytes]:
    return [line for request in stream.requests for record in request.records for line in record.splitlines()]


def test_all_lines_are_accepted_in_one_record(stream: Loopback) -> None:
    answer = ask(lines_event("bookings", [{**BOOKING, "seats": seats} for seats in (1, 2, 3)]))
    assert (answer.status, statuses(answer)) == (202, [(1, 202), (2, 202), (3, 202)])
    (request,) = stream.requests
    (record,) = request.records
    assert (request.operation, request.body["DeliveryStreamName"]) == ("PutRecordBatch", "writes")
    assert record.endswith(b"}\n")
    writes = [decode_write(line) for line in record.splitlines()]
    assert [json.loads(bytes(write.data))["seats"] for write in writes] == [1, 2, 3]
    for line, write in zip(answer.body["lines"], writes, strict=True):
        assert line == {
            "line": line["line"],
            "status": 202,
            "id": write.id,
            "version": write.version,
            "receipt": f"bookings/{write.id}/writes/{write.version}",
        }
        assert (write.collection, write.operation, write.owner, write.schema) == ("bookings", "put", ALICE["sub"], 1)
        assert uuid.UUID(write.id).version == 7
    asked_at = "https://host/live/v1/bookings"
    assert urljoin(asked_at, answer.headers["Location"]) == asked_at
    assert (answer.headers["Retry-After"], answer.headers["Cache-Control"]) == ("60", "no-store")


def test_a_line_is_what_a_single_post_of_it_is(stream: Loopback) -> None:
    item = {**BOOKING, "price": 1e2, "notes": None, "voucher": "Straße\u0000\t"}
    ask(event("POST", "bookings", item))
    ask(lines_event("bookings", [item]))
    single, many = (json.loads(line) for line in written(stream))
    assert single.keys() == many.keys()
    assert all(single[name] == many[name] for name in ("collection", "operation", "owner", "schema", "data"))


def test_bad_lines_are_named_and_the_others_accepted(stream: Loopback) -> None:
    answer = ask(lines_event("bookings", [BOOKING, BAD, "{", BOOKING, '{"nothing": 1}', "[]"]))
    assert (answer.status, statuses(answer)) == (
        207,
        [(1, 202), (2, 422), (3, 422), (4, 202), (5, 422), (6, 422)],
    )
    lines = answer.body["lines"]
    assert lines[1] == {
        "line": 2,
        "status": 422,
        "detail": "seats: Expected `int` <= 9",
        "errors": [{"field": "seats", "detail": "Expected `int` <= 9"}],
    }
    assert "JSON" in lines[2]["detail"]
    assert lines[4]["errors"][0]["field"] == "nothing"
    assert "object" in lines[5]["detail"]
    assert [decode_write(line).id for line in written(stream)] == [lines[0]["id"], lines[3]["id"]]
    assert answer.headers["Content-Type"] == "application/json"


def test_blank_lines_are_passed_over_but_counted(stream: Loopback) -> None:
    answer = ask(lines_event("bookings", ["", BOOKING, "  \t", "\r", json.dumps(BOOKING) + "\r", "", BAD, "", ""]))
    assert (answer.status, statuses(answer)) == (207, [(2, 202), (5, 202), (7, 422)])
    assert len(written(stream)) == 2


def test_when_no_line_can_be_taken_it_is_a_problem_with_the_lines(stream: Loopback) -> None:
    answer = ask(lines_event("bookings", [BAD, "", "no"]))
    assert (answer.status, statuses(answer)) == (422, [(1, 422), (3, 422)])
    assert "errors" not in answer.body
    assert stream.requests == []


@pytest.mark.parametrize("body", ["", "\n", " \n\r\n\t"])
def test_no_line_at_all_is_a_bad_request(stream: Loopback, body: str) -> None:
    answer = ask(lines_event("bookings", [body]))
    assert (answer.status, "empty" in answer.body["detail"]) == (400, True)


def test_so_many_lines_are_taken_and_no_more(stream: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_LINES", 3)
    for lines in ([BOOKING] * 3, [BOOKING] * 3 + [""], ["", BOOKING, ""]):
        assert ask(lines_event("bookings", lines)).status == 202
    for lines in ([BOOKING] * 4, ["", "", "", BOOKING], [BOOKING] * 3 + ["", ""]):
        answer = ask(lines_event("bookings", lines))
        assert (answer.status, "3 lines" in answer.body["detail"]) == (413, True)


def test_a_body_above_what_lambda_takes_is_too_large(stream: Loopback) -> None:
    body = json.dumps(BOOKING)
    assert ask(lines_event("bookings", [body.ljust(limits.MAX_BODY_BYTES)])).status == 202
    answer = ask(lines_event("bookings", [body.ljust(limits.MAX_BODY_BYTES + 1)]))
    assert (answer.status, str(limits.MAX_BODY_BYTES) in answer.body["detail"]) == (413, True)


def test_a_line_whose_record_is_too_large_is_refused_alone(stream: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.ingest.batch_of_lines.MAX_RECORD_BYTES", 1000)
    answer = ask(lines_event("bookings", [BOOKING, LARGE, BOOKING]))
    assert statuses(answer) == [(1, 202), (2, 422), (3, 202)]
    assert "bytes" in answer.body["lines"][1]["detail"]
    assert len(written(stream)) == 2


def test_of_two_lines_to_one_item_the_later_one_has_the_later_version(stream: Loopback) -> None:
    names = [f"number {number}" for number in range(1500)]
    answer = ask(lines_event("airports", [{**AIRPORT, "name": name} for name in names], claims=EDITOR))
    assert answer.status == 202
    writes = [decode_write(line) for line in written(stream)]
    assert [json.loads(bytes(write.data))["name"] for write in writes] == names
    assert {write.id for write in writes} == {"EDDB"}
    assert all(earlier.version < other.version for earlier, other in itertools.pairwise(writes))
    assert {write.accepted_at for write in writes} == {writes[0].accepted_at}


def test_a_later_request_has_later_versions(stream: Loopback) -> None:
    first, second = (ask(lines_event("bookings", [BOOKING] * 3)).body["lines"] for _ in range(2))
    after = ask(event("POST", "bookings", BOOKING)).body["version"]
    assert max(line["version"] for line in first) < min(line["version"] for line in second)
    assert second[-1]["version"] < after


def test_a_bad_natural_key_is_the_line_s_fault(stream: Loopback) -> None:
    answer = ask(lines_event("airports", [AIRPORT, {**AIRPORT, "icao": "no"}], claims=EDITOR))
    assert statuses(answer) == [(1, 202), (2, 422)]
    assert answer.body["lines"][1]["errors"][0]["field"] == "icao"
    assert answer.body["lines"][0]["id"] == "EDDB"


def test_the_sample_is_answered_as_it_says(stream: Loopback) -> None:
    sample = json.loads((Path(__file__).parents[2] / "events/post/bookings.json").read_text())
    first, second = ask(sample), ask(sample)
    assert (first.status, statuses(first)) == (207, [(1, 202), (2, 202), (3, 422), (4, 202)])
    assert first.body["lines"][2]["errors"][0]["field"] == "seats"
    assert [line.get("id") for line in first.body["lines"]] == [line.get("id") for line in second.body["lines"]]


# The stream.


def test_lines_that_the_stream_did_not_take_are_503_each(stream: Loopback, lines: Lines) -> None:
    sent: list[object] = [LARGE] * 60 + [BAD] + [LARGE] * 40
    stream.answers.append(partly(0, 2))
    stream.otherwise = lambda request: partly(len(request.records) - 1)(request)
    answer = ask(lines_event("bookings", sent))
    assert answer.status == 207
    (first, *_, last) = stream.requests
    assert (len(first.records), len(last.records)) == (3, 1)
    missing_versions = {decode_write(line).version for line in last.records[0].splitlines()}
    accepted_lines = [line for line in answer.body["lines"] if line["status"] == 202]
    stored_versions = {
        decode_write(line).version for record in first.records for line in record.splitlines()
    } - missing_versions
    assert {line["version"] for line in accepted_lines} == stored_versions
    refused = [line for line in answer.body["lines"] if line["status"] == 503]
    assert len(refused) == len(missing_versions) > 0
    assert all(line.keys() == {"line", "status", "detail"} for line in refused)
    assert [line["line"] for line in answer.body["lines"] if line["status"] == 422] == [61]
    assert sorted(line["line"] for line in answer.body["lines"]) == list(range(1, 102))
    (logged,) = [line for line in lines() if "status" in line]
    assert (logged["level"], logged["error"], logged["stream_error"]) == (
        "ERROR",
        "StreamUnavailable",
        ["ServiceUnavailableException"],
    )


def test_what_a_retry_brings_through_is_accepted(stream: Loopback) -> None:
    stream.answers.extend([error("ServiceUnavailableException", 503), lambda _: StubResponse(0, {}), partly(0)])
    assert ask(lines_event("bookings", [BOOKING] * 5)).status == 202
    assert len({tuple(request.records) for request in stream.requests}) == 1


@pytest.mark.parametrize("sent", [[BOOKING], [BOOKING, BAD]])
def test_when_the_stream_took_none_it_is_a_503_with_the_lines(stream: Loopback, lines: Lines, sent: list[Any]) -> None:
    stream.otherwise = error("AccessDeniedException")
    answer = ask(lines_event("bookings", sent))
    assert (answer.status, statuses(answer)) == (503, [(1, 503), (2, 422)][: len(sent)])
    assert (answer.headers["Retry-After"], answer.headers["Cache-Control"]) == ("1", "no-store")
    (logged,) = [line for line in lines() if "status" in line]
    assert (logged["level"], logged["stream_error"], logged["status"]) == ("ERROR", ["AccessDeniedException"], 503)


# As for a single POST.


def test_who_may_not_write_may_not_write_many(stream: Loopback) -> None:
    assert ask(lines_event("airports", [AIRPORT])).status == 403
    assert ask(lines_event("nothing", [AIRPORT])).status == 404
    assert ask(lines_event("bookings", [BOOKING], claims=None)).status == 401
    assert stream.requests == []


def test_a_condition_is_refused(stream: Loopback) -> None:
    answer = ask(lines_event("bookings", [BOOKING], headers={"If-None-Match": "*"}))
    assert (answer.status, answer.fields) == (400, ["If-None-Match"])
    assert stream.requests == []


def test_a_shared_collection_has_no_owner(stream: Loopback) -> None:
    ask(lines_event("airports", [AIRPORT], claims=EDITOR))
    assert decode_write(written(stream)[0]).owner == ""


@pytest.mark.parametrize("media", ["application/x-ndjson; charset=utf-8", "Application/X-NDJSON"])
def test_parameters_and_case_of_the_type_do_not_matter(stream: Loopback, media: str) -> None:
    assert ask(lines_event("bookings", [BOOKING, BOOKING], headers={"Content-Type": media})).status == 202


def test_the_log_and_the_metrics_count_and_quote_nothing(stream: Loopback, lines: Lines) -> None:
    sent = [{**BOOKING, "passenger": "MARKER"}, {**BOOKING, "MARKER": 1}, {**BOOKING, "seats": "MARKER"}, "MARKER"]
    assert ask(lines_event("bookings", sent, headers={"Idempotency-Key": "MARKER"})).status == 207
    (logged,) = [line for line in lines() if "status" in line]
    assert {name: logged[name] for name in ("collection", "operation", "lines", "accepted", "refused", "records")} == {
        "collection": "bookings",
        "operation": "put",
        "lines": 4,
        "accepted": 1,
        "refused": 3,
        "records": 1,
    }
    assert logged["faulty_fields"] == ["seats"]
    assert logged["first_version"] == logged["last_version"]
    assert "MARKER" not in json.dumps(lines())


def test_accepted_lines_are_counted_one_by_one(stream: Loopback, capsys: pytest.CaptureFixture[str]) -> None:
    ask(lines_event("bookings", [BOOKING, BAD, BOOKING]))
    stream.otherwise = error("AccessDeniedException")
    ask(lines_event("bookings", [BOOKING, BAD, BOOKING, BOOKING]))
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    counts = [(metric.get("WritesAccepted"), metric.get("WritesRefused")) for metric in metrics]
    assert counts == [([2.0], None), (None, [3.0])]
