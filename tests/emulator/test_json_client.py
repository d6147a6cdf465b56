"""The AWS client of the functions, against the services of the emulator."""

import gzip

import pytest

from sluice.aws import lambda_environment as surroundings
from sluice.aws import secrets as credentials
from sluice.aws.json_client import JsonClient
from sluice.aws.lambda_environment import Service
from sluice.errors import AwsError
from sluice.ingest import firehose as stream
from testkit.emulator_harness import Emulator, wait_until
from tests.emulator.firehose_streams import create_stream


@pytest.fixture(autouse=True)
def function_environment(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the environment of a function, with the access key of the account's root user."""
    for name in surroundings.BOTOCORE_ONLY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    variables = {
        "AWS_ENDPOINT_URL": emulator.url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)


def create_client(service: Service) -> JsonClient:
    assert surroundings.is_standard_lambda()
    return JsonClient(service)


def test_records_arrive_in_the_bucket(emulator: Emulator) -> None:
    delivery_stream = create_stream(emulator, "own-client", seconds=1, CompressionFormat="GZIP")
    client = create_client(stream.FIREHOSE_SERVICE)
    assert client.call("PutRecord", {"DeliveryStreamName": delivery_stream.name, "Record": {"Data": b"one\n"}})[
        "RecordId"
    ]
    records = [{"Data": b"t\xc3\xa4wo\n"}, {"Data": b"three\n"}]
    response = client.call("PutRecordBatch", {"DeliveryStreamName": delivery_stream.name, "Records": records})
    assert (response["FailedPutCount"], len(response["RequestResponses"])) == (0, 2)
    [content] = wait_until(delivery_stream.list_objects).values()
    assert gzip.decompress(content) == b"one\nt\xc3\xa4wo\nthree\n"


def test_a_missing_stream_raises_its_error_code() -> None:
    with pytest.raises(AwsError) as raised:
        create_client(stream.FIREHOSE_SERVICE).call(
            "PutRecord", {"DeliveryStreamName": "nowhere", "Record": {"Data": b"x"}}
        )
    assert raised.value.code == "ResourceNotFoundException"


def test_a_secret_is_read(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '{"username": "reader", "password": "word"}'
    arn = emulator.client("secretsmanager").create_secret(Name="own-client", SecretString=text)["ARN"]
    client = create_client(credentials.SECRETS_MANAGER_SERVICE)
    monkeypatch.setattr(credentials, "get_secrets_client", lambda: client)
    assert credentials.read_credentials(arn) == credentials.Credentials("reader", "word")
    with pytest.raises(AwsError) as raised:
        credentials.read_credentials(f"{arn}-not")
    assert raised.value.code == "ResourceNotFoundException"


def test_a_user_without_permission_is_denied(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    iam = emulator.client("iam")
    iam.create_user(UserName="own-client")
    key = iam.create_access_key(UserName="own-client")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    with pytest.raises(AwsError) as raised:
        create_client(stream.FIREHOSE_SERVICE).call(
            "PutRecord", {"DeliveryStreamName": "any", "Record": {"Data": b"x"}}
        )
    assert raised.value.code in {"AccessDeniedException", "AccessDenied"}
