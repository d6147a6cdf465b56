"""Call AWS's JSON services: signed requests over a warm connection, with retries.

A client of botocore takes some 200 ms to start, nearly all of it for what these services do not need: the models of
all services, the rules of endpoints, the tools of its documentation. See docs/adr/0061-call-aws-with-a-small-client.md.
"""

import hashlib
import hmac
import random
import time
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from sluice.aws.connection import Endpoint
from sluice.aws.lambda_environment import (
    AwsCredentials,
    Service,
    build_endpoint_url,
    is_standard_lambda,
    read_region,
    read_role_credentials,
)
from sluice.aws.tracing import Subsegment, create_subsegment
from sluice.errors import AwsConnectionError, AwsError

MAX_BACKOFF_SECONDS = 20.0

# Retries are limited as in botocore's standard mode.
_TRANSIENT_STATUSES = {500, 502, 503, 504}
_RETRYABLE_CODES = {
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "RequestTimeoutException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
}
_RETRY_BUDGET, _RETRY_COST, _REFUND_WITHOUT_RETRY = 500, 5, 1

_SIGNING_ALGORITHM = "AWS4-HMAC-SHA256"


class AwsClient(Protocol):
    """A client of one service."""

    def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Call an operation and return its response. Bytes among the parameters are blobs. Raises AwsError."""


def create_client(service: Service) -> AwsClient:
    """Create a client: JsonClient if the environment is as Lambda makes it, else one that leaves all to botocore."""
    if is_standard_lambda():
        return JsonClient(service)
    from sluice.aws.botocore_client import BotocoreClient  # noqa: PLC0415  botocore is slow to import

    return BotocoreClient(service)


class JsonClient:
    """A client of one service that signs and posts JSON itself."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._endpoint = Endpoint(
            build_endpoint_url(service), connect_seconds=service.connect_seconds, read_seconds=service.read_seconds
        )
        # Lambda sets both when it starts the process, and does not change them.
        self._region = read_region()
        self._credentials = read_role_credentials()
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
        scope = (self._region, self.service.name)
        headers = sign_headers(headers, body, scope, self._credentials, time.time())
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


def is_retryable(error: AwsError) -> bool:
    """Whether the same call may succeed soon."""
    return (
        isinstance(error, AwsConnectionError) or error.status in _TRANSIENT_STATUSES or error.code in _RETRYABLE_CODES
    )


def choose_backoff_seconds(retry: int) -> float:
    """Return the pause before a retry, the first being 1: exponential backoff with full jitter, up to a cap."""
    return min(random.random() * (1 << retry - 1), MAX_BACKOFF_SECONDS)  # noqa: S311  jitter


class RetryBudget:
    """What a client may spend on retries until its calls succeed again: a service that is down gets few of them."""

    def __init__(self) -> None:
        self._remaining = _RETRY_BUDGET

    def acquire(self) -> bool:
        """Pay for a retry. Returns False if the budget is too small."""
        if self._remaining < _RETRY_COST:
            return False
        self._remaining -= _RETRY_COST
        return True

    def release(self, retries: int) -> None:
        """After a success, refund the cost of its last retry, or a little if there was none."""
        refund = _RETRY_COST if retries else _REFUND_WITHOUT_RETRY
        self._remaining = min(_RETRY_BUDGET, self._remaining + refund)


def sign_headers(
    headers: Mapping[str, str], body: bytes, scope: tuple[str, str], credentials: AwsCredentials, now: float
) -> dict[str, str]:
    """Return the headers of a POST to `/` with a signature of version 4.

    `headers` are in lower case and contain host. `scope` is region and service, `now` is in seconds.
    """
    date_time = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    signed = {**headers, "x-amz-date": date_time}
    if credentials.session_token:
        signed["x-amz-security-token"] = credentials.session_token
    names = sorted(signed)
    name_list = ";".join(names)
    lines = "".join(f"{name}:{' '.join(signed[name].split())}\n" for name in names)
    request = f"POST\n/\n\n{lines}\n{name_list}\n{hashlib.sha256(body).hexdigest()}"
    credential_scope = "/".join((date_time[:8], *scope, "aws4_request"))
    text = f"{_SIGNING_ALGORITHM}\n{date_time}\n{credential_scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret_key}".encode()
    for part in (*credential_scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    credential = f"{credentials.access_key}/{credential_scope}"
    authorization = f"{_SIGNING_ALGORITHM} Credential={credential}, SignedHeaders={name_list}, Signature={key.hex()}"
    return {**signed, "authorization": authorization}
