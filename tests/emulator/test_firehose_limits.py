import base64

import pytest
from botocore.exceptions import ClientError

from local.emulator.firehose import limits
from tests.emulator.firehose_rig import Rig, rig
from tests.emulator.harness import Emulator


@pytest.fixture(scope="module")
def quiet(emulator: Emulator) -> Rig:
    return rig(emulator, "limits", seconds=900, megabytes=128)


def refusal(found: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    return found.value.response["Error"]["Code"], found.value.response["Error"]["Message"]


def test_a_record_may_have_1000_kib_and_no_byte_more(quiet: Rig) -> None:
    answer = quiet.firehose.put_record(DeliveryStreamName=quiet.name, Record={"Data": bytes(1_024_000)})
    assert answer["RecordId"]
    with pytest.raises(ClientError) as found:
        quiet.firehose.put_record(DeliveryStreamName=quiet.name, Record={"Data": bytes(1_024_001)})
    code, message = refusal(found)
    assert code == "ValidationException"
    assert "'record.data'" in message
    assert message.endswith("Member must have length less than or equal to 1024000")


def test_a_batch_may_have_500_records_and_4_mib(quiet: Rig) -> None:
    answer = quiet.put(*[b"x"] * 500)
    assert answer["FailedPutCount"] == 0
    assert len({entry["RecordId"] for entry in answer["RequestResponses"]}) == 500
    with pytest.raises(ClientError) as found:
        quiet.put(*[b"x"] * 501)
    assert refusal(found)[0] == "ValidationException"
    assert "'records'" in refusal(found)[1]
    quiet.put(*[bytes(1_000_000)] * 4, bytes(4 * 1024 * 1024 - 4_000_000))
    with pytest.raises(ClientError) as found:
        quiet.put(*[bytes(1_000_000)] * 4, bytes(4 * 1024 * 1024 - 4_000_000 + 1))
    assert refusal(found) == ("InvalidArgumentException", "Records size exceeds 4 MB limit")


def test_one_record_too_large_refuses_the_whole_batch(quiet: Rig) -> None:
    with pytest.raises(ClientError) as found:
        quiet.put(b"x", bytes(1_024_001))
    assert refusal(found)[0] == "ValidationException"
    assert "'records.2.member.data'" in refusal(found)[1]


def test_an_unknown_stream_is_not_found(emulator: Emulator) -> None:
    nowhere = Rig(emulator, "nowhere")
    with pytest.raises(ClientError) as found:
        nowhere.put(b"x")
    assert refusal(found) == ("ResourceNotFoundException", "Firehose nowhere under account 000000000000 not found.")
    with pytest.raises(ClientError) as found:
        nowhere.firehose.put_record(DeliveryStreamName="nowhere", Record={"Data": b"x"})
    assert refusal(found)[0] == "ResourceNotFoundException"


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
def test_what_an_sdk_would_not_send_is_refused_too(request_: dict[str, object], code: str) -> None:
    with pytest.raises(limits.RefusedError) as found:
        limits.records(request_)
    assert found.value.code == code


def test_the_record_is_measured_before_base64() -> None:
    assert len(limits.record({"Record": {"Data": base64.b64encode(bytes(1_024_000)).decode()}})) == 1_024_000
