"""The functions' own client of AWS, at the services as the emulator has them."""

import gzip

import pytest

from sluice.aws import lambda_environment as surroundings
from sluice.aws import secrets as credentials
from sluice.aws.client import Service
from sluice.aws.json_client import JsonClient
from sluice.errors import AwsError
from sluice.ingest import firehose as stream
from tests.emulator.firehose_rig import rig
from tests.emulator.harness import Emulator, wait_until


@pytest.fixture(autouse=True)
def function(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function's environment, with an access key that belongs to nobody's role: the account's own."""
    for name in surroundings.BOTOCORE_ONLY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    told = {
        "AWS_ENDPOINT_URL": emulator.url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)


def made(service: Service) -> JsonClient:
    assert surroundings.is_standard_lambda()
    return JsonClient(service)


def test_records_arrive_in_the_bucket(emulator: Emulator) -> None:
    made_by = rig(emulator, "own-client", seconds=1, CompressionFormat="GZIP")
    client = made(stream.FIREHOSE_SERVICE)
    assert client.call("PutRecord", {"DeliveryStreamName": made_by.name, "Record": {"Data": b"one\n"}})["RecordId"]
    records = [{"Data": b"t\xc3\xa4wo\n"}, {"Data": b"three\n"}]
    answer = client.call("PutRecordBatch", {"DeliveryStreamName": made_by.name, "Records": records})
    assert (answer["FailedPutCount"], len(answer["RequestResponses"])) == (0, 2)
    [content] = wait_until(made_by.objects).values()
    assert gzip.decompress(content) == b"one\nt\xc3\xa4wo\nthree\n"


def test_a_stream_that_is_not_there_has_its_code() -> None:
    with pytest.raises(AwsError) as found:
        made(stream.FIREHOSE_SERVICE).call("PutRecord", {"DeliveryStreamName": "nowhere", "Record": {"Data": b"x"}})
    assert found.value.code == "ResourceNotFoundException"


def test_a_secret_is_read(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '{"username": "reader", "password": "word"}'
    arn = emulator.client("secretsmanager").create_secret(Name="own-client", SecretString=text)["ARN"]
    client = made(credentials.SECRETS_MANAGER_SERVICE)
    monkeypatch.setattr(credentials, "get_secrets_client", lambda: client)
    assert credentials.read_credentials(arn) == credentials.Credentials("reader", "word")
    with pytest.raises(AwsError) as found:
        credentials.read_credentials(f"{arn}-not")
    assert found.value.code == "ResourceNotFoundException"


def test_a_role_that_may_not_is_denied(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    user = emulator.client("iam")
    user.create_user(UserName="own-client")
    key = user.create_access_key(UserName="own-client")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    with pytest.raises(AwsError) as found:
        made(stream.FIREHOSE_SERVICE).call("PutRecord", {"DeliveryStreamName": "any", "Record": {"Data": b"x"}})
    assert found.value.code in {"AccessDeniedException", "AccessDenied"}
