"""What we know without botocore is what botocore knows; all else is left to it."""

import botocore.session
import pytest

from sluice.aws import lambda_environment
from sluice.aws.botocore_client import BotocoreClient
from sluice.aws.client import create_client
from sluice.aws.json_client import JsonClient
from sluice.aws.lambda_environment import Service, build_endpoint_url
from sluice.aws.secrets import SECRETS_MANAGER_SERVICE
from sluice.ingest.firehose import FIREHOSE_SERVICE

SERVICES = [FIREHOSE_SERVICE, SECRETS_MANAGER_SERVICE]


@pytest.fixture(autouse=True)
def lambdas(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function's environment, without what this machine adds."""
    for name in (*lambda_environment.BOTOCORE_ONLY_VARIABLES, "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_every_endpoint_that_we_make_is_botocores(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    session = botocore.session.get_session()
    partitions = session.get_available_partitions()
    regions = {region for name in partitions for region in session.get_available_regions(service.name, name)}
    ours = set()
    for region in regions:
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)
        if lambda_environment.is_standard_lambda():
            ours.add(region)
            botocore_client = session.create_client(service.name, region_name=region)
            assert build_endpoint_url(service) == botocore_client.meta.endpoint_url
    assert {"eu-west-1", "us-east-1", "ap-southeast-2"} <= ours
    assert {"cn-north-1", "us-gov-west-1"} <= regions - ours
    assert not [region for region in regions - ours if region in session.get_available_regions(service.name)]


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_service_has_botocores_names(service: Service) -> None:
    model = botocore.session.get_session().get_service_model(service.name)
    assert service.target_prefix == model.metadata["targetPrefix"]
    assert service.endpoint_variable == str(model.service_id).upper().replace(" ", "_")
    assert model.metadata["jsonVersion"] == "1.1"
    assert model.signing_name == service.name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_DEFAULT_REGION", ""),
        ("AWS_DEFAULT_REGION", "us-gov-west-1"),
        ("AWS_DEFAULT_REGION", "cn-north-1"),
        *((name, "somewhat") for name in lambda_environment.BOTOCORE_ONLY_VARIABLES),
    ],
)
def test_what_is_said_in_another_way_is_left_to_botocore(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lambda_environment.is_standard_lambda()
    monkeypatch.setenv(name, value)
    assert not lambda_environment.is_standard_lambda()


def test_which_client_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(create_client(FIREHOSE_SERVICE), JsonClient)
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    aws_client = create_client(FIREHOSE_SERVICE)
    assert isinstance(aws_client, BotocoreClient)
    assert aws_client._client.meta.endpoint_url == "https://firehose-fips.eu-west-1.amazonaws.com"


def test_where_the_signer_does_not_run_botocore_makes_the_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.aws.client.find_spec", lambda _name: None)
    assert isinstance(create_client(FIREHOSE_SERVICE), BotocoreClient)


def test_an_endpoint_can_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:1")
    assert build_endpoint_url(FIREHOSE_SERVICE) == "http://localhost:1"
    monkeypatch.setenv("AWS_ENDPOINT_URL_FIREHOSE", "http://localhost:2")
    assert build_endpoint_url(FIREHOSE_SERVICE) == "http://localhost:2"
    assert build_endpoint_url(SECRETS_MANAGER_SERVICE) == "http://localhost:1"


def test_a_session_token_is_part_of_the_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lambda_environment.read_role_credentials() == ("key", "secret", "")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    assert lambda_environment.read_role_credentials() == ("key", "secret", "token")
