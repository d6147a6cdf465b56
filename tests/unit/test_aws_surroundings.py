"""What we know without botocore is what botocore knows; all else is left to it."""

import botocore.session
import pytest

from sluice import credentials, stream
from sluice.aws import surroundings
from sluice.aws.botocores import BotocoresClient
from sluice.aws.client import client
from sluice.aws.plain import PlainClient
from sluice.aws.service import Service

SERVICES = [stream.SERVICE, credentials.SECRETS]


@pytest.fixture(autouse=True)
def lambdas(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function's environment, without what this machine adds."""
    for name in (*surroundings._OTHERWISE, "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
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
        if surroundings.plain():
            ours.add(region)
            made = session.create_client(service.name, region_name=region)
            assert surroundings.endpoint(service.name, service.variable) == made.meta.endpoint_url
    assert {"eu-west-1", "us-east-1", "ap-southeast-2"} <= ours
    assert {"cn-north-1", "us-gov-west-1"} <= regions - ours
    assert not [region for region in regions - ours if region in session.get_available_regions(service.name)]


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_service_has_botocores_names(service: Service) -> None:
    model = botocore.session.get_session().get_service_model(service.name)
    assert service.target == model.metadata["targetPrefix"]
    assert service.variable == str(model.service_id).upper().replace(" ", "_")
    assert model.metadata["jsonVersion"] == "1.1"
    assert model.signing_name == service.name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_DEFAULT_REGION", ""),
        ("AWS_DEFAULT_REGION", "us-gov-west-1"),
        ("AWS_DEFAULT_REGION", "cn-north-1"),
        *((name, "somewhat") for name in surroundings._OTHERWISE),
    ],
)
def test_what_is_said_in_another_way_is_left_to_botocore(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert surroundings.plain()
    monkeypatch.setenv(name, value)
    assert not surroundings.plain()


def test_which_client_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(client(stream.SERVICE), PlainClient)
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    made = client(stream.SERVICE)
    assert isinstance(made, BotocoresClient)
    assert made._client.meta.endpoint_url == "https://firehose-fips.eu-west-1.amazonaws.com"


def test_an_endpoint_can_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:1")
    assert surroundings.endpoint("firehose", "FIREHOSE") == "http://localhost:1"
    monkeypatch.setenv("AWS_ENDPOINT_URL_FIREHOSE", "http://localhost:2")
    assert surroundings.endpoint("firehose", "FIREHOSE") == "http://localhost:2"
    assert surroundings.endpoint("secretsmanager", "SECRETS_MANAGER") == "http://localhost:1"


def test_a_session_token_is_part_of_the_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    assert surroundings.credentials() == ("key", "secret", "")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    assert surroundings.credentials() == ("key", "secret", "token")
