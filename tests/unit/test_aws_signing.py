"""A signature of ours is botocore's."""

import datetime
from unittest.mock import patch

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from sluice.aws.json_client import RequestSigner
from sluice.aws.lambda_environment import AwsCredentials

AT = datetime.datetime(2026, 11, 25, 14, 30, 5, tzinfo=datetime.UTC)
TEXT = st.text("abcXYZ019-._/+=", min_size=1, max_size=40)


def botocores(
    headers: dict[str, str], body: bytes, scope: tuple[str, str], credentials: AwsCredentials
) -> dict[str, str]:
    request = AWSRequest("POST", f"https://{headers['host']}/", data=body, headers=headers)
    signer = SigV4Auth(
        BotocoreCredentials(credentials.access_key, credentials.secret_key, credentials.session_token or None),
        service_name=scope[1],
        region_name=scope[0],
    )
    with patch("botocore.auth.get_current_datetime", return_value=AT.replace(tzinfo=None)):
        signer.add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


def ours(headers: dict[str, str], body: bytes, scope: tuple[str, str], credentials: AwsCredentials) -> dict[str, str]:
    region, service = scope
    signer = RequestSigner(service, region, f"https://{headers['host']}", credentials)
    with patch("aws_sdk_signers.signers.datetime") as stopped:
        stopped.datetime.now.return_value = AT
        signed_headers = signer.sign_headers(headers, body)
    return {name.lower(): value for name, value in signed_headers.items()}


@given(
    body=st.binary(max_size=200),
    key=TEXT,
    secret=TEXT,
    token=st.one_of(st.just(""), TEXT),
    value=st.text("ab  ;:,", max_size=9),
)
def test_a_signature_is_botocores(body: bytes, key: str, secret: str, token: str, value: str) -> None:
    headers = {
        "host": "firehose.eu-west-1.amazonaws.com",
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": f"Firehose_20150804.PutRecord{value}",
    }
    scope, credentials = ("eu-west-1", "firehose"), AwsCredentials(key, secret, token)
    signed_headers = ours(headers, body, scope, credentials)
    assert signed_headers == botocores(headers, body, scope, credentials)
    assert ("x-amz-security-token" in signed_headers) == bool(token)


@pytest.mark.parametrize("secret", ["secret", "s/cr+t"])
def test_a_secret_is_not_shown(secret: str) -> None:
    assert secret not in repr(AwsCredentials("key", secret, "token"))
