"""The client of AWS's JSON services that starts fast: AWS's own signer, Python's own HTTP client.

A client of botocore takes some 200 ms to start, nearly all of it for what these services do not need: the models of
all services, the rules of endpoints, the tools of its documentation.
"""

import io
import time
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec
from aws_sdk_signers import URI, AWSCredentialIdentity, AWSRequest, Field, Fields, SigV4Signer, SigV4SigningProperties

from sluice.aws.connection import Endpoint
from sluice.aws.lambda_environment import (
    AwsCredentials,
    Service,
    build_endpoint_url,
    read_region,
    read_role_credentials,
)
from sluice.aws.retries import RetryBudget, choose_backoff_seconds, is_retryable
from sluice.aws.tracing import Subsegment, create_subsegment
from sluice.errors import AwsError


class _Post(AWSRequest):
    """A request that is made for one signature. The signer need not copy it, which would take most of its time."""

    def __deepcopy__(self, memo: object = None) -> Self:
        return self


class RequestSigner:
    """Signs the requests to one service with the credentials of a role."""

    def __init__(self, service: str, region: str, endpoint_url: str, credentials: AwsCredentials) -> None:
        parts = urlsplit(endpoint_url)
        self._destination = URI(scheme=parts.scheme, host=parts.hostname or "", port=parts.port, path="/")
        self._properties = SigV4SigningProperties(region=region, service=service)
        self._identity = AWSCredentialIdentity(
            access_key_id=credentials.access_key,
            secret_access_key=credentials.secret_key,
            session_token=credentials.session_token or None,
        )
        self._signer = SigV4Signer()

    def sign_headers(self, headers: dict[str, str], body: bytes) -> dict[str, str]:
        """Return the headers of a POST to `/` with a signature of version 4 of now."""
        fields = Fields([Field(name=name, values=[value]) for name, value in headers.items()])
        request = _Post(destination=self._destination, method="POST", body=io.BytesIO(body), fields=fields)
        signed = self._signer.sign(request=request, identity=self._identity, properties=self._properties)
        return {field.name: field.as_string() for field in signed.fields}


class JsonClient:
    """A client of one service that posts signed JSON itself."""

    def __init__(self, service: Service) -> None:
        self.service = service
        url = build_endpoint_url(service)
        self._endpoint = Endpoint(url, connect_seconds=service.connect_seconds, read_seconds=service.read_seconds)
        # Lambda sets region and credentials when it starts the process, and does not change them.
        self._region = read_region()
        self._signer = RequestSigner(service.name, self._region, url, read_role_credentials())
        self._retry_budget = RetryBudget()

    def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """See AwsClient."""
        body = msgspec.json.encode(parameters)
        with create_subsegment(self.service.name, "aws") as segment:
            segment.add_aws_fields(operation=operation, region=self._region)
            retries = 0
            while True:
                try:
                    response = self._send(operation, body, segment)
                except AwsError as error:
                    is_last = retries + 1 == self.service.max_attempts
                    if is_last or not is_retryable(error) or not self._retry_budget.acquire():
                        segment.add_aws_fields(retries=retries)
                        error.operation = operation
                        raise
                    retries += 1
                    time.sleep(choose_backoff_seconds(retries))
                else:
                    segment.add_aws_fields(retries=retries)
                    self._retry_budget.release(retries)
                    return response

    def _send(self, operation: str, body: bytes, segment: Subsegment) -> dict[str, Any]:
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "host": self._endpoint.host,
            "x-amz-target": f"{self.service.target_prefix}.{operation}",
        }
        headers = self._signer.sign_headers(headers, body)
        status, received, content = self._endpoint.post(body, headers | segment.trace_headers())
        segment.set_response(status, received.get("x-amzn-requestid", ""))
        if status == 200:
            return _decode_response(content)
        code = _parse_error_code(received.get("x-amzn-query-error", ""), content)
        raise AwsError(code or str(status), status=status)


def _decode_response(content: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(content or b"{}", type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise AwsError("ResponseParserError") from None


def _parse_error_code(header: str, content: bytes) -> str:
    """Return the error code: from a header, or from the body, where a namespace and a remark may surround it."""
    try:
        body = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = None
    fields = body if isinstance(body, dict) else {}
    code = header.split(";", maxsplit=1)[0] or str(fields.get("__type") or fields.get("code") or "")
    return code.split(":")[0].rsplit("#", 1)[-1]
