import base64
import json
import time

from tests.emulator.firehose_rig import transform, transformed
from tests.emulator.harness import Emulator, wait_until


def test_the_function_gets_firehose_s_event(emulator: Emulator) -> None:
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


def test_the_calls_have_buffers_of_their_own(emulator: Emulator) -> None:
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


def test_a_call_that_fails_is_made_again_and_then_its_records_are_errors(emulator: Emulator) -> None:
    kinds = {
        "raise": "Lambda.FunctionError",
        "missing": "Lambda.MissingRecordId",
        "unknown": "Lambda.JsonProcessingException",
    }
    streams = {kind: transformed(emulator, f"fails-{kind}") for kind in (*kinds, "flaky")}
    for kind, stream in streams.items():
        stream.put(f"{kind}:1".encode(), b"sound")
    for kind, code in kinds.items():
        lines = streams[kind].errors()
        assert [base64.b64decode(line["rawData"]) for line in lines] == [f"{kind}:1".encode(), b"sound"]
        assert {(line["errorCode"], line["attemptsMade"]) for line in lines} == {(code, 4)}
        assert streams[kind].objects("data/") == {}
    assert streams["flaky"].one("data/")[1] == b"FLAKY:1\nSOUND\n"
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


def test_a_payload_stays_below_six_megabytes(emulator: Emulator) -> None:
    stream = transformed(emulator, "payload", call_seconds=1, call_megabytes=3, seconds=3, megabytes=5)
    for _ in range(50):
        stream.put(*[b"size:"] * 500)
    stream.put(*[b"size:" + b"x" * 990_000] * 2)
    delivered = wait_until(lambda: stream.objects("data/"), 20)
    sizes = [int(size) for body in delivered.values() for size in body.split()]
    assert len(sizes) == 25_002
    assert max(sizes) <= 6 * 1024 * 1024
    assert len(set(sizes)) > 1
