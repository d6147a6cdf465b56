import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.emulator.firehose_rig import Rig, rig
from tests.emulator.harness import Emulator


def force(emulator: Emulator, **faults: object) -> Path:
    path = emulator.state / "services" / "firehose" / "faults.json"
    path.parent.mkdir(parents=True, exist_ok=True)  # the first put makes it
    written = path.with_suffix(".new")
    written.write_text(json.dumps(faults))
    return written.rename(path)


@pytest.fixture
def stream(emulator: Emulator) -> Rig:
    return rig(emulator, "faults", seconds=0)


def code_of(stream: Rig) -> tuple[str, int]:
    try:
        stream.firehose.put_record(DeliveryStreamName=stream.name, Record={"Data": b"x"})
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    return "", 200


def test_puts_fail_as_often_as_asked_and_are_not_accepted(stream: Rig) -> None:
    force(stream.emulator, **{stream.name: {"fail_puts": 2}})
    found = [code_of(stream) for _ in range(3)]
    assert found == [("ServiceUnavailableException", 503)] * 2 + [("", 200)]
    assert stream.one()[1] == b"x"


def test_puts_fail_until_the_file_goes(stream: Rig) -> None:
    path = force(stream.emulator, **{"*": {"fail_puts": -1}})
    assert {code_of(stream)[1] for _ in range(3)} == {503}
    with pytest.raises(ClientError, match="ServiceUnavailableException"):
        stream.put(b"x")
    path.unlink()
    assert code_of(stream) == ("", 200)


def test_a_share_of_a_batch_fails_and_the_rest_is_accepted(stream: Rig) -> None:
    force(stream.emulator, **{stream.name: {"fail_puts": 1, "fail_share": 0.5}})
    answer = stream.put(b"a", b"b", b"c", b"d")
    assert answer["FailedPutCount"] == 2
    codes = [entry.get("ErrorCode", "") for entry in answer["RequestResponses"]]
    assert codes == ["", "ServiceUnavailableException"] * 2
    assert ["RecordId" in entry for entry in answer["RequestResponses"]] == [True, False] * 2
    assert stream.one()[1] == b"ac"
    assert stream.put(b"b", b"d")["FailedPutCount"] == 0
