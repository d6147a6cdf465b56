import base64
import json
import time
from pathlib import Path

import pytest

from local.emulator.firehose import ministack
from local.emulator.firehose import transform as transform_protocol
from local.emulator.firehose.spool import DELIVERY, Spool
from testkit.emulator_harness import Emulator, wait_until
from tests.emulator.firehose_streams import create_transform, create_transformed_stream


def test_the_function_gets_the_event_of_firehose(emulator: Emulator) -> None:
    stream = create_transformed_stream(emulator, "event")
    before = time.time() * 1000
    stream.put_records(b"event:x")
    event = json.loads(stream.wait_for_object("data/")[1])
    assert event["deliveryStreamArn"] == f"arn:aws:firehose:us-east-1:000000000000:deliverystream/{stream.name}"
    assert event["region"] == "us-east-1"
    assert event["invocationId"]
    (record,) = event["records"]
    assert record.keys() == {"recordId", "approximateArrivalTimestamp", "data"}
    assert base64.b64decode(record["data"]) == b"event:x"
    assert before - 100 <= record["approximateArrivalTimestamp"] <= time.time() * 1000


def test_calls_have_their_own_buffers(emulator: Emulator) -> None:
    stream = create_transformed_stream(emulator, "calls", seconds=2, call_seconds=1)
    stream.put_records(b"count:", b"count:")
    stream.put_records(b"count:")
    assert stream.wait_for_object("data/")[1] == b"3 3 3 "
    full = create_transformed_stream(emulator, "full", seconds=0, call_seconds=900, call_megabytes=0.2)
    full.put_records(*[b"count:" + b"x" * 60_000] * 5)
    assert full.wait_for_object("data/", seconds=5)[1] == b"4 4 4 4 "


def test_each_record_goes_where_its_result_says(emulator: Emulator) -> None:
    stream = create_transformed_stream(emulator, "results", seconds=1, CompressionFormat="GZIP")
    before = time.time() * 1000
    stream.put_records(b"a", b"drop:b", b"fail:c", b"d")
    key, delivered = stream.wait_for_object("data/")
    assert delivered == b"A\nD\n"
    assert key.endswith(".gz")
    (line,) = stream.wait_for_errors()
    assert base64.b64decode(line["rawData"]) == b"fail:c"
    assert line["errorCode"] == "Lambda.ProcessingFailedStatus"
    assert line["errorMessage"] == "ProcessingFailed status set for record"
    assert line["attemptsMade"] == 1
    assert before - 100 <= line["arrivalTimestamp"] <= line["attemptEndingTimestamp"] <= time.time() * 1000
    assert line["lambdaARN"] == create_transform(emulator.port, "transform")
    assert stream.wait_for_object("errors/")[0].startswith("errors/processing-failed/")


def test_a_failed_call_is_retried_and_then_its_records_become_errors(emulator: Emulator, tmp_path: Path) -> None:
    kinds = {
        "raise": "Lambda.FunctionError",
        "missing": "Lambda.MissingRecordId",
        "unknown": "Lambda.JsonProcessingException",
    }
    streams = {kind: create_transformed_stream(emulator, f"fails-{kind}") for kind in (*kinds, "flaky")}
    for kind, stream in streams.items():
        stream.put_records(f"{kind}:{tmp_path}/tries".encode(), b"sound")
    for kind, code in kinds.items():
        lines = streams[kind].wait_for_errors()
        assert [base64.b64decode(line["rawData"]) for line in lines] == [f"{kind}:{tmp_path}/tries".encode(), b"sound"]
        assert {(line["errorCode"], line["attemptsMade"]) for line in lines} == {(code, 4)}
        assert streams[kind].list_objects("data/") == {}
    assert streams["flaky"].wait_for_object("data/")[1] == f"FLAKY:{tmp_path}/TRIES\nSOUND\n".upper().encode()
    assert (tmp_path / "tries").read_text() == "xxx"
    assert streams["flaky"].list_objects("errors/") == {}


def test_a_throttled_function_and_a_missing_one_fail_the_call(emulator: Emulator) -> None:
    busy = create_transform(emulator.port, "busy")
    emulator.client("lambda").put_function_concurrency(FunctionName="busy", ReservedConcurrentExecutions=0)
    throttled = create_transformed_stream(emulator, "throttled", function=busy)
    nobody = create_transformed_stream(emulator, "nobody", function=busy.replace("busy", "nobody"))
    throttled.put_records(b"x")
    nobody.put_records(b"x")
    assert [line["errorCode"] for line in throttled.wait_for_errors()] == ["Lambda.InvokeLimitExceeded"]
    assert [line["errorCode"] for line in nobody.wait_for_errors()] == ["Lambda.ResourceNotFound"]


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
    stream = create_transformed_stream(emulator, "large")
    stream.put_records(b"large:x")
    assert [line["errorCode"] for line in stream.wait_for_errors()] == ["Lambda.FunctionError"]


def test_a_backlog_does_not_throttle_the_function(emulator: Emulator) -> None:
    narrow = create_transform(emulator.port, "narrow")
    emulator.client("lambda").put_function_concurrency(FunctionName="narrow", ReservedConcurrentExecutions=2)
    stream = create_transformed_stream(
        emulator, "backlog", function=narrow, seconds=1, call_seconds=900, call_megabytes=0.2
    )
    stream.put_records(*[b"slow:" + b"x" * 210_000] * 12)
    wait_until(lambda: b"".join(stream.list_objects("data/").values()).count(b"\n") == 12)
    assert stream.list_objects("errors/") == {}
