import base64
import json
import time
from pathlib import Path

import pytest

from local.emulator.firehose import ministack
from local.emulator.firehose import transform as transform_protocol
from local.emulator.firehose.spool import DELIVERY, Spool
from tests.emulator.firehose_rig import transform, transformed
from tests.emulator.harness import Emulator, wait_until


def test_the_function_gets_the_event_of_firehose(emulator: Emulator) -> None:
    stream = transformed(emulator, "event")
    before = time.time() * 1000
    stream.put(b"event:x")
    event = json.loads(stream.one("data/")[1])
    assert event["deliveryStreamArn"] == f"arn:aws:firehose:us-east-1:000000000000:deliverystream/{stream.name}"
    assert event["region"] == "us-east-1"
    assert event["invocationId"]
    (record,) = event["records"]
    assert record.keys() == {"recordId", "approximateArrivalTimestamp", "data"}
    assert base64.b64decode(record["data"]) == b"event:x"
    assert before - 100 <= record["approximateArrivalTimestamp"] <= time.time() * 1000


def test_calls_have_their_own_buffers(emulator: Emulator) -> None:
    stream = transformed(emulator, "calls", seconds=2, call_seconds=1)
    stream.put(b"count:", b"count:")
    stream.put(b"count:")
    assert stream.one("data/")[1] == b"3 3 3 "
    full = transformed(emulator, "full", seconds=0, call_seconds=900, call_megabytes=0.2)
    full.put(*[b"count:" + b"x" * 60_000] * 5)
    assert full.one("data/", seconds=5)[1] == b"4 4 4 4 "


def test_each_record_goes_where_its_result_says(emulator: Emulator) -> None:
    stream = transformed(emulator, "results", seconds=1, CompressionFormat="GZIP")
    before = time.time() * 1000
    stream.put(b"a", b"drop:b", b"fail:c", b"d")
    key, delivered = stream.one("data/")
    assert delivered == b"A\nD\n"
    assert key.endswith(".gz")
    (line,) = stream.errors()
    assert base64.b64decode(line["rawData"]) == b"fail:c"
    assert line["errorCode"] == "Lambda.ProcessingFailedStatus"
    assert line["errorMessage"] == "ProcessingFailed status set for record"
    assert line["attemptsMade"] == 1
    assert before - 100 <= line["arrivalTimestamp"] <= line["attemptEndingTimestamp"] <= time.time() * 1000
    assert line["lambdaARN"] == transform(emulator.port, "transform")
    assert stream.one("errors/")[0].startswith("errors/processing-failed/")


def test_a_failed_call_is_retried_and_then_its_records_become_errors(emulator: Emulator, tmp_path: Path) -> None:
    kinds = {
        "raise": "Lambda.FunctionError",
        "missing": "Lambda.MissingRecordId",
        "unknown": "Lambda.JsonProcessingException",
    }
    streams = {kind: transformed(emulator, f"fails-{kind}") for kind in (*kinds, "flaky")}
    for kind, stream in streams.items():
        stream.put(f"{kind}:{tmp_path}/tries".encode(), b"sound")
    for kind, code in kinds.items():
        lines = streams[kind].errors()
        assert [base64.b64decode(line["rawData"]) for line in lines] == [f"{kind}:{tmp_path}/tries".encode(), b"sound"]
        assert {(line["errorCode"], line["attemptsMade"]) for line in lines} == {(code, 4)}
        assert streams[kind].objects("data/") == {}
    assert streams["flaky"].one("data/")[1] == f"FLAKY:{tmp_path}/TRIES\nSOUND\n".upper().encode()
    assert (tmp_path / "tries").read_text() == "xxx"
    assert streams["flaky"].objects("errors/") == {}


def test_a_throttled_function_and_a_missing_one_fail_the_call(emulator: Emulator) -> None:
    busy = transform(emulator.port, "busy")
    emulator.client("lambda").put_function_concurrency(FunctionName="busy", ReservedConcurrentExecutions=0)
    throttled = transformed(emulator, "throttled", function=busy)
    nobody = transformed(emulator, "nobody", function=busy.replace("busy", "nobody"))
    throttled.put(b"x")
    nobody.put(b"x")
    assert [line["errorCode"] for line in throttled.errors()] == ["Lambda.InvokeLimitExceeded"]
    assert [line["errorCode"] for line in nobody.errors()] == ["Lambda.ResourceNotFound"]


@pytest.mark.parametrize("payloads", [[b"x"] * 60_000, [bytes(1_024_000)] * 6, [bytes(1_024_000)], [b""]])
def test_a_payload_stays_within_six_megabytes(tmp_path: Path, payloads: list[bytes]) -> None:
    records = Spool(tmp_path).append_records(payloads, (DELIVERY,))
    calls = transform_protocol.split_into_calls(records)
    stream_id = ministack.StreamId("000000000000", "us-east-1", "s" * 64)
    sizes = [len(json.dumps(transform_protocol.build_event(stream_id, "i" * 36, call))) for call in calls]
    assert [record for call in calls for record in call] == records
    assert max(sizes) <= 6 * 1024 * 1024
    assert all(calls)
    assert len(calls) <= sum(sizes) // (4 * 1024 * 1024) + 1, "calls are not smaller than necessary"


def test_a_response_above_six_megabytes_fails_the_call(emulator: Emulator) -> None:
    stream = transformed(emulator, "large")
    stream.put(b"large:x")
    assert [line["errorCode"] for line in stream.errors()] == ["Lambda.FunctionError"]


def test_a_backlog_does_not_throttle_the_function(emulator: Emulator) -> None:
    narrow = transform(emulator.port, "narrow")
    emulator.client("lambda").put_function_concurrency(FunctionName="narrow", ReservedConcurrentExecutions=2)
    stream = transformed(emulator, "backlog", function=narrow, seconds=1, call_seconds=900, call_megabytes=0.2)
    stream.put(*[b"slow:" + b"x" * 210_000] * 12)
    wait_until(lambda: b"".join(stream.objects("data/").values()).count(b"\n") == 12)
    assert stream.objects("errors/") == {}
