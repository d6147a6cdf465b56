"""The contenders. Each function imports what it needs, makes a client of Firehose, and returns how to put a record."""

import os
from collections.abc import Callable
from typing import Any

Put = Callable[[bytes], object]

_STREAM = "writes"
_CONNECT_SECONDS, _READ_SECONDS = 1.0, 2.0


def create_sluice() -> Put:
    """The functions' own client: aws-sdk-signers and http.client."""
    from sluice.aws.client import create_client  # noqa: PLC0415
    from sluice.ingest.firehose import FIREHOSE_SERVICE, FirehoseStream  # noqa: PLC0415

    return FirehoseStream(_STREAM, create_client(FIREHOSE_SERVICE)).put_record


def create_own_signing() -> Put:
    """The same, but the signature is made by hand, as it was until ADR-0119."""
    import hashlib  # noqa: PLC0415
    import hmac  # noqa: PLC0415
    import time  # noqa: PLC0415

    import msgspec  # noqa: PLC0415

    from sluice.aws.connection import Endpoint  # noqa: PLC0415

    endpoint = Endpoint(_read_url(), connect_seconds=_CONNECT_SECONDS, read_seconds=_READ_SECONDS)
    scope_end = f"{os.environ['AWS_DEFAULT_REGION']}/firehose/aws4_request"

    def sign(headers: dict[str, str], body: bytes) -> dict[str, str]:
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        headers |= {"x-amz-date": now, "x-amz-security-token": os.environ["AWS_SESSION_TOKEN"]}
        names = sorted(headers)
        lines = "".join(f"{name}:{headers[name]}\n" for name in names)
        request = f"POST\n/\n\n{lines}\n{';'.join(names)}\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{now[:8]}/{scope_end}"
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        key = f"AWS4{os.environ['AWS_SECRET_ACCESS_KEY']}".encode()
        for part in (*scope.split("/"), text):
            key = hmac.digest(key, part.encode(), "sha256")
        credential = f"Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}"
        return headers | {
            "authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders={';'.join(names)}, Signature={key.hex()}"
        }

    def put(record: bytes) -> object:
        body = msgspec.json.encode(_build_put(record))
        status, _, content = endpoint.post(body, sign(_build_headers(endpoint.host), body))
        return _check(status, msgspec.json.decode(content))

    return put


def create_urllib3() -> Put:
    """aws-sdk-signers and urllib3."""
    import msgspec  # noqa: PLC0415
    import urllib3  # noqa: PLC0415

    from sluice.aws.tls import create_aws_tls_context  # noqa: PLC0415

    sign, url = _create_signer(), _read_url()
    timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS)
    if url.startswith("https"):
        pool = urllib3.PoolManager(ssl_context=create_aws_tls_context(), timeout=timeout, retries=False)
    else:
        pool = urllib3.PoolManager(timeout=timeout, retries=False)

    def put(record: bytes) -> object:
        body = msgspec.json.encode(_build_put(record))
        response = pool.urlopen("POST", f"{url}/", body=body, headers=sign(body))
        return _check(response.status, msgspec.json.decode(response.data))

    return put


def create_httpcore() -> Put:
    """aws-sdk-signers and httpcore."""
    import httpcore  # noqa: PLC0415
    import msgspec  # noqa: PLC0415

    from sluice.aws.tls import create_aws_tls_context  # noqa: PLC0415

    sign, url = _create_signer(), _read_url()
    pool = httpcore.ConnectionPool(ssl_context=create_aws_tls_context() if url.startswith("https") else None)
    timeouts = {"timeout": {"connect": _CONNECT_SECONDS, "read": _READ_SECONDS}}

    def put(record: bytes) -> object:
        body = msgspec.json.encode(_build_put(record))
        response = pool.request("POST", f"{url}/", headers=list(sign(body).items()), content=body, extensions=timeouts)
        return _check(response.status, msgspec.json.decode(response.content))

    return put


def create_botocore() -> Put:
    """botocore's client."""
    import botocore.session  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    config = Config(connect_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS, retries={"total_max_attempts": 1})
    client: Any = botocore.session.get_session().create_client("firehose", config=config)
    return lambda record: client.put_record(**_build_put(record))


def create_boto3() -> Put:
    """boto3's client."""
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    config = Config(connect_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS, retries={"total_max_attempts": 1})
    client: Any = boto3.Session().client("firehose", config=config)
    return lambda record: client.put_record(**_build_put(record))


def _create_signer() -> Callable[[bytes], dict[str, str]]:
    from urllib.parse import urlsplit  # noqa: PLC0415

    from sluice.aws.json_client import RequestSigner  # noqa: PLC0415
    from sluice.aws.lambda_environment import read_role_credentials  # noqa: PLC0415

    url = _read_url()
    signer = RequestSigner("firehose", os.environ["AWS_DEFAULT_REGION"], url, read_role_credentials())
    host = urlsplit(url).netloc
    return lambda body: signer.sign_headers(_build_headers(host), body)


def _read_url() -> str:
    return os.environ.get("AWS_ENDPOINT_URL") or f"https://firehose.{os.environ['AWS_DEFAULT_REGION']}.amazonaws.com"


def _build_headers(host: str) -> dict[str, str]:
    return {
        "content-type": "application/x-amz-json-1.1",
        "host": host,
        "x-amz-target": "Firehose_20150804.PutRecord",
    }


def _build_put(record: bytes) -> dict[str, Any]:
    return {"DeliveryStreamName": _STREAM, "Record": {"Data": record}}


def _check(status: int, content: object) -> object:
    if status != 200:
        raise RuntimeError(f"{status}: {content}")
    return content


# By name: how to make the client, and the distributions that a package needs for it besides msgspec.
CONTENDERS: dict[str, tuple[Callable[[], Put], tuple[str, ...]]] = {
    "sluice": (create_sluice, ("aws-sdk-signers",)),
    "own signing": (create_own_signing, ()),
    "signers, urllib3": (create_urllib3, ("aws-sdk-signers", "urllib3")),
    "signers, httpcore": (create_httpcore, ("aws-sdk-signers", "httpcore", "h11", "certifi")),
    "botocore": (create_botocore, ("botocore", "jmespath", "python-dateutil", "six", "urllib3")),
    "boto3": (
        create_boto3,
        ("boto3", "s3transfer", "botocore", "jmespath", "python-dateutil", "six", "urllib3"),
    ),
}
