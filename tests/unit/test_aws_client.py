"""Our client of AWS and botocore's behave alike, on one server."""

import json
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from sluice.aws.botocore_client import BotocoreClient
from sluice.aws.client import AwsClient
from sluice.aws.connection import Endpoint
from sluice.aws.json_client import JsonClient
from sluice.aws.lambda_environment import Service
from sluice.aws.retries import choose_backoff_seconds
from sluice.errors import AwsConnectionError, AwsError
from sluice.ingest.firehose import FIREHOSE_SERVICE
from tests.unit.loopback import Loopback, StubResponse, error

# The stream itself retries its puts.
SERVICE = replace(FIREHOSE_SERVICE, max_attempts=3)
PUT = {"DeliveryStreamName": "writes", "Record": {"Data": b'{"a":"\xc3\xa4"}\n'}}


@pytest.fixture(autouse=True)
def at_loopback(stream: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", stream.url)
    for name, value in {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")


@pytest.fixture(params=[JsonClient, BotocoreClient], ids=["ours", "botocore's"])
def aws_client(request: pytest.FixtureRequest, at_loopback: None) -> AwsClient:
    kind: Callable[[Service], AwsClient] = request.param
    return kind(SERVICE)


def test_a_record_arrives(aws_client: AwsClient, stream: Loopback) -> None:
    assert aws_client.call("PutRecord", PUT)["RecordId"] == "1"
    [request] = stream.requests
    assert (request.operation, request.records) == ("PutRecord", [PUT["Record"]["Data"]])  # type: ignore[index]


@pytest.mark.parametrize(
    ("answer", "code", "times"),
    [
        (error("AccessDeniedException"), "AccessDeniedException", 1),
        (error("com.amazonaws.firehose#InvalidArgumentException:http://x/"), "InvalidArgumentException", 1),
        (error("ThrottlingException"), "ThrottlingException", 3),
        (error("ServiceUnavailableException", 503), "ServiceUnavailableException", 3),
        (lambda _: StubResponse(502, "<html>Bad Gateway</html>"), "502", 3),
        (lambda _: StubResponse(0, {}), "ConnectionClosedError", 3),
    ],
)
def test_a_failure_has_its_code(
    aws_client: AwsClient, stream: Loopback, answer: Callable[..., StubResponse], code: str, times: int
) -> None:
    stream.otherwise = answer
    with pytest.raises(AwsError) as raised:
        aws_client.call("PutRecord", PUT)
    assert (raised.value.code, raised.value.operation, len(stream.requests)) == (code, "PutRecord", times)
    assert "says the service" not in str(raised.value)


def test_an_answer_that_is_no_json_is_none(stream: Loopback) -> None:
    stream.otherwise = lambda _: StubResponse(200, "<html>")  # botocore takes it for an empty answer
    with pytest.raises(AwsError) as raised:
        JsonClient(SERVICE).call("PutRecord", PUT)
    assert (raised.value.code, len(stream.requests)) == ("ResponseParserError", 1)


def test_retries_end_when_a_service_is_down_for_long(aws_client: AwsClient, stream: Loopback) -> None:
    stream.otherwise = error("ServiceUnavailableException", 503)
    for _ in range(60):
        with pytest.raises(AwsError):
            aws_client.call("PutRecord", PUT)
    request_count = len(stream.requests)
    assert request_count == 60 + 100
    stream.otherwise = error("AccessDeniedException")
    stream.answers.extend([lambda _: StubResponse(200, {"RecordId": "1"})] * 5)
    for _ in range(5):
        aws_client.call("PutRecord", PUT)
    stream.otherwise = error("ServiceUnavailableException", 503)
    with pytest.raises(AwsError):
        aws_client.call("PutRecord", PUT)
    assert len(stream.requests) == request_count + 5 + 2  # five successes pay for one retry


def test_pauses_grow_up_to_a_cap() -> None:
    pauses_by_attempt = {attempt: [choose_backoff_seconds(attempt) for _ in range(300)] for attempt in (1, 2, 3, 9)}
    for attempt, most in {1: 1, 2: 2, 3: 4, 9: 20}.items():
        assert most / 2 < max(pauses_by_attempt[attempt]) <= most
    assert len(set(pauses_by_attempt[1])) > 200


@pytest.fixture
def endpoint(stream: Loopback) -> Endpoint:
    return Endpoint(stream.url, connect_seconds=1, read_seconds=2)


HEADERS = {"host": "x", "x-amz-target": "Firehose_20150804.PutRecord"}


def test_a_connection_is_kept_and_one_that_was_dropped_is_not_used(endpoint: Endpoint) -> None:
    body = json.dumps({"DeliveryStreamName": "writes", "Record": {"Data": ""}}).encode()
    assert endpoint.post(body, HEADERS)[0] == 200
    [first] = endpoint._idle
    assert endpoint.post(body, HEADERS)[0] == 200
    assert endpoint._idle == [first]
    first.sock.shutdown(1)  # the server sees the end and closes too
    first.sock.settimeout(2)
    assert first.sock.recv(1, 2) == b""  # MSG_PEEK: it is still to be read
    assert endpoint.post(body, HEADERS)[0] == 200
    assert endpoint._idle != [first]


def test_threads_share_no_connection(endpoint: Endpoint) -> None:
    body = json.dumps({"DeliveryStreamName": "writes", "Record": {"Data": ""}}).encode()
    statuses: list[int] = []

    def ask() -> None:
        statuses.extend(endpoint.post(body, HEADERS)[0] for _ in range(20))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 80


@pytest.mark.parametrize(
    ("name", "trusted", "code"),
    [
        ("localhost", True, ""),
        ("localhost", False, "SSLError"),  # nobody vouches for it
        ("elsewhere", True, "SSLError"),  # it is somebody else
    ],
)
def test_a_server_is_believed_by_its_authority_and_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, trusted: bool, code: str
) -> None:
    certificate = _certificate(tmp_path, name)
    if trusted:
        (tmp_path / "cacert.pem").write_bytes(certificate.read_bytes())
        monkeypatch.setattr("botocore.__file__", str(tmp_path / "__init__.py"))
    with Loopback(certificate) as server:
        endpoint = Endpoint(server.url, connect_seconds=1, read_seconds=1)
        with pytest.raises(AwsConnectionError) if code else nullcontext() as raised:
            assert endpoint.post(b'{"Record": {"Data": ""}}', HEADERS)[0] == 200
    assert (raised.value.code if raised else "") == code


def _certificate(folder: Path, host: str) -> Path:
    import datetime  # noqa: PLC0415

    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
