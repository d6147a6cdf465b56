import base64

import pytest
from botocore.exceptions import ClientError

from local.emulator.firehose import put_requests
from testkit.emulator_harness import Emulator
from tests.emulator.firehose_streams import DeliveryStream, create_stream


@pytest.fixture(scope="module")
def stream(emulator: Emulator) -> DeliveryStream:
    return create_stream(emulator, "limits", seconds=900, megabytes=128)


def read_error(raised: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    return raised.value.response["Error"]["Code"], raised.value.response["Error"]["Message"]


def test_a_record_may_have_1000_kib_and_no_byte_more(stream: DeliveryStream) -> None:
    response = stream.firehose.put_record(DeliveryStreamName=stream.name, Record={"Data": bytes(1_024_000)})
    assert response["RecordId"]
    with pytest.raises(ClientError) as raised:
        stream.firehose.put_record(DeliveryStreamName=stream.name, Record={"Data": bytes(1_024_001)})
    code, message = read_error(raised)
    assert code == "ValidationException"
    assert "'record.data'" in message
    assert message.endswith("Member must have length less than or equal to 1024000")


def test_a_batch_may_have_500_records_and_4_mib(stream: DeliveryStream) -> None:
    response = stream.put_records(*[b"x"] * 500)
    assert response["FailedPutCount"] == 0
    assert len({entry["RecordId"] for entry in response["RequestResponses"]}) == 500
    with pytest.raises(ClientError) as raised:
        stream.put_records(*[b"x"] * 501)
    assert read_error(raised)[0] == "ValidationException"
    assert "'records'" in read_error(raised)[1]
    stream.put_records(*[bytes(1_000_000)] * 4, bytes(4 * 1024 * 1024 - 4_000_000))
    with pytest.raises(ClientError) as raised:
        stream.put_records(*[bytes(1_000_000)] * 4, bytes(4 * 1024 * 1024 - 4_000_000 + 1))
    assert read_error(raised) == ("InvalidArgumentException", "Records size exceeds 4 MB limit")


def test_one_record_that_is_too_large_rejects_the_whole_batch(stream: DeliveryStream) -> None:
    with pytest.raises(ClientError) as raised:
        stream.put_records(b"x", bytes(1_024_001))
    assert read_error(raised)[0] == "ValidationException"
    assert "'records.2.member.data'" in read_error(raised)[1]


def test_an_unknown_stream_is_not_found(emulator: Emulator) -> None:
    nowhere = DeliveryStream(emulator, "nowhere")
    with pytest.raises(ClientError) as raised:
        nowhere.put_records(b"x")
    assert read_error(raised) == ("ResourceNotFoundException", "Firehose nowhere under account 000000000000 not found.")
    with pytest.raises(ClientError) as raised:
        nowhere.firehose.put_record(DeliveryStreamName="nowhere", Record={"Data": b"x"})
    assert read_error(raised)[0] == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({}, "ValidationException"),
        ({"Records": []}, "ValidationException"),
        ({"Records": ["x"]}, "ValidationException"),
        ({"Records": [{}]}, "ValidationException"),
        ({"Records": [{"Data": "no base64"}]}, "SerializationException"),
    ],
)
def test_requests_that_no_sdk_sends_are_rejected_too(request_: dict[str, object], code: str) -> None:
    with pytest.raises(put_requests.RejectedRequestError) as raised:
        put_requests.read_records(request_)
    assert raised.value.code == code


def test_the_record_is_measured_before_base64() -> None:
    assert len(put_requests.read_record({"Record": {"Data": base64.b64encode(bytes(1_024_000)).decode()}})) == 1_024_000
