import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from testkit.emulator_harness import Emulator
from tests.emulator.firehose_streams import DeliveryStream, create_stream


def force_faults(emulator: Emulator, **faults: object) -> Path:
    path = emulator.state / "services" / "firehose" / "faults.json"
    path.parent.mkdir(parents=True, exist_ok=True)  # the first put creates it
    new_file = path.with_suffix(".new")
    new_file.write_text(json.dumps(faults))
    return new_file.rename(path)


@pytest.fixture
def stream(emulator: Emulator) -> DeliveryStream:
    return create_stream(emulator, "faults", seconds=0)


def put_and_read_status(stream: DeliveryStream) -> tuple[str, int]:
    try:
        stream.firehose.put_record(DeliveryStreamName=stream.name, Record={"Data": b"x"})
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    return "", 200


def test_as_many_puts_fail_as_configured_and_their_records_are_not_accepted(stream: DeliveryStream) -> None:
    force_faults(stream.emulator, **{stream.name: {"fail_puts": 2}})
    outcomes = [put_and_read_status(stream) for _ in range(3)]
    assert outcomes == [("ServiceUnavailableException", 503)] * 2 + [("", 200)]
    assert stream.wait_for_object()[1] == b"x"


def test_puts_fail_until_the_file_is_removed(stream: DeliveryStream) -> None:
    path = force_faults(stream.emulator, **{"*": {"fail_puts": -1}})
    assert {put_and_read_status(stream)[1] for _ in range(3)} == {503}
    with pytest.raises(ClientError, match="ServiceUnavailableException"):
        stream.put_records(b"x")
    path.unlink()
    assert put_and_read_status(stream) == ("", 200)


def test_a_share_of_a_batch_fails_and_the_rest_is_accepted(stream: DeliveryStream) -> None:
    force_faults(stream.emulator, **{stream.name: {"fail_puts": 1, "fail_share": 0.5}})
    response = stream.put_records(b"a", b"b", b"c", b"d")
    assert response["FailedPutCount"] == 2
    codes = [entry.get("ErrorCode", "") for entry in response["RequestResponses"]]
    assert codes == ["", "ServiceUnavailableException"] * 2
    assert ["RecordId" in entry for entry in response["RequestResponses"]] == [True, False] * 2
    assert stream.wait_for_object()[1] == b"ac"
    assert stream.put_records(b"b", b"d")["FailedPutCount"] == 0
